//! TCP: received, not yet sent, not acknowledged, ahead of a gap, and waiting to be accepted.

use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{sleep, spawn};
use std::time::Duration;

use serde_json::json;

use super::{drain, segment, told};
use crate::holder::{Holder, Queued};
use crate::sys::away::Away;
use crate::sys::{self, net};

const LOCALHOST: &str = "127.0.0.1:0";

/// How long the loopback device may take for what it usually does at once.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until something is so.
pub fn wait_for(what: &str, mut so: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if so()? {
            return Ok(());
        }
        sleep(PAUSE);
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, what))
}

fn unread_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    sys::ioctl_int(fd, libc::FIONREAD).map(|n| n as usize)
}

/// Written and not yet acknowledged.
fn unsent_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    sys::ioctl_int(fd, libc::TIOCOUTQ).map(|n| n as usize)
}

/// A connection to a listener: the client's end and the server's.
fn connection(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (server, _) = listener.accept()?;
    Ok((client, server))
}

/// Writes, and waits until the other end's kernel has it all.
fn write_through(client: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    client.write_all(bytes)?;
    wait_for("no acknowledgement", || Ok(unsent_bytes(client.as_fd())? == 0))
}

fn add(holder: &mut Holder, label: &str, fd: impl Into<OwnedFd>, queued: Queued) {
    holder.add_queued("socket", label, fd, queued);
}

/// An end with nothing in its queues.
fn add_empty(holder: &mut Holder, label: &str, fd: impl Into<OwnedFd>) {
    add(holder, label, fd, Queued { queues: json!({}), drain: drain::nothing() });
}

fn add_received(holder: &mut Holder, label: &str, ends: (TcpStream, TcpStream)) -> io::Result<()> {
    let (mut client, server) = ends;
    write_through(&mut client, b"hello")?;
    write_through(&mut client, b" world")?;
    let queues = json!({ "receive": told::stream(b"hello world") });
    add(holder, label, server, Queued { queues, drain: drain::stream(11) });
    add_empty(holder, &format!("{label}-client"), client);
    Ok(())
}

/// Two writes, neither read; the sender has nothing left.
pub fn received(holder: &mut Holder) -> io::Result<()> {
    let listener = TcpListener::bind(LOCALHOST)?;
    add_received(holder, "tcp", connection(&listener)?)
}

/// The same over IPv6.
pub fn received_over_6(holder: &mut Holder) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    add_received(holder, "tcp6", connection(&listener)?)
}

/// Five bytes of the first packet were taken already.
pub fn partly_read(holder: &mut Holder) -> io::Result<()> {
    let (mut client, mut server) = connection(&TcpListener::bind(LOCALHOST)?)?;
    write_through(&mut client, b"first and the rest")?;
    server.read_exact(&mut [0; 5])?;
    let rest = b" and the rest";
    let queues = json!({ "receive": told::stream(rest) });
    add(holder, "tcp-partly-read", server, Queued { queues, drain: drain::stream(rest.len()) });
    add_empty(holder, "tcp-partly-read-client", client);
    Ok(())
}

/// The FIN that follows the bytes has none of its own.
pub fn close_wait(holder: &mut Holder) -> io::Result<()> {
    let (mut client, server) = connection(&TcpListener::bind(LOCALHOST)?)?;
    write_through(&mut client, b"eleven byte")?;
    client.shutdown(Shutdown::Write)?;
    const TCP_CLOSE_WAIT: u32 = 8;
    wait_for("no FIN", || {
        let info = sys::socket_option(server.as_fd(), libc::IPPROTO_TCP, libc::TCP_INFO)?;
        Ok(info[0] & 0xff == TCP_CLOSE_WAIT)
    })?;
    let queues = json!({ "receive": told::stream(b"eleven byte") });
    add(holder, "tcp-close-wait", server, Queued { queues, drain: drain::stream(11) });
    holder.keep(client);
    Ok(())
}

/// The reader doesn't read, so that its window is shut and most is not even sent. What the
/// kernel took is in three queues, each byte in one of them.
pub fn unread(holder: &mut Holder) -> io::Result<()> {
    let listener = TcpListener::bind(LOCALHOST)?;
    // Before the connection, whose window it limits.
    sys::set_socket_option(listener.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 16_384)?;
    let (mut client, server) = connection(&listener)?;
    sys::set_socket_option(client.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, 65_536)?;
    client.set_nonblocking(true)?;
    let all = told::known_bytes(1, 1 << 20);
    let mut sent = 0;
    // Full for good when the window stays shut for a while.
    let mut refused = 0;
    while refused < 20 && sent < all.len() {
        match client.write(&all[sent..all.len().min(sent + 3000)]) {
            Ok(n) => (sent, refused) = (sent + n, 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                refused += 1;
                sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    // Every byte is in one place when what waits there and what waits here is all.
    let mut there = 0;
    wait_for("bytes are still under way", || {
        there = unread_bytes(server.as_fd())?;
        Ok(there + unsent_bytes(client.as_fd())? == sent)
    })?;
    if there == 0 || there == sent {
        return Err(io::Error::other(format!("{there} of {sent} bytes came through")));
    }
    // A later probe of the window may bring some more through.
    let whole = told::hex(&all[..sent]);
    let queues = json!({ "receive": { "begins": whole }, "holds": ["receive"] });
    add(holder, "tcp-unread", server, Queued { queues, drain: drain::stream(sent) });
    let queues = json!({ "outgoing": { "rest_of": whole }, "holds": ["write"] });
    add(holder, "tcp-unsent", client, Queued { queues, drain: drain::nothing() });
    Ok(())
}

/// The other end loses all that comes, so that what was sent waits for an acknowledgement, and
/// what the congestion window forbids waits to be sent.
pub fn unacknowledged(holder: &mut Holder) -> io::Result<()> {
    let (mut client, server) = connection(&TcpListener::bind(LOCALHOST)?)?;
    net::drop_everything(server.as_fd())?;
    sys::set_socket_option(client.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, 1 << 20)?;
    let all = told::known_bytes(2, 600_000);
    client.set_nonblocking(true)?;
    let mut sent = 0;
    while sent < all.len() {
        match client.write(&all[sent..all.len().min(sent + 5000)]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    let outgoing = told::stream(&all[..sent]);
    let queues = json!({ "outgoing": outgoing, "holds": ["retransmit", "write"] });
    add(holder, "tcp-unacknowledged", client, Queued { queues, drain: drain::nothing() });
    let drain = drain::stream_after(sent, net::drop_nothing);
    add(holder, "tcp-deaf", server, Queued { queues: json!({}), drain });
    Ok(())
}

/// Two segments that came ahead of two gaps, the later one first. Nobody but us sent them, and
/// the client's own bytes fill the gaps in the end.
pub fn out_of_order(holder: &mut Holder) -> io::Result<()> {
    let (mut client, server) = connection(&TcpListener::bind(LOCALHOST)?)?;
    write_through(&mut client, b"in order")?;
    let (from, to) = over_ipv4(&client)?;
    let (next, ack) = sequence_numbers(client.as_fd())?;
    let whole = told::known_bytes(3, 3000);
    let parts = [100..150, 1000..2500];
    for part in parts.iter().rev() {
        let seq = next.wrapping_add(part.start as u32);
        segment::send(from, to, seq, ack, &whole[part.clone()])?;
    }
    wait_for("no segment ahead of a gap", || {
        // Linux counts what it has to drop, not what it keeps: that shows in the memory.
        const SK_MEMINFO_RMEM_ALLOC: usize = 0;
        let memory = sys::socket_option(server.as_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO)?;
        Ok(memory[SK_MEMINFO_RMEM_ALLOC] > 1500)
    })?;
    let packets = parts.map(|part| {
        let seq = next.wrapping_add(part.start as u32);
        told::packet_with(&whole[part], json!({ "seq": seq }))
    });
    let queues = json!({ "receive": told::stream(b"in order"), "out_of_order": packets });
    let drain = drain::stream_after(8 + whole.len(), move |_| client.write_all(&whole));
    add(holder, "tcp-out-of-order", server, Queued { queues, drain });
    Ok(())
}

/// Two segments in order, of which the second begins with what the first ends with. Its reader gets
/// that once.
pub fn overlapping(holder: &mut Holder) -> io::Result<()> {
    let (client, server) = connection(&TcpListener::bind(LOCALHOST)?)?;
    let (from, to) = over_ipv4(&client)?;
    let (next, ack) = sequence_numbers(client.as_fd())?;
    let whole = told::known_bytes(5, 1600);
    let parts = [(0..1000, 0), (600..1600, 400)];
    for (part, _) in &parts {
        let seq = next.wrapping_add(part.start as u32);
        segment::send(from, to, seq, ack, &whole[part.clone()])?;
    }
    wait_for("not both segments", || Ok(unread_bytes(server.as_fd())? == whole.len()))?;
    let packets = parts.map(|(part, twice)| {
        let seq = next.wrapping_add(part.start as u32);
        told::packet_with(&whole[part][twice..], json!({ "seq": seq, "consumed": twice }))
    });
    // It stays open until its bytes are read.
    let drain = drain::stream_after(whole.len(), move |_| client.peer_addr().map(drop));
    add(holder, "tcp-overlapping", server, Queued { queues: json!({ "receive": packets }), drain });
    Ok(())
}

/// What comes while somebody holds the socket: a thread that reads from it is held up in the middle.
/// Nobody but us sent that, so that nobody sends it again for want of an answer.
pub fn backlog(holder: &mut Holder) -> io::Result<()> {
    let (mut client, server) = connection(&TcpListener::bind(LOCALHOST)?)?;
    write_through(&mut client, b"being read")?;
    let (from, to) = over_ipv4(&client)?;
    let (next, ack) = sequence_numbers(client.as_fd())?;
    let away = Away::new()?;
    let (page, reader) = (away.page(), server.try_clone()?);
    let reading = spawn(move || page.read_from(reader.as_fd()));
    wait_for("nobody reads", || away.is_waited_for())?;
    let behind = told::known_bytes(6, 1300);
    segment::send(from, to, next, ack, &behind)?;
    let queues = json!({
        "receive": [told::packet(b"being read")],
        "backlog": [told::packet_with(&behind, json!({ "seq": next }))],
    });
    let drain = drain::stream_behind(10 + behind.len(), move |_| {
        drop(away);
        let read = reading.join();
        // It stays open until its bytes are read.
        client.peer_addr()?;
        read.unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    });
    add(holder, "tcp-backlog", server, Queued { queues, drain });
    Ok(())
}

/// Both ends of a connection over IPv4, this one first.
fn over_ipv4(client: &TcpStream) -> io::Result<(SocketAddrV4, SocketAddrV4)> {
    match (client.local_addr()?, client.peer_addr()?) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => Ok((from, to)),
        _ => Err(io::Error::other("not over IPv4")),
    }
}

/// The next sequence number that an end sends, and the next that it expects: what TCP_REPAIR
/// tells (net/ipv4/tcp.c), which needs CAP_NET_ADMIN.
fn sequence_numbers(fd: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    const TCP_REPAIR: i32 = 19;
    const TCP_REPAIR_QUEUE: i32 = 20;
    const TCP_QUEUE_SEQ: i32 = 21;
    const RECEIVE: i32 = 1;
    const SEND: i32 = 2;
    const OFF_WITHOUT_PROBE: i32 = -1;
    let set = |name, value| sys::set_socket_option(fd, libc::IPPROTO_TCP, name, value);
    set(TCP_REPAIR, 1)?;
    let seq = |queue| {
        set(TCP_REPAIR_QUEUE, queue)?;
        sys::socket_option(fd, libc::IPPROTO_TCP, TCP_QUEUE_SEQ).map(|values| values[0])
    };
    let numbers = (seq(SEND)?, seq(RECEIVE)?);
    set(TCP_REPAIR, OFF_WITHOUT_PROBE)?;
    Ok(numbers)
}

fn add_listener(holder: &mut Holder, label: &str, listener: TcpListener) -> io::Result<()> {
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let client = TcpStream::connect(listener.local_addr()?)?;
        waiting.push(json!({ "from": client.local_addr()?.to_string() }));
        holder.keep(client);
    }
    let queues = json!({ "accept": waiting });
    add(holder, label, listener, Queued { queues, drain: drain::clients() });
    Ok(())
}

/// Three clients wait, in the order in which they came.
pub fn listen(holder: &mut Holder) -> io::Result<()> {
    add_listener(holder, "tcp-listen", TcpListener::bind(LOCALHOST)?)
}

/// The same over IPv6.
pub fn listen_on_6(holder: &mut Holder) -> io::Result<()> {
    add_listener(holder, "tcp6-listen", TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?)
}
