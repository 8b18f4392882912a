//! One run of an iterator: a request becomes records.

use std::fs::File;
use std::io;

use super::link::IterLink;

/// Bytes asked for in one read(2): more than the 8 pages that the kernel's buffer for an
/// iterator has (`bpf_seq_read`), so that each read empties it.
pub const READ_BYTES: usize = 64 * 1024;

/// How often in a row the kernel may say that it did a million steps without any output.
const IDLE_ROUNDS: u32 = 10_000;

/// Runs an iterator to its end and appends what it wrote to `records`.
///
/// # Errors
/// As read(2) of the iterator: `E2BIG` when one record does not fit the kernel's buffer.
pub fn run(link: &IterLink, records: &mut Vec<u8>) -> io::Result<()> {
    read_to_end(&mut link.iterate()?, records)
}

/// Runs an iterator to its end and hands on what it wrote piece by piece, each in place of the
/// one before in `room`. A piece holds all that each step in it wrote: a read(2) of as many bytes
/// as the kernel's buffer has takes all of it.
///
/// # Errors
/// As [`run`], and what `take` says.
pub fn each(
    link: &IterLink,
    room: &mut Vec<u8>,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut iterator = link.iterate()?;
    room.clear();
    while read(&mut iterator, room)? > 0 {
        take(room)?;
        room.clear();
    }
    Ok(())
}

fn read_to_end(iterator: &mut File, records: &mut Vec<u8>) -> io::Result<()> {
    while read(iterator, records)? > 0 {}
    Ok(())
}

/// Appends what the iterator writes next; how many bytes that were, none at its end.
fn read(iterator: &mut File, records: &mut Vec<u8>) -> io::Result<usize> {
    let mut idle = 0;
    loop {
        records.reserve(READ_BYTES);
        let read = rustix::io::read(&*iterator, rustix::buffer::spare_capacity(records));
        match read.map_err(io::Error::from) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The kernel interrupts a run that has shown a million objects and written nothing.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && idle < IDLE_ROUNDS => {
                idle += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
