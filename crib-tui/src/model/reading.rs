//! One reading of a source: what was found, where, when, and what stood in the way.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::lint::Beside;
use super::{File, Process, ProcessTotals, Text};

/// Where a reading came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The kernel's structures, by BPF iterators.
    Bpf,
    /// The files of /proc.
    Procfs,
}

impl Source {
    /// `bpf` or `procfs`.
    pub fn name(self) -> &'static str {
        match self {
            Source::Bpf => "bpf",
            Source::Procfs => "procfs",
        }
    }
}

/// The files of one process at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct FilesReading {
    /// Where it came from.
    pub source: Source,
    /// When it was begun.
    pub time: SystemTime,
    /// Whose files they are.
    pub process: Process,
    /// The files, by thread table and descriptor; one of which a reader finds nothing changed is
    /// the one that its reading before had.
    pub files: Vec<Arc<File>>,
    /// Whether every descriptor that was open throughout the reading is in it.
    pub complete: bool,
    /// What lints go by that a table does not tell, where it was read beside it.
    pub beside: Beside,
}

/// Some files of a process with their queues, packets and bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpReading {
    /// When it was begun.
    pub time: SystemTime,
    /// Whose files they are.
    pub process: Process,
    /// The files, by thread table and descriptor. Sockets and pipes have `queues`.
    pub files: Vec<File>,
    /// Whether every file that was asked for, and was open throughout, is in it.
    pub complete: bool,
    /// Entries into the kernel that it took (runs of the iterator).
    pub runs: u32,
}

/// Every process at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessesReading {
    /// Where it came from.
    pub source: Source,
    /// When it was begun.
    pub time: SystemTime,
    /// The processes by pid; no totals where they could not be read.
    pub processes: Vec<(Process, Option<ProcessTotals>)>,
}

/// Why a reading could not be had. Each message is one line and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The target is not there.
    #[error("no process with pid {0}")]
    NoProcess(u32),
    /// The process has no such descriptor, or no longer, or the file in flight that was asked
    /// for has been taken.
    #[error("process {pid} has no open file {fd}; crib-top files -p {pid} lists them")]
    NoFile {
        /// The process.
        pid: u32,
        /// The descriptor.
        fd: u32,
    },
    /// The descriptor was given to another file each time while it was read.
    #[error(
        "file {fd} of process {pid} was replaced by another one each time it was read; try again"
    )]
    Replaced {
        /// The process.
        pid: u32,
        /// The descriptor.
        fd: u32,
    },
    /// What was named is a thread of a process, not a process.
    #[error("{tid} is a thread of process {pid}; name the process: -p {pid}")]
    Thread {
        /// The thread's id.
        tid: u32,
        /// The process's.
        pid: u32,
    },
    /// The target ended while it was looked at.
    #[error("process {pid} ({comm}) ended while its files were read")]
    Ended {
        /// Its pid.
        pid: u32,
        /// Its name.
        comm: Text,
    },
    /// A privilege or a kernel feature is missing.
    #[error("{what}; {remedy}")]
    Missing {
        /// What is missing, in plain words.
        what: String,
        /// A command or setting that mends it.
        remedy: String,
    },
    /// The kernel said something unexpected.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
}
