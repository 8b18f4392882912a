//! Sockets in which something goes on while they are watched.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::holder::Holder;
use crate::sys;

const LOCALHOST: &str = "127.0.0.1:0";
const PAUSE: Duration = Duration::from_millis(50);

/// A socket that nobody reads.
fn full() -> io::Result<(UdpSocket, UdpSocket)> {
    let socket = UdpSocket::bind(LOCALHOST)?;
    sys::set_socket_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
    let sender = UdpSocket::bind(LOCALHOST)?;
    sender.connect(socket.local_addr()?)?;
    for _ in 0..100 {
        sender.send(&[7; 1000])?;
    }
    Ok((socket, sender))
}

/// One that drops and drops, and one that dropped only before.
pub fn drops(holder: &mut Holder) -> io::Result<()> {
    let (socket, sender) = full()?;
    holder.add("socket", "udp-drops", socket, json!({ "socket": { "drops": null } }));
    thread::spawn(move || {
        loop {
            // Nobody reads: the kernel takes it and throws it away.
            let _ = sender.send(&[7; 1000]);
            thread::sleep(PAUSE);
        }
    });
    let (socket, sender) = full()?;
    holder.add("socket", "udp-dropped", socket, json!({}));
    holder.keep(sender);
    Ok(())
}

/// A stream in which there is always something, and never for long: it fills up within three
/// seconds, and is then emptied but for the last messages. So any reader that looks more often
/// than that sees it shrink.
pub fn stream(holder: &mut Holder) -> io::Result<()> {
    let (sender, reader) = sys::socketpair(libc::AF_UNIX, libc::SOCK_STREAM)?;
    let mut ends = (sys::dup(sender.as_fd())?, sys::dup(reader.as_fd())?);
    sys::write(ends.0.as_fd(), b"first")?;
    holder.add("socket", "moving-sender", sender, json!({}));
    holder.add("socket", "moving-reader", reader, json!({}));
    thread::spawn(move || -> io::Result<()> {
        let (sender, reader) = &mut ends;
        loop {
            for _ in 0..30 {
                sys::write(sender.as_fd(), b"again")?;
                thread::sleep(2 * PAUSE);
            }
            sys::message::read(reader.as_fd(), 150)?;
        }
    });
    Ok(())
}
