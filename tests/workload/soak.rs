//! Everything at once, as fast as it goes: files that are opened, duplicated and closed, sent in
//! messages and taken out of them, connections that are made and reset, children that are forked,
//! run another program and end, threads with tables of their own; and beside them channels whose
//! messages tell whether they are whole.

use std::fs::File;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::{Map, Value, json};

use crate::flux::channel;
use crate::modes;
use crate::sys::{self, message};

/// The channels, each of which a thread fills and empties.
const CHANNELS: [&str; 4] = ["unix-dgram", "unix-seqpacket", "tcp", "pipe-packets"];
/// Messages that are sent before some are received.
const IN_A_ROW: u64 = 24;

/// What is done over and over, with the number of the turn. What fails for want of descriptors,
/// ports or processes is tried again.
type Turn = fn(u64) -> io::Result<()>;

const TURNS: [Turn; 5] = [files, flights, connections, children, tables];

/// Runs until standard input ends, then tells how many turns there were, and what was wrong.
pub fn run() -> io::Result<()> {
    sys::raise_fd_limit()?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut reports = Vec::new();
    let mut channels = Vec::new();
    for name in CHANNELS {
        let (sender, receiver) = channel::open(name)?;
        for (label, end) in [("receiver", &receiver), ("sender", &sender)] {
            let label = format!("{name} {label}");
            reports.push(json!({ "fd": end.fd(), "label": label, "kind": end.kind() }));
        }
        let stop = Arc::clone(&stop);
        channels.push(thread::spawn(move || fill_and_empty(sender, receiver, &stop)));
    }
    let turns = Arc::new(AtomicU64::new(0));
    let churning = TURNS.map(|turn| {
        let (stop, turns) = (Arc::clone(&stop), Arc::clone(&turns));
        thread::spawn(move || {
            let mut number = 0;
            while !stop.load(Ordering::Acquire) {
                // See `Turn`.
                let _ = turn(number);
                number += 1;
                turns.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let mut report = Map::new();
    report.insert("pid".into(), std::process::id().into());
    report.insert("files".into(), Value::from(reports));
    report.insert("skipped".into(), json!([]));
    modes::announce(report)?;
    modes::wait_for_eof()?;
    stop.store(true, Ordering::Release);
    let mut received = 0;
    for channel in channels {
        received += channel.join().map_err(|_| io::Error::other("a channel panicked"))??;
    }
    for thread in churning {
        thread.join().map_err(|_| io::Error::other("a thread panicked"))?;
    }
    let mut report = Map::new();
    report.insert("received".into(), received.into());
    report.insert("turns".into(), turns.load(Ordering::Relaxed).into());
    modes::announce(report)
}

/// Sends and receives by turns, so that something waits most of the time; fails where something
/// other than what was sent comes.
fn fill_and_empty(
    mut sender: Box<dyn channel::Channel + Send>,
    mut receiver: Box<dyn channel::Channel + Send>,
    stop: &AtomicBool,
) -> io::Result<u64> {
    let (mut sent, mut received) = (0, 0);
    while !stop.load(Ordering::Acquire) {
        for _ in 0..IN_A_ROW {
            sent = sender.send(sent)?;
        }
        while received < sent {
            match receiver.receive(received)? {
                channel::Came::After(after) => received = after,
                channel::Came::Nothing | channel::Came::End => break,
            }
        }
    }
    // Their descriptors are told of, and must not become other files'.
    std::mem::forget((sender, receiver));
    Ok(received)
}

/// Opens some files, duplicates some of them, and closes all.
fn files(turn: u64) -> io::Result<()> {
    let mut held: Vec<OwnedFd> = Vec::new();
    for number in 0..(turn % 40) {
        held.push(match number % 4 {
            0 => File::open("/dev/null")?.into(),
            1 => sys::eventfd(0, libc::EFD_CLOEXEC)?,
            2 => sys::pipe(libc::O_CLOEXEC)?.0,
            _ => sys::dup(held[0].as_fd())?,
        });
        if number % 3 == 0 {
            held.swap_remove(held.len() / 2);
        }
    }
    Ok(())
}

/// Puts pipes in flight, takes some of them out, and lets the rest go with their socket.
fn flights(turn: u64) -> io::Result<()> {
    let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?;
    for _ in 0..(turn % 8) {
        let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
        sys::write(write.as_fd(), b"in flight")?;
        sys::send_files(sender.as_fd(), b"two ends", &[read.as_fd(), write.as_fd()])?;
        if turn.is_multiple_of(2) {
            drop(message::receive(receiver.as_fd(), libc::MSG_CMSG_CLOEXEC, 64)?);
        }
    }
    Ok(())
}

/// Makes a connection, sends something, and closes or resets it.
fn connections(turn: u64) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    // It may stay in the queue of those that nobody has accepted.
    let server = if turn.is_multiple_of(3) { None } else { Some(listener.accept()?.0) };
    client.write_all(b"hello")?;
    // A connection that was closed keeps its port for a minute, and there are not so many.
    sys::linger_zero(client.as_fd())?;
    drop((client, server));
    Ok(())
}

/// Forks, runs another program, and waits for its end.
fn children(_: u64) -> io::Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .args(["exit-after", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    child.wait().map(drop)
}

/// A thread with a table of its own, which opens some files and ends.
fn tables(turn: u64) -> io::Result<()> {
    let thread = thread::spawn(move || -> io::Result<()> {
        sys::unshare_files()?;
        files(turn)
    });
    thread.join().map_err(|_| io::Error::other("it panicked"))?
}
