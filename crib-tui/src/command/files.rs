//! `crib-top files`: the open files of some processes, once.

use std::io::Write;

use super::{Streams, find_all, keep, keep_with, kernel_release, peers, say_mounts, say_source};
use crate::export::json::{self, FilesOf, Header};
use crate::export::table;
use crate::failure::{Code, Failure};
use crate::kernel::Wanted;
use crate::model::column::{Table, find};
use crate::model::lint::Given;
use crate::model::{FileRow, Files, FilesReading};
use crate::privileges::{self, LOADING, NOTHING};
use crate::settings::{Format, Output, Style, Target};
use crate::source::{Reader, SourceChoice};
use crate::watch::details;

/// Prints the files of the targets, `with_peers` also who is at their other ends. One that can't
/// be read is said on the way and doesn't keep the others from being shown.
pub(super) fn run<O: Write>(
    targets: &[Target],
    with_peers: bool,
    output: &Output<Files>,
    source: SourceChoice,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let pids = find_all(targets)?;
    let mut reader = Reader::open(source, Wanted::Files)?;
    let needs = reader.prepare()?;
    // What lints need besides is read only where it could tell something.
    keep_with(needs, if says_lints(output) { LOADING } else { NOTHING })?;
    say_source(&reader, streams.note);
    let mut readings = Vec::with_capacity(pids.len());
    let mut worst = None;
    for pid in pids {
        match reader.files(pid) {
            Ok(mut reading) => {
                if says_lints(output) {
                    details::read(&mut reading, output.lints, None, |dump| {
                        privileges::raised(LOADING, || reader.dump(dump))
                    });
                }
                readings.push(reading);
            }
            Err(error) => {
                let failure = Failure::Read(error);
                (streams.note)(&failure.to_string());
                worst = worst.max(Some(failure.code()));
            }
        }
    }
    if with_peers && !readings.is_empty() {
        peers::add(&mut reader, &mut readings)?;
    }
    keep(NOTHING)?;
    let Some(first) = readings.first() else {
        return Err(Failure::Said(worst.unwrap_or(Code::Nothing)));
    };
    let header = Header::new(first.source, kernel_release(), first.time).because(reader.reason());
    let matched = print(&readings, &header, output, style, streams)?;
    match worst {
        Some(code) => Err(Failure::Said(code)),
        None if output.filter.is_some() && matched == 0 => {
            Err(Failure::NothingMatched(Files::ROWS))
        }
        None => Ok(()),
    }
}

/// Whether lints are asked for: else what only they need is not read.
fn says_lints(output: &Output<Files>) -> bool {
    const LINT: &str = "LINT";
    let shown = match output.format {
        Format::Table => output.columns.iter().flatten().any(|column| column.name == LINT),
        Format::Json | Format::JsonLines => true,
    };
    shown
        || output
            .filter
            .as_ref()
            .is_some_and(|filter| filter.mentions(|column| column.name == LINT))
}

/// Prints the files that match, and counts them.
fn print<O: Write>(
    readings: &[FilesReading],
    header: &Header,
    output: &Output<Files>,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<usize, Failure> {
    let matches = |row: &FileRow<'_>| output.filter.as_ref().is_none_or(|f| f.matches(row));
    let rows: Vec<Vec<FileRow<'_>>> = readings
        .iter()
        .map(|reading| {
            let rows = reading.files.iter().map(|file| {
                let (wanted, tcp) = (output.lints, reading.beside.tcp(file));
                let given = Given { wanted, tcp, ..Given::default() };
                FileRow { given, ..FileRow::new(&reading.process, file) }
            });
            rows.filter(matches).collect()
        })
        .collect();
    let matched = rows.iter().map(Vec::len).sum();
    if output.format == Format::Table {
        let columns = output.columns.clone().unwrap_or_else(|| {
            // Of several processes each row has to say whose it is.
            let whose = if readings.len() > 1 { &["PID", "COMM"][..] } else { &[] };
            let whose = whose.iter().filter_map(|name| find(name));
            whose.chain(Files::default_columns()).collect()
        });
        readings.iter().for_each(|reading| say_mounts(&reading.process, streams.note));
        let layout = streams.layout(output.headings, style);
        // Of one process, which may have a million, without a copy.
        let rows = match <[_; 1]>::try_from(rows) {
            Ok([rows]) => rows,
            Err(rows) => rows.concat(),
        };
        table::write(&mut streams.out, &columns, &rows, layout)?;
        return Ok(matched);
    }
    let processes: Vec<FilesOf<'_>> = readings
        .iter()
        .zip(rows)
        .map(|(reading, rows)| {
            let count = reading.files.len() as u64;
            FilesOf::new(&reading.process, count, reading.complete, rows, output.lints)
        })
        .collect();
    match output.format {
        Format::JsonLines => json::file_lines(&mut streams.out, &processes)?,
        _ => json::files(&mut streams.out, header, &processes)?,
    }
    Ok(matched)
}
