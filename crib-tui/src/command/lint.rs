//! `crib-top lint`: what is in trouble about one process's files, or looks like it.

mod inherited;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::details;
use super::pause::Pause;
use super::{Streams, find, keep, keep_with, kernel_release, say_source};
use crate::export::json::Header;
use crate::export::lint as export;
use crate::failure::Failure;
use crate::kernel::Wanted;
use crate::model::groups::Opening;
use crate::model::lint::{Given, Lint, Report};
use crate::model::{Files, FilesReading, FilesTable, History, Process, ReadError};
use crate::privileges::{LOADING, NOTHING, PROCFS};
use crate::settings::{DEFAULT_DELAY, Format, LintWatch, Output, Style, Target};
use crate::source::{Reader, SourceChoice};
use inherited::Candidates;

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
    let mut reader = Reader::open(source)?;
    let needs = reader.prepare(Wanted::Files)?;
    // What threads wait for is their user's alone; dumps are read only where they could tell
    // something.
    keep_with(needs | PROCFS, LOADING)?;
    say_source(&reader, streams.note);
    let began = Instant::now();
    let interval = watch.map_or(DEFAULT_DELAY, |watch| watch.interval);
    let mut seen = Seen::begin(reader.files(pid)?, interval);
    let end = match watch {
        Some(watch) => seen.watch(&mut reader, watch, began),
        None => Ok(()),
    };
    if end.is_err() && seen.readings < 2 {
        return end;
    }
    let report = seen.report(&mut reader, output);
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
    /// When the first reading came, by a clock that nobody sets.
    began: Instant,
    readings: u64,
    history: History,
    table: Arc<FilesTable>,
    /// The last reading, for what is read beside it.
    last: FilesReading,
    candidates: Candidates,
}

impl Seen {
    fn begin(reading: FilesReading, interval: Duration) -> Self {
        let mut history = History::new(interval);
        let mut candidates = Candidates::default();
        candidates.observe(&reading, Duration::ZERO);
        let table = history.observe(reading.clone(), Duration::ZERO, |_| Opening::default());
        let began = Instant::now();
        Self { began, readings: 1, history, table, last: reading, candidates }
    }

    /// Reads on, until the time is over or Ctrl-C is pressed.
    fn watch(
        &mut self,
        reader: &mut Reader,
        watch: LintWatch,
        began: Instant,
    ) -> Result<(), Failure> {
        let mut pause = Pause::new().map_err(|error| Failure::Live(error.into()))?;
        let mut due = Duration::ZERO;
        // From the first reading to the last, whatever the first one took.
        let end = watch.duration + self.began.duration_since(began);
        while due < end {
            due = (due + watch.interval).max(began.elapsed()).min(end);
            let interrupted = pause.wait(due.saturating_sub(began.elapsed()));
            self.read(reader)?;
            if interrupted {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, reader: &mut Reader) -> Result<(), Failure> {
        let Process { pid, start_ticks, state, .. } = self.last.process;
        let reading = match reader.files(pid) {
            Ok(reading) => reading,
            Err(ReadError::NoProcess(_) | ReadError::Ended { .. } | ReadError::Thread { .. }) => {
                return Err(self.ended());
            }
            Err(error) => return Err(error.into()),
        };
        if (reading.process.start_ticks, reading.process.state) != (start_ticks, state) {
            return Err(self.ended());
        }
        let elapsed = self.began.elapsed();
        self.candidates.observe(&reading, elapsed);
        self.readings += 1;
        self.last = reading.clone();
        self.table = self.history.observe(reading, elapsed, |_| Opening::default());
        Ok(())
    }

    fn ended(&self) -> Failure {
        let Process { pid, ref comm, .. } = self.last.process;
        Failure::Ended { pid, comm: comm.clone(), seconds: self.began.elapsed().as_secs_f64() }
    }

    /// What comes of it.
    fn report(&self, reader: &mut Reader, output: &Output<Files>) -> Report {
        let details = details::read(reader, &self.last, output.lints);
        let inherited = match output.lints.has(Lint::InheritedFd) {
            true => self.candidates.inherited(self.table.elapsed),
            false => Default::default(),
        };
        let more = |file: &crate::model::File| Given {
            tcp: details.of(file),
            inherited: inherited.get(&file.key()),
            ..Given::default()
        };
        Report::new(&self.table, self.readings, output.filter.as_ref(), output.lints, &more)
    }
}
