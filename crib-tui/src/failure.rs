//! How a run can fail, and the exit code that says so.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::bench::BenchError;
use crate::model::{ReadError, Text, escape};
use crate::settings::SettingsError;

/// Why a run ends otherwise than done. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments can't be followed.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// A name fits several processes.
    #[error(
        "'{}' fits {count} processes: {list}; choose one by -p PID",
        escape(.name.as_bytes())
    )]
    Ambiguous {
        /// The name.
        name: String,
        /// How many processes it fits.
        count: usize,
        /// Their pids and names.
        list: String,
    },
    /// A name fits no process.
    #[error("no process is called '{}'; crib-top ps lists all", escape(.0.as_bytes()))]
    NoSuchName(String),
    /// The filter let nothing through.
    #[error("none of the {0} match the filter")]
    NothingMatched(&'static str),
    /// A file that nothing can be queued in.
    #[error(
        "file {fd} of process {pid} has no queues: it is no socket or pipe but {name}; \
         crib-top files -p {pid} lists what it has open"
    )]
    NoQueues {
        /// The process.
        pid: u32,
        /// The descriptor.
        fd: u32,
        /// Its kind and path.
        name: String,
    },
    /// A queue that the socket or pipe does not have.
    #[error(
        "file {fd} of process {pid} has no {queue} queue; \
         crib-top packets -p {pid} --fd {fd} shows those it has"
    )]
    NoSuchQueue {
        /// The process.
        pid: u32,
        /// The descriptor.
        fd: u32,
        /// The queue's name.
        queue: &'static str,
    },
    /// The process that was watched ended.
    #[error("process {pid} ({comm}) ended after {seconds:.1} s of the watch")]
    Ended {
        /// Its pid.
        pid: u32,
        /// Its name.
        comm: Text,
        /// How long it had been watched.
        seconds: f64,
    },
    /// The process that was watched runs another program now.
    #[error(
        "process {pid} ({comm}) became another program, {now}, by exec after {seconds:.1} s of \
         the watch; watch it again"
    )]
    Executed {
        /// Its pid.
        pid: u32,
        /// The name that it had.
        comm: Text,
        /// The name that it has now.
        now: Text,
        /// How long it had been watched.
        seconds: f64,
    },
    /// A file could not be written.
    #[error("cannot write {}: {error}", escape(.path.as_os_str().as_bytes()))]
    File {
        /// Its path.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Something could not be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// Something could not be written.
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
    /// Capabilities could not be given up.
    #[error(
        "cannot give up privileges ({0}), which nothing but a seccomp filter forbids; run it \
         without one"
    )]
    Privileges(io::Error),
    /// Nothing could be measured.
    #[error("{0}")]
    Bench(#[from] BenchError),
    /// The live view could not be shown, or not any longer.
    #[error("{0:#}")]
    Live(anyhow::Error),
    /// The reason was said before.
    #[error("")]
    Said(Code),
}

/// The exit codes beside 0, which is "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// The target doesn't exist or went away, or nothing matched; also when the kernel or the
    /// output failed in the middle.
    Nothing = 1,
    /// The arguments can't be followed.
    Usage = 2,
    /// A privilege or a kernel feature is missing.
    Missing = 3,
    /// A leak is suspected.
    Suspected = 10,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> Code {
        match self {
            Self::Settings(_) | Self::Ambiguous { .. } => Code::Usage,
            Self::Read(ReadError::Missing { .. }) | Self::Privileges(_) => Code::Missing,
            Self::NoSuchName(_)
            | Self::NothingMatched(_)
            | Self::NoQueues { .. }
            | Self::NoSuchQueue { .. }
            | Self::Ended { .. }
            | Self::Executed { .. }
            | Self::File { .. }
            | Self::Read(_)
            | Self::Bench(_)
            | Self::Write(_)
            | Self::Live(_) => Code::Nothing,
            Self::Said(code) => *code,
        }
    }

    /// What to say on standard error, if that was not yet done.
    pub fn message(&self) -> Option<String> {
        (!matches!(self, Self::Said(_))).then(|| self.to_string())
    }

    /// Whether nobody reads the output any more, which is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
