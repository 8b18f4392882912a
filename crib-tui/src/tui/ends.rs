//! What the reading thread does for the screen of a file's other end: it looks through all
//! processes, and where that takes long, most of the time only through those that matter.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::worker::Readings;
use crate::model::{Ends, File, Held, Peers, ReadError, Search};

/// How many times as long as a look through all processes takes it lasts until the next one, or
/// until what may take long for other reasons is done again.
pub(super) const RARELY: u32 = 10;

/// A request for a file's other end.
#[derive(Clone, Debug, PartialEq)]
pub struct EndsRequest {
    /// As in [`FilesRequest`](super::worker::FilesRequest).
    pub session: u64,
    /// The screen that it is for.
    pub screen: u64,
    /// The process.
    pub pid: u32,
    /// Its file, as last read.
    pub file: Arc<File>,
    /// The processes that had to do with it when all were looked through, where that was lately.
    pub only: Option<Vec<u32>>,
}

/// What is known of a file's other end.
#[derive(Clone, Debug, PartialEq)]
pub struct EndsReading {
    /// When the look began.
    pub time: SystemTime,
    /// The same by a clock that nobody sets.
    pub at: Instant,
    /// The file itself; none where its descriptor is closed or stands for another one.
    pub own: Option<Held>,
    /// What is at its other end, and who else holds it.
    pub ends: Ends,
    /// How long it took to look through all processes; none where that was not done.
    pub took: Option<Duration>,
}

impl EndsReading {
    /// The processes that have to do with the file, each once.
    pub fn pids(&self) -> Vec<u32> {
        let holders = self.ends.holders.iter().flat_map(|listed| &listed.held);
        let held = self.own.iter().chain(self.ends.peers.held()).chain(holders);
        let mut pids: Vec<u32> = held.map(|held| held.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Until when it will do to look through those: a look through all would take too much.
    pub fn rests_until(&self) -> Option<Instant> {
        self.at.checked_add(self.took? * RARELY)
    }
}

/// Looks for a file's ends.
///
/// # Errors
/// As [`Readings::sweep`].
pub fn look<R: Readings>(
    readings: &mut R,
    request: &EndsRequest,
) -> Result<EndsReading, ReadError> {
    let search = Search::of([&*request.file]);
    let fd = request.file.fd;
    let mut read = |only: Option<&[u32]>| {
        let at = Instant::now();
        let sweep = readings.sweep(&search, only)?;
        let took = only.is_none().then(|| at.elapsed());
        let own = sweep.at(request.pid, request.file.tid, fd);
        let own = own.filter(|held| sweep.is_same(&held.file, &request.file)).cloned();
        let ends = sweep.ends(request.pid, &request.file);
        Ok(EndsReading { time: sweep.time, at, own, ends, took })
    };
    if let Some(only) = &request.only {
        let reading = read(Some(only))?;
        // What went away there may have come somewhere else.
        if matches!(*reading.ends.peers, Peers::Found(_)) {
            return Ok(reading);
        }
    }
    read(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample_ends;
    use crate::tui::stage::Everyone;

    fn everyone() -> Everyone {
        Everyone { held: sample_ends::held(), asked: Vec::new() }
    }

    fn request(only: Option<Vec<u32>>) -> EndsRequest {
        let held = sample_ends::held();
        let file = held.iter().find(|held| held.file.fd == Some(4)).unwrap();
        EndsRequest { session: 1, screen: 1, pid: 4242, file: Arc::clone(&file.file), only }
    }

    #[test]
    fn those_that_matter_are_looked_through_and_all_where_these_have_it_no_more() {
        let mut world = everyone();
        let first = look(&mut world, &request(None)).unwrap();
        assert!(first.took.is_some());
        assert_eq!(first.pids(), [4242, 4300, 4711]);
        let again = look(&mut world, &request(Some(first.pids()))).unwrap();
        assert_eq!((again.ends.clone(), again.took), (first.ends.clone(), None));
        // The other end went to another process.
        world.held.iter_mut().filter(|held| held.pid == 4711).for_each(|held| held.pid = 5000);
        let moved = look(&mut world, &request(Some(first.pids()))).unwrap();
        assert_eq!(moved.ends.peers.held()[0].pid, 5000);
        let known = || Some(vec![4242, 4300, 4711]);
        assert_eq!(world.asked, [None, known(), known(), None]);
    }

    #[test]
    fn a_look_that_takes_long_is_not_taken_often() {
        let mut world = everyone();
        let reading = look(&mut world, &request(None)).unwrap();
        let slow = EndsReading { took: Some(Duration::from_secs(3)), ..reading.clone() };
        let rest = slow.rests_until().unwrap().duration_since(reading.at);
        assert_eq!(rest, Duration::from_secs(30));
        assert_eq!(EndsReading { took: None, ..reading }.rests_until(), None);
    }
}
