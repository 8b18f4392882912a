//! The reading thread: it owns the source, and however long the kernel takes, no key waits.

use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::{mpsc as replies, oneshot};

use super::arrangement::Arrangement;
use super::capture::{self, WriteRequest};
use super::ends::{self, EndsReading, EndsRequest};
use super::sessions::{Sessions, read_dump};
use crate::export::pcap;
use crate::model::groups::{GroupSummary, Grouping};
use crate::model::leaks::{Leaks, Traced};
use crate::model::{
    Dump, DumpReading, FilesReading, FilesTable, ProcessesReading, ReadError, Search, Source, Sweep,
};
use crate::watch::Frames;
use crate::{privileges, source};

/// What the reading thread is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// All processes.
    Processes,
    /// The files of one.
    Files(FilesRequest),
    /// One file with its queues, packets and bytes.
    Dump(DumpRequest),
    /// What is at a file's other end, and who else holds it.
    Ends(EndsRequest),
    /// Packets to be written to a file.
    Write(WriteRequest),
    /// That nothing is traced, until files are asked for with that wish again.
    EndTrace,
}

/// A request for one file with what is queued in it.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpRequest {
    /// As in [`FilesRequest`].
    pub session: u64,
    /// What the answer is for: it comes back with it.
    pub ticket: Ticket,
    /// What is wanted.
    pub dump: Dump,
}

/// What a dump is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The screen that it is for: another one may be shown when the answer comes.
    pub screen: u64,
    /// What the screen wants with it.
    pub aim: Aim,
}

/// What a screen wants with a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Show it.
    Show,
    /// Find the packet again that the screen at this depth shows: its place has changed.
    Find {
        /// The screen's place among those that are open.
        depth: usize,
    },
}

/// A request for the files of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct FilesRequest {
    /// Tells one look at a process from the next: each begins without history.
    pub session: u64,
    /// The first of the looks that this one lies upon: those from there on are gone back to, and
    /// keep their history.
    pub base: u64,
    /// The process.
    pub pid: u32,
    /// When it started, in clock ticks since boot, where that is known: another process may
    /// have its pid by now.
    pub start_ticks: Option<u64>,
    /// The time from one reading to the next.
    pub delay: Duration,
    /// How the result will be shown.
    pub arrangement: Arrangement,
    /// What else is to be told.
    pub wish: Wish,
}

/// What is to be told of all files beside the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Groups by this.
    pub groups: Option<Grouping>,
    /// What grows.
    pub leaks: bool,
    /// Who opens files, which is to be traced for it.
    pub trace: bool,
}

/// What is told of all files beside the table.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// How many there were over time.
    pub levels: Vec<u64>,
    /// By how many they grew in a second, in the last minute.
    pub per_second: Option<f64>,
    /// Seconds until the limit is reached if that goes on.
    pub seconds_to_limit: Option<f64>,
    /// The groups that were wished for.
    pub groups: Option<(Grouping, Vec<GroupSummary>)>,
    /// What grows, where that was wished for.
    pub leaks: Option<Box<Leaks>>,
    /// Whether it is traced who opens files.
    pub tracing: Tracing,
    /// The stacks of openers, as far as their functions were looked up.
    pub frames: Arc<Frames>,
}

/// Whether it is traced who opens files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tracing {
    /// It is not.
    #[default]
    Off,
    /// It is.
    On(Traced),
    /// It can't be, in one line that says why.
    Refused(String),
}

/// What the reading thread answers.
#[derive(Debug)]
pub enum Reply {
    /// All processes, or why they could not be read, in one line.
    Processes(Result<ProcessList, String>),
    /// The files of one.
    Files {
        /// As in the request.
        session: u64,
        /// What came of it.
        outcome: FilesOutcome,
    },
    /// One file with what is queued in it.
    Dump {
        /// As in the request.
        session: u64,
        /// As in the request.
        ticket: Ticket,
        /// What came of it.
        outcome: DumpOutcome,
    },
    /// What is at a file's other end.
    Ends {
        /// As in the request.
        session: u64,
        /// As in the request.
        screen: u64,
        /// What was found, or why that failed, in one line.
        outcome: Result<EndsReading, String>,
    },
    /// Packets were written to a file, or why not, in one line.
    Written(Result<String, String>),
    /// Nothing is traced. The only answer to a request that is made while another one is unanswered.
    TraceEnded,
}

/// What came of a request for one file.
#[derive(Debug)]
pub enum DumpOutcome {
    /// It was read.
    Read {
        /// What was read.
        reading: Box<DumpReading>,
        /// How long after the first reading of the process that was, by a clock that nobody
        /// sets.
        elapsed: Duration,
    },
    /// No such file is open, or the file in flight has been taken.
    NoFile,
    /// The process has ended.
    Ended,
    /// Dumps can't be had here, in one line that says why.
    Missing(String),
    /// Reading failed, in one line; the next time may go well.
    Failed(String),
}

/// All processes at one moment.
#[derive(Clone, Debug)]
pub struct ProcessList {
    /// What was read.
    pub reading: ProcessesReading,
    /// How long the system had been up: what start times count from.
    pub uptime: Duration,
}

/// What came of a request for files.
#[derive(Debug)]
pub enum FilesOutcome {
    /// They were read.
    Read {
        /// The files, compared with earlier readings.
        table: Arc<FilesTable>,
        /// The arrangement that `order` follows.
        arrangement: Arrangement,
        /// Which rows to show, and in which order.
        order: Vec<u32>,
        /// What else is told.
        watched: Box<Watched>,
    },
    /// There is no process with that pid, and was none when it was asked for.
    NoProcess,
    /// The process has ended.
    Ended {
        /// It is a zombie: its parent has not asked for its exit status yet.
        zombie: bool,
    },
    /// Reading failed, in one line; the next time may go well.
    Failed(String),
}

/// Where readings come from: the kernel, or a test.
pub trait Readings {
    /// Where they come from.
    fn source(&self) -> Source;
    /// Why /proc is read although nobody asked for it.
    fn reason(&self) -> Option<&str>;
    /// All processes.
    ///
    /// # Errors
    /// As [`source::Reader::processes`].
    fn processes(&mut self) -> Result<ProcessesReading, ReadError>;
    /// The files of one process.
    ///
    /// # Errors
    /// As [`source::Reader::files`].
    fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError>;
    /// Files of one process with what is queued in them.
    ///
    /// # Errors
    /// As [`source::Reader::dump`].
    fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError>;
    /// The files of all processes that are searched for.
    ///
    /// # Errors
    /// As [`source::Reader::sweep`].
    fn sweep(&mut self, search: &Search, only: Option<&[u32]>) -> Result<Sweep, ReadError>;
    /// Loads what may be needed later, and gives up what is needed for that alone. Called once,
    /// after the first answer, which does not wait for it.
    ///
    /// # Errors
    /// When privileges can't be given up.
    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Readings for source::Reader {
    fn source(&self) -> Source {
        self.source()
    }

    fn reason(&self) -> Option<&str> {
        self.reason()
    }

    fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        self.processes()
    }

    fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError> {
        self.files(pid)
    }

    fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
        self.dump(request)
    }

    fn sweep(&mut self, search: &Search, only: Option<&[u32]>) -> Result<Sweep, ReadError> {
        self.sweep(search, only)
    }

    fn settle(&mut self) -> io::Result<()> {
        // What can't be had is said when it is asked for.
        let needs = self.prepare().unwrap_or(privileges::PROCFS);
        let tracing = match self.source() {
            Source::Bpf => privileges::LOADING | privileges::STACKS,
            Source::Procfs => privileges::NOTHING,
        };
        // By the auxiliary vector, which is the process's user's alone, an exec(2) is noticed.
        privileges::keep_for_files_here(needs | privileges::PROCFS, tracing)
    }
}

/// A source that has been opened by its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where readings come from.
    pub source: Source,
    /// Why /proc is read although nobody asked for it.
    pub reason: Option<String>,
}

/// The way to the reading thread and back. The thread ends when this is dropped and its
/// present reading, if any, is over.
#[derive(Debug)]
pub struct Worker {
    requests: mpsc::Sender<Request>,
    replies: replies::UnboundedReceiver<Reply>,
}

impl Worker {
    /// Starts the thread, which opens the source; so the source need not be `Send`.
    ///
    /// # Errors
    /// What `open` fails with, or that no thread could be started.
    pub async fn start<R: Readings>(
        open: impl FnOnce() -> Result<R, ReadError> + Send + 'static,
    ) -> Result<(Self, Opened), ReadError> {
        let (requests, incoming) = mpsc::channel();
        let (outgoing, replies) = replies::unbounded_channel();
        let (opened, ready) = oneshot::channel();
        let work = move || {
            let mut readings = match open() {
                Ok(readings) => readings,
                Err(error) => {
                    // Nobody waits for it any more: nothing is left to be told.
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let reason = readings.reason().map(str::to_owned);
            if opened.send(Ok(Opened { source: readings.source(), reason })).is_ok() {
                serve(&mut readings, &incoming, &outgoing);
            }
        };
        let failed = |source| ReadError::Io { what: "starting the reading thread".into(), source };
        std::thread::Builder::new().name("reader".into()).spawn(work).map_err(failed)?;
        let ended = |_| failed(std::io::Error::other("it ended"));
        let opened = ready.await.map_err(ended)??;
        Ok((Self { requests, replies }, opened))
    }

    /// Hands over a request; false when the thread is gone.
    pub fn request(&self, request: Request) -> bool {
        self.requests.send(request).is_ok()
    }

    /// The next answer; none when the thread is gone.
    pub async fn reply(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }
}

fn serve<R: Readings>(
    readings: &mut R,
    requests: &mpsc::Receiver<Request>,
    replies: &replies::UnboundedSender<Reply>,
) {
    let mut sessions = Sessions::default();
    let mut settled = false;
    for request in requests {
        let reply = match request {
            Request::Processes => {
                // No process is looked at: nothing is traced any more.
                sessions = Sessions::default();
                Reply::Processes(read_processes(readings))
            }
            Request::Files(request) => {
                let session = sessions.of(&request);
                Reply::Files { session: request.session, outcome: session.read(readings, request) }
            }
            Request::Dump(DumpRequest { session: number, ticket, dump }) => {
                let outcome = read_dump(readings, sessions.get(number), &dump);
                Reply::Dump { session: number, ticket, outcome }
            }
            Request::EndTrace => {
                sessions.end_trace();
                Reply::TraceEnded
            }
            Request::Ends(request) => {
                let outcome = ends::look(readings, &request).map_err(|error| error.to_string());
                Reply::Ends { session: request.session, screen: request.screen, outcome }
            }
            Request::Write(request) => {
                let here = Path::new(".");
                Reply::Written(capture::write(readings, request, here, |output, reading| {
                    pcap::write(output, reading)
                }))
            }
        };
        if replies.send(reply).is_err() {
            return;
        }
        if !settled && readings.settle().is_err() {
            // It goes on with no more than it has a right to, or not at all.
            return;
        }
        settled = true;
    }
}

fn read_processes<R: Readings>(readings: &mut R) -> Result<ProcessList, String> {
    let reading = readings.processes().map_err(|error| error.to_string())?;
    let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // The clock counts from boot: it is never before it.
    let uptime = Duration::try_from(uptime).unwrap_or_default();
    Ok(ProcessList { reading, uptime })
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
