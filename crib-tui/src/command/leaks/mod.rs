//! `crib-top leaks`: watches a process for a while, and prints what grows and who opens it.

use std::io::Write;
use std::time::Duration;

use super::pause::Pause;
use super::watched::Watched;
use super::{Streams, find, keep, kernel_release, say_source};
use crate::export::json::Header;
use crate::export::leaks as export;
use crate::failure::{Code, Failure};
use crate::kernel::Wanted;
use crate::model::{ProcessState, ReadError, Source};
use crate::privileges::{NOTHING, PROCFS, STACKS};
use crate::procfs;
use crate::settings::{Format, Leaks, Style, Target};
use crate::source::{Reader, SourceChoice};

/// Watches the target and prints the report; of a process that does not last, what was seen of
/// it until then.
pub(super) fn run<O: Write>(
    target: &Target,
    leaks: &Leaks,
    format: Format,
    source: SourceChoice,
    (style, headings): (Style, bool),
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let pid = find(target)?;
    let mut reader = Reader::open(source, Wanted::Files)?;
    let needs = reader.prepare()?;
    say_source(&reader, streams.note);
    let mut session = Session::begin(&mut reader, pid, leaks, streams.note)?;
    // What traces is attached. The auxiliary vector is the process's user's alone; who is to be
    // told who opens files reads the code for it.
    keep(needs | if session.0.watch.traced().is_some() { STACKS } else { PROCFS })?;
    let end = session.run(&mut reader, leaks);
    // The first reading is there, or it had ended with that.
    let Some(report) = session.0.watch.report() else { return end };
    if end.is_err() && session.0.watch.groups().readings() < 2 {
        // Nothing was seen that could be told.
        return end;
    }
    keep(NOTHING)?;
    match format {
        Format::Table => {
            let layout = streams.layout(headings, style);
            export::text(&mut streams.out, &report, layout)?;
        }
        Format::Json => {
            let header =
                Header::new(report.source, kernel_release(), report.time).because(reader.reason());
            export::document(&mut streams.out, &header, &report)?;
        }
        Format::JsonLines => export::lines(&mut streams.out, &report)?,
    }
    end?;
    if report.is_suspected() { Err(Failure::Said(Code::Suspected)) } else { Ok(()) }
}

/// The readings of the process that is watched.
struct Session(Watched);

impl Session {
    /// Takes the first reading, and begins to trace where that is wanted and possible.
    fn begin(
        reader: &mut Reader,
        pid: u32,
        leaks: &Leaks,
        note: &mut dyn FnMut(&str),
    ) -> Result<Self, Failure> {
        let process = procfs::process(pid)?;
        if process.state == ProcessState::Zombie {
            return Err(ReadError::Ended { pid, comm: process.comm }.into());
        }
        let fd_limit = process.fd_limit;
        let mut watched = Watched::new(process, leaks.interval);
        // Who may only read /proc may not trace either.
        if leaks.trace
            && reader.source() == Source::Bpf
            && let Err(error) = watched.watch.trace(fd_limit)
        {
            note(&error.to_string());
        }
        let reading = watched.begin(reader)?;
        watched.watch.observe(reading);
        Ok(Self(watched))
    }

    /// Takes the other readings, until the time is over or Ctrl-C is pressed.
    fn run(&mut self, reader: &mut Reader, leaks: &Leaks) -> Result<(), Failure> {
        let mut pause = Pause::new().map_err(|error| Failure::Live(error.into()))?;
        let Self(watched) = self;
        let mut due = Duration::ZERO;
        while due < leaks.duration || watched.watch.groups().readings() <= leaks.least_readings() {
            // A reading that takes longer than the interval is not made up for.
            due = (due + leaks.interval).max(watched.watch.elapsed());
            if watched.watch.groups().readings() >= leaks.least_readings() {
                due = due.min(leaks.duration);
            }
            let interrupted = pause.wait(due.saturating_sub(watched.watch.elapsed()));
            let reading = watched.read(reader)?;
            watched.watch.observe(reading);
            if interrupted {
                break;
            }
        }
        Ok(())
    }
}
