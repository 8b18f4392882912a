//! Runs of the nested program: one request becomes records, in as many runs as it takes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use aya::maps::{MapData, RingBuf};
use crib_common::dump::{DumpRequest, kind};
use crib_common::limits::RUN_PACKETS;
use crib_common::record::{ALIGN, RecordHeader};
use zerocopy::FromBytes;

use super::link::{IterLink, Scope};
use super::object::{LoadError, Object};

/// The program.
pub const PROGRAM: &str = "nested";

/// What it iterates over.
pub const TASK: &str = "task";

/// How many runs in a row may write nothing: each looks at many thousand descriptors.
const IDLE_RUNS: u32 = 100_000;

/// The nested program, loaded, with its ring.
pub struct Nested {
    program: Rc<OwnedFd>,
    ring: RingBuf<MapData>,
    /// Tells one dump from the next.
    session: u32,
    /// The link that was read last, and the thread that it is filtered by.
    link: Option<(Scope, IterLink)>,
    /// Whether links can be filtered (Linux 6.1); else the program is shown every task.
    filters: bool,
    /// Bytes of the ring that a run may fill.
    run_bytes: u32,
}

/// What came of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Entries into the kernel that it took.
    pub runs: u32,
    /// Whether it came to its end; else the thread ended, or was not there.
    pub whole: bool,
}

/// Why a dump failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The request could not be handed over.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The program could not be attached.
    #[error("cannot attach the BPF iterator: {0}")]
    Attach(io::Error),
    /// It could not be run.
    #[error("cannot read the process's queues: {0}")]
    Read(io::Error),
}

impl Nested {
    /// Loads the program of an object whose ring has so many bytes.
    ///
    /// # Errors
    /// [`LoadError`] with what the kernel said.
    pub fn open(object: &mut Object, filters: bool, ring_bytes: u32) -> Result<Self, LoadError> {
        let program = object.iterator(PROGRAM, TASK)?;
        let ring = object.take_ring()?;
        // A ring that is full to the brim could not be told from an empty one.
        let run_bytes = ring_bytes - ALIGN as u32;
        Ok(Self { program, ring, session: 0, link: None, filters, run_bytes })
    }

    /// Asks for a dump of the files of one thread and appends its records to `records`.
    ///
    /// # Errors
    /// [`RunError`]; a thread that isn't there is none.
    pub fn run(
        &mut self,
        object: &mut Object,
        mut request: DumpRequest,
        records: &mut Vec<u8>,
    ) -> Result<Done, RunError> {
        request.packets = RUN_PACKETS;
        let Some(mut iterator) = self.begin(object, request)? else {
            return Ok(Done { runs: 0, whole: false });
        };
        self.read_to_end(&mut iterator, records).map_err(RunError::Read)
    }

    /// Begins a dump: each read of the iterator is a run. None where the thread isn't there.
    fn begin(
        &mut self,
        object: &mut Object,
        mut request: DumpRequest,
    ) -> Result<Option<File>, RunError> {
        self.session = self.session.checked_add(1).unwrap_or(1);
        request.session = self.session;
        request.bytes = self.run_bytes;
        object.dump_request(request)?;
        let scope = if self.filters { Scope::Thread(request.tid) } else { Scope::All };
        if self.link.as_ref().is_none_or(|&(linked, _)| linked != scope) {
            match IterLink::create(self.program.as_fd(), scope) {
                Ok(link) => self.link = Some((scope, link)),
                Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => {
                    return Ok(None);
                }
                Err(error) => return Err(RunError::Attach(error)),
            }
        }
        let Some((_, link)) = &self.link else { return Ok(None) };
        let iterator = link.iterate().map_err(RunError::Attach)?;
        self.drain(&mut Vec::new());
        Ok(Some(iterator))
    }

    fn read_to_end(&mut self, iterator: &mut File, records: &mut Vec<u8>) -> io::Result<Done> {
        let mut done = Done { runs: 0, whole: false };
        let mut idle = 0;
        loop {
            done.runs += 1;
            // The program writes nothing here: its records are in the ring.
            let read = iterator.read(&mut [0; 8]);
            let start = records.len();
            done.whole |= self.drain(records);
            match read {
                Ok(0) => return Ok(done),
                Ok(_) => return Err(io::Error::other("the iterator wrote what it should not")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It stopped to have the ring emptied, and goes on from where it was.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    idle = if records.len() == start { idle + 1 } else { 0 };
                    if idle > IDLE_RUNS {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes all records out of the ring; whether the last of a dump was among them.
    fn drain(&mut self, records: &mut Vec<u8>) -> bool {
        let mut ended = false;
        while let Some(record) = self.ring.next() {
            ended |= RecordHeader::read_from_prefix(&record)
                .is_ok_and(|(header, _)| header.kind == kind::END);
            records.extend_from_slice(&record);
            records.resize(records.len().next_multiple_of(ALIGN), 0);
        }
        ended
    }
}

#[cfg(test)]
#[path = "nested_tests.rs"]
mod tests;
