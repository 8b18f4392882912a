//! The reading thread: it owns the source, and however long the kernel takes, no key waits.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::{mpsc as replies, oneshot};

use super::arrangement::Arrangement;
use crate::model::{
    FilesReading, FilesTable, History, ProcessState, ProcessesReading, ReadError, Source,
};
use crate::source;

/// What the reading thread is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// All processes.
    Processes,
    /// The files of one.
    Files(FilesRequest),
}

/// A request for the files of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct FilesRequest {
    /// Tells one look at a process from the next: each begins without history.
    pub session: u64,
    /// The process.
    pub pid: u32,
    /// When it started, in clock ticks since boot, where that is known: another process may
    /// have its pid by now.
    pub start_ticks: Option<u64>,
    /// How the result will be shown.
    pub arrangement: Arrangement,
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
    let mut session = Session::default();
    for request in requests {
        let reply = match request {
            Request::Processes => Reply::Processes(read_processes(readings)),
            Request::Files(request) => {
                Reply::Files { session: request.session, outcome: session.read(readings, request) }
            }
        };
        if replies.send(reply).is_err() {
            return;
        }
    }
}

fn read_processes<R: Readings>(readings: &mut R) -> Result<ProcessList, String> {
    let reading = readings.processes().map_err(|error| error.to_string())?;
    let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // The clock counts from boot: it is never before it.
    let uptime = Duration::try_from(uptime).unwrap_or_default();
    Ok(ProcessList { reading, uptime })
}

/// One look at a process: its readings so far.
#[derive(Default)]
struct Session {
    number: u64,
    start_ticks: Option<u64>,
    history: History,
    /// The table before the latest: freed here and late, since freeing a million rows takes
    /// longer than drawing may.
    retired: Option<Arc<FilesTable>>,
}

impl Session {
    fn read<R: Readings>(&mut self, readings: &mut R, request: FilesRequest) -> FilesOutcome {
        if self.number != request.session {
            *self = Self {
                number: request.session,
                start_ticks: request.start_ticks,
                ..Self::default()
            };
        }
        let seen = self.start_ticks.is_some();
        let reading = match readings.files(request.pid) {
            Ok(reading) => reading,
            Err(ReadError::NoProcess(_)) if !seen => return FilesOutcome::NoProcess,
            Err(ReadError::NoProcess(_) | ReadError::Ended { .. }) => {
                return FilesOutcome::Ended { zombie: false };
            }
            Err(error) => return FilesOutcome::Failed(error.to_string()),
        };
        if *self.start_ticks.get_or_insert(reading.process.start_ticks)
            != reading.process.start_ticks
        {
            return FilesOutcome::Ended { zombie: false };
        }
        // Where only the first thread has ended, others may still hold the files.
        if reading.process.state == ProcessState::Zombie && reading.files.is_empty() {
            return FilesOutcome::Ended { zombie: true };
        }
        self.retired = self.history.latest().cloned();
        let table = self.history.observe(reading);
        let arrangement = request.arrangement;
        let order = arrangement.order(&table);
        FilesOutcome::Read { table, arrangement, order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    /// Answers with what is next in a list.
    struct Script(std::vec::IntoIter<Result<FilesReading, ReadError>>);

    impl Readings for Script {
        fn source(&self) -> Source {
            Source::Procfs
        }

        fn reason(&self) -> Option<&str> {
            Some("no privileges")
        }

        fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
            Ok(sample::processes())
        }

        fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError> {
            self.0.next().unwrap_or(Err(ReadError::NoProcess(pid)))
        }
    }

    async fn outcomes(
        start_ticks: Option<u64>,
        script: Vec<Result<FilesReading, ReadError>>,
    ) -> Vec<String> {
        let count = script.len();
        let (mut worker, opened) = Worker::start(|| Ok(Script(script.into_iter()))).await.unwrap();
        assert_eq!(opened.reason.as_deref(), Some("no privileges"));
        let mut seen = Vec::new();
        for _ in 0..count {
            worker.request(Request::Files(FilesRequest {
                session: 1,
                pid: 4242,
                start_ticks,
                arrangement: Arrangement::default(),
            }));
            let Some(Reply::Files { session: 1, outcome }) = worker.reply().await else {
                panic!("no answer")
            };
            seen.push(match outcome {
                FilesOutcome::Read { order, .. } => format!("{} rows", order.len()),
                other => format!("{other:?}"),
            });
        }
        seen
    }

    fn gone() -> Result<FilesReading, ReadError> {
        Err(ReadError::NoProcess(4242))
    }

    #[tokio::test]
    async fn a_process_that_was_never_there_is_told_from_one_that_ended() {
        assert_eq!(outcomes(None, vec![gone()]).await, ["NoProcess"]);
        assert_eq!(outcomes(Some(100), vec![gone()]).await, ["Ended { zombie: false }"]);
        assert_eq!(
            outcomes(None, vec![Ok(sample::reading()), gone()]).await[1],
            "Ended { zombie: false }"
        );
    }

    #[tokio::test]
    async fn another_process_under_the_same_pid_is_an_end() {
        let mut other = sample::reading();
        other.process.start_ticks += 1;
        assert_eq!(
            outcomes(None, vec![Ok(sample::reading()), Ok(other)]).await[1],
            "Ended { zombie: false }"
        );
    }

    #[tokio::test]
    async fn a_zombie_has_ended() {
        let mut zombie = sample::reading();
        zombie.process.state = ProcessState::Zombie;
        zombie.files.clear();
        assert_eq!(outcomes(None, vec![Ok(zombie)]).await, ["Ended { zombie: true }"]);
    }

    #[tokio::test]
    async fn a_failure_is_passed_on_and_the_next_reading_may_succeed() {
        let failure = Err(ReadError::Missing { what: "no".into(), remedy: "sudo".into() });
        let seen = outcomes(None, vec![failure, Ok(sample::reading())]).await;
        assert_eq!(
            seen,
            ["Failed(\"no; sudo\")".to_owned(), format!("{} rows", sample::reading().files.len())]
        );
    }

    #[tokio::test]
    async fn a_source_that_cannot_be_opened_is_an_error() {
        let open = || -> Result<Script, _> {
            Err(ReadError::Missing { what: "no BTF".into(), remedy: "rebuild".into() })
        };
        let error = Worker::start(open).await.unwrap_err();
        assert_eq!(error.to_string(), "no BTF; rebuild");
    }
}
