//! TCP connections: half closed, over, without a window, or without an answer; listeners.

use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::holder::Holder;
use crate::queues::wait_for;
use crate::sys::{self, net};

const LOCALHOST: &str = "127.0.0.1:0";

// include/net/tcp_states.h
const TCP_CLOSE: u32 = 7;
const TCP_CLOSE_WAIT: u32 = 8;

/// The client's end and the server's.
fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(LOCALHOST)?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

/// The first bytes of `struct tcp_info`: state, ca_state, retransmits, probes.
fn info(fd: BorrowedFd<'_>) -> io::Result<[u8; 4]> {
    Ok(sys::socket_option(fd, libc::IPPROTO_TCP, libc::TCP_INFO)?[0].to_ne_bytes())
}

fn wait_for_state(fd: BorrowedFd<'_>, state: u32) -> io::Result<()> {
    wait_for("the state", || Ok(u32::from(info(fd)?[0]) == state))
}

/// Closed by the client: with and without something unread, and one that is still answered.
pub fn close_wait(holder: &mut Holder) -> io::Result<()> {
    for (label, unread) in [("close-wait", &b""[..]), ("close-wait-unread", b"eleven byte")] {
        let (mut client, server) = connection()?;
        client.write_all(unread)?;
        client.shutdown(Shutdown::Write)?;
        wait_for_state(server.as_fd(), TCP_CLOSE_WAIT)?;
        holder.add("socket", label, server, json!({}));
        holder.keep(client);
    }
    let (client, server) = connection()?;
    client.shutdown(Shutdown::Write)?;
    wait_for_state(server.as_fd(), TCP_CLOSE_WAIT)?;
    let mut answers = server.try_clone()?;
    holder.add("socket", "close-wait-answered", server, json!({}));
    holder.keep(client);
    thread::spawn(move || -> io::Result<()> {
        loop {
            answers.write_all(b"again")?;
            thread::sleep(Duration::from_millis(300));
        }
    });
    let (client, server) = connection()?;
    holder.add("socket", "established", server, json!({}));
    holder.add("socket", "established-client", client, json!({}));
    Ok(())
}

/// Reset by the client, and the error taken; never connected; connected in vain, and told so by
/// connect(2) or not.
pub fn closed(holder: &mut Holder) -> io::Result<()> {
    let (client, server) = connection()?;
    sys::linger_zero(client.as_fd())?;
    drop(client);
    wait_for_state(server.as_fd(), TCP_CLOSE)?;
    server.take_error()?;
    holder.add("socket", "tcp-closed-held", server, json!({}));

    let fresh = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    holder.add("socket", "tcp-fresh", fresh, json!({}));

    // A port that nobody listens at any more.
    let listener = TcpListener::bind(LOCALHOST)?;
    let address = sys::socket_address(listener.as_fd(), sys::End::Local)?;
    drop(listener);
    let refused = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    match sys::connect(refused.as_fd(), &address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        other => return Err(io::Error::other(format!("connected to nobody: {other:?}"))),
    }
    holder.add("socket", "tcp-refused", refused, json!({}));

    for label in ["tcp-refused-unseen", "tcp-refused-later"] {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
        let refused = sys::socket(libc::AF_INET, kind, 0)?;
        match sys::connect(refused.as_fd(), &address) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            other => return Err(io::Error::other(format!("connected to nobody: {other:?}"))),
        }
        wait_for_state(refused.as_fd(), TCP_CLOSE)?;
        if label == "tcp-refused-later" {
            // As loops of events ask what became of it.
            sys::socket_option(refused.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR)?;
        }
        holder.add("socket", label, refused, json!({}));
    }
    Ok(())
}

/// A client that has filled the server's window, and one that has sent as much as is read.
pub fn zero_window(holder: &mut Holder) -> io::Result<()> {
    let listener = TcpListener::bind(LOCALHOST)?;
    sys::set_socket_option(listener.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 16_384)?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    client.set_nonblocking(true)?;
    // Until the kernel takes no more, and its probes have filled what was left of the window.
    wait_for("a window of 0", || {
        match client.write(&[7; 3000]) {
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        // tcpi_unacked and tcpi_snd_wnd (include/uapi/linux/tcp.h).
        const UNACKED: usize = 6;
        const SND_WND: usize = 57;
        let info = sys::socket_option(client.as_fd(), libc::IPPROTO_TCP, libc::TCP_INFO)?;
        Ok(info[UNACKED] == 0 && info.get(SND_WND) == Some(&0))
    })?;
    holder.add("socket", "zero-window", client, json!({}));
    holder.keep(server);
    Ok(())
}

/// The other end loses all that is sent to it.
pub fn retransmitting(holder: &mut Holder) -> io::Result<()> {
    let (mut client, server) = connection()?;
    net::drop_everything(server.as_fd())?;
    client.write_all(b"into the void")?;
    wait_for("retransmissions", || Ok(info(client.as_fd())?[2] >= 2))?;
    holder.add("socket", "retransmitting", client, json!({}));
    holder.keep(server);
    Ok(())
}

/// A listener with more connections than may wait, and one with a few.
pub fn accept(holder: &mut Holder) -> io::Result<()> {
    for (label, backlog, clients) in [("accept-full", 1, 2), ("accept-few", 128, 3)] {
        let listener = TcpListener::bind(LOCALHOST)?;
        sys::listen(listener.as_fd(), backlog)?;
        for _ in 0..clients {
            holder.keep(TcpStream::connect(listener.local_addr()?)?);
        }
        holder.add("socket", label, listener, json!({}));
    }
    Ok(())
}

/// A UDP socket that was told that nobody is there, and one whose other end is.
pub fn error(holder: &mut Holder) -> io::Result<()> {
    let gone = UdpSocket::bind(LOCALHOST)?;
    let sender = UdpSocket::bind(LOCALHOST)?;
    sender.connect(gone.local_addr()?)?;
    drop(gone);
    sender.send(b"is anybody there?")?;
    wait_for("an error", || sys::has_error(sender.as_fd()))?;
    holder.add("socket", "socket-error", sender, json!({}));

    let there = UdpSocket::bind(LOCALHOST)?;
    let sender = UdpSocket::bind(LOCALHOST)?;
    sender.connect(there.local_addr()?)?;
    sender.send(b"hello")?;
    holder.add("socket", "no-error", sender, json!({}));
    holder.keep(there);
    Ok(())
}
