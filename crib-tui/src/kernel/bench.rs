//! The programs that only `crib-top bench` runs, from an object of their own.

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use aya::maps::{MapData, RingBuf};
use aya::programs::raw_trace_point::RawTracePointLinkId;
use aya::programs::{Iter, ProgramFd, RawTracePoint};
use aya::{Ebpf, EbpfError, EbpfLoader};
use crib_common::bench::Counts;
use crib_common::dump::DumpRequest;
use crib_common::limits::RING_BYTES;
use crib_common::offsets::KernelOffsets;
use crib_common::record::FileRecord;
use zerocopy::FromBytes;

use super::errors::{failed, missing};
use super::link::{IterLink, Scope};
use super::mapped::Mapped;
use super::object::LoadError;
use super::programs::TASK_FILE;
use super::{btf, nested, snapshot};
use crate::model::ReadError;

static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("CRIB_BENCH_OBJECT"));

/// A program over the files of tasks that writes through seq_file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// Does nothing: what the kernel's iterator costs by itself.
    Empty,
    /// Every field of every file, without paths.
    Bare,
    /// Every field of every file.
    Paths,
}

impl Table {
    fn program(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Bare => "files_bare",
            Self::Paths => "files_paths",
        }
    }
}

/// A way out of the kernel for the records of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The iterator's own output, which is read(2).
    SeqFile,
    /// A ring buffer of 1 MiB, emptied whenever it is full.
    Ring,
    /// An array in memory that both sides see (`BPF_F_MMAPABLE`).
    Array,
}

/// System calls that were begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// By this process.
    pub own: u64,
    /// By its children and their descendants.
    pub descendants: u64,
}

/// The benchmark's programs, loaded as they are needed.
pub struct Programs {
    ebpf: Ebpf,
    kernel: aya::Btf,
    links: HashMap<(&'static str, Option<u32>), IterLink>,
    ring: RingBuf<MapData>,
    array: Mapped<FileRecord>,
    counts: Mapped<Counts>,
    counter: Option<RawTracePointLinkId>,
}

impl Programs {
    /// Creates the maps, the array with room for so many records.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where privileges or kernel features are missing.
    pub fn open(records: u32) -> Result<Self, ReadError> {
        Self::load(records).map_err(missing)
    }

    fn load(records: u32) -> Result<Self, LoadError> {
        let data = btf::read(Path::new(btf::VMLINUX))?;
        let offsets = btf::Btf::parse(&data)?.kernel_offsets();
        let kernel = aya::Btf::parse(&data, aya::Endianness::default()).map_err(EbpfError::from)?;
        let cpus = aya::util::nr_cpus().map_err(|(_, source)| LoadError::Cpus(source))? as u32;
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .override_global("OFFSETS", &Offsets(offsets), true)
            .map_max_entries("RING", RING_BYTES)
            .map_max_entries("RECORDS", records)
            .map_max_entries("COUNTS", cpus)
            .load(OBJECT)?;
        let ring = ebpf.take_map("RING").ok_or(LoadError::Stale("map RING"))?;
        let array = ebpf.take_map("RECORDS").ok_or(LoadError::Stale("map RECORDS"))?;
        let counts = ebpf.take_map("COUNTS").ok_or(LoadError::Stale("map COUNTS"))?;
        Ok(Self {
            ebpf,
            kernel,
            links: HashMap::new(),
            ring: ring.try_into().map_err(|error| LoadError::Object(EbpfError::MapError(error)))?,
            array: Mapped::new(array, "RECORDS", records)?,
            counts: Mapped::new(counts, "COUNTS", cpus)?,
            counter: None,
        })
    }

    /// The program of this name, loaded; `target` is what it iterates over.
    pub(super) fn iterator(
        &mut self,
        name: &'static str,
        target: &str,
    ) -> Result<ProgramFd, LoadError> {
        let failed = |error| LoadError::of_program(name, error);
        let program = self.ebpf.program_mut(name).ok_or(LoadError::Stale(name))?;
        let program: &mut Iter = program.try_into().map_err(failed)?;
        if program.fd().is_err() {
            program.load(target, &self.kernel).map_err(failed)?;
        }
        let program = program.fd().map_err(failed)?.try_clone();
        program.map_err(|error| failed(error.into()))
    }

    /// Tells the staged programs what their next run is for.
    pub(super) fn dump_request(&mut self, request: DumpRequest) -> Result<(), LoadError> {
        let map = self.ebpf.map_mut("DUMP_REQUEST").ok_or(LoadError::Stale("map DUMP_REQUEST"))?;
        let mut map: aya::maps::Array<_, Asked> =
            map.try_into().map_err(|error| LoadError::Object(EbpfError::MapError(error)))?;
        map.set(0, Asked(request), 0).map_err(|error| LoadError::Object(EbpfError::MapError(error)))
    }

    /// The link of a program, which is kept; of one process, or of all.
    fn link(&mut self, program: &'static str, pid: Option<u32>) -> Result<&IterLink, ReadError> {
        if !self.links.contains_key(&(program, pid)) {
            let fd = self.iterator(program, TASK_FILE).map_err(missing)?;
            let scope = pid.map_or(Scope::All, Scope::Process);
            let link = IterLink::create(fd.as_fd(), scope).map_err(cannot_attach)?;
            self.links.insert((program, pid), link);
        }
        Ok(&self.links[&(program, pid)])
    }

    /// Runs one of the tables over the files of a process, or of all, and appends its records.
    ///
    /// # Errors
    /// [`ReadError::Missing`] and [`ReadError::Io`], as the kernel says.
    pub fn table(
        &mut self,
        table: Table,
        pid: Option<u32>,
        records: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        snapshot::run(self.link(table.program(), pid)?, records).map_err(cannot_run)
    }

    /// Reads the records of a process's files by one of the transports, and calls `each` with
    /// every one.
    ///
    /// # Errors
    /// As [`Self::table`]; [`ReadError::Io`] also where the array has no room for all.
    pub fn transport(
        &mut self,
        transport: Transport,
        pid: u32,
        each: impl FnMut(&FileRecord),
    ) -> Result<(), ReadError> {
        match transport {
            Transport::SeqFile => self.by_seq_file(pid, each),
            Transport::Ring => self.by_ring(pid, each),
            Transport::Array => self.by_array(pid, each),
        }
    }

    fn by_seq_file(
        &mut self,
        pid: u32,
        mut each: impl FnMut(&FileRecord),
    ) -> Result<(), ReadError> {
        let mut iterator = self.begin("transport_seq", pid)?;
        let mut buffer = vec![0; snapshot::READ_BYTES];
        loop {
            let read = match iterator.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot_run(error)),
            };
            for record in buffer[..read].chunks_exact(size_of::<FileRecord>()) {
                each(&decoded(record)?);
            }
        }
    }

    fn by_ring(&mut self, pid: u32, mut each: impl FnMut(&FileRecord)) -> Result<(), ReadError> {
        let mut iterator = self.begin("transport_ring", pid)?;
        loop {
            // The program writes nothing here: its records are in the ring.
            let read = iterator.read(&mut [0; 8]);
            while let Some(record) = self.ring.next() {
                each(&decoded(&record)?);
            }
            match read {
                Ok(_) => return Ok(()),
                // The ring was full, and the kernel goes on from there.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                    ) => {}
                Err(error) => return Err(cannot_run(error)),
            }
        }
    }

    fn by_array(&mut self, pid: u32, each: impl FnMut(&FileRecord)) -> Result<(), ReadError> {
        let mut iterator = self.begin("transport_array", pid)?;
        while let Err(error) = iterator.read(&mut [0; 8]) {
            if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) {
                return Err(cannot_run(error));
            }
        }
        let written = self.counts.get(0).map_or(0, |counts| counts.records) as usize;
        if written > self.array.len() {
            let error = io::Error::other(format!("{written} records of {}", self.array.len()));
            return Err(failed("the memory-mapped array is too small", error));
        }
        // SAFETY: the one program that writes there has come to its end.
        unsafe { self.array.first(written) }.iter().for_each(each);
        Ok(())
    }

    fn begin(&mut self, program: &'static str, pid: u32) -> Result<std::fs::File, ReadError> {
        self.link(program, Some(pid))?.iterate().map_err(cannot_attach)
    }

    /// Begins to count system calls: at the tracepoint `sys_enter`, where each of them passes.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where the kernel allows no program there.
    pub fn count_calls(&mut self) -> Result<(), ReadError> {
        if self.counter.is_some() {
            return Ok(());
        }
        let reader = self.iterator("note_reader", nested::TASK).map_err(missing)?;
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        let link = IterLink::create(reader.as_fd(), Scope::Thread(own)).map_err(cannot_attach)?;
        snapshot::run(&link, &mut Vec::new()).map_err(cannot_run)?;
        self.counter = Some(self.attach_counter().map_err(missing)?);
        Ok(())
    }

    fn attach_counter(&mut self) -> Result<RawTracePointLinkId, LoadError> {
        const NAME: &str = "count_calls";
        let failed = |error| LoadError::of_program(NAME, error);
        let program = self.ebpf.program_mut(NAME).ok_or(LoadError::Stale(NAME))?;
        let program: &mut RawTracePoint = program.try_into().map_err(failed)?;
        if program.fd().is_err() {
            program.load().map_err(failed)?;
        }
        program.attach("sys_enter").map_err(failed)
    }

    /// Counts no more, which makes every system call of the machine a little faster.
    pub fn stop_counting(&mut self) {
        let Some(link) = self.counter.take() else { return };
        if let Some(program) = self.ebpf.program_mut("count_calls")
            && let Ok(program) = <&mut RawTracePoint>::try_from(program)
        {
            // What can't be detached counts on until the program ends, and does no harm.
            let _ = program.detach(link);
        }
    }

    /// The system calls that were counted until now; to ask takes none.
    pub fn calls(&self) -> Calls {
        let counts = (0..self.counts.len()).filter_map(|cpu| self.counts.get(cpu));
        counts.fold(Calls::default(), |calls, counts| Calls {
            own: calls.own + counts.own_calls,
            descendants: calls.descendants + counts.descendant_calls,
        })
    }
}

fn decoded(record: &[u8]) -> Result<FileRecord, ReadError> {
    FileRecord::read_from_bytes(record).map_err(|_| {
        let error = io::Error::other(format!("a record of {} bytes", record.len()));
        failed("the BPF program's records make no sense", error)
    })
}

pub(super) fn cannot_attach(error: io::Error) -> ReadError {
    match error.raw_os_error() {
        Some(libc::E2BIG | libc::EINVAL) => ReadError::Missing {
            what: "this kernel's iterators can't be filtered by process".to_owned(),
            remedy: "Linux 6.1 can".to_owned(),
        },
        _ => failed("cannot attach the BPF iterator", error),
    }
}

pub(super) fn cannot_run(error: io::Error) -> ReadError {
    failed("cannot run the BPF iterator", error)
}

/// [`KernelOffsets`] as aya takes globals.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Offsets(KernelOffsets);

// SAFETY: a `repr(C)` struct of `u16`s only has no padding and is valid for any bits.
unsafe impl aya::Pod for Offsets {}

/// [`DumpRequest`] as aya takes map values.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Asked(DumpRequest);

// SAFETY: `DumpRequest` derives `FromBytes` and `IntoBytes`: no padding, valid for any bits.
unsafe impl aya::Pod for Asked {}

#[cfg(test)]
#[path = "bench_tests.rs"]
mod tests;
