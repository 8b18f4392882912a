//! A descriptor that stands for one file and then another, and for none in between, as fast as
//! that goes.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Map, json};

use crate::modes;
use crate::sys::{self, net};

/// Messages in each of the files.
const MESSAGES: usize = 8;

/// Switches in a row, after which it rests for a moment: a reading that falls into the one finds
/// a mix, one that falls into the other a file.
const BURST: u64 = 63;
const REST: Duration = Duration::from_millis(1);

/// Holds a descriptor that is switched between a socket that holds messages of `A`s and one
/// that holds messages of `B`s; with `close`, it is closed before each switch.
pub fn run(close: bool) -> io::Result<()> {
    let mut files = Vec::new();
    let mut ends = Vec::new();
    for byte in [b'A', b'B'] {
        let (sender, receiver) = UnixDatagram::pair()?;
        for n in 0..MESSAGES {
            // Messages of the two differ in everything: number, length, bytes.
            let extra = usize::from(byte == b'B') * 700;
            sender.send(&vec![byte; 500 + extra + n])?;
        }
        let ino = sys::stat(&receiver)?.st_ino;
        files.push(json!({ "byte": byte, "ino": ino, "messages": MESSAGES }));
        ends.push((sender, receiver));
    }
    let switched = sys::dup(ends[0].1.as_fd())?;
    let fd = switched.as_raw_fd();
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let mut report = Map::new();
    report.insert("pid".into(), std::process::id().into());
    report.insert("switched".into(), json!({ "fd": fd, "files": files }));
    report.insert("files".into(), json!([]));
    report.insert("skipped".into(), json!([]));
    let switching = thread::spawn(move || -> io::Result<u64> {
        let mut times = 0;
        while !told.load(Ordering::Acquire) {
            for (_, receiver) in &ends {
                if close {
                    net::close(fd)?;
                }
                // A new descriptor is the lowest one that is free: nobody else opens any here.
                net::dup2(receiver.as_fd(), fd)?;
                times += 1;
                if times % BURST == 0 {
                    thread::sleep(REST);
                }
            }
        }
        Ok(times)
    });
    modes::announce(report)?;
    modes::wait_for_eof()?;
    stop.store(true, Ordering::Release);
    let times = switching.join().unwrap_or_else(|_| Err(io::Error::other("panicked")))?;
    drop(switched);
    let mut report = Map::new();
    report.insert("times".into(), times.into());
    modes::announce(report)
}
