//! The BPF object: embedded in the binary, given the running kernel's offsets, and loaded.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use aya::EbpfError;
use aya::maps::{Map, MapData, MapError, RingBuf};
use aya::programs::ProgramError;
use crib_common::dump::DumpRequest;
use crib_common::offsets::KernelOffsets;
use crib_common::record::Request;
use zerocopy::IntoBytes;

use super::btf;
use super::loader::{self, Linked, Refused};

/// The object that is loaded, whichever way it was built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("CRIB_BPF_OBJECT"));

/// Why the programs could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel's BTF.
    #[error(transparent)]
    Btf(#[from] btf::BtfError),
    /// The kernel has no such iterator.
    #[error("this kernel has no BPF iterator '{0}'")]
    NoIterator(&'static str),
    /// The object or its maps.
    #[error("cannot create the BPF maps: {}", chain(.0))]
    Object(#[from] EbpfError),
    /// One of the programs.
    #[error("the kernel refuses the BPF program '{program}': {source}{}", last_line(.log))]
    Program {
        /// Which.
        program: &'static str,
        /// Why.
        source: io::Error,
        /// What the verifier said.
        log: String,
    },
    /// What is asked for could not be handed to the programs.
    #[error("cannot write the BPF map {map}: {source}")]
    Map {
        /// Which.
        map: &'static str,
        /// Why.
        source: io::Error,
    },
    /// How many CPUs there are.
    #[error("cannot find out how many CPUs there are: {0}")]
    Cpus(io::Error),
    /// A map could not be mapped into memory.
    #[error("cannot map the BPF map {map}: {source}")]
    Mmap {
        /// Which.
        map: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The object has not what it should have.
    #[error("the embedded BPF object has no {0}: it was built from other sources")]
    Stale(&'static str),
}

impl LoadError {
    /// What aya says of a program that it could not load or attach.
    pub fn of_program(program: &'static str, error: ProgramError) -> Self {
        match error {
            ProgramError::LoadError { io_error: source, verifier_log } => {
                Self::Program { program, source, log: verifier_log.to_string() }
            }
            error => Self::Object(error.into()),
        }
    }

    /// The kernel's own error, where there is one.
    pub fn io_error(&self) -> Option<&io::Error> {
        let mut error: &(dyn std::error::Error + 'static) = self;
        loop {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return Some(io);
            }
            error = error.source()?;
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}

/// What the verifier said last before its statistics, which is where it says why.
fn last_line(log: &str) -> String {
    let statistics = ["processed ", "verification time ", "stack depth "];
    let why = log
        .lines()
        .rev()
        .find(|line| !line.is_empty() && !statistics.iter().any(|start| line.starts_with(start)));
    why.map(|line| format!(" ({line})")).unwrap_or_default()
}

/// The object with its maps made, and programs that are loaded when they are first needed.
pub struct Object {
    linked: Linked,
    /// What programs iterate over, with the ids of the iterators' functions in the kernel's BTF.
    iterators: HashMap<String, u32>,
    offsets: KernelOffsets,
    loaded: HashMap<&'static str, Rc<OwnedFd>>,
}

impl Object {
    /// Reads the kernel's BTF, resolves the offsets, and creates the maps, the ring of dumps with
    /// so many bytes.
    ///
    /// # Errors
    /// [`LoadError`] where BTF, privileges or memory are missing.
    pub fn open_with_ring(ring_bytes: u32) -> Result<Self, LoadError> {
        let data = btf::read(Path::new(btf::VMLINUX))?;
        let kernel = btf::Btf::parse(&data)?;
        let offsets = kernel.kernel_offsets();
        let linked = link(offsets, ring_bytes)?;
        Ok(Self { linked, iterators: kernel.iterators(), offsets, loaded: HashMap::new() })
    }

    /// The program of this name, loaded; `target` is what it iterates over (`task_file`).
    ///
    /// # Errors
    /// [`LoadError::Program`] with what the kernel said.
    pub fn iterator(
        &mut self,
        name: &'static str,
        target: &'static str,
    ) -> Result<Rc<OwnedFd>, LoadError> {
        if let Some(program) = self.loaded.get(name) {
            return Ok(Rc::clone(program));
        }
        let id = *self.iterators.get(target).ok_or(LoadError::NoIterator(target))?;
        let program = self.linked.load_iterator(name, id).ok_or(LoadError::Stale(name))?;
        let program = program.map_err(|Refused { error: source, log }| LoadError::Program {
            program: name,
            source,
            log,
        })?;
        let program = Rc::new(program);
        self.loaded.insert(name, Rc::clone(&program));
        Ok(program)
    }

    /// Whether the program of this name is loaded.
    pub fn is_loaded(&self, name: &str) -> bool {
        self.loaded.contains_key(name)
    }

    /// Tells the programs what is asked of their next run.
    ///
    /// # Errors
    /// [`LoadError`] when the map can't be written.
    pub fn request(&self, request: Request) -> Result<(), LoadError> {
        self.set("REQUEST", &request)
    }

    /// Tells the nested program what is asked of its next run.
    ///
    /// # Errors
    /// [`LoadError`] when the map can't be written.
    pub fn dump_request(&self, request: DumpRequest) -> Result<(), LoadError> {
        self.set("DUMP_REQUEST", &request)
    }

    fn set<T: IntoBytes + zerocopy::Immutable>(
        &self,
        map: &'static str,
        value: &T,
    ) -> Result<(), LoadError> {
        let linked = self.linked.maps.get(map).ok_or(LoadError::Stale(map))?;
        linked.set_only_value(value.as_bytes()).map_err(|source| LoadError::Map { map, source })
    }

    /// The size of a `struct page`.
    pub fn page_size(&self) -> u16 {
        self.offsets.page_size
    }

    /// The ring that dumps are written into; it can be taken once.
    ///
    /// # Errors
    /// [`LoadError`] when it can't be mapped.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>, LoadError> {
        let ring = self.linked.maps.remove("RING").ok_or(LoadError::Stale("map RING"))?;
        let failed = |error: MapError| LoadError::Object(error.into());
        Map::from_map_data(ring.data).and_then(RingBuf::try_from).map_err(failed)
    }
}

/// The object with these offsets in it, and a ring of this size.
fn link(offsets: KernelOffsets, ring_bytes: u32) -> Result<Linked, LoadError> {
    let globals = HashMap::from([("OFFSETS", (offsets.as_bytes(), true))]);
    Ok(loader::link(OBJECT, globals, &[("RING", ring_bytes)])?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crib_common::limits::RING_BYTES;
    use crib_common::offsets::ABSENT;

    /// Whether to leave out a test: only on a proven lack, said past the harness, never in CI.
    pub(crate) fn left_out(test: &str) -> bool {
        use std::io::Write;
        if std::env::var_os("CI").is_some() || std::env::var_os("CRIB_REQUIRE_BPF").is_some() {
            return false;
        }
        let lacking = crate::kernel::support::lacking();
        if let Some(check) = &lacking {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {}", check.detail);
        }
        lacking.is_some()
    }

    const PROGRAMS: [(&str, &str); 5] = [
        ("files", "task_file"),
        ("files_plain", "task_file"),
        ("totals", "task_file"),
        ("totals_plain", "task_file"),
        ("nested", "task"),
    ];

    #[test]
    fn every_program_loads() {
        if left_out("every_program_loads") {
            return;
        }
        let mut object = Object::open_with_ring(RING_BYTES).unwrap();
        for (program, target) in PROGRAMS {
            object.iterator(program, target).unwrap();
        }
    }

    #[test]
    fn a_value_of_another_size_than_its_maps_is_refused() {
        if left_out("a_value_of_another_size_than_its_maps_is_refused") {
            return;
        }
        let object = Object::open_with_ring(RING_BYTES).unwrap();
        let error = object.set("REQUEST", &0_u32).unwrap_err();
        assert_eq!(error.io_error().and_then(io::Error::raw_os_error), Some(libc::EINVAL));
    }

    /// A kernel that lacks a member makes a field unknown, never a program unloadable.
    #[test]
    fn programs_load_without_any_one_member() {
        if left_out("programs_load_without_any_one_member") {
            return;
        }
        let mut refused = Vec::new();
        let data = btf::read(Path::new(btf::VMLINUX)).unwrap();
        let offsets = btf::Btf::parse(&data).unwrap().kernel_offsets();
        let mut object = Object::open_with_ring(RING_BYTES).unwrap();
        for (index, (name, _)) in KernelOffsets::WANTED.iter().enumerate() {
            let mut at = 0..;
            let without = KernelOffsets::resolve(|_| {
                let at = at.next()?;
                let known = lookup(&offsets, at);
                (at != index && known != ABSENT).then_some(u32::from(known))
            });
            object.linked = link(without, RING_BYTES).unwrap();
            object.loaded.clear();
            for (program, target) in PROGRAMS {
                if let Err(error) = object.iterator(program, target) {
                    refused.push(format!("without {name}: {error}"));
                }
            }
        }
        assert!(refused.is_empty(), "{refused:#?}");
    }

    /// The offset at a position of [`KernelOffsets::WANTED`]: fields and list are of one macro.
    fn lookup(offsets: &KernelOffsets, index: usize) -> u16 {
        // SAFETY: a `repr(C)` struct of `u16`s is an array of them.
        unsafe { (&raw const *offsets).cast::<u16>().add(index).read() }
    }
}
