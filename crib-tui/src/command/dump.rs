//! `crib-top dump`: the files of some processes with all that is queued in them, once.

use std::io::Write;

use super::{Streams, find_all, keep, kernel_release, say_mounts};
use crate::export::json::{self, FilesOf, Header};
use crate::export::outline::Outline;
use crate::failure::{Code, Failure};
use crate::kernel::Wanted;
use crate::model::column::Table;
use crate::model::lint::Given;
use crate::model::{Dump, DumpReading, File, FileRow, Files, Source};
use crate::privileges::NOTHING;
use crate::settings::{Format, Output, Style, Target};
use crate::source::{Reader, SourceChoice};

/// Prints the targets' files with their queues. A process that can't be read is said on the way
/// and doesn't keep the others from being shown.
pub(super) fn run<O: Write>(
    targets: &[Target],
    payload: u32,
    output: &Output<Files>,
    source: SourceChoice,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let pids = find_all(targets)?;
    // That /proc is read need not be said before: there, the error says why.
    let mut reader = Reader::open(source, Wanted::Dumps)?;
    keep(reader.prepare()?)?;
    let mut readings = Vec::with_capacity(pids.len());
    let mut worst = None;
    for pid in pids {
        match reader.dump(&Dump { payload, ..Dump::everything(pid) }) {
            Ok(reading) => readings.push(reading),
            Err(error) => {
                let failure = Failure::Read(error);
                (streams.note)(&failure.to_string());
                worst = worst.max(Some(failure.code()));
            }
        }
    }
    keep(NOTHING)?;
    if readings.is_empty() {
        return Err(Failure::Said(worst.unwrap_or(Code::Nothing)));
    }
    let matched = print(&readings, output, style, streams)?;
    match worst {
        Some(code) => Err(Failure::Said(code)),
        None if output.filter.is_some() && matched == 0 => {
            Err(Failure::NothingMatched(Files::ROWS))
        }
        None => Ok(()),
    }
}

/// Prints the files that match, and counts them.
fn print<O: Write>(
    readings: &[DumpReading],
    output: &Output<Files>,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<usize, Failure> {
    let matches = |reading: &DumpReading, file: &File| {
        let row = row(reading, file, output);
        output.filter.as_ref().is_none_or(|filter| filter.matches(&row))
    };
    let files: Vec<Vec<&File>> = readings
        .iter()
        .map(|reading| reading.files.iter().filter(|file| matches(reading, file)).collect())
        .collect();
    let matched = files.iter().map(Vec::len).sum();
    if output.format == Format::Table {
        readings.iter().for_each(|reading| say_mounts(&reading.process, streams.note));
        let layout = streams.layout(output.headings, style);
        let outline = Outline { hex: false, layout };
        for (reading, files) in readings.iter().zip(&files) {
            outline.process(&mut streams.out, reading, files)?;
        }
        return Ok(matched);
    }
    let processes: Vec<FilesOf<'_>> = readings
        .iter()
        .zip(files)
        .map(|(reading, files)| {
            let count = reading.files.len() as u64;
            let rows = files.into_iter().map(|file| row(reading, file, output)).collect();
            FilesOf::new(&reading.process, count, reading.complete, rows, output.lints)
        })
        .collect();
    match output.format {
        Format::JsonLines => json::file_lines(&mut streams.out, &processes)?,
        _ => {
            let time = readings.iter().map(|reading| reading.time).min();
            let time = time.unwrap_or_else(std::time::SystemTime::now);
            let header = Header::new(Source::Bpf, kernel_release(), time);
            json::files(&mut streams.out, &header, &processes)?;
        }
    }
    Ok(matched)
}

fn row<'a>(reading: &'a DumpReading, file: &'a File, output: &Output<Files>) -> FileRow<'a> {
    let given = Given { wanted: output.lints, ..Given::default() };
    FileRow { given, ..FileRow::new(&reading.process, file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lint::LintSet;
    use crate::model::{Filter, sample_dump};

    fn printed(format: Format, filter: Option<&str>) -> (usize, String) {
        let filter = filter.map(|filter| Filter::parse(filter).unwrap());
        let lints = LintSet::default();
        let output = Output { format, filter, columns: None, headings: true, lints };
        let mut note = |line: &str| panic!("{line}");
        let mut streams = Streams { out: Vec::new(), width: None, note: &mut note };
        let matched =
            print(&[sample_dump::reading()], &output, Style::default(), &mut streams).unwrap();
        (matched, String::from_utf8(streams.out).unwrap())
    }

    #[test]
    fn the_document_nests_queues_packets_and_bytes() {
        let (_, text) = printed(Format::Json, None);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let files = document["processes"][0]["files"].as_array().unwrap();
        assert_eq!(document["source"], "bpf");
        assert_eq!(files[1]["pipe"]["queues"][0]["packets"][0]["payload"], "68656c6c6f");
        let tcp = &files[3]["socket"]["queues"][0];
        assert_eq!((&tcp["name"], &tcp["messages"]), (&"receive".into(), &2.into()));
        let (_, lines) = printed(Format::JsonLines, None);
        assert_eq!(lines.lines().count(), files.len());
        assert!(lines.lines().all(|line| line.starts_with("{\"pid\":4242,")));
    }

    #[test]
    fn a_filter_picks_files() {
        let (matched, text) = printed(Format::Table, Some("KIND == 'pipe'"));
        assert_eq!(matched, 1);
        assert!(text.contains("hello") && !text.contains("tcp"), "{text}");
        assert_eq!(printed(Format::Json, Some("KIND == 'memfd'")).0, 0);
    }
}
