//! Tests of what the reading thread makes of what is read.

use super::super::sessions::Session;
use super::*;
use crate::model::lint::LintSet;
use crate::model::{DumpFiles, File, ProcessState, Queued, Stretch, Tcp, sample};

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

    fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
        self.files(request.pid).map(|reading| DumpReading {
            time: reading.time,
            process: reading.process,
            files: reading.files.into_iter().map(Arc::unwrap_or_clone).collect(),
            complete: reading.complete,
            runs: 1,
        })
    }

    fn sweep(&mut self, _: &Search, _: Option<&[u32]>) -> Result<Sweep, ReadError> {
        Ok(Sweep::new(Source::Bpf, sample::time(), true, Vec::new()))
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
            base: 1,
            pid: 4242,
            start_ticks,
            delay: Duration::from_secs(1),
            arrangement: Arrangement::default(),
            wish: Wish::default(),
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
async fn a_dump_of_another_process_under_the_same_pid_is_an_end() {
    let mut other = sample::reading();
    other.process.start_ticks += 1;
    let missing = ReadError::Missing { what: "no".into(), remedy: "sudo".into() };
    let script = vec![
        Ok(sample::reading()),
        Ok(sample::reading()),
        Err(ReadError::NoFile { pid: 4242, fd: 3 }),
        Err(missing),
        Ok(other),
    ];
    let (mut worker, _) = Worker::start(|| Ok(Script(script.into_iter()))).await.unwrap();
    worker.request(Request::Files(FilesRequest {
        session: 1,
        base: 1,
        pid: 4242,
        start_ticks: None,
        delay: Duration::from_secs(1),
        arrangement: Arrangement::default(),
        wish: Wish::default(),
    }));
    worker.reply().await;
    let ticket = Ticket { screen: 7, aim: Aim::Show };
    for expected in ["Read", "NoFile", "Missing(\"no; sudo\")", "Ended"] {
        let dump = Dump::file(4242, 3);
        worker.request(Request::Dump(DumpRequest { session: 1, ticket, dump }));
        let Some(Reply::Dump { ticket: answered, outcome, .. }) = worker.reply().await else {
            panic!("no answer")
        };
        assert_eq!(answered, ticket);
        assert!(format!("{outcome:?}").starts_with(expected), "{outcome:?}");
    }
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

/// Two looks that lie upon one another keep their history; one that was left has none.
#[tokio::test]
async fn going_back_to_a_look_goes_on_with_its_history() {
    let grown = |files: usize| {
        let mut reading = sample::reading();
        reading.files.truncate(files);
        Ok(reading)
    };
    let script = vec![grown(2), grown(9), grown(3), grown(9), grown(4)];
    let (mut worker, _) = Worker::start(|| Ok(Script(script.into_iter()))).await.unwrap();
    let mut new = Vec::new();
    for (session, base) in [(1, 1), (2, 1), (1, 1), (2, 2), (1, 1)] {
        let arrangement = Arrangement::default();
        let request = FilesRequest {
            session,
            base,
            pid: 4242,
            start_ticks: None,
            delay: Duration::from_secs(1),
            arrangement,
            wish: Wish::default(),
        };
        worker.request(Request::Files(request));
        let Some(Reply::Files { outcome: FilesOutcome::Read { table, .. }, .. }) =
            worker.reply().await
        else {
            panic!("no files")
        };
        let is_new = |row: &&crate::model::TrackedFile| {
            matches!(row.presence, crate::model::Presence::New { .. })
        };
        new.push(table.rows.iter().filter(is_new).count());
    }
    assert_eq!(new, [0, 0, 1, 0, 0]);
}

/// A process with a connection that has something to send, and what TCP knows of it.
struct Sending {
    dumps: u32,
}

impl Readings for Sending {
    fn source(&self) -> Source {
        Source::Bpf
    }

    fn reason(&self) -> Option<&str> {
        None
    }

    fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        Ok(sample::processes())
    }

    fn files(&mut self, _: u32) -> Result<FilesReading, ReadError> {
        let mut reading = sample::reading();
        Arc::make_mut(&mut reading.files[3]).socket.as_mut().unwrap().send =
            Some(Queued { messages: Some(1), payload: Some(5), memory: None });
        Ok(reading)
    }

    fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
        self.dumps += 1;
        let stretch = Stretch { tid: None, fds: 3..=3 };
        assert_eq!(request.files, DumpFiles::Bare(vec![stretch]));
        let mut file = File::clone(&self.files(request.pid)?.files[3]);
        let tcp = Tcp { retransmits: Some(self.dumps), ..Tcp::default() };
        file.socket.as_mut().unwrap().tcp = Some(Box::new(tcp));
        let (time, process) = (sample::time(), sample::process());
        Ok(DumpReading { time, process, files: vec![file], complete: true, runs: 1 })
    }

    fn sweep(&mut self, _: &Search, _: Option<&[u32]>) -> Result<Sweep, ReadError> {
        Ok(Sweep::new(Source::Bpf, sample::time(), true, Vec::new()))
    }
}

#[test]
fn what_tcp_knows_goes_with_the_table_but_the_first_rows_do_not_wait_for_it() {
    let (mut readings, mut session) = (Sending { dumps: 0 }, Session::default());
    let mut retransmits = |lints| {
        let request = FilesRequest {
            session: 0,
            base: 0,
            pid: 4242,
            start_ticks: None,
            delay: Duration::from_secs(1),
            arrangement: Arrangement { lints, ..Arrangement::default() },
            wish: Wish::default(),
        };
        let outcome = session.read(&mut readings, request);
        let FilesOutcome::Read { table, .. } = outcome else { panic!("{outcome:?}") };
        let row = table.rows.iter().find(|row| row.file.fd == Some(3)).unwrap();
        table.given(row, lints).tcp.and_then(|tcp| tcp.retransmits)
    };
    assert_eq!([LintSet::ALL; 2].map(&mut retransmits), [None, Some(1)]);
    // It rests for a time that depends on how long that took.
    let next = std::iter::repeat_with(|| retransmits(LintSet::ALL)).find(Option::is_some);
    assert_eq!(next, Some(Some(2)));
    assert_eq!(retransmits(LintSet::NONE), None);
    assert_eq!(readings.dumps, 2);
}
