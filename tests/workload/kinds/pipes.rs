//! Pipes and FIFOs with bytes in them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use serde_json::{Value, json};

use crate::holder::Holder;
use crate::sys;

/// The PIPE document, with FIONREAD's and F_GETPIPE_SZ's word for bytes and slots.
fn facts(fd: BorrowedFd<'_>, buffers: u32, readers: u32, writers: u32) -> io::Result<Value> {
    // F_GETPIPE_SZ counts in pages, and each slot holds one.
    let slots = sys::fcntl(fd, libc::F_GETPIPE_SZ, 0)? / 4096;
    let bytes = sys::ioctl_int(fd, libc::FIONREAD)?;
    Ok(json!({ "bytes": bytes, "buffers": buffers, "slots": slots,
               "readers": readers, "writers": writers }))
}

/// A FIFO that is open for both directions at once, and a second time to read.
pub fn fifo(holder: &mut Holder) -> io::Result<()> {
    let path = holder.dir().join("fifo");
    sys::mkfifo(&path)?;
    let both = sys::open(&path, libc::O_RDWR | libc::O_NONBLOCK)?;
    let read = sys::open(&path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    sys::write(both.as_fd(), b"first in")?;
    let pipe = facts(both.as_fd(), 1, 2, 1)?;
    let path = path.display().to_string();
    holder.add("fifo", "fifo", both, json!({ "mode": "rw", "path": path, "pipe": pipe }));
    holder.add("fifo", "fifo-read", read, json!({ "mode": "r", "path": path, "pipe": pipe }));
    Ok(())
}

fn add_both(
    holder: &mut Holder,
    label: &str,
    (read, write): (impl Into<std::os::fd::OwnedFd>, impl Into<std::os::fd::OwnedFd>),
    pipe: &Value,
) {
    holder.add("pipe", label, read, json!({ "mode": "r", "pipe": pipe }));
    holder.add("pipe", format!("{label}-write"), write, json!({ "mode": "w", "pipe": pipe }));
}

/// A few bytes in one buffer.
pub fn pipe(holder: &mut Holder) -> io::Result<()> {
    let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
    sys::write(write.as_fd(), b"hello")?;
    let pipe = facts(read.as_fd(), 1, 1, 1)?;
    add_both(holder, "pipe", (read, write), &pipe);
    Ok(())
}

/// Nothing in it.
pub fn empty(holder: &mut Holder) -> io::Result<()> {
    let (read, write) = sys::pipe(0)?;
    let pipe = facts(read.as_fd(), 0, 1, 1)?;
    add_both(holder, "pipe-empty", (read, write), &pipe);
    Ok(())
}

/// Packet mode (O_DIRECT): each write keeps a buffer of its own.
pub fn packets(holder: &mut Holder) -> io::Result<()> {
    let (read, write) = sys::pipe(libc::O_DIRECT)?;
    for message in [&b"one"[..], b"three", b"sixteen characters"] {
        sys::write(write.as_fd(), message)?;
    }
    let pipe = facts(read.as_fd(), 3, 1, 1)?;
    add_both(holder, "pipe-packets", (read, write), &pipe);
    Ok(())
}

/// Non-blocking, resized, and full to the last byte.
pub fn full(holder: &mut Holder) -> io::Result<()> {
    let (read, write) = sys::pipe(libc::O_NONBLOCK)?;
    let size = sys::fcntl(write.as_fd(), libc::F_SETPIPE_SZ, 4 * 4096)?;
    let mut written = 0;
    while written < size as usize {
        written += sys::write(write.as_fd(), &vec![b'x'; size as usize - written])?;
    }
    let pipe = facts(read.as_fd(), 4, 1, 1)?;
    add_both(holder, "pipe-full", (read, write), &pipe);
    Ok(())
}

/// The writer is gone, what it wrote is not.
pub fn widowed(holder: &mut Holder) -> io::Result<()> {
    let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
    sys::write(write.as_fd(), b"last words")?;
    drop(write);
    let pipe = facts(read.as_fd(), 1, 1, 0)?;
    holder.add("pipe", "pipe-widowed", read, json!({ "mode": "r", "pipe": pipe }));
    Ok(())
}
