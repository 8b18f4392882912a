//! Which reading leaves out which paths: the other side of `crib-ebpf/src/told.rs`.

use std::collections::HashMap;

use crib_common::record::FileRecord;

use crate::decode::file_runs;

/// The session of readings of one process in which each path is told once.
#[derive(Default)]
pub struct Told {
    session: u32,
    reading: u32,
    /// The process, while its session goes on.
    pid: Option<u32>,
    /// The paths of directories, by the addresses of their entry and mount.
    directories: HashMap<(u64, u64), Box<[u8]>>,
}

/// A directory has got another path: the paths of the files in it that were left out are no
/// longer right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved;

impl Told {
    /// Begins a reading of a process: the numbers of its session and of itself.
    pub fn begin(&mut self, pid: u32) -> (u32, u32) {
        if self.pid != Some(pid) {
            self.forget();
            self.pid = Some(pid);
        }
        // Neither is 0, which stands for none.
        self.reading = self.reading.checked_add(1).unwrap_or(1);
        (self.session, self.reading)
    }

    /// Has the next reading tell everything.
    pub fn forget(&mut self) {
        self.session = self.session.checked_add(1).unwrap_or(1);
        self.pid = None;
        self.directories.clear();
    }

    /// Looks through the paths that a reading tells, of which there is one for each directory.
    ///
    /// # Errors
    /// [`Moved`] when a directory is called something else than when it was first told.
    pub fn check(&mut self, records: &[u8]) -> Result<(), Moved> {
        // Whoever decodes them next says what is wrong with records.
        let told = file_runs(records).map_while(Result::ok).filter(|run| run.record.parent != 0);
        for run in told {
            self.check_one(&run.record, run.path)?;
        }
        Ok(())
    }

    fn check_one(&mut self, record: &FileRecord, path: &[u8]) -> Result<(), Moved> {
        let Some(end) = path.iter().rposition(|&byte| byte == b'/') else { return Ok(()) };
        let directory = &path[..end];
        let known = self.directories.entry((record.parent, record.mount));
        let known = known.or_insert_with(|| directory.into());
        if **known == *directory { Ok(()) } else { Err(Moved) }
    }
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
