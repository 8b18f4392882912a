//! `crib-top lint`: what is in trouble about one process's files, or looks like it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::pause::Pause;
use super::watched::Watched;
use super::{Streams, find, keep, keep_with, kernel_release, say_source};
use crate::export::json::Header;
use crate::export::lint as export;
use crate::failure::Failure;
use crate::kernel::Wanted;
use crate::model::lint::{LintSet, Report};
use crate::model::{Dump, Files, FilesReading, FilesTable};
use crate::privileges::{self, LOADING, NOTHING, PROCFS};
use crate::procfs;
use crate::settings::{DEFAULT_DELAY, Format, LintWatch, Output, Style, Target};
use crate::source::{Reader, SourceChoice};
use crate::watch::Watch;

/// Reads the target's files once, or watches them for a while, and prints what was found.
pub(super) fn run<O: Write>(
    target: &Target,
    watch: Option<LintWatch>,
    output: &Output<Files>,
    source: SourceChoice,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let pid = find(target)?;
    let mut reader = Reader::open(source, Wanted::Files)?;
    let needs = reader.prepare()?;
    // What threads wait for is their user's alone, and so is that by which an exec is noticed; dumps
    // are read only where they could tell something.
    keep_with(needs | PROCFS, LOADING)?;
    say_source(&reader, streams.note);
    let interval = watch.map_or(DEFAULT_DELAY, |watch| watch.interval);
    let mut seen = Seen::begin(&mut reader, pid, interval, output.lints)?;
    let end = match watch {
        Some(watch) => seen.run(&mut reader, watch),
        None => Ok(()),
    };
    if end.is_err() && seen.readings < 2 {
        return end;
    }
    let report = seen.report(output);
    keep(NOTHING)?;
    match output.format {
        Format::Table => {
            let layout = streams.layout(output.headings, style);
            export::text(&mut streams.out, &report, layout)?;
        }
        Format::Json => {
            let header =
                Header::new(report.source, kernel_release(), report.time).because(reader.reason());
            export::document(&mut streams.out, &header, &report)?;
        }
        Format::JsonLines => export::lines(&mut streams.out, &report)?,
    }
    end
}

/// Prints all lints there are.
pub(super) fn list<O: Write>(
    format: Format,
    headings: bool,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let layout = streams.layout(headings, style);
    match format {
        Format::Table => export::list(&mut streams.out, layout)?,
        Format::Json => export::list_document(&mut streams.out)?,
        Format::JsonLines => export::list_lines(&mut streams.out)?,
    }
    Ok(())
}

/// What was seen of the process until now.
struct Seen {
    watched: Watched,
    readings: u64,
    table: Arc<FilesTable>,
    lints: LintSet,
}

impl Seen {
    fn begin(
        reader: &mut Reader,
        pid: u32,
        interval: Duration,
        lints: LintSet,
    ) -> Result<Self, Failure> {
        let mut watched = Watched::new(procfs::process(pid)?, interval);
        let reading = watched.begin(reader)?;
        let table = take(&mut watched.watch, reader, reading, lints);
        Ok(Self { watched, readings: 1, table, lints })
    }

    /// Reads on, until the time is over or Ctrl-C is pressed.
    fn run(&mut self, reader: &mut Reader, watch: LintWatch) -> Result<(), Failure> {
        let mut pause = Pause::new().map_err(|error| Failure::Live(error.into()))?;
        let mut due = Duration::ZERO;
        // From the first reading to the last, whatever the first one took.
        while due < watch.duration {
            due = (due + watch.interval).max(self.watched.watch.elapsed()).min(watch.duration);
            let interrupted = pause.wait(due.saturating_sub(self.watched.watch.elapsed()));
            let reading = self.watched.read(reader)?;
            self.readings += 1;
            self.table = take(&mut self.watched.watch, reader, reading, self.lints);
            if interrupted {
                break;
            }
        }
        Ok(())
    }

    /// What comes of it.
    fn report(&self, output: &Output<Files>) -> Report {
        Report::new(&self.table, self.readings, output.filter.as_ref(), self.lints)
    }
}

/// Takes in the reading that was begun, with what lints go by beside it.
fn take(
    watch: &mut Watch,
    reader: &mut Reader,
    mut reading: FilesReading,
    lints: LintSet,
) -> Arc<FilesTable> {
    let dump = |dump: &Dump| privileges::raised(LOADING, || reader.dump(dump));
    watch.look_at_connections(&mut reading, lints, false, dump);
    watch.look_for_inherited(&mut reading, lints);
    watch.observe(reading)
}
