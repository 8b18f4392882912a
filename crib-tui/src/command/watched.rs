//! A process that a command watches for a while, as long as it is the same and runs the same
//! program.

use std::time::Duration;

use crate::failure::Failure;
use crate::model::{FilesReading, Process, ReadError};
use crate::source::Reader;
use crate::watch::Watch;

/// The process, and what is known of it until now.
pub(super) struct Watched {
    pub watch: Watch,
    first: Process,
    last: Process,
}

impl Watched {
    /// Begins with this process, of which no files were read yet.
    pub fn new(process: Process, interval: Duration) -> Self {
        Self { watch: Watch::new(process.pid, interval), last: process.clone(), first: process }
    }

    /// Reads its files for the first time.
    ///
    /// # Errors
    /// [`ReadError::Ended`] where its pid is another process's already; else as [`Reader::files`].
    pub fn begin(&mut self, reader: &mut Reader) -> Result<FilesReading, ReadError> {
        self.watch.begin_reading();
        let reading = reader.files(self.first.pid)?;
        if !self.is_same(&reading.process) {
            let Process { pid, ref comm, .. } = self.first;
            return Err(ReadError::Ended { pid, comm: comm.clone() });
        }
        self.last = reading.process.clone();
        Ok(reading)
    }

    /// Reads its files once more. The reading is for the caller to put into the watch.
    ///
    /// # Errors
    /// [`Failure::Ended`] and [`Failure::Executed`] where it is not what it was any more; else as
    /// [`Reader::files`].
    pub fn read(&mut self, reader: &mut Reader) -> Result<FilesReading, Failure> {
        self.watch.begin_reading();
        let reading = match reader.files(self.first.pid) {
            Ok(reading) => reading,
            Err(ReadError::NoProcess(_) | ReadError::Ended { .. } | ReadError::Thread { .. }) => {
                return Err(self.ended());
            }
            Err(error) => return Err(error.into()),
        };
        let now = &reading.process;
        if !self.is_same(now) {
            return Err(self.ended());
        }
        if self.watch.is_another_image() {
            return Err(Failure::Executed {
                pid: self.first.pid,
                comm: self.last.comm.clone(),
                now: now.comm.clone(),
                seconds: self.watch.elapsed().as_secs_f64(),
            });
        }
        self.last = now.clone();
        Ok(reading)
    }

    /// Whether it is still the process with which the watch began, and as alive as it was.
    fn is_same(&self, now: &Process) -> bool {
        (now.start_ticks, now.state) == (self.first.start_ticks, self.first.state)
    }

    fn ended(&self) -> Failure {
        let Process { pid, ref comm, .. } = self.last;
        Failure::Ended { pid, comm: comm.clone(), seconds: self.watch.elapsed().as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Wanted;
    use crate::procfs;
    use crate::source::SourceChoice;

    /// Begins to watch this process, which was found to have started so many ticks earlier.
    fn begin(ticks: u64) -> Result<FilesReading, ReadError> {
        let mut found = procfs::process(std::process::id()).unwrap();
        found.start_ticks -= ticks;
        let mut reader = Reader::open(SourceChoice::Procfs, Wanted::Files).unwrap();
        Watched::new(found, Duration::from_secs(1)).begin(&mut reader)
    }

    #[test]
    fn a_watch_does_not_begin_with_another_process_under_the_pid() {
        assert!(begin(0).is_ok());
        let pid = std::process::id();
        let error = begin(1).unwrap_err();
        assert!(matches!(error, ReadError::Ended { pid: ended, .. } if ended == pid), "{error}");
    }
}
