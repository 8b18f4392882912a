//! What the ways of a benchmark share: what they read with, and how they are measured.

use std::time::{Duration, Instant};

use super::BenchError;
use crate::kernel::bench::{Calls, Programs};
use crate::kernel::{self, Wanted};
use crate::model::ReadError;

/// What one reading took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Its time.
    pub time: Duration,
    /// Its system calls, where they are being counted.
    pub calls: Option<Calls>,
}

/// What ways read with.
pub struct Tools {
    programs: Result<Programs, BenchError>,
    reader: Option<kernel::Reader>,
    /// Room for records.
    pub records: Vec<u8>,
    counting: bool,
    calls_unknown: Option<String>,
}

impl Tools {
    /// With the benchmark's programs, or the reason why they can't be had.
    pub fn new(programs: Result<Programs, ReadError>) -> Self {
        Self {
            programs: programs.map_err(BenchError::from),
            reader: None,
            records: Vec::new(),
            counting: false,
            calls_unknown: None,
        }
    }

    /// The benchmark's programs.
    ///
    /// # Errors
    /// [`BenchError::Unavailable`] where they could not be loaded.
    pub fn programs(&mut self) -> Result<&mut Programs, BenchError> {
        match &mut self.programs {
            Ok(programs) => Ok(programs),
            Err(error) => Err(BenchError::Unavailable(error.to_string())),
        }
    }

    /// crib-top's reader, which is kept.
    ///
    /// # Errors
    /// As [`kernel::Reader::open`].
    pub fn reader(&mut self) -> Result<&mut kernel::Reader, BenchError> {
        match &mut self.reader {
            Some(reader) => Ok(reader),
            none => Ok(none.insert(kernel::Reader::open(Wanted::Files)?)),
        }
    }

    /// Measures what `read` does.
    pub fn measure<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> (Sample, T) {
        // The counting lies within the time, lest the clock's own system calls are counted.
        let start = Instant::now();
        let before = self.calls();
        let value = read(self);
        let after = self.calls();
        let time = start.elapsed();
        let calls = self.counting.then(|| Calls {
            own: after.own - before.own,
            descendants: after.descendants - before.descendants,
        });
        (Sample { time, calls }, value)
    }

    fn calls(&self) -> Calls {
        match &self.programs {
            Ok(programs) if self.counting => programs.calls(),
            _ => Calls::default(),
        }
    }

    /// Begins to count system calls, where the kernel lets a program see them.
    pub fn count(&mut self) {
        match self.programs().and_then(|programs| Ok(programs.count_calls()?)) {
            Ok(()) => self.counting = true,
            Err(error) => self.calls_unknown = Some(error.to_string()),
        }
    }

    /// Counts no more.
    pub fn stop_counting(&mut self) {
        self.counting = false;
        if let Ok(programs) = &mut self.programs {
            programs.stop_counting();
        }
    }

    /// Why system calls are not counted.
    pub fn calls_unknown(&self) -> Option<String> {
        self.calls_unknown.clone()
    }
}
