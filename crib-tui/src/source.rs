//! The choice of where to read from: the kernel's structures where that is possible, else /proc.

use crate::kernel::{self, Wanted};
use crate::model::{
    Dump, DumpReading, FilesReading, ProcessesReading, ReadError, Search, Source, Sweep,
};
use crate::privileges::{self, Needs};
use crate::procfs;

/// What the user asked for with `--source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SourceChoice {
    /// BPF where it is possible, else /proc, saying why.
    #[default]
    Auto,
    /// BPF, or an error that says what is missing.
    Bpf,
    /// /proc, even where BPF would be possible.
    Procfs,
}

/// An open source of readings.
pub struct Reader {
    inner: Inner,
    reason: Option<String>,
    /// Bytes of each message at most, whatever is asked for.
    payload: u32,
}

enum Inner {
    Bpf(Box<kernel::Reader>),
    Procfs,
}

impl Reader {
    /// Opens the source that was asked for, for what is wanted of it.
    ///
    /// # Errors
    /// [`ReadError::Missing`] when BPF was insisted on and can't be had.
    pub fn open(choice: SourceChoice, wanted: Wanted) -> Result<Self, ReadError> {
        let bpf =
            |reader| Self { inner: Inner::Bpf(Box::new(reader)), reason: None, payload: u32::MAX };
        let procfs = |reason| Self { inner: Inner::Procfs, reason, payload: u32::MAX };
        match choice {
            SourceChoice::Procfs => Ok(procfs(None)),
            SourceChoice::Bpf => kernel::Reader::open(wanted).map(bpf),
            SourceChoice::Auto => Ok(kernel::Reader::open(wanted)
                .map_or_else(|error| procfs(Some(error.to_string())), bpf)),
        }
    }

    /// The same, which reads no more than so many bytes of each message.
    pub fn limited_to(self, payload: u32) -> Self {
        Self { payload, ..self }
    }

    /// Where its readings come from.
    pub fn source(&self) -> Source {
        match self.inner {
            Inner::Bpf(_) => Source::Bpf,
            Inner::Procfs => Source::Procfs,
        }
    }

    /// Why /proc is read although nobody asked for it.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Loads now whatever will be needed for what it was opened for, and says what reading needs from then on.
    ///
    /// # Errors
    /// [`ReadError::Missing`] when BPF can't give the one thing that is wanted.
    pub fn prepare(&mut self) -> Result<Needs, ReadError> {
        match &mut self.inner {
            Inner::Bpf(reader) => {
                reader.prepare()?;
                Ok(reader.needs())
            }
            Inner::Procfs => Ok(privileges::PROCFS),
        }
    }

    /// Reads the open files of one process.
    ///
    /// # Errors
    /// [`ReadError::NoProcess`] and [`ReadError::Ended`] when the target is not or no longer
    /// there, [`ReadError::Missing`] when its files may not be read.
    pub fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError> {
        match &mut self.inner {
            Inner::Bpf(reader) => reader.files(pid),
            Inner::Procfs => procfs::files(pid),
        }
    }

    /// Reads files with their queues, packets and bytes, without taking anything out of them.
    ///
    /// # Errors
    /// As [`Self::files`]; [`ReadError::NoFile`] when the one file that was asked for is not
    /// open; [`ReadError::Missing`] from /proc, which knows nothing of queues.
    pub fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
        match &mut self.inner {
            Inner::Bpf(reader) if request.payload > self.payload => {
                reader.dump(&Dump { payload: self.payload, ..request.clone() })
            }
            Inner::Bpf(reader) => reader.dump(request),
            Inner::Procfs => Err(ReadError::Missing {
                what: self.reason.as_ref().map_or_else(
                    || "what is queued in a socket is not in /proc".to_owned(),
                    |reason| format!("what is queued in a socket is read by BPF: {reason}"),
                ),
                remedy: match self.reason {
                    Some(_) => "`crib-top doctor` says what is missing",
                    None => {
                        "run it as root, without --source procfs; `crib-top doctor` says \
                             what is missing"
                    }
                }
                .to_owned(),
            }),
        }
    }

    /// Goes through every open file of every process, and keeps those that are searched for; of
    /// `only` these processes, where that is enough and the source can do so.
    ///
    /// A process that ends meanwhile is not missed.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the kernel refuses the whole.
    pub fn sweep(&mut self, search: &Search, only: Option<&[u32]>) -> Result<Sweep, ReadError> {
        match &mut self.inner {
            Inner::Bpf(reader) => reader.sweep(search, only),
            Inner::Procfs => procfs::sweep(search, only),
        }
    }

    /// Reads the list of all processes with the sums over their open files.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the kernel refuses the whole list.
    pub fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        match &mut self.inner {
            Inner::Bpf(reader) => reader.processes(),
            Inner::Procfs => procfs::processes(),
        }
    }
}
