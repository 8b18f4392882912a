//! The first source: the kernel's own structures, read by BPF iterators.
//!
//! The only module that knows aya, and with `kcmp` the only one besides `crib-ebpf` with unsafe code.

pub mod bench;
pub mod btf;
mod dump;
mod errors;
mod link;
mod loader;
mod mapped;
mod nested;
mod object;
mod pages;
mod paths;
mod peers;
mod programs;
mod snapshot;
pub mod staged;
mod sums;
pub mod support;
mod symbols;
mod sys;
mod table;
mod told;
pub mod trace;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use crib_common::limits::RING_BYTES;
use crib_common::record::Request;

use crate::model::assemble::{IdKey, TableFiles};
use crate::model::{Dump, DumpReading, ReadError, Search, Sweep};
use crate::privileges::{self, Needs};
use crate::procfs;
use errors::{Lack, Lacking, missing};
use link::{IterLink, Scope};
use nested::Nested;
use object::Object;
#[cfg(test)]
pub(crate) use object::tests::left_out;
use programs::{FilesProgram, Filter};
use symbols::Symbols;
use told::Told;

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
            Wanted::Processes => programs::totals(&mut object).ok(),
            Wanted::Dumps => object.iterator(nested::PROGRAM, nested::TASK).ok(),
        };
        match other {
            Some(program) => Self::with(object, wanted, program, None, ring_bytes),
            None => {
                let files = programs::files(&mut object)?;
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
            filter: programs::probe_filter(&first)?,
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
        let files = programs::files(&mut self.object)?;
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

    /// See [`crate::source::Reader::sweep`].
    ///
    /// # Errors
    /// See there.
    pub fn sweep(&mut self, search: &Search, only: Option<&[u32]>) -> Result<Sweep, ReadError> {
        peers::sweep(self, search, only)
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
