//! Pipes, unix sockets and files.

use std::fs;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};

use serde_json::json;

use crate::holder::Holder;
use crate::sys;

/// Unread bytes in a pipe and a socket that nothing polls, in a pipe that an epoll instance
/// watches, and an empty pipe that nothing polls.
pub fn unpolled(holder: &mut Holder) -> io::Result<()> {
    let epoll = sys::epoll()?;
    for (label, bytes, polled) in [
        ("unread-unpolled", &b"hello"[..], false),
        ("unread-polled", b"hello", true),
        ("empty-unpolled", b"", false),
    ] {
        let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
        if !bytes.is_empty() {
            sys::write(write.as_fd(), bytes)?;
        }
        if polled {
            sys::epoll_add(epoll.as_fd(), read.as_fd(), libc::EPOLLIN as u32, 0)?;
        }
        holder.add("pipe", label, read, json!({}));
        holder.keep(write);
    }
    let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    sys::write(sender.as_fd(), b"hello")?;
    holder.add("socket", "unread-unpolled-socket", receiver, json!({}));
    holder.keep((sender, epoll));
    Ok(())
}

/// A stream whose other end does not read, and one without anything to read.
pub fn send_stuck(holder: &mut Holder) -> io::Result<()> {
    for (label, bytes) in [("send-stuck", &b"hello"[..]), ("send-done", b"")] {
        let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_STREAM)?;
        if !bytes.is_empty() {
            sys::write(sender.as_fd(), bytes)?;
        }
        holder.add("socket", label, sender, json!({}));
        holder.keep(receiver);
    }
    Ok(())
}

/// Pairs of which one end is closed; one that is only shut down; connections that nobody has
/// accepted yet; and servers that are gone.
pub fn peer_gone(holder: &mut Holder) -> io::Result<()> {
    for (label, kind) in [
        ("peer-gone", libc::SOCK_STREAM),
        ("peer-gone-seqpacket", libc::SOCK_SEQPACKET),
        ("peer-gone-unnamed-dgram", libc::SOCK_DGRAM),
    ] {
        let (one, other) = sys::socketpair(libc::AF_UNIX, kind)?;
        drop(other);
        holder.add("socket", label, one, json!({}));
    }
    let (one, other) = sys::socketpair(libc::AF_UNIX, libc::SOCK_STREAM)?;
    sys::shutdown(one.as_fd(), libc::SHUT_RDWR)?;
    holder.add("socket", "peer-shut-down", one, json!({}));
    let (dgram, peer) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    holder.add("socket", "peer-there-dgram", dgram, json!({}));
    let alone = UnixDatagram::unbound()?;
    holder.add("socket", "no-peer-dgram", alone, json!({}));

    let address = |of| {
        let name = format!("crib-lints-{}-{of}", std::process::id());
        SocketAddr::from_abstract_name(name)
    };
    let listened = address("listener")?;
    let listener = UnixListener::bind_addr(&listened)?;
    holder.add("socket", "not-accepted", UnixStream::connect_addr(&listened)?, json!({}));
    let shut_down = UnixStream::connect_addr(&listened)?;
    shut_down.shutdown(Shutdown::Both)?;
    holder.add("socket", "not-accepted-shut-down", shut_down, json!({}));
    // A server that closes in good order leaves what its client could have done itself.
    let served = address("served")?;
    let server = UnixListener::bind_addr(&served)?;
    holder.add("socket", "peer-gone-served", UnixStream::connect_addr(&served)?, json!({}));
    drop(server.accept()?);
    // It closes what nobody has accepted with it, which is told.
    let closed = address("closed")?;
    let server = UnixListener::bind_addr(&closed)?;
    holder.add("socket", "peer-gone-named", UnixStream::connect_addr(&closed)?, json!({}));
    drop(server);

    // A server that is well, whose state is "connected" since a client is connected to it; and
    // one that is gone.
    let serving = address("dgram")?;
    let server = UnixDatagram::bind_addr(&serving)?;
    let client = UnixDatagram::unbound()?;
    client.connect_addr(&serving)?;
    holder.add("socket", "server-dgram", server, json!({}));
    holder.add("socket", "client-dgram", client, json!({}));
    let gone = address("gone")?;
    let server = UnixDatagram::bind_addr(&gone)?;
    let client = UnixDatagram::unbound()?;
    client.connect_addr(&gone)?;
    drop(server);
    holder.add("socket", "peer-gone-dgram", client, json!({}));
    holder.keep((other, peer, listener));
    Ok(())
}

/// A message with a file in it, and one without.
pub fn flight(holder: &mut Holder) -> io::Result<()> {
    let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    let memory = sys::memfd(c"in flight")?;
    sys::send_files(sender.as_fd(), b"a file", &[memory.as_fd()])?;
    holder.add("socket", "files-in-flight", receiver, json!({}));
    let (other, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    sys::write(other.as_fd(), b"no file")?;
    holder.add("socket", "no-files-in-flight", receiver, json!({}));
    holder.keep((sender, other));
    Ok(())
}

/// Deleted with bytes in it, deleted and empty, and there.
pub fn deleted(holder: &mut Holder) -> io::Result<()> {
    for (label, content, delete) in [
        ("deleted-open", "nine byte", true),
        ("deleted-empty", "", true),
        ("not-deleted", "nine byte", false),
    ] {
        let path = holder.dir().join(label);
        fs::write(&path, content)?;
        let file = fs::File::open(&path)?;
        if delete {
            fs::remove_file(&path)?;
        }
        holder.add("regular", label, file, json!({}));
    }
    let memory = sys::memfd(c"no name")?;
    sys::write(memory.as_fd(), b"nine byte")?;
    holder.add("memfd", "memfd", memory, json!({}));
    Ok(())
}
