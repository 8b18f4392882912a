//! The first source: the kernel's own structures, read by BPF iterators.
//!
//! The only module that knows aya and the only one besides `crib-ebpf` with unsafe code.

pub mod bench;
pub mod btf;
mod dump;
mod errors;
pub mod kcmp;
mod link;
mod loader;
mod mapped;
mod nested;
mod object;
mod pages;
mod paths;
mod peers;
mod snapshot;
pub mod staged;
pub mod support;
mod symbols;
mod sys;
mod told;
pub mod trace;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use crib_common::limits::RING_BYTES;
use crib_common::record::Request;

use crate::decode::{self, Records};
use crate::model::assemble::{self, IdKey, TableError, TableFiles};
use crate::model::lint::Beside;
use crate::model::{
    Dump, DumpReading, File, FilesReading, Process, ProcessState, ProcessTotals, ProcessesReading,
    ReadError, Search, Source, Sweep,
};
use crate::privileges::{self, Needs};
use crate::procfs;
use errors::{Lack, Lacking, ended, failed, garbled, missing, not_hidden, still_there};
use link::{IterLink, Scope};
use nested::Nested;
use object::{LoadError, Object};
use paths::Links;
use symbols::Symbols;
use told::Told;

/// How often a reading is begun again during which a directory was renamed.
const TRIES: u32 = 4;

/// What the programs iterate over.
const TASK_FILE: &str = "task_file";

/// A loaded BPF object, ready to read.
pub struct Reader {
    object: Object,
    /// What it was opened for.
    wanted: Wanted,
    /// The size of the ring that dumps are written into.
    ring_bytes: u32,
    /// The program that was loaded first: whatever holds for all of them is tried out with it.
    first: Rc<OwnedFd>,
    /// The table's program, from when it is first needed on.
    files: Option<FilesProgram>,
    /// Where the kernel picks out a process: in the link, or in the program.
    filter: Filter,
    symbols: Symbols,
    key: IdKey,
    /// The files that were read last.
    table: TableFiles,
    /// The bytes of the last run, kept for their room.
    records: Vec<u8>,
    told: Told,
    /// The link that was read last, and the process that it is filtered by.
    link: Option<(Option<u32>, IterLink)>,
    totals: Option<IterLink>,
    /// Made when the first dump is asked for.
    nested: Option<Nested>,
    /// What turns the address of a `struct page` into that of its bytes, where that was found.
    pages: Option<u64>,
    /// Why programs that were prepared can't be had: sums, and dumps.
    lacking: Lacking,
}

/// The program that tells the files of a table.
#[derive(Clone)]
struct FilesProgram {
    program: Rc<OwnedFd>,
    /// Whether it tells no paths, and does not have the kernel name file operations.
    plain: bool,
}

/// Who leaves out the files of other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// The link (Linux 6.1).
    Link,
    /// The program, which is shown every file there is.
    Program,
}

impl Reader {
    /// Loads the BPF program that is needed for what is wanted, and no other: most of the time
    /// until the first reading is the verifier's.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where privileges or kernel features are missing. Where it is only
    /// what is wanted that can't be had, but files can, [`Self::prepare`] says so.
    pub fn open(wanted: Wanted) -> Result<Self, ReadError> {
        Self::open_with_ring(wanted, RING_BYTES)
    }

    /// As [`Self::open`], with a ring of so many bytes for dumps: a power of two, more than twice
    /// [`crib_common::limits::RING_UNIT`]. What is read does not depend on it.
    ///
    /// # Errors
    /// As there.
    pub fn open_with_ring(wanted: Wanted, ring_bytes: u32) -> Result<Self, ReadError> {
        procfs::need_our_ids("BPF can't be used")?;
        let mut object = Object::open_with_ring(ring_bytes).map_err(missing)?;
        let other = match wanted {
            Wanted::Files | Wanted::Everything => None,
            Wanted::Processes => totals_program(&mut object).ok(),
            Wanted::Dumps => object.iterator(nested::PROGRAM, nested::TASK).ok(),
        };
        match other {
            Some(program) => Self::with(object, wanted, program, None, ring_bytes),
            None => {
                let files = files_program(&mut object)?;
                Self::with(object, wanted, Rc::clone(&files.program), Some(files), ring_bytes)
            }
        }
    }

    fn with(
        object: Object,
        wanted: Wanted,
        first: Rc<OwnedFd>,
        files: Option<FilesProgram>,
        ring_bytes: u32,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            filter: probe_filter(&first)?,
            object,
            wanted,
            ring_bytes,
            first,
            files,
            symbols: Symbols::default(),
            key: IdKey::default(),
            table: TableFiles::default(),
            records: Vec::new(),
            told: Told::default(),
            link: None,
            totals: None,
            nested: None,
            pages: None,
            lacking: Lacking::default(),
        })
    }

    /// The table's program, loaded when it is first needed.
    fn files_program(&mut self) -> Result<FilesProgram, ReadError> {
        if let Some(files) = &self.files {
            return Ok(files.clone());
        }
        let files = files_program(&mut self.object)?;
        Ok(self.files.insert(files).clone())
    }

    /// Loads now whatever will be needed for what it was opened for.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where the one thing that is wanted can't be had; of
    /// [`Wanted::Everything`], what can't be had fails when it is asked for.
    pub fn prepare(&mut self) -> Result<(), ReadError> {
        match self.wanted {
            Wanted::Files => self.files_program().map(drop),
            Wanted::Processes => self.load_totals(),
            Wanted::Dumps => dump::open(self),
            Wanted::Everything => {
                self.lacking.totals = self.load_totals().err().map(Lack::of);
                self.lacking.nested = dump::open(self).err().map(Lack::of);
                Ok(())
            }
        }
    }

    /// What reading needs once all is loaded. Whether the kernel asks for more than the loaded
    /// programs is tried out: it depends on its version and settings.
    pub fn needs(&self) -> Needs {
        let attach = || -> io::Result<()> {
            let link = IterLink::create(self.first.as_fd(), Scope::All)?;
            link.iterate().map(drop)
        };
        let may_attach = privileges::without(privileges::BPF, || {
            attach().is_ok() && self.object.request(Request::default()).is_ok()
        });
        let bpf = if may_attach { privileges::NOTHING } else { privileges::BPF };
        let plain = match &self.files {
            Some(files) if files.plain => paths::NEEDS | privileges::SYMBOLS,
            _ => privileges::NOTHING,
        };
        privileges::LOOKING | bpf | plain
    }

    /// See [`crate::source::Reader::files`].
    ///
    /// # Errors
    /// See there.
    pub fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError> {
        let time = SystemTime::now();
        let process = procfs::process(pid)?;
        let files = match process.state {
            ProcessState::Alive => self.read_files(&process)?,
            _ => Vec::new(),
        };
        still_there(&process)?;
        if files.is_empty() {
            not_hidden(&process)?;
        }
        Ok(FilesReading {
            source: Source::Bpf,
            time,
            process,
            files,
            complete: true,
            beside: Beside::default(),
        })
    }

    fn read_files(&mut self, process: &Process) -> Result<Vec<Arc<File>>, ReadError> {
        let filter = self.filter_for(process.pid);
        for _ in 0..TRIES {
            let (session, reading) = match filter {
                // Among the files of several tables, or of all processes, descriptors are not
                // unique.
                Filter::Program => (0, 0),
                Filter::Link => self.told.begin(process.pid),
            };
            let asked = Request { session, reading, now: now(), ..Request::default() };
            let files = self.read_once(process, filter, asked);
            // Whatever failed, what the program takes for told may not have come through.
            if !matches!(files, Ok(Some(_))) {
                self.told.forget();
            }
            if let Some(files) = files? {
                return Ok(files);
            }
        }
        // Directories are being renamed all the time: everything is told, and nothing relied on.
        let files = self.read_once(process, filter, Request::default())?;
        files.ok_or_else(|| garbled(process, TableError::Stale))
    }

    /// The files of a process; none where a path was left out that is not known, or not right.
    fn read_once(
        &mut self,
        process: &Process,
        filter: Filter,
        asked: Request,
    ) -> Result<Option<Vec<Arc<File>>>, ReadError> {
        let program = self.files_program()?;
        self.run_files(&program, process, filter, asked)?;
        if program.plain {
            let mut links = Links::of_files_in(&self.records);
            let before = std::mem::take(&mut self.records);
            self.run_files(&program, process, filter, asked)?;
            links.keep_those_of(&self.records);
            let with_paths = links.put_into(&before);
            self.records = with_paths.map_err(|error| garbled(process, error))?;
        }
        // What makes no sense is an error below.
        for run in decode::file_runs(&self.records).map_while(Result::ok) {
            if self.told.check(&run).is_err() {
                return Ok(None);
            }
            decode::met_ops(run.parts).for_each(|record| self.symbols.learn(&record));
        }
        // Without names the files are shown all the same.
        let _ = self.symbols.resolve();
        match self.table.read(&self.records, |ops| self.symbols.name(ops), &self.key) {
            Ok(files) => Ok(Some(files)),
            Err(TableError::Stale) => Ok(None),
            Err(error) => Err(garbled(process, error)),
        }
    }

    fn run_files(
        &mut self,
        files: &FilesProgram,
        process: &Process,
        filter: Filter,
        asked: Request,
    ) -> Result<(), ReadError> {
        let pid = process.pid;
        self.records.clear();
        let tgid = (filter == Filter::Link).then_some(pid);
        if self.link.as_ref().is_none_or(|&(linked, _)| linked != tgid) {
            let scope = tgid.map_or(Scope::All, Scope::Process);
            let link =
                IterLink::create(files.program.as_fd(), scope).map_err(|error| {
                    match error.raw_os_error() {
                        Some(libc::ESRCH | libc::ENOENT) => ended(process),
                        _ => failed("cannot attach the BPF iterator", error),
                    }
                })?;
            self.link = Some((tgid, link));
        }
        let tgid = if filter == Filter::Program { pid } else { 0 };
        self.object.request(Request { tgid, ..asked }).map_err(missing)?;
        match &self.link {
            Some((_, link)) => snapshot::run(link, &mut self.records)
                .map_err(|error| failed("cannot read the process's files", error)),
            None => Ok(()),
        }
    }

    /// Where a process is picked out: in the link where that is right.
    ///
    /// A link that is filtered by process passes over the wrong threads in kernels without
    /// "bpf: task_group_seq_get_next: fix the skip_if_dup_files check": those after
    /// a thread with a table of its own, not the thread itself. Unfiltered iterators never did.
    fn filter_for(&self, pid: u32) -> Filter {
        match self.filter {
            Filter::Link if procfs::has_thread_tables(pid) => Filter::Program,
            filter => filter,
        }
    }

    /// See [`crate::source::Reader::dump`].
    ///
    /// # Errors
    /// See there.
    pub fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
        dump::read(self, request)
    }

    /// The records of a dump of a process with one thread, from one request, and not made into
    /// anything; how many entries into the kernel it took. What changes meanwhile is not read
    /// again.
    ///
    /// # Errors
    /// See [`crate::source::Reader::dump`].
    pub fn dump_records(
        &mut self,
        request: &Dump,
        records: &mut Vec<u8>,
    ) -> Result<u32, ReadError> {
        dump::records(self, request, records)
    }

    /// See [`crate::source::Reader::processes`].
    ///
    /// # Errors
    /// See there.
    pub fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        let time = SystemTime::now();
        let totals = self.sum_up()?;
        let processes = procfs::process_list()?
            .into_iter()
            .map(|process| {
                let totals = totals.get(&process.pid).copied().or_else(|| no_files(&process));
                (process, totals)
            })
            .collect();
        Ok(ProcessesReading { source: Source::Bpf, time, processes })
    }

    /// See [`crate::source::Reader::sweep`].
    ///
    /// # Errors
    /// See there.
    pub fn sweep(&mut self, search: &Search, only: Option<&[u32]>) -> Result<Sweep, ReadError> {
        peers::sweep(self, search, only)
    }

    /// Loads and attaches the sweep's program when it is first needed.
    fn load_totals(&mut self) -> Result<(), ReadError> {
        if let Some(lack) = &self.lacking.totals {
            return Err(lack.error());
        }
        if self.totals.is_none() {
            let program = totals_program(&mut self.object)?;
            let link = IterLink::create(program.as_fd(), Scope::All)
                .map_err(|error| failed("cannot attach the BPF iterator", error))?;
            self.totals = Some(link);
        }
        Ok(())
    }

    /// One iteration over all files of all processes, for their sums.
    fn sum_up(&mut self) -> Result<HashMap<u32, ProcessTotals>, ReadError> {
        self.load_totals()?;
        self.object.request(Request::default()).map_err(missing)?;
        self.records.clear();
        let run = match &self.totals {
            Some(link) => snapshot::run(link, &mut self.records),
            None => Ok(()),
        };
        run.map_err(|error| failed("cannot read the processes' files", error))?;
        assemble::totals(Records::new(&self.records)).map_err(|error| {
            failed("the BPF programs' records make no sense", io::Error::other(error))
        })
    }
}

/// What a reader will be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The files of processes.
    Files,
    /// All processes.
    Processes,
    /// Dumps.
    Dumps,
    /// Any of these.
    Everything,
}

/// The time of day in seconds.
fn now() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec
}

/// A process that the sweep has not met has no open files, unless /proc knows of some.
fn no_files(process: &Process) -> Option<ProcessTotals> {
    let none = process.state != ProcessState::Alive
        || procfs::open_files(process.pid).is_none_or(|files| files == 0);
    none.then_some(ProcessTotals {
        fd_count: 0,
        sockets: Some(0),
        recv_payload: Some(0),
        send_payload: Some(0),
    })
}

/// The program that tells the files of a table.
fn files_program(object: &mut Object) -> Result<FilesProgram, ReadError> {
    let program = first_that_loads(object, ["files", "files_plain"])?;
    Ok(FilesProgram { program, plain: !object.is_loaded("files") })
}

/// The program that sums up all tables.
fn totals_program(object: &mut Object) -> Result<Rc<OwnedFd>, ReadError> {
    first_that_loads(object, ["totals", "totals_plain"])
}

/// The first program of several that this kernel takes: later ones do with less.
///
/// Only what the verifier refuses leads to the next one; a missing privilege does not.
fn first_that_loads(
    object: &mut Object,
    names: [&'static str; 2],
) -> Result<Rc<OwnedFd>, ReadError> {
    let [full, plain] = names;
    object.iterator(full, TASK_FILE).or_else(|error| {
        let refused = |error: &LoadError| {
            error.io_error().and_then(io::Error::raw_os_error) != Some(libc::EPERM)
        };
        if !refused(&error) {
            return Err(missing(error));
        }
        // The first error says more than the second.
        object.iterator(plain, TASK_FILE).map_err(|_| missing(error))
    })
}

/// Tries a link that is filtered by our own pid.
fn probe_filter(program: &Rc<OwnedFd>) -> Result<Filter, ReadError> {
    match IterLink::create(program.as_fd(), Scope::Process(std::process::id())) {
        Ok(_) => Ok(Filter::Link),
        Err(error) => match error.raw_os_error() {
            Some(libc::E2BIG | libc::EINVAL) => Ok(Filter::Program),
            _ => Err(failed("cannot attach the BPF iterator", error)),
        },
    }
}
