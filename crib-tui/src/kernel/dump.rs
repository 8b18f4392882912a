//! A dump: what was asked for becomes requests to the nested program, and its records files.

use std::collections::HashSet;
use std::io;
use std::time::SystemTime;

use crib_common::dump::{DumpRequest, HOPS, Hop, dump_bits, queue};

use super::errors::{ended, failed, garbled, missing, not_hidden, still_there};
use super::nested::{Nested, RunError};
use super::object::LoadError;
use super::programs::Filter;
use super::{Reader, pages, support};
use crate::decode::{Record, Records};
use crate::model::assemble::{self, Dumped};
use crate::model::{
    Dump, DumpFiles, DumpReading, File, FileId, FlightHop, Process, ProcessState, Queue, QueueName,
    ReadError, Stretch,
};
use crate::procfs;

/// How often a file is read again whose queue, packet or descriptor changed meanwhile.
const TRIES: u32 = 4;

/// See [`crate::source::Reader::dump`].
pub fn read(reader: &mut Reader, request: &Dump) -> Result<DumpReading, ReadError> {
    let time = SystemTime::now();
    let process = procfs::process(request.pid)?;
    let reading = DumpReading { time, process, files: Vec::new(), complete: true, runs: 0 };
    let alive = reading.process.state == ProcessState::Alive;
    if alive {
        open(reader)?;
    }
    let mut dumping = Dumping { reader, request, reading, looked_into: HashSet::new() };
    match &request.files {
        DumpFiles::All | DumpFiles::Bare(_) if !alive => {}
        DumpFiles::All => {
            let threads = procfs::table_threads(request.pid)?;
            dumping.some(&whole_tables(&threads))?;
        }
        DumpFiles::Bare(stretches) => {
            let leader = own_thread(request.pid)?;
            let tid = |stretch: &Stretch| stretch.tid.unwrap_or(leader);
            let stretches: Vec<_> =
                stretches.iter().map(|part| (tid(part), part.clone())).collect();
            dumping.some(&stretches)?;
        }
        DumpFiles::One { fd, .. } if !alive => {
            return Err(ReadError::NoFile { pid: request.pid, fd: *fd });
        }
        DumpFiles::One { fd, tid, hops } => {
            let one = One { tid: tid.map_or_else(|| own_thread(request.pid), Ok)?, fd: *fd, hops };
            let file = dumping.one_file(one, *tid)?;
            dumping.reading.files.push(file);
        }
    }
    let reading = dumping.reading;
    still_there(&reading.process)?;
    if reading.files.is_empty() {
        not_hidden(&reading.process)?;
    }
    Ok(reading)
}

/// See [`Reader::dump_records`].
pub fn records(
    reader: &mut Reader,
    request: &Dump,
    records: &mut Vec<u8>,
) -> Result<u32, ReadError> {
    open(reader)?;
    let wire = DumpRequest { tid: request.pid, last_fd: u32::MAX, ..wire(reader, request) };
    let Some(nested) = &mut reader.nested else { return Ok(0) };
    let done = nested.run(&mut reader.object, wire, records).map_err(could_not_run)?;
    Ok(done.runs)
}

/// The thread through which the process's own table is read: its leader, where it is alive.
fn own_thread(pid: u32) -> Result<u32, ReadError> {
    Ok(procfs::table_threads(pid)?.first().copied().unwrap_or(pid))
}

/// Loads the nested program when it is first needed, and finds out where pages are.
pub fn open(reader: &mut Reader) -> Result<(), ReadError> {
    if let Some(lack) = &reader.lacking.nested {
        return Err(lack.error());
    }
    if reader.nested.is_some() {
        return Ok(());
    }
    let filters = reader.filter == Filter::Link;
    let mut nested =
        Nested::open(&mut reader.object, filters, reader.ring_bytes).map_err(lacks_loops)?;
    reader.pages =
        pages::find(&mut nested, &mut reader.object, &mut reader.symbols).map_err(could_not_run)?;
    reader.nested = Some(nested);
    Ok(())
}

/// Why the nested program can't be had: most often because it is all loops.
fn lacks_loops(error: LoadError) -> ReadError {
    support::lack_of("bpf_loop", "queues can't be looked into").unwrap_or_else(|| missing(error))
}

fn could_not_run(error: RunError) -> ReadError {
    match error {
        RunError::Load(error) => missing(error),
        RunError::Attach(ref source) | RunError::Read(ref source) => {
            let kind = source.kind();
            failed("cannot read the process's queues", io::Error::new(kind, error))
        }
    }
}

/// All descriptors of the tables of these threads, the first of which has the process's own.
fn whole_tables(threads: &[u32]) -> Vec<(u32, Stretch)> {
    let whole =
        |(index, &tid)| (tid, Stretch { tid: (index > 0).then_some(tid), fds: 0..=u32::MAX });
    threads.iter().enumerate().map(whole).collect()
}

/// A dump under way.
struct Dumping<'a> {
    reader: &'a mut Reader,
    request: &'a Dump,
    reading: DumpReading,
    /// The files in flight that were looked into. A message may refer to one two hundred times, and
    /// each of these would be looked into with all that it refers to itself.
    looked_into: HashSet<FileId>,
}

/// One file: a descriptor's, or one in flight.
#[derive(Clone, Copy)]
struct One<'a> {
    tid: u32,
    fd: u32,
    hops: &'a [FlightHop],
}

/// What came of reading one file.
enum Again {
    /// It was read; what in it changed as often as it was tried is marked.
    Read(Box<File>),
    /// It is not open.
    Closed,
    /// The kernel shows no such thread.
    Unseen,
    /// Its descriptor stood for another file in the end than in the beginning each time, so that
    /// nothing that was read can be said of the one or the other.
    Replaced,
}

impl Dumping<'_> {
    /// The files of some stretches, each read through a thread, and then those again that changed
    /// while they were read.
    fn some(&mut self, stretches: &[(u32, Stretch)]) -> Result<(), ReadError> {
        for (tid, Stretch { tid: own, fds }) in stretches {
            let (own, tid) = (*own, *tid);
            let (first_fd, last_fd) = (*fds.start(), *fds.end());
            let dumped = self.run(DumpRequest { tid, first_fd, last_fd, ..self.wire() })?;
            // The leader's table is gone when the process ends; a thread may end by itself.
            if !dumped.ended && own.is_none() {
                return Err(unseen(&self.reading.process));
            }
            self.reading.complete &= dumped.ended;
            for mut file in dumped.files {
                file.tid = own;
                let fd = file.fd.unwrap_or_default();
                let one = One { tid, fd, hops: &[] };
                if dumped.changed.contains(&fd) || is_torn(&file) {
                    file = match self.again(one)? {
                        Again::Read(now) => File { tid: own, ..*now },
                        // It was closed meanwhile.
                        Again::Closed | Again::Unseen => continue,
                        Again::Replaced => {
                            self.reading.complete = false;
                            continue;
                        }
                    };
                }
                if self.request.deep {
                    self.deeper(one, &mut file, 0)?;
                }
                self.reading.files.push(file);
            }
        }
        Ok(())
    }

    fn one_file(&mut self, one: One<'_>, own_table: Option<u32>) -> Result<File, ReadError> {
        let (pid, fd) = (self.request.pid, one.fd);
        match self.again(one)? {
            Again::Read(mut file) => {
                file.tid = own_table;
                if self.request.deep {
                    self.deeper(one, &mut file, one.hops.len())?;
                }
                Ok(*file)
            }
            Again::Closed => {
                still_there(&self.reading.process)?;
                Err(ReadError::NoFile { pid, fd })
            }
            Again::Unseen => Err(unseen(&self.reading.process)),
            Again::Replaced => Err(ReadError::Replaced { pid, fd }),
        }
    }

    /// Reads one file until it is whole, some times at most.
    fn again(&mut self, one: One<'_>) -> Result<Again, ReadError> {
        let mut last = Again::Replaced;
        for _ in 0..TRIES {
            let dumped = self.run(one.wire(self.wire()))?;
            let Some(file) = dumped.files.into_iter().next() else {
                return Ok(if dumped.ended { Again::Closed } else { Again::Unseen });
            };
            if !dumped.changed.is_empty() {
                continue;
            }
            let torn = is_torn(&file);
            last = Again::Read(Box::new(file));
            if !torn {
                break;
            }
        }
        Ok(last)
    }

    /// Looks into the sockets and pipes in flight in a file's queues, as deep as it goes, into each
    /// once.
    fn deeper(&mut self, one: One<'_>, file: &mut File, depth: usize) -> Result<(), ReadError> {
        let Some(socket) = &mut file.socket else { return Ok(()) };
        for queue in socket.queues.iter_mut().flatten() {
            let name = queue.name;
            for packet in &mut queue.packets {
                for (place, flight) in packet.files.iter_mut().enumerate() {
                    if flight.socket.is_none() && flight.pipe.is_none() {
                        continue;
                    }
                    // That it was not looked into is said of it already.
                    if depth >= HOPS || flight.id.is_some_and(|id| !self.looked_into.insert(id)) {
                        continue;
                    }
                    let hop = FlightHop { queue: name, packet: packet.index, file: place as u32 };
                    let hops = [one.hops, &[hop]].concat();
                    let one = One { hops: &hops, ..one };
                    // It may have been taken meanwhile, or another one stand in its place.
                    if let Again::Read(now) = self.again(one)?
                        && now.id == flight.id
                    {
                        *flight = *now;
                        self.deeper(one, flight, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One request, whose records become files.
    fn run(&mut self, wire: DumpRequest) -> Result<Dumped, ReadError> {
        let Self { reader, request, reading, .. } = self;
        let process = &reading.process;
        reader.records.clear();
        let Some(nested) = &mut reader.nested else { return Ok(Dumped::default()) };
        let done =
            nested.run(&mut reader.object, wire, &mut reader.records).map_err(could_not_run)?;
        reading.runs += done.runs;
        for record in Records::new(&reader.records) {
            if let Record::Ops(record) = record.map_err(|error| garbled(process, error))? {
                reader.symbols.learn(&record);
            }
        }
        // Without names the files are shown all the same.
        let _ = reader.symbols.resolve();
        let records = Records::new(&reader.records);
        let name = |ops| reader.symbols.name(ops);
        let dumped = assemble::dump(records, name, &reader.key, request)
            .map_err(|error| garbled(process, error))?;
        if dumped.lost > 0 {
            let what = "the ring buffer of the BPF program overflowed; please report this as a bug";
            let lost = io::Error::other(format!("{} records lost", dumped.lost));
            return Err(failed(what, lost));
        }
        Ok(dumped)
    }

    /// What is asked for, as far as it is the same for all files.
    fn wire(&self) -> DumpRequest {
        wire(self.reader, self.request)
    }
}

/// Why a thread was not shown: its process has ended, or is kept out of sight.
fn unseen(process: &Process) -> ReadError {
    let why = still_there(process).and_then(|()| not_hidden(process));
    why.err().unwrap_or_else(|| ended(process))
}

impl One<'_> {
    /// The request for it.
    fn wire(self, request: DumpRequest) -> DumpRequest {
        let mut hops = [Hop::default(); HOPS];
        for (to, from) in hops.iter_mut().zip(self.hops) {
            *to = Hop {
                queue: number(from.queue),
                packet: from.packet,
                file: from.file,
                reserved: 0,
            };
        }
        DumpRequest {
            tid: self.tid,
            first_fd: self.fd,
            last_fd: self.fd,
            hop_count: self.hops.len().min(HOPS) as u32,
            hops,
            ..request
        }
    }
}

/// What is asked for, as far as it is the same for all files.
fn wire(reader: &Reader, request: &Dump) -> DumpRequest {
    let queues = request.queues.iter().fold(0, |bits, &queue| bits | 1 << number(queue));
    let pages = reader.pages.map_or(0, |_| dump_bits::PAGES);
    let names = match request.files {
        DumpFiles::Bare(_) => 0,
        DumpFiles::All | DumpFiles::One { .. } => dump_bits::PATHS | dump_bits::WATCHES,
    };
    DumpRequest {
        page_constant: reader.pages.unwrap_or(0),
        queues,
        first_packet: *request.packets.start(),
        last_packet: *request.packets.end(),
        payload: request.payload,
        bits: pages | names | dump_bits::FLIGHT,
        ..DumpRequest::default()
    }
}

fn number(name: QueueName) -> u32 {
    match name {
        QueueName::Receive => queue::RECEIVE,
        QueueName::Reader => queue::READER,
        QueueName::Write => queue::WRITE,
        QueueName::Retransmit => queue::RETRANSMIT,
        QueueName::OutOfOrder => queue::OUT_OF_ORDER,
        QueueName::Error => queue::ERROR,
        QueueName::Backlog => queue::BACKLOG,
        QueueName::Accept => queue::ACCEPT,
        QueueName::Pipe => queue::PIPE,
    }
}

/// Whether something in a file changed while it was read.
fn is_torn(file: &File) -> bool {
    let torn = |queues: &Option<Vec<Queue>>| {
        queues.iter().flatten().any(|queue| queue.torn || queue.packets.iter().any(|p| p.torn))
    };
    file.socket.as_ref().is_some_and(|socket| torn(&socket.queues))
        || file.pipe.as_ref().is_some_and(|pipe| torn(&pipe.queues))
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;
