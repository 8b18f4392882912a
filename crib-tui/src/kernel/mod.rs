//! The first source: the kernel's own structures, read by BPF iterators.
//!
//! The only module that knows aya and the only one besides `crib-ebpf` with unsafe code.

pub mod kcmp;
pub mod support;

use crate::model::{FilesReading, ProcessesReading, ReadError};

/// A loaded BPF object, ready to read.
pub struct Reader {}

impl Reader {
    /// Loads the BPF programs.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where privileges or kernel features are missing.
    pub fn open() -> Result<Self, ReadError> {
        Err(ReadError::Missing { what: "not there yet".into(), remedy: "wait".into() })
    }

    /// See [`crate::source::Reader::files`].
    ///
    /// # Errors
    /// See there.
    pub fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError> {
        Err(ReadError::NoProcess(pid))
    }

    /// See [`crate::source::Reader::processes`].
    ///
    /// # Errors
    /// See there.
    pub fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        Err(ReadError::NoProcess(0))
    }
}
