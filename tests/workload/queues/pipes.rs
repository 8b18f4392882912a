//! Pipes: buffers that were written to, kept apart, partly read, and that are pages of a file.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde_json::{Value, json};

use super::{drain, told};
use crate::holder::{Drain, Holder, Queued};
use crate::sys::{self, message, net};

/// Both ends show the same buffers; only one can be read.
fn add_both(
    holder: &mut Holder,
    label: &str,
    (read, write): (OwnedFd, OwnedFd),
    buffers: &[Value],
    drain: Drain,
) {
    let queues = json!({ "pipe": buffers });
    holder.add_queued("pipe", label, read, Queued { queues: queues.clone(), drain });
    let queued = Queued { queues, drain: drain::nothing() };
    holder.add_queued("pipe", format!("{label}-write"), write, queued);
}

fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    match sys::write(fd, bytes)? {
        n if n == bytes.len() => Ok(()),
        n => Err(io::Error::other(format!("{n} of {} bytes were written", bytes.len()))),
    }
}

/// 4096 bytes in a first buffer; the second takes the rest and what is written after it.
pub fn pipe(holder: &mut Holder) -> io::Result<()> {
    let ends = sys::pipe(libc::O_CLOEXEC)?;
    let bytes = told::known_bytes(5, 6000);
    write_all(ends.1.as_fd(), &bytes[..5000])?;
    write_all(ends.1.as_fd(), &bytes[5000..])?;
    let buffers = [told::packet(&bytes[..4096]), told::packet(&bytes[4096..])];
    add_both(holder, "pipe", ends, &buffers, drain::pipe(bytes.len()));
    Ok(())
}

/// Packet mode (O_DIRECT): each write keeps a buffer of its own.
pub fn packets(holder: &mut Holder) -> io::Result<()> {
    let ends = sys::pipe(libc::O_CLOEXEC | libc::O_DIRECT)?;
    let payloads = [&b"one"[..], b"three", b"sixteen characters"];
    for payload in payloads {
        write_all(ends.1.as_fd(), payload)?;
    }
    add_both(holder, "pipe-packets", ends, &payloads.map(told::packet), drain::pipe_packets(3));
    Ok(())
}

/// The first buffer was emptied and the second begun.
pub fn partly_read(holder: &mut Holder) -> io::Result<()> {
    let ends = sys::pipe(libc::O_CLOEXEC)?;
    let bytes = told::known_bytes(6, 3 * 4096);
    write_all(ends.1.as_fd(), &bytes)?;
    message::read(ends.0.as_fd(), 4096)?;
    message::read(ends.0.as_fd(), 10)?;
    let buffers = [told::packet(&bytes[4096 + 10..2 * 4096]), told::packet(&bytes[2 * 4096..])];
    add_both(holder, "pipe-partly-read", ends, &buffers, drain::pipe(2 * 4096 - 10));
    Ok(())
}

/// The pages of a file, spliced in, and then what was written.
pub fn spliced(holder: &mut Holder) -> io::Result<()> {
    let ends = sys::pipe(libc::O_CLOEXEC)?;
    let bytes = told::known_bytes(7, 5000);
    let path = holder.dir().join("spliced");
    fs::write(&path, &bytes)?;
    let file = fs::File::open(&path)?;
    let mut done = 0;
    while done < bytes.len() {
        done += net::splice(file.as_fd(), ends.1.as_fd(), bytes.len() - done)?;
    }
    write_all(ends.1.as_fd(), b"written")?;
    // A file system that copies may fill other buffers than one that lends its pages.
    let all = [bytes.as_slice(), b"written"].concat();
    let queues = json!({ "pipe": told::stream(&all) });
    holder.add_queued(
        "pipe",
        "pipe-spliced",
        ends.0,
        Queued { queues, drain: drain::pipe(all.len()) },
    );
    holder.keep(ends.1);
    Ok(())
}

/// A pipe with a name, open for both directions at once.
pub fn fifo(holder: &mut Holder) -> io::Result<()> {
    let path = holder.dir().join("queue-fifo");
    sys::mkfifo(&path)?;
    let both = sys::open(&path, libc::O_RDWR | libc::O_NONBLOCK)?;
    write_all(both.as_fd(), b"first in, first out")?;
    let queues = json!({ "pipe": [told::packet(b"first in, first out")] });
    let drain = drain::pipe(19);
    holder.add_queued("fifo", "fifo", both, Queued { queues, drain });
    Ok(())
}
