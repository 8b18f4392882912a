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
    /// As [`Reader::files`].
    pub fn begin(&mut self, reader: &mut Reader) -> Result<FilesReading, ReadError> {
        self.watch.begin_reading();
        let reading = reader.files(self.first.pid)?;
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
        if (now.start_ticks, now.state) != (self.first.start_ticks, self.first.state) {
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

    fn ended(&self) -> Failure {
        let Process { pid, ref comm, .. } = self.last;
        Failure::Ended { pid, comm: comm.clone(), seconds: self.watch.elapsed().as_secs_f64() }
    }
}
