//! The descriptor tables of a process: usually one, which its threads share.

use std::io;

use super::dir::ProcDir;
use super::fd::Table;
use super::process::Stat;
use crate::kcmp;

/// Which descriptor tables a process has.
#[derive(Debug, PartialEq, Eq)]
pub struct Tables {
    /// Each table by the thread through which it is read; the first one is the process's.
    through: Vec<Option<u32>>,
    /// Whether there can be no others.
    pub complete: bool,
}

impl Tables {
    /// Finds the tables of a process, whose leader's state is given.
    ///
    /// # Errors
    /// As [`ProcDir::numbers`].
    pub fn find(dir: &ProcDir, pid: u32, leader: &Stat) -> io::Result<Self> {
        if leader.threads <= 1 {
            return Ok(Self { through: vec![None], complete: true });
        }
        // kcmp(2) knows threads by other ids than a /proc of another pid namespace.
        let may_ask = super::has_our_ids();
        let share = |one, other| match may_ask {
            true => kcmp::share_files(one, other),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        };
        Ok(group(pid, &dir.numbers("task")?, leader.exiting, share))
    }

    /// Whether there are others than the process's own.
    pub fn has_others(&self) -> bool {
        self.through.len() > 1
    }

    /// The threads of the process `pid` through which its tables are read, its own first.
    pub fn threads(&self, pid: u32) -> impl Iterator<Item = u32> {
        self.through.iter().map(move |through| through.unwrap_or(pid))
    }

    /// The tables, the process's own first.
    pub fn of<'a>(&self, dir: &'a ProcDir) -> impl Iterator<Item = Table<'a>> {
        self.through.iter().enumerate().map(move |(index, &through)| Table {
            dir,
            tid: through.filter(|_| index > 0),
            through,
        })
    }
}

/// Puts the threads that share a table together and names each table by its first thread.
fn group(
    pid: u32,
    threads: &[u32],
    leader_ended: bool,
    share: impl Fn(u32, u32) -> io::Result<bool>,
) -> Tables {
    let mut first = Vec::new();
    if !leader_ended {
        first.push(pid);
    }
    let mut complete = true;
    for &tid in threads.iter().filter(|&&tid| tid != pid) {
        let mut known = false;
        for &other in &first {
            match share(other, tid) {
                Ok(true) => known = true,
                Ok(false) => continue,
                // The thread has ended; its table lives on in those that share it.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => known = true,
                // Not permitted, or not in this kernel.
                Err(_) => {
                    complete = false;
                    known = true;
                }
            }
            break;
        }
        if !known {
            first.push(tid);
        }
    }
    if first.is_empty() {
        first.push(pid);
    }
    let through = first.into_iter().map(|tid| (tid != pid).then_some(tid)).collect();
    Tables { through, complete }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads share a table if these are equal: the tens of their ids.
    fn by_tens(one: u32, other: u32) -> io::Result<bool> {
        Ok(one / 10 == other / 10)
    }

    #[test]
    fn threads_that_share_a_table_count_once() {
        let tables = group(10, &[10, 11, 20, 12, 21, 30], false, by_tens);
        assert_eq!(tables, Tables { through: vec![None, Some(20), Some(30)], complete: true });
    }

    #[test]
    fn without_its_leader_the_process_has_the_table_of_another_thread() {
        let tables = group(10, &[10, 11, 12], true, by_tens);
        assert_eq!(tables, Tables { through: vec![Some(11)], complete: true });
        let alone = group(10, &[10], true, by_tens);
        assert_eq!(alone.through, [None]);
    }

    #[test]
    fn what_may_not_be_compared_leaves_the_list_incomplete() {
        let refuse = |_, _| Err(io::Error::from_raw_os_error(libc::EPERM));
        let tables = group(10, &[10, 11], false, refuse);
        assert_eq!(tables, Tables { through: vec![None], complete: false });
        let gone = |_, _| Err(io::Error::from_raw_os_error(libc::ESRCH));
        assert!(group(10, &[10, 11], false, gone).complete);
    }
}
