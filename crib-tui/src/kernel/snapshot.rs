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

fn read_to_end(iterator: &mut File, records: &mut Vec<u8>) -> io::Result<()> {
    let mut idle = 0;
    loop {
        records.reserve(READ_BYTES);
        let read = rustix::io::read(&*iterator, rustix::buffer::spare_capacity(records));
        match read.map_err(io::Error::from) {
            Ok(0) => return Ok(()),
            Ok(_) => idle = 0,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The kernel interrupts a run that has shown a million objects and written nothing.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && idle < IDLE_ROUNDS => {
                idle += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
