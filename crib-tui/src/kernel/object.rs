//! The BPF object: embedded in the binary, given the running kernel's offsets, and loaded.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use aya::maps::{MapData, RingBuf};
use aya::programs::{Iter, ProgramError, ProgramFd};
use aya::{Ebpf, EbpfError, EbpfLoader};
use crib_common::dump::DumpRequest;
use crib_common::offsets::KernelOffsets;
use crib_common::record::Request;

use super::btf;

/// The object that is loaded, whichever way it was built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("CRIB_BPF_OBJECT"));

/// Why the programs could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel's BTF.
    #[error(transparent)]
    Btf(#[from] btf::BtfError),
    /// aya's reading of the kernel's BTF.
    #[error("cannot read the kernel's BTF: {0}")]
    AyaBtf(#[from] aya::BtfError),
    /// The object or its maps.
    #[error("cannot create the BPF maps: {}", chain(.0))]
    Object(#[from] EbpfError),
    /// One of the programs.
    #[error("the kernel refuses the BPF program '{program}': {}", last_line(.source))]
    Program {
        /// Which.
        program: &'static str,
        /// Why, with the verifier's log.
        source: Box<ProgramError>,
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
fn last_line(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let statistics = ["processed ", "verification time ", "stack depth "];
            let why = log.lines().rev().find(|line| {
                !line.is_empty() && !statistics.iter().any(|start| line.starts_with(start))
            });
            format!("{io_error} ({})", why.unwrap_or("no word from the verifier"))
        }
        other => chain(other),
    }
}

/// The object with its maps made, and programs that are loaded when they are first needed.
pub struct Object {
    ebpf: Ebpf,
    kernel: aya::Btf,
    offsets: KernelOffsets,
}

impl Object {
    /// Reads the kernel's BTF, resolves the offsets, and creates the maps, the ring of dumps with
    /// so many bytes.
    ///
    /// # Errors
    /// [`LoadError`] where BTF, privileges or memory are missing.
    pub fn open_with_ring(ring_bytes: u32) -> Result<Self, LoadError> {
        let data = btf::read(Path::new(btf::VMLINUX))?;
        let offsets = btf::Btf::parse(&data)?.kernel_offsets();
        let kernel = aya::Btf::parse(&data, aya::Endianness::default())?;
        Ok(Self { ebpf: load(offsets, ring_bytes)?, kernel, offsets })
    }

    /// The program of this name, loaded; `target` is what it iterates over (`task_file`).
    ///
    /// # Errors
    /// [`LoadError::Program`] with what the kernel said.
    pub fn iterator(&mut self, name: &'static str, target: &str) -> Result<ProgramFd, LoadError> {
        let failed = |source| LoadError::Program { program: name, source: Box::new(source) };
        let program = self.ebpf.program_mut(name).ok_or(LoadError::Stale(name))?;
        let program: &mut Iter = program.try_into().map_err(failed)?;
        if program.fd().is_err() {
            program.load(target, &self.kernel).map_err(failed)?;
        }
        program.fd().map_err(failed)?.try_clone().map_err(|error| failed(error.into()))
    }

    /// Tells the programs what is asked of their next run.
    ///
    /// # Errors
    /// [`LoadError`] when the map can't be written.
    pub fn request(&mut self, request: Request) -> Result<(), LoadError> {
        let map = self.ebpf.map_mut("REQUEST").ok_or(LoadError::Stale("map REQUEST"))?;
        let mut map: aya::maps::Array<_, Asked> =
            map.try_into().map_err(|error| LoadError::Object(EbpfError::MapError(error)))?;
        map.set(0, Asked(request), 0).map_err(|error| LoadError::Object(EbpfError::MapError(error)))
    }
}

impl Object {
    /// Tells the nested program what is asked of its next run.
    ///
    /// # Errors
    /// [`LoadError`] when the map can't be written.
    pub fn dump_request(&mut self, request: DumpRequest) -> Result<(), LoadError> {
        let map = self.ebpf.map_mut("DUMP_REQUEST").ok_or(LoadError::Stale("map DUMP_REQUEST"))?;
        let mut map: aya::maps::Array<_, AskedOfDump> =
            map.try_into().map_err(|error| LoadError::Object(EbpfError::MapError(error)))?;
        map.set(0, AskedOfDump(request), 0)
            .map_err(|error| LoadError::Object(EbpfError::MapError(error)))
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
        let map = self.ebpf.take_map("RING").ok_or(LoadError::Stale("map RING"))?;
        map.try_into().map_err(|error| LoadError::Object(EbpfError::MapError(error)))
    }
}

/// The object with these offsets in it, and a ring of this size.
fn load(offsets: KernelOffsets, ring_bytes: u32) -> Result<Ebpf, LoadError> {
    let offsets = Offsets(offsets);
    let mut loader = EbpfLoader::new();
    // No relocations by BTF are in the object; its own BTF is not needed to run it.
    loader.btf(None).override_global("OFFSETS", &offsets, true).map_max_entries("RING", ring_bytes);
    Ok(loader.load(OBJECT)?)
}

/// [`KernelOffsets`] as aya takes globals.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Offsets(KernelOffsets);

// SAFETY: a `repr(C)` struct of `u16`s only has no padding and is valid for any bits.
unsafe impl aya::Pod for Offsets {}

/// [`Request`] as aya takes map values.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Asked(Request);

// SAFETY: `Request` derives `FromBytes` and `IntoBytes`: no padding, valid for any bits.
unsafe impl aya::Pod for Asked {}

/// [`DumpRequest`] as aya takes map values.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct AskedOfDump(DumpRequest);

// SAFETY: as for `Asked`.
unsafe impl aya::Pod for AskedOfDump {}

/// The descriptor of a loaded program.
pub fn borrow(program: &ProgramFd) -> BorrowedFd<'_> {
    program.as_fd()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crib_common::limits::RING_BYTES;
    use crib_common::offsets::ABSENT;

    /// Whether to leave out a test: only on a proven lack, said past the harness, never in CI.
    pub(in crate::kernel) fn left_out(test: &str) -> bool {
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
            object.ebpf = load(without, RING_BYTES).unwrap();
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
