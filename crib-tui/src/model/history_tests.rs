//! What readings one after another make of each row.

use super::*;
use crate::model::lint::{Lint, Subject};
use crate::model::{AccessMode, FileId, Kind, Pipe, ProcessState, Text};

fn file(fd: u32, id: u64) -> File {
    File { id: Some(FileId::new(id)), ..File::unknown(Some(fd)) }
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn after(second: u64) -> Duration {
    Duration::from_secs(second)
}

fn reading(second: u64, files: Vec<File>) -> FilesReading {
    FilesReading {
        source: Source::Bpf,
        time: at(second),
        process: Process {
            pid: 1,
            comm: Text::from("x"),
            uid: None,
            user: None,
            fd_limit: None,
            cmdline: Text::default(),
            other_mounts: None,
            start_ticks: 0,
            state: ProcessState::Alive,
        },
        files: files.into_iter().map(Arc::new).collect(),
        complete: true,
        beside: Beside::default(),
    }
}

impl History {
    /// Takes in a reading as long after the first as its time is after 1970.
    fn take(&mut self, reading: FilesReading) -> Arc<FilesTable> {
        let elapsed = reading.time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        self.observe(reading, elapsed, |_| Opening::default())
    }
}

fn fresh() -> History {
    History::new(Duration::from_secs(1))
}

fn shown(table: &FilesTable) -> Vec<(u32, u64, Presence)> {
    table
        .rows
        .iter()
        .map(|row| (row.file.fd.unwrap(), row.file.id.unwrap().hash(), row.presence))
        .collect()
}

#[test]
fn the_first_reading_is_not_new() {
    let table = fresh().take(reading(10, vec![file(0, 1)]));
    assert_eq!(shown(&table), [(0, 1, Presence::Open)]);
    assert_eq!(table.rows[0].seen, Seen::FIRST);
}

#[test]
fn what_appears_is_new_for_three_readings() {
    let mut history = fresh();
    history.take(reading(0, vec![]));
    for (second, expected) in [
        (1, Presence::New { left: 2 }),
        (2, Presence::New { left: 1 }),
        (3, Presence::New { left: 0 }),
        (4, Presence::Open),
    ] {
        let table = history.take(reading(second, vec![file(7, 1)]));
        assert_eq!(shown(&table), [(7, 1, expected)]);
        assert_eq!(table.rows[0].seen, Seen::since(Duration::from_secs(1)));
        assert_eq!(table.rows[0].seen.age(table.elapsed), Duration::from_secs(second - 1));
    }
}

#[test]
fn what_is_closed_stays_for_three_readings() {
    let mut history = fresh();
    history.take(reading(0, vec![file(3, 1), file(4, 2), file(5, 3)]));
    for left in [2, 1, 0] {
        let table = history.take(reading(1, vec![file(3, 1), file(5, 3)]));
        assert_eq!(shown(&table)[1], (4, 2, Presence::Closed { left }));
        assert_eq!((table.rows.len(), table.open), (3, 2));
    }
    let table = history.take(reading(2, vec![file(3, 1), file(5, 3)]));
    assert_eq!(shown(&table), [(3, 1, Presence::Open), (5, 3, Presence::Open)]);
}

#[test]
fn a_number_that_is_used_again_is_another_file() {
    let mut history = fresh();
    history.take(reading(0, vec![file(3, 1)]));
    let table = history.take(reading(1, vec![file(3, 2)]));
    assert_eq!(
        shown(&table),
        [(3, 1, Presence::Closed { left: 2 }), (3, 2, Presence::New { left: 2 })]
    );
    // The first file's identity comes back: a new file in recycled memory.
    let table = history.take(reading(2, vec![file(3, 1)]));
    assert_eq!(
        shown(&table),
        [
            (3, 1, Presence::Closed { left: 1 }),
            (3, 2, Presence::Closed { left: 2 }),
            (3, 1, Presence::New { left: 2 })
        ]
    );
}

#[test]
fn an_incomplete_reading_closes_only_what_was_replaced() {
    let mut history = fresh();
    history.take(reading(0, vec![file(3, 1), file(4, 2), file(5, 3)]));
    let table =
        history.take(FilesReading { complete: false, ..reading(1, vec![file(3, 1), file(4, 9)]) });
    assert_eq!(
        shown(&table),
        [
            (3, 1, Presence::Open),
            (4, 2, Presence::Closed { left: 2 }),
            (4, 9, Presence::New { left: 2 }),
            (5, 3, Presence::Unconfirmed)
        ]
    );
    let table = history.take(reading(2, vec![file(3, 1), file(4, 9), file(5, 3)]));
    assert_eq!(shown(&table)[3], (5, 3, Presence::Open));
}

#[test]
fn a_reading_out_of_order_is_put_in_order() {
    let thread = File { tid: Some(9), ..file(0, 4) };
    let table = fresh().take(reading(0, vec![thread, file(5, 1), file(2, 2)]));
    assert_eq!(shown(&table).iter().map(|row| row.1).collect::<Vec<_>>(), [2, 1, 4]);
}

#[test]
fn changed_counts_are_marked_in_their_direction() {
    let pipe = |bytes, mode| File {
        kind: Kind::Pipe,
        mode,
        pipe: Some(Box::new(Pipe {
            bytes,
            buffers: None,
            slots: None,
            readers: None,
            writers: None,
            queues: None,
            peers: None,
        })),
        ..file(3, 1)
    };
    let read = Some(AccessMode { read: true, write: false });
    let write = Some(AccessMode { read: false, write: true });
    let mut history = fresh();
    history.take(reading(0, vec![pipe(Some(1), read)]));
    let table = history.take(reading(1, vec![pipe(Some(2), read)]));
    assert!(table.rows[0].recv.is_recent() && !table.rows[0].send.is_recent());
    for expected in [true, true, false] {
        let table = history.take(reading(2, vec![pipe(Some(2), read)]));
        assert_eq!(table.rows[0].recv.is_recent(), expected);
    }
    // Not known this time: nothing can be said to have changed.
    let table = history.take(reading(3, vec![pipe(None, read)]));
    assert!(!table.rows[0].recv.is_recent());

    let mut history = fresh();
    history.take(reading(0, vec![pipe(Some(1), write)]));
    let table = history.take(reading(1, vec![pipe(Some(2), write)]));
    assert!(!table.rows[0].recv.is_recent() && table.rows[0].send.is_recent());
}

/// A pipe that has received so much.
fn unread(fd: u32, bytes: u64) -> File {
    let pipe = Pipe {
        bytes: Some(bytes),
        buffers: Some(1),
        slots: Some(16),
        readers: Some(1),
        writers: Some(1),
        queues: None,
        peers: None,
    };
    let mode = Some(AccessMode { read: true, write: false });
    File { kind: Kind::Pipe, pipe: Some(Box::new(pipe)), mode, ..file(fd, fd.into()) }
}

/// Names of what lints find in the first row.
fn found(table: &FilesTable) -> Vec<&'static str> {
    let row = &table.rows[0];
    let given = table.given(row, LintSet::ALL);
    let subject = Subject { process: &table.process, file: &row.file, given };
    subject.found().iter().map(Lint::name).collect()
}

#[test]
fn a_clock_that_is_set_brings_up_no_lint_and_hides_none() {
    let unwatched = || File { watched_by: Some(Arc::default()), ..unread(3, 5) };
    let mut history = fresh();
    let mut at_clock = |clock, second| {
        let reading = reading(clock, vec![unwatched()]);
        history.observe(reading, after(second), |_| Opening::default())
    };
    assert_eq!(found(&at_clock(50_000, 0)), [""; 0]);
    assert_eq!(found(&at_clock(90_000, 1)), [""; 0], "it was set forward");
    assert_eq!(found(&at_clock(10, 5)), ["unread-unpolled"], "it was set back");
}

#[test]
fn a_rows_timing_goes_with_it_whatever_comes_and_goes_beside_it() {
    let pipe = unread;
    let mut history = fresh();
    let since = |table: &FilesTable, fd| {
        let row = table.rows.iter().find(|row| row.file.fd == Some(fd)).unwrap();
        table.timing(row).and_then(|timing| timing.recv)
    };
    let table = history.take(reading(0, vec![pipe(3, 5), file(4, 4), pipe(5, 1)]));
    assert_eq!([3, 4, 5].map(|fd| since(&table, fd)), [Some(after(0)), None, Some(after(0))]);
    // Another one before them, and more in the last.
    let table = history.take(reading(1, vec![pipe(2, 7), pipe(3, 5), file(4, 4), pipe(5, 2)]));
    let times = [2, 3, 4, 5].map(|fd| since(&table, fd));
    assert_eq!(times, [Some(after(1)), Some(after(0)), None, Some(after(0))]);
    // The first is closed, and something was read from the last.
    let table = history.take(reading(2, vec![pipe(3, 5), file(4, 4), pipe(5, 1)]));
    let times = [2, 3, 4, 5].map(|fd| since(&table, fd));
    assert_eq!(times, [None, Some(after(0)), None, Some(after(2))]);
    assert!(table.given(&table.rows[0], LintSet::ALL).wanted.is_empty(), "it is closed");
}
