//! What lints found in one process, file by file.

use std::time::SystemTime;

use serde::Serialize;

use super::{Finding, LintSet, of_process};
use crate::model::column::find;
use crate::model::filter::{Filter, Room};
use crate::model::{FileRow, Files, FilesTable, Kind, Process, Source};

/// All that was found in one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Where the readings came from.
    pub source: Source,
    /// When the last one was begun.
    pub time: SystemTime,
    /// The process.
    pub process: Process,
    /// Its descriptors in the last reading.
    pub fd_count: u64,
    /// Whether the last reading has all of them.
    pub complete: bool,
    /// Seconds from the first reading to the last; 0 for a single one.
    pub seconds: f64,
    /// Readings.
    pub readings: u64,
    /// What was found: first about the process, then by thread and descriptor.
    pub found: Vec<Found>,
}

/// One finding, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The descriptor; none where it is about the process as a whole.
    pub fd: Option<u32>,
    /// The thread in whose own table that is.
    pub tid: Option<u32>,
    /// What kind of file it is.
    pub kind: Option<Kind>,
    /// Its path, or what a socket is about: the column NAME.
    pub label: Option<String>,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

impl Report {
    /// What is found in the files that match, after so many readings.
    pub fn new(
        table: &FilesTable,
        readings: u64,
        filter: Option<&Filter<Files>>,
        wanted: LintSet,
    ) -> Self {
        let fd_count = table.open as u64;
        let process = &table.process;
        let whole = of_process(process, fd_count, wanted);
        let whole = whole.into_iter().map(|finding| Found {
            fd: None,
            tid: None,
            kind: None,
            label: None,
            finding,
        });
        let mut room = Room::default();
        let of_files = table.rows.iter().flat_map(|row| {
            let row = FileRow {
                age: Some(row.seen.age(table.elapsed)),
                given: table.given(row, wanted),
                ..FileRow::new(process, &row.file)
            };
            let shown = filter.is_none_or(|filter| filter.matches_with(&row, &mut room));
            if shown { of_file(&row) } else { Vec::new() }
        });
        Self {
            source: table.source,
            time: table.time,
            process: process.clone(),
            fd_count,
            complete: table.complete,
            seconds: table.elapsed.as_secs_f64(),
            readings,
            found: whole.chain(of_files).collect(),
        }
    }
}

fn of_file(row: &FileRow<'_>) -> Vec<Found> {
    let findings = row.subject().findings();
    let label = || find::<Files>("NAME").map(|column| column.text(row));
    let found = |finding| Found {
        fd: row.file.fd,
        tid: row.file.tid,
        kind: Some(row.file.kind),
        label: label(),
        finding,
    };
    findings.into_iter().map(found).collect()
}
