//! Which descriptors may have been inherited by accident: what can be seen of their use, and
//! whether the parent holds the same open file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::kernel::kcmp;
use crate::model::lint::Inherited;
use crate::model::{File, FileId, FilesReading};
use crate::procfs;

/// What tells one file from the next under its number.
type Key = (Option<u32>, Option<u32>, Option<FileId>);

/// Descriptors that stay open over exec(2) and have not been seen in use yet.
#[derive(Debug, Default)]
pub struct Candidates {
    pid: u32,
    known: HashMap<Key, Candidate>,
}

#[derive(Debug)]
struct Candidate {
    file: Arc<File>,
    /// Since when nothing about it has changed, and no thread was seen in a call on it: so long
    /// after the first reading.
    unused: Duration,
}

impl Candidates {
    /// Takes in the next reading of the process, so long after the first.
    pub fn observe(&mut self, reading: &FilesReading, now: Duration) {
        self.pid = reading.process.pid;
        let mut before = std::mem::take(&mut self.known);
        let mut candidates = reading.files.iter().filter(|file| is_candidate(file)).peekable();
        // Threads are looked at only where that could tell something.
        let calls = candidates.peek().and_then(|_| procfs::calls(self.pid));
        // What can't be told is never claimed: who could not see a use has seen none.
        let Some(calls) = calls else { return };
        for file in candidates {
            let key = file.key();
            let used = file.fd.is_some_and(|fd| calls.may_use(fd));
            let unused = match before.remove(&key) {
                Some(known) if !used && is_untouched(&known.file, file) => known.unused,
                _ => now,
            };
            self.known.insert(key, Candidate { file: Arc::clone(file), unused });
        }
    }

    /// Those that stand for the same open file as in the parent, which is another program.
    pub fn inherited(&self, now: Duration) -> HashMap<Key, Inherited> {
        let parent = || {
            let parent = procfs::parent(self.pid)?;
            // What the first process starts is given its files on purpose (sd_listen_fds(3)).
            let other = parent > 1 && procfs::another_program(self.pid, parent);
            other.then(|| procfs::process(parent).ok()).flatten()
        };
        if self.known.is_empty() {
            return HashMap::new();
        }
        let Some(parent) = parent() else { return HashMap::new() };
        let same = |fd: &u32| kcmp::same_file((self.pid, *fd), (parent.pid, *fd)).unwrap_or(false);
        let inherited = self.known.iter().filter_map(|(&key, candidate)| {
            candidate.file.fd.filter(same)?;
            let unused = now.saturating_sub(candidate.unused);
            Some((key, Inherited { pid: parent.pid, comm: parent.comm.clone(), unused }))
        });
        inherited.collect()
    }
}

/// Standard input, output and error are given on purpose; what has one reference alone is in one
/// table only.
fn is_candidate(file: &File) -> bool {
    file.tid.is_none()
        && file.cloexec == Some(false)
        && file.fd.is_some_and(|fd| fd > 2)
        && file.refs.is_none_or(|refs| refs > 1)
}

/// Whether nothing that its use would change has changed. Others that hold the same open file may
/// have used it: then no use of ours is claimed to be missing.
fn is_untouched(before: &Arc<File>, now: &Arc<File>) -> bool {
    Arc::ptr_eq(before, now)
        || (before.pos == now.pos && before.size == now.size && before.queued() == now.queued())
}
