//! Large packets, packets in many pieces, and a queue of 100,000.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use serde_json::{Value, json};

use super::apart::{USUAL_MTU, in_own_net};
use super::tcp::wait_for;
use super::{drain, netlink, told};
use crate::holder::{Holder, Queued};
use crate::sys::{self, message, net};

/// How many bytes each of [`many`] messages has.
const SIZE: usize = 100;

fn add(holder: &mut Holder, label: &str, fd: impl Into<std::os::fd::OwnedFd>, receive: Value) {
    let queues = json!({ "receive": receive });
    holder.add_queued("socket", label, fd, Queued { queues, drain: drain::messages() });
}

/// 64,000 bytes, partly in the linear part and partly in pages (net/unix/af_unix.c).
pub fn unix_dgram(holder: &mut Holder) -> io::Result<()> {
    let (sender, receiver) = UnixDatagram::pair()?;
    sys::set_socket_option(sender.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, 200_000)?;
    let bytes = told::known_bytes(8, 64_000);
    sender.send(&bytes)?;
    sender.send(b"and a small one")?;
    let packets = json!([told::packet(&bytes), told::packet(b"and a small one")]);
    add(holder, "unix-large", receiver, packets);
    holder.keep(sender);
    Ok(())
}

/// The largest datagram that UDP has.
pub fn udp(holder: &mut Holder) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    let bytes = told::known_bytes(9, 65_507);
    sender.send_to(&bytes, socket.local_addr()?)?;
    add(holder, "udp-large", socket, json!([told::packet(&bytes)]));
    Ok(())
}

/// A message so large that the kernel keeps it in memory of another sort (vmalloc).
pub fn netlink(holder: &mut Holder) -> io::Result<()> {
    let (receiver, address) = netlink::bound(libc::NETLINK_USERSOCK)?;
    let (sender, _) = netlink::bound(libc::NETLINK_USERSOCK)?;
    let bytes = netlink::with_header(0x20, 0, 1, &told::known_bytes(10, 60_000));
    message::send_to(sender.as_fd(), &bytes, &address)?;
    add(holder, "netlink-large", receiver, json!([told::packet(&bytes)]));
    holder.keep(sender);
    Ok(())
}

/// Put together from fourteen fragments, which stay what they were: a fragment list.
pub fn udp_fragments(holder: &mut Holder) -> io::Result<()> {
    let bytes = told::known_bytes(11, 20_000);
    let sent = bytes.clone();
    let (socket, from) = in_own_net(1500, move || {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let sender = UdpSocket::bind("127.0.0.1:0")?;
        sender.send_to(&sent, socket.local_addr()?)?;
        // recv(2), poll(2) and FIONREAD would take it over to the reader's queue.
        wait_for("no datagram", || {
            const SK_MEMINFO_RMEM_ALLOC: usize = 0;
            let memory = sys::socket_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO)?;
            Ok(memory[SK_MEMINFO_RMEM_ALLOC] > 0)
        })?;
        Ok((socket, sender.local_addr()?.to_string()))
    })?;
    let packet = told::packet_with(&bytes, json!({ "from": from }));
    add(holder, "udp-fragments", socket, json!([packet]));
    Ok(())
}

/// Pieces of many pages that were spliced into a TCP connection: as many fragments in a packet
/// as there may be (MAX_SKB_FRAGS, seventeen).
pub fn tcp_fragments(holder: &mut Holder) -> io::Result<()> {
    const PIECES: usize = 40;
    const PIECE: usize = 1000;
    const PAGE: usize = 4096;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    // The pages are the packets' own, so they stay for good.
    let pages: &'static [u8] = Vec::leak(told::known_bytes(12, PAGE * (PIECES + 1)));
    let start = pages.as_ptr().align_offset(PAGE);
    let pieces: Vec<&'static [u8]> =
        (0..PIECES).map(|n| &pages[start + n * PAGE..][..PIECE]).collect();
    let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
    sys::fcntl(write.as_fd(), libc::F_SETPIPE_SZ, 64 * PAGE as i32)?;
    let total = PIECES * PIECE;
    if net::vmsplice(write.as_fd(), &pieces)? != total {
        return Err(io::Error::other("the pipe did not take all of it"));
    }
    let mut done = 0;
    while done < total {
        done += net::splice(read.as_fd(), client.as_fd(), total - done)?;
    }
    wait_for("bytes are still under way", || {
        Ok(sys::ioctl_int(server.as_fd(), libc::FIONREAD)? as usize == total)
    })?;
    let bytes = pieces.concat();
    let queues = json!({ "receive": told::stream(&bytes) });
    let drain = drain::stream(total);
    holder.add_queued("socket", "tcp-fragments", server, Queued { queues, drain });
    holder.keep(client);
    Ok(())
}

/// A queue of 100,000 messages, each with its number.
pub fn many(holder: &mut Holder) -> io::Result<()> {
    numbered(holder, "unix-100000", 100_000)
}

/// The same with 20,000, where the machine is slow.
pub fn fewer(holder: &mut Holder) -> io::Result<()> {
    numbered(holder, "unix-20000", 20_000)
}

fn numbered(holder: &mut Holder, label: &str, count: u32) -> io::Result<()> {
    let (sender, receiver) = in_own_net(USUAL_MTU, move || {
        // This namespace is ours alone.
        fs::write("/proc/sys/net/unix/max_dgram_qlen", count.to_string())?;
        UnixDatagram::pair()
    })?;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE);
    sys::set_socket_option(sender.as_fd(), level, name, 1 << 29)?;
    sender.set_nonblocking(true)?;
    let mut message = [0; SIZE];
    for number in 0..count {
        message[..4].copy_from_slice(&number.to_le_bytes());
        sender.send(&message)?;
    }
    add(holder, label, receiver, json!({ "numbered": count, "size": SIZE }));
    holder.keep(sender);
    Ok(())
}
