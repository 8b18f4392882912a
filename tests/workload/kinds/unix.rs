//! Unix sockets: pairs, listeners, names of both sorts, and files in flight.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};

use serde_json::{Value, json};

use crate::holder::{Holder, merge};
use crate::sys;

/// The PEER document of a socket that this process holds itself.
fn peer(fd: BorrowedFd<'_>) -> io::Result<Value> {
    let ino = sys::stat(fd)?.st_ino;
    Ok(json!({ "pid": std::process::id(), "fd": fd.as_raw_fd(), "ino": ino }))
}

/// Whether the kernel calls a socket connected (/proc/net/unix, `unix_seq_show`): before Linux
/// 5.15 it does so of no datagram socket.
fn is_connected(fd: BorrowedFd<'_>) -> io::Result<bool> {
    const SS_CONNECTED: &str = "03";
    let ino = sys::stat(fd)?.st_ino.to_string();
    // Names in it may be any bytes.
    let table = std::fs::read("/proc/self/net/unix")?;
    let table = String::from_utf8_lossy(&table);
    let mut rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(6) == Some(&ino.as_str()));
    row.map(|row| row[5] == SS_CONNECTED).ok_or_else(|| io::Error::other("not in /proc/net/unix"))
}

fn with(mut base: Value, over: Value) -> Value {
    merge(&mut base, over);
    base
}

/// Two messages wait in one end, none in the other.
pub fn stream(holder: &mut Holder) -> io::Result<()> {
    let (mut sender, receiver) = UnixStream::pair()?;
    sender.write_all(b"hello")?;
    sender.write_all(b" world")?;
    let both = json!({ "state": "ESTABLISHED", "error": 0, "shutdown": "none",
                       "local": "", "remote": "", "inflight_files": 0 });
    let unread = json!({ "recv": { "messages": 2, "payload": 11 }, "peer": peer(sender.as_fd())? });
    let sent = json!({ "recv": { "messages": 0, "payload": 0 }, "send": { "payload": 11 },
                       "peer": peer(receiver.as_fd())? });
    holder.add("socket", "unix-stream", receiver, json!({ "socket": with(both.clone(), unread) }));
    holder.add("socket", "unix-stream-sender", sender, json!({ "socket": with(both, sent) }));
    Ok(())
}

/// The other end closed before it read everything: four bytes are left, and an error.
pub fn stream_orphan(holder: &mut Holder) -> io::Result<()> {
    let (mut stays, mut goes) = UnixStream::pair()?;
    stays.write_all(b"unheard")?;
    goes.write_all(b"bye!")?;
    drop(goes);
    let expect = json!({ "error": libc::ECONNRESET, "shutdown": "both",
                         "recv": { "messages": 1, "payload": 4 } });
    holder.add("socket", "unix-stream-orphan", stays, json!({ "socket": expect }));
    Ok(())
}

/// One end will write no more, so the other will read no more.
pub fn stream_shutdown(holder: &mut Holder) -> io::Result<()> {
    let (writer, reader) = UnixStream::pair()?;
    sys::shutdown(writer.as_fd(), libc::SHUT_WR)?;
    let socket = |shutdown: &str| json!({ "socket": { "shutdown": shutdown } });
    holder.add("socket", "unix-stream-shutdown", writer, socket("write"));
    holder.add("socket", "unix-stream-shutdown-peer", reader, socket("read"));
    Ok(())
}

/// Two connections wait to be accepted.
pub fn listener(holder: &mut Holder) -> io::Result<()> {
    let path = holder.dir().join("listener");
    let listener = UnixListener::bind(&path)?;
    // std listens with a backlog of its own; the last call counts.
    sys::listen(listener.as_fd(), 7)?;
    for label in ["unix-listen-client", "unix-listen-second-client"] {
        let client = UnixStream::connect(&path)?;
        let expect = json!({ "state": "ESTABLISHED", "remote": path.display().to_string() });
        holder.add("socket", label, client, json!({ "socket": expect }));
    }
    let expect = json!({ "state": "LISTEN", "accept": { "pending": 2, "max": 7 },
                         "local": path.display().to_string(), "remote": "" });
    holder.add("socket", "unix-listen", listener, json!({ "socket": expect }));
    Ok(())
}

/// An accepted connection: the path is the server's own name and the client's peer.
pub fn connected(holder: &mut Holder) -> io::Result<()> {
    let path = holder.dir().join("server");
    let listener = UnixListener::bind(&path)?;
    let client = UnixStream::connect(&path)?;
    let (server, _) = listener.accept()?;
    let path = path.display().to_string();
    let own = json!({ "local": path, "remote": "", "state": "ESTABLISHED",
                      "peer": peer(client.as_fd())? });
    let remote = json!({ "local": "", "remote": path, "state": "ESTABLISHED",
                         "peer": peer(server.as_fd())? });
    holder.add("socket", "unix-connected", server, json!({ "socket": own }));
    holder.add("socket", "unix-connected-client", client, json!({ "socket": remote }));
    Ok(())
}

/// Bound to a path; the sender isn't connected.
pub fn dgram_path(holder: &mut Holder) -> io::Result<()> {
    let receiver = UnixDatagram::bind(holder.dir().join("dgram"))?;
    let sender = UnixDatagram::unbound()?;
    sender.send_to_addr(b"one", &receiver.local_addr()?)?;
    sender.send_to_addr(b"four", &receiver.local_addr()?)?;
    let unread = json!({ "state": "UNCONN", "type": "dgram", "remote": "",
                         "recv": { "messages": 2, "payload": 7 } });
    let sent = json!({ "state": "UNCONN", "local": "", "remote": "", "recv": { "messages": 0 } });
    holder.add("socket", "unix-dgram-path", receiver, json!({ "socket": unread }));
    holder.add("socket", "unix-dgram-path-sender", sender, json!({ "socket": sent }));
    Ok(())
}

/// Bound to a name that is in no file system, with a sender that is connected to it.
pub fn dgram_abstract(holder: &mut Holder) -> io::Result<()> {
    let name = format!("crib-workload-{}", std::process::id());
    let receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let sender = UnixDatagram::unbound()?;
    sender.connect_addr(&receiver.local_addr()?)?;
    sender.send(b"one")?;
    // The kernel sets the receiver's state too (unix_dgram_connect), so that isn't pinned.
    let unread = json!({ "type": "dgram", "remote": "", "recv": { "messages": 1, "payload": 3 } });
    let state = if is_connected(sender.as_fd())? { "ESTABLISHED" } else { "UNCONN" };
    let sent = json!({ "state": state, "local": "", "remote": format!("@{name}") });
    holder.add("socket", "unix-dgram-abstract", receiver, json!({ "socket": unread }));
    holder.add("socket", "unix-dgram-abstract-sender", sender, json!({ "socket": sent }));
    Ok(())
}

/// Two messages that keep their borders.
pub fn seqpacket(holder: &mut Holder) -> io::Result<()> {
    let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET)?;
    sys::write(sender.as_fd(), b"first")?;
    sys::write(sender.as_fd(), b"second")?;
    let unread = json!({ "type": "seqpacket", "state": "ESTABLISHED",
                         "recv": { "messages": 2, "payload": 11 } });
    holder.add("socket", "unix-seqpacket", receiver, json!({ "socket": unread }));
    holder.add("socket", "unix-seqpacket-sender", sender, json!({}));
    Ok(())
}

/// Two files are under way in one message; one of them has no descriptor left.
pub fn inflight(holder: &mut Holder) -> io::Result<()> {
    let (sender, receiver) = UnixStream::pair()?;
    let kept = sys::memfd(c"in flight and here")?;
    let gone = sys::memfd(c"in flight only")?;
    sys::send_files(sender.as_fd(), b"take these", &[kept.as_fd(), gone.as_fd()])?;
    drop(gone);
    let unread = json!({ "recv": { "messages": 1, "payload": 10 }, "inflight_files": 2 });
    holder.add("socket", "unix-inflight", receiver, json!({ "socket": unread }));
    holder.add("socket", "unix-inflight-sender", sender, json!({}));
    holder.add("memfd", "unix-inflight-file", kept, json!({ "refs": 2 }));
    Ok(())
}
