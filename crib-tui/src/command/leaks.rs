//! `crib-top leaks`: watches a process for a while, and prints what grows.

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use super::{Streams, find, kernel_release, open};
use crate::export::json::Header;
use crate::export::leaks as export;
use crate::failure::{Code, Failure};
use crate::model::groups::Groups;
use crate::model::leaks::Leaks as Report;
use crate::model::{FilesReading, Process, ProcessState, ReadError};
use crate::procfs::{self, Image};
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
    let mut reader = open(source, streams.note)?;
    let mut watch = Watch::begin(&mut reader, pid, leaks.interval)?;
    let end = watch.run(&mut reader, leaks);
    if end.is_err() && watch.groups.readings() < 2 {
        // Nothing was seen that could be told.
        return end;
    }
    let report = Report::new(&watch.groups, watch.time, &watch.last);
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
    last: FilesReading,
}

impl Watch {
    /// Takes the first reading.
    fn begin(reader: &mut Reader, pid: u32, interval: Duration) -> Result<Self, Failure> {
        let image = procfs::image(pid);
        let began = Instant::now();
        let last = reader.files(pid)?;
        let first = last.process.clone();
        if first.state == ProcessState::Zombie {
            return Err(ReadError::Ended { pid, comm: first.comm }.into());
        }
        let mut groups = Groups::new(interval);
        groups.observe(&last, Duration::ZERO, |_| None);
        Ok(Self { time: last.time, began, image, first, groups, last })
    }

    /// Takes the others, until the time is over.
    fn run(&mut self, reader: &mut Reader, leaks: &Leaks) -> Result<(), Failure> {
        let mut due = Duration::ZERO;
        while due < leaks.duration {
            // A reading that takes longer than the interval is not made up for.
            due = (due + leaks.interval).max(self.began.elapsed()).min(leaks.duration);
            std::thread::sleep(due.saturating_sub(self.began.elapsed()));
            self.read(reader)?;
        }
        Ok(())
    }

    fn read(&mut self, reader: &mut Reader) -> Result<(), Failure> {
        let at = self.began.elapsed();
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
        self.groups.observe(&reading, at, |_| None);
        self.last = reading;
        Ok(())
    }

    fn ended(&self, at: Duration) -> Failure {
        let Process { pid, ref comm, .. } = self.last.process;
        Failure::Ended { pid, comm: comm.clone(), seconds: at.as_secs_f64() }
    }
}
