//! Which reading leaves out which paths: the other side of `crib-ebpf/src/told.rs`.

use std::collections::HashMap;

use crib_common::record::FileRecord;

use crate::decode::FileRun;

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
    /// Begins a reading of a process: the numbers of its session and of itself. The first has
    /// none: who reads only once is spared the notes.
    pub fn begin(&mut self, pid: u32) -> (u32, u32) {
        if self.pid != Some(pid) {
            self.forget();
            self.pid = Some(pid);
            return (0, 0);
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

    /// Looks at a path that a reading tells; of each directory it tells one at least.
    ///
    /// # Errors
    /// [`Moved`] when its directory is called something else than when it was first told.
    pub fn check(&mut self, file: &FileRun<'_>) -> Result<(), Moved> {
        // The program says in which directory those are that it will leave out.
        let FileRecord { parent, mount, .. } = file.record;
        if parent == 0 {
            return Ok(());
        }
        let Some(end) = file.path.iter().rposition(|&byte| byte == b'/') else { return Ok(()) };
        let directory = &file.path[..end];
        let known = self.directories.entry((parent, mount));
        let known = known.or_insert_with(|| directory.into());
        if **known == *directory { Ok(()) } else { Err(Moved) }
    }
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
