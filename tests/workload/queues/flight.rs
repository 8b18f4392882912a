//! Files in flight (SCM_RIGHTS): of all sorts, and sockets whose queues hold further files.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde_json::{Value, json};

use super::{drain, told};
use crate::holder::{Holder, Queued};
use crate::sys;

/// How many sockets stand in a row, each in flight in the one before: more than are shown.
const CHAIN: usize = 5;

fn memfd(name: &str) -> io::Result<(OwnedFd, Value)> {
    let name = std::ffi::CString::new(name)?;
    let fd = sys::memfd(&name)?;
    sys::write(fd.as_fd(), b"in flight")?;
    let path = format!("/memfd:{}", name.to_string_lossy());
    let told = json!({ "fd": null, "kind": "memfd", "path": path, "size": 9, "mode": "rw",
                       "ino": sys::stat(&fd)?.st_ino });
    Ok((fd, told))
}

fn add(holder: &mut Holder, label: &str, fd: OwnedFd, packets: &[Value]) {
    let queues = json!({ "receive": packets });
    holder.add_queued("socket", label, fd, Queued { queues, drain: drain::messages() });
}

/// A file of each sort in one message, none in the next, one in the last. None of them has a
/// descriptor left.
pub fn files(holder: &mut Holder) -> io::Result<()> {
    let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    let (memory, memory_told) = memfd("first")?;
    let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
    sys::write(write.as_fd(), b"in a pipe in flight")?;
    let pipe_told = json!({
        "fd": null, "kind": "pipe", "mode": "r", "path": format!("pipe:[{}]", ino(&read)?),
        "pipe": { "bytes": 19, "queues": { "pipe": [told::packet(b"in a pipe in flight")] } },
    });
    let path = holder.dir().join("in flight");
    fs::write(&path, "on disk")?;
    let regular = fs::File::open(&path)?;
    let regular_told = json!({ "fd": null, "kind": "regular", "mode": "r", "size": 7,
                               "path": path.display().to_string(), "deleted": false });
    let event = sys::eventfd(3, libc::EFD_CLOEXEC)?;
    let event_told = json!({ "fd": null, "kind": "eventfd" });
    sys::send_files(
        sender.as_fd(),
        b"four files",
        &[memory.as_fd(), read.as_fd(), regular.as_fd(), event.as_fd()],
    )?;
    sys::write(sender.as_fd(), b"no file")?;
    let (last, last_told) = memfd("last")?;
    sys::send_files(sender.as_fd(), b"x", &[last.as_fd()])?;
    let four = [memory_told, pipe_told, regular_told, event_told];
    let packets = [
        told::packet_with(b"four files", json!({ "files": four })),
        told::packet_with(b"no file", json!({ "files": [] })),
        told::packet_with(b"x", json!({ "files": [last_told] })),
    ];
    add(holder, "flight", receiver, &packets);
    holder.keep((sender, write));
    Ok(())
}

fn ino(fd: &OwnedFd) -> io::Result<u64> {
    sys::stat(fd).map(|stat| stat.st_ino)
}

/// A socket in flight in a socket in flight, and so on, each with a memfd beside it.
///
/// The kernel lets no more than four unix sockets stand in such a row
/// (net/unix/scm.c, MAX_RECURSION_LEVEL, up to Linux 6.9); the last one of ours is empty.
pub fn nested(holder: &mut Holder) -> io::Result<()> {
    let mut chain = Vec::new();
    for level in 0..CHAIN {
        let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
        chain.push((level, sender, receiver));
    }
    // From the innermost on: a socket may be sent once its own queue is filled.
    let mut inner: Option<(OwnedFd, Value)> = None;
    while let Some((level, sender, receiver)) = chain.pop() {
        let text = format!("at level {level}");
        let mut told_packet = told::packet(text.as_bytes());
        match inner.take() {
            // The innermost holds a message without files.
            None => sys::write(sender.as_fd(), text.as_bytes()).map(drop)?,
            Some((socket, socket_told)) => {
                let (memory, memory_told) = memfd(&format!("level {level}"))?;
                let files = [memory.as_fd(), socket.as_fd()];
                sys::send_files(sender.as_fd(), text.as_bytes(), &files)?;
                told_packet["files"] = json!([memory_told, socket_told]);
            }
        }
        holder.keep(sender);
        if level == 0 {
            add(holder, "flight-nested", receiver, &[told_packet]);
            break;
        }
        let socket_told = json!({
            "fd": null, "kind": "socket", "path": format!("socket:[{}]", ino(&receiver)?),
            "socket": { "family": "unix", "type": "dgram",
                        "queues": { "receive": [told_packet] } },
        });
        inner = Some((receiver, socket_told));
    }
    Ok(())
}

/// How often each of some sockets, and a pipe, is in flight in the one before.
const TIMES: usize = 40;

/// A message with many references to one socket, whose own has as many to another one, and that to a
/// pipe: few bytes, and tens of thousands of ways to the pipe.
pub fn repeated(holder: &mut Holder) -> io::Result<()> {
    let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
    sys::write(write.as_fd(), b"at the end")?;
    let mut inner = read;
    let mut told_inner = json!({
        "fd": null, "kind": "pipe", "path": format!("pipe:[{}]", ino(&inner)?),
        "pipe": { "bytes": 10 },
    });
    for level in (0..3).rev() {
        let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
        sys::send_files(sender.as_fd(), b"again", &[inner.as_fd(); TIMES])?;
        let files = vec![told_inner; TIMES];
        let packet = told::packet_with(b"again", json!({ "files": files }));
        holder.keep(sender);
        if level == 0 {
            add(holder, "flight-repeated", receiver, &[packet]);
            break;
        }
        told_inner = json!({
            "fd": null, "kind": "socket", "path": format!("socket:[{}]", ino(&receiver)?),
            "socket": { "family": "unix", "type": "dgram" },
        });
        inner = receiver;
    }
    holder.keep(write);
    Ok(())
}
