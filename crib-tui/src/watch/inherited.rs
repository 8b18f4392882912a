//! Which descriptors may have been inherited by accident: what can be seen of their use, and
//! whether the parent holds the same open file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::kcmp;
use crate::model::lint::Inherited;
use crate::model::{File, FileKey, FilesReading, Text};
use crate::procfs;

/// How often all descriptors are compared with those of the parent. None can come from it later
/// than exec(2), so that this only finds what an incomplete reading did not have before, or what
/// has lost its close-on-exec.
const RARELY: Duration = Duration::from_secs(10);

/// Descriptors of one process that stay open over exec(2) and that its parent, another program,
/// has too; with what was seen of their use.
#[derive(Debug)]
pub struct Candidates {
    pid: u32,
    /// When the parent was looked at last: so long after the first reading.
    looked: Option<Duration>,
    parent: Option<Parent>,
    known: Vec<Candidate>,
}

#[derive(Debug)]
struct Parent {
    pid: u32,
    comm: Text,
}

#[derive(Debug)]
struct Candidate {
    file: Arc<File>,
    /// Since when nothing about it has changed, and no thread was seen in a call on it: so long
    /// after the first reading.
    unused: Duration,
}

impl Candidates {
    /// Of a process of which nothing was read yet.
    pub fn new(pid: u32) -> Self {
        Self { pid, looked: None, parent: None, known: Vec::new() }
    }

    /// Takes in the next reading of the process, so long after the first, and says which of its
    /// files are the parent's too, and for how long no use of them was seen. Nothing is said of a
    /// parent that may not be looked into.
    ///
    /// Without such files it costs next to nothing.
    pub fn observe(&mut self, reading: &FilesReading, now: Duration) -> Vec<(FileKey, Inherited)> {
        if self.looked.is_none_or(|looked| now.saturating_sub(looked) >= RARELY) {
            self.looked = Some(now);
            self.compare(reading, now);
        }
        let Some(parent) = self.parent.as_ref().filter(|_| !self.known.is_empty()) else {
            return Vec::new();
        };
        let calls = procfs::calls(self.pid);
        self.known.retain_mut(|known| {
            let Some(file) = find(reading, &known.file) else { return false };
            // Who could not see a use has seen none.
            let used =
                known.file.fd.zip(calls.as_ref()).is_none_or(|(fd, calls)| calls.may_use(fd));
            // Others that hold it may have used it: then no use of ours is claimed to be missing.
            if used || !known.file.is_untouched(file) {
                known.unused = now;
            }
            known.file = Arc::clone(file);
            // It may have been closed there.
            is_candidate(file) && is_same(self.pid, parent.pid, file)
        });
        let inherited = self.known.iter().map(|known| {
            let unused = now.saturating_sub(known.unused);
            let Parent { pid, ref comm } = *parent;
            (known.file.key(), Inherited { pid, comm: comm.clone(), unused })
        });
        inherited.collect()
    }

    /// Looks for files that the parent has too.
    fn compare(&mut self, reading: &FilesReading, now: Duration) {
        let before = std::mem::take(&mut self.known).into_iter();
        let before: HashMap<FileKey, Candidate> =
            before.map(|known| (known.file.key(), known)).collect();
        self.parent = None;
        let mut candidates = reading.files.iter().filter(|file| is_candidate(file)).peekable();
        if candidates.peek().is_none() {
            return;
        }
        let Some(parent) = procfs::parent(self.pid) else { return };
        // What the first process starts is given its files on purpose (sd_listen_fds(3)).
        if parent <= 1 || !procfs::another_program(self.pid, parent) {
            return;
        }
        let candidate = |file: &Arc<File>| {
            let known = before.get(&file.key());
            let unused = known.map_or(now, |known| known.unused);
            // What has changed since the reading before is looked at after this.
            let file = known.map_or(file, |known| &known.file);
            Candidate { file: Arc::clone(file), unused }
        };
        let same = candidates.filter(|file| is_same(self.pid, parent, file));
        self.known = same.map(candidate).collect();
        if !self.known.is_empty() {
            let comm = procfs::command(parent).map(|(comm, _)| comm).ok();
            self.parent = comm.map(|comm| Parent { pid: parent, comm });
        }
    }
}

/// The file in this reading, whose files come by thread and descriptor.
fn find<'a>(reading: &'a FilesReading, file: &File) -> Option<&'a Arc<File>> {
    let place = |file: &File| (file.tid, file.fd);
    let at = reading.files.binary_search_by_key(&place(file), |file| place(file)).ok()?;
    Some(&reading.files[at]).filter(|found| found.key() == file.key())
}

/// Whether a descriptor stands for the same open file in the parent; false where that can't be
/// known.
fn is_same(pid: u32, parent: u32, file: &File) -> bool {
    let same = |fd| kcmp::same_file((pid, fd), (parent, fd)).unwrap_or(false);
    file.fd.is_some_and(same)
}

/// Standard input, output and error are given on purpose; what has one reference alone is in one
/// table only.
fn is_candidate(file: &File) -> bool {
    file.tid.is_none()
        && file.cloexec == Some(false)
        && file.fd.is_some_and(|fd| fd > 2)
        && file.refs.is_none_or(|refs| refs > 1)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::process::{Child, Command, Stdio};

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;

    /// A child that waits for its input, and so uses nothing else.
    struct Waiting(Child);

    impl Waiting {
        fn start() -> Self {
            Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
        }

        fn reading(&self) -> FilesReading {
            procfs::files(self.0.id()).unwrap()
        }
    }

    impl Drop for Waiting {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn what_the_parent_has_too_is_told_with_the_time_in_which_no_use_was_seen() {
        // Other tests' children inherit it, too, and don't mind.
        let memory = memfd_create(c"inherited", MemfdFlags::empty()).unwrap();
        let fd = memory.as_raw_fd() as u32;
        let child = Waiting::start();
        let mut candidates = Candidates::new(child.0.id());
        let mut unused = |second| {
            let told = candidates.observe(&child.reading(), Duration::from_secs(second));
            let own = std::process::id();
            let mut of_it = told.into_iter().filter(|((_, number, _), _)| *number == Some(fd));
            let (_, inherited) = of_it.next()?;
            assert_eq!(inherited.pid, own);
            Some(inherited.unused.as_secs())
        };
        assert_eq!([0, 7, 20].map(&mut unused), [Some(0), Some(7), Some(20)]);
        // Whoever has moved its position may have been the child.
        rustix::io::write(&memory, b"x").unwrap();
        assert_eq!([21, 22].map(&mut unused), [Some(0), Some(1)]);
        // The number alone is not enough.
        let other = memfd_create(c"another", MemfdFlags::CLOEXEC).unwrap();
        let mut memory = memory;
        rustix::io::dup3(&other, &mut memory, rustix::io::DupFlags::CLOEXEC).unwrap();
        assert_eq!([23, 40].map(&mut unused), [None; 2]);
    }

    #[test]
    fn nothing_is_said_of_a_parent_that_is_the_same_program_or_not_there() {
        let own = procfs::files(std::process::id()).unwrap();
        let told = |pid| Candidates::new(pid).observe(&own, Duration::ZERO);
        assert_eq!(told(1), []);
        assert_eq!(told(u32::MAX >> 1), []);
    }
}
