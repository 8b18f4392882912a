//! The looks at processes that the reading thread goes on with: each has its history, its groups,
//! and what traces it.

use std::time::Instant;

use super::ends::RARELY;
use super::worker::{DumpOutcome, FilesOutcome, FilesRequest, Readings, Tracing, Watched, Wish};
use crate::model::groups::summaries;
use crate::model::trend::Trend;
use crate::model::{Dump, FilesTable, ProcessState, ReadError, Source};
use crate::watch::Watch;

/// The looks at processes that lie upon one another.
#[derive(Default)]
pub(super) struct Sessions(Vec<Session>);

impl Sessions {
    /// The one that a request is of. Those that are neither it nor below it have been left.
    pub(super) fn of(&mut self, request: &FilesRequest) -> &mut Session {
        let kept = request.base..=request.session;
        self.0.retain(|session| kept.contains(&session.number));
        let at = match self.0.iter().position(|session| session.number == request.session) {
            Some(at) => at,
            None => {
                let (number, start_ticks) = (request.session, request.start_ticks);
                self.0.push(Session { number, start_ticks, ..Session::default() });
                self.0.len() - 1
            }
        };
        &mut self.0[at]
    }

    /// Ends all tracing.
    pub(super) fn end_trace(&mut self) {
        self.0.iter_mut().for_each(Session::end_trace);
    }

    /// The look of this number, if its process was read.
    pub(super) fn get(&self, number: u64) -> Option<&Session> {
        self.0.iter().find(|session| session.number == number)
    }
}

/// One look at a process: its readings so far.
#[derive(Default)]
pub(super) struct Session {
    number: u64,
    start_ticks: Option<u64>,
    watch: Option<Watch>,
    trend: Trend,
    /// Until when no connection is looked at: it takes long, and was done lately.
    rests_until: Option<Instant>,
    /// Why openings can't be traced.
    refused: Option<String>,
}

impl Session {
    /// Ends the tracing. What was refused is tried again when it is wished for anew.
    fn end_trace(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.end_trace();
        }
        self.refused = None;
    }

    pub(super) fn read<R: Readings>(
        &mut self,
        readings: &mut R,
        request: FilesRequest,
    ) -> FilesOutcome {
        let seen = self.start_ticks.is_some();
        // Another program has other leaks.
        let watch = self.watch.take().filter(|watch| !watch.is_another_image());
        if watch.is_none() {
            self.trend = Trend::default();
        }
        let watch =
            self.watch.insert(watch.unwrap_or_else(|| Watch::new(request.pid, request.delay)));
        watch.begin_reading();
        let mut reading = match readings.files(request.pid) {
            Ok(reading) => reading,
            Err(ReadError::NoProcess(_)) if !seen => return FilesOutcome::NoProcess,
            Err(ReadError::NoProcess(_) | ReadError::Ended { .. }) => {
                return FilesOutcome::Ended { zombie: false };
            }
            Err(error) => return FilesOutcome::Failed(error.to_string()),
        };
        if *self.start_ticks.get_or_insert(reading.process.start_ticks)
            != reading.process.start_ticks
        {
            return FilesOutcome::Ended { zombie: false };
        }
        // Where only the first thread has ended, others may still hold the files.
        if reading.process.state == ProcessState::Zombie && reading.files.is_empty() {
            return FilesOutcome::Ended { zombie: true };
        }
        let lints = request.arrangement.lints;
        // The first rows don't wait for what may have to be loaded for it.
        if watch.has_begun() {
            let begin = Instant::now();
            let rest = self.rests_until.is_some_and(|until| begin < until);
            let dump = |dump: &Dump| readings.dump(dump);
            if watch.look_at_connections(&mut reading, lints, rest, dump) {
                self.rests_until = begin.checked_add(begin.elapsed() * RARELY);
            }
        }
        watch.look_for_inherited(&mut reading, lints);
        let table = watch.observe(reading);
        let arrangement = request.arrangement;
        let order = arrangement.order(&table);
        let watched = Box::new(self.watched(&table, request.wish));
        FilesOutcome::Read { table, arrangement, order, watched }
    }

    /// What is told of all files beside the table.
    fn watched(&mut self, table: &FilesTable, wish: Wish) -> Watched {
        let Some(watch) = &mut self.watch else { return Watched::default() };
        let count = table.open as u64;
        self.trend.note(table.elapsed, count);
        let tracing = trace(watch, table, wish.trace, &mut self.refused);
        Watched {
            levels: watch.groups().levels().to_vec(),
            per_second: self.trend.per_second(),
            seconds_to_limit: table.process.fd_limit.and_then(|at| self.trend.seconds_to(at)),
            groups: wish.groups.map(|by| (by, summaries(watch.groups(), by))),
            leaks: if wish.leaks { watch.report().map(Box::new) } else { None },
            tracing,
            frames: watch.frames(),
        }
    }
}

/// Reads one file of the process of a look.
pub(super) fn read_dump<R: Readings>(
    readings: &mut R,
    session: Option<&Session>,
    dump: &Dump,
) -> DumpOutcome {
    let elapsed = session.and_then(|session| session.watch.as_ref()).map(Watch::elapsed);
    let reading = match readings.dump(dump) {
        Ok(reading) => reading,
        Err(ReadError::NoFile { .. }) => return DumpOutcome::NoFile,
        Err(ReadError::NoProcess(_) | ReadError::Ended { .. }) => return DumpOutcome::Ended,
        // What its message advises is done anyhow.
        Err(ReadError::Replaced { fd, .. }) => {
            let text = format!("fd {fd} was given to another file each time it was read");
            return DumpOutcome::Failed(text);
        }
        Err(error @ ReadError::Missing { .. }) => {
            return DumpOutcome::Missing(error.to_string());
        }
        Err(error) => return DumpOutcome::Failed(error.to_string()),
    };
    // Another process may have its pid by now.
    let started = session.and_then(|session| session.start_ticks);
    if started.is_some_and(|ticks| ticks != reading.process.start_ticks) {
        return DumpOutcome::Ended;
    }
    DumpOutcome::Read { reading: Box::new(reading), elapsed: elapsed.unwrap_or_default() }
}

/// Begins or ends tracing, as is wished. What was refused once is not tried again until it is
/// wished for anew.
fn trace(
    watch: &mut Watch,
    table: &FilesTable,
    wished: bool,
    refused: &mut Option<String>,
) -> Tracing {
    if !wished {
        watch.end_trace();
        *refused = None;
        return Tracing::Off;
    }
    if refused.is_none()
        && let Err(error) = match table.source {
            Source::Bpf => watch.trace(table.process.fd_limit).map_err(|error| error.to_string()),
            Source::Procfs => Err("/proc does not tell who opens files".to_owned()),
        }
    {
        *refused = Some(error);
    }
    match (&refused, watch.traced()) {
        (Some(why), _) => Tracing::Refused(why.clone()),
        (None, Some(traced)) => Tracing::On(traced),
        (None, None) => Tracing::Off,
    }
}
