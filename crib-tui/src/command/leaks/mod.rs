//! `crib-top leaks`: watches a process for a while, and prints what grows and who opens it.

mod openers;
mod pause;

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use super::{Streams, find, keep, kernel_release, say_source};
use crate::export::json::Header;
use crate::export::leaks as export;
use crate::failure::{Code, Failure};
use crate::kernel::Wanted;
use crate::model::groups::Groups;
use crate::model::leaks::Leaks as Report;
use crate::model::{FilesReading, Process, ProcessState, ReadError, Source};
use crate::privileges::{NOTHING, PROCFS, STACKS};
use crate::procfs::{self, Image};
use crate::settings::{Format, Leaks, Style, Target};
use crate::source::{Reader, SourceChoice};
use openers::Openers;
use pause::Pause;

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
    let mut reader = Reader::open(source)?;
    let needs = reader.prepare(Wanted::Files)?;
    say_source(&reader, streams.note);
    let mut watch = Watch::begin(&mut reader, pid, leaks, streams.note)?;
    // What traces is attached. The auxiliary vector is the process's user's alone; who is to be
    // told who opens files reads the code for it.
    keep(needs | if watch.traced.is_some() { STACKS } else { PROCFS })?;
    let end = watch.run(&mut reader, leaks);
    if end.is_err() && watch.groups.readings() < 2 {
        // Nothing was seen that could be told.
        return end;
    }
    let report = watch.report();
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

/// A watch of one process.
struct Watch {
    /// When the first reading was begun, by the clock on the wall.
    time: SystemTime,
    /// The same by the clock that nobody sets.
    began: Instant,
    image: Option<Image>,
    first: Process,
    groups: Groups,
    traced: Option<ByOpener>,
    last: FilesReading,
}

/// The groups once more, parted by who opened their files.
struct ByOpener {
    openers: Openers,
    groups: Groups,
}

impl Watch {
    /// Takes the first reading, and begins to trace where that is wanted and possible.
    fn begin(
        reader: &mut Reader,
        pid: u32,
        leaks: &Leaks,
        note: &mut dyn FnMut(&str),
    ) -> Result<Self, Failure> {
        let image = procfs::image(pid);
        let first = procfs::process(pid)?;
        if first.state == ProcessState::Zombie {
            return Err(ReadError::Ended { pid, comm: first.comm }.into());
        }
        let mut traced = None;
        // Who may only read /proc may not trace either.
        if leaks.trace && reader.source() == Source::Bpf {
            match Openers::trace(pid, first.fd_limit) {
                Ok(openers) => {
                    traced = Some(ByOpener { openers, groups: Groups::new(leaks.interval) });
                }
                Err(error) => note(&error.to_string()),
            }
        }
        let began = Instant::now();
        let last = reader.files(pid)?;
        let groups = Groups::new(leaks.interval);
        let mut watch = Self { time: last.time, began, image, first, groups, traced, last };
        watch.observe(Duration::ZERO);
        Ok(watch)
    }

    /// Takes the others, until the time is over or Ctrl-C is pressed.
    fn run(&mut self, reader: &mut Reader, leaks: &Leaks) -> Result<(), Failure> {
        let mut pause = Pause::new().map_err(|error| Failure::Live(error.into()))?;
        let mut due = Duration::ZERO;
        while due < leaks.duration || self.groups.readings() <= leaks.least_readings() {
            // A reading that takes longer than the interval is not made up for.
            due = (due + leaks.interval).max(self.began.elapsed());
            if self.groups.readings() >= leaks.least_readings() {
                due = due.min(leaks.duration);
            }
            let interrupted = pause.wait(due.saturating_sub(self.began.elapsed()));
            self.read(reader)?;
            if interrupted {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, reader: &mut Reader) -> Result<(), Failure> {
        let at = self.began.elapsed();
        if let Some(ByOpener { openers, .. }) = &mut self.traced {
            openers.begin_reading();
        }
        let pid = self.first.pid;
        let reading = match reader.files(pid) {
            Ok(reading) => reading,
            Err(ReadError::NoProcess(_) | ReadError::Ended { .. } | ReadError::Thread { .. }) => {
                return Err(self.ended(at));
            }
            Err(error) => return Err(error.into()),
        };
        let now = &reading.process;
        if now.state != self.first.state || now.start_ticks != self.first.start_ticks {
            return Err(self.ended(at));
        }
        let image = procfs::image(pid);
        if self.image.is_some() && image.is_some() && image != self.image {
            return Err(Failure::Executed {
                pid,
                comm: self.last.process.comm.clone(),
                now: now.comm.clone(),
                seconds: at.as_secs_f64(),
            });
        }
        self.last = reading;
        self.observe(at);
        Ok(())
    }

    /// Takes the latest reading into the groups.
    fn observe(&mut self, at: Duration) {
        self.groups.observe(&self.last, at, |_| None);
        if let Some(ByOpener { openers, groups }) = &mut self.traced {
            groups.observe(&self.last, at, |file| openers.opener(file));
        }
    }

    /// What the watch comes to.
    fn report(&mut self) -> Report {
        let by_opener = self.traced.as_ref().map(|traced| &traced.groups);
        let mut report = Report::new(&self.groups, by_opener, self.time, &self.last);
        if let Some(ByOpener { openers, .. }) = &mut self.traced {
            report.traced = Some(openers.traced());
            let wanted = report.groups.iter().filter_map(|group| group.opener);
            let frames = openers.frames(wanted);
            for group in &mut report.groups {
                group.stack = group.opener.and_then(|opener| frames.get(&opener).cloned());
            }
        }
        report
    }

    fn ended(&self, at: Duration) -> Failure {
        let Process { pid, ref comm, .. } = self.last.process;
        Failure::Ended { pid, comm: comm.clone(), seconds: at.as_secs_f64() }
    }
}
