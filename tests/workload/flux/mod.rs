//! A sender and a receiver at full speed, on threads of their own, until told to end. Every
//! message tells whether it is whole, and the receiver checks that each one comes, in its order:
//! whoever looks on takes nothing and changes nothing.

pub mod channel;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::modes;
use channel::{Came, Channel};

/// After so many messages the receiver rests for half of the time that they took. It is the
/// faster one, and where there is one processor, nobody else would ever run while something
/// waits for it.
const UNTIL_REST: u64 = 200;

/// How far both threads are.
#[derive(Default)]
struct Progress {
    /// The sender shall send no more.
    stop: AtomicBool,
    /// It will not, and all that it has sent is there to be received.
    done: AtomicBool,
}

/// Runs until standard input ends, then tells what the receiver got.
pub fn run(name: &str) -> io::Result<()> {
    let (sender, receiver) = channel::open(name)?;
    let reports = [("receiver", &receiver), ("sender", &sender)]
        .map(|(label, end)| json!({ "fd": end.fd(), "label": label, "kind": end.kind() }));
    let mut report = Map::new();
    report.insert("pid".into(), std::process::id().into());
    report.insert("files".into(), Value::from(reports.to_vec()));
    report.insert("skipped".into(), json!([]));

    let progress = Arc::new(Progress::default());
    let theirs = Arc::clone(&progress);
    let receiving = thread::spawn(move || receive_all(receiver, &theirs));
    let theirs = Arc::clone(&progress);
    let sending = thread::spawn(move || send_all(sender, &theirs));
    modes::announce(report)?;
    modes::wait_for_eof()?;
    progress.stop.store(true, Ordering::Release);

    let sent = sending.join().unwrap_or_else(|_| panicked());
    let told = matches!(sent, Ok((_, true)));
    progress.done.store(!told, Ordering::Release);
    let sent = sent.map(|(sent, _)| sent);
    let received = receiving.join().unwrap_or_else(|_| panicked());
    let mut report = Map::new();
    let mut tell = |what: &str, result: io::Result<u64>| match result {
        Ok(number) => report.insert(what.into(), number.into()),
        Err(error) => report.insert(format!("{what}_error"), error.to_string().into()),
    };
    tell("sent", sent);
    tell("received", received);
    modes::announce(report)
}

fn panicked<T>() -> io::Result<T> {
    Err(io::Error::other("the thread panicked"))
}

/// How much was sent, and whether the receiver is told that it was all.
fn send_all(mut end: Box<dyn Channel + Send>, progress: &Progress) -> io::Result<(u64, bool)> {
    let mut sent = 0;
    while !progress.stop.load(Ordering::Acquire) {
        sent = end.send(sent)?;
    }
    let told = end.finish()?;
    // Its descriptor is told of, and must not become another file's.
    std::mem::forget(end);
    Ok((sent, told))
}

fn receive_all(mut end: Box<dyn Channel + Send>, progress: &Progress) -> io::Result<u64> {
    let mut received = 0;
    let mut awake_since = Instant::now();
    for turn in 1u64.. {
        if turn.is_multiple_of(UNTIL_REST) {
            thread::sleep(awake_since.elapsed() / 2);
            awake_since = Instant::now();
        }
        match end.receive(received)? {
            Came::After(after) => received = after,
            Came::End => break,
            // The last of it may have come between the look for it and this one for its end.
            Came::Nothing if progress.done.load(Ordering::Acquire) => {
                match end.receive(received)? {
                    Came::After(after) => received = after,
                    Came::Nothing | Came::End => break,
                }
            }
            Came::Nothing => {}
        }
    }
    std::mem::forget(end);
    Ok(received)
}
