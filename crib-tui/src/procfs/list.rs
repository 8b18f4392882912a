//! All processes: their headers, and the sums over their open files.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::dir::ProcDir;
use super::link;
use super::net::{self, Sockets};
use super::parse::decimal;
use super::process::{self, Stat};
use super::tables::Tables;
use crate::model::{Process, ProcessState, ProcessTotals};

/// A process with its directory, which stays bound to it.
pub struct Entry {
    /// Its header.
    pub process: Process,
    /// Its directory.
    pub dir: ProcDir,
    /// What its stat file said.
    pub stat: Stat,
}

/// Every process that /proc shows, by pid.
///
/// # Errors
/// When /proc can't be listed.
pub fn entries() -> io::Result<impl Iterator<Item = Entry>> {
    let names = std::fs::read_dir("/proc")?.map_while(Result::ok).map(|entry| entry.file_name());
    let mut pids: Vec<u32> = names.filter_map(|name| decimal(name.as_bytes())).collect();
    pids.sort_unstable();
    Ok(pids.into_iter().filter_map(|pid| {
        // One that ended since is no longer in the list.
        let dir = ProcDir::open(pid).ok()?;
        let stat = Stat::read(&dir).ok()?;
        let process = process::with_stat(&dir, pid, stat.clone());
        Some(Entry { process, dir, stat })
    }))
}

/// Sums up the open files of processes, reading the sockets of each network namespace once.
#[derive(Default)]
pub struct Totals {
    by_netns: HashMap<u64, Sockets>,
}

impl Totals {
    /// The sums over one process's files; none where they may not be seen.
    pub fn of(&mut self, entry: &Entry) -> Option<ProcessTotals> {
        if entry.process.state != ProcessState::Alive {
            let none = Some(0);
            return Some(ProcessTotals {
                fd_count: 0,
                sockets: none,
                recv_payload: none,
                send_payload: none,
            });
        }
        self.walk(entry).ok().or_else(|| counted(&entry.dir))
    }

    fn walk(&mut self, entry: &Entry) -> io::Result<ProcessTotals> {
        let pid = entry.process.pid;
        let mut fd_count = 0;
        let mut sockets = Vec::new();
        let mut refused = false;
        for table in Tables::find(&entry.dir, pid, &entry.stat)?.of(&entry.dir) {
            let descriptors = table.descriptors()?;
            fd_count += descriptors.len() as u64;
            for fd in descriptors {
                match table.link(fd) {
                    Ok(text) => sockets.extend(link::socket_ino(&text)),
                    Err(error) => refused |= error.kind() == io::ErrorKind::PermissionDenied,
                }
            }
        }
        if refused {
            return Ok(ProcessTotals { fd_count, ..ProcessTotals::default() });
        }
        let (mut recv, mut send) = (Some(0), Some(0));
        if !sockets.is_empty() {
            let read;
            let tables = match net::netns(&entry.dir) {
                Some(netns) => {
                    self.by_netns.entry(netns).or_insert_with(|| Sockets::read(&entry.dir))
                }
                None => {
                    read = Sockets::read(&entry.dir);
                    &read
                }
            };
            for &ino in &sockets {
                let (received, sent) = tables.waiting(ino);
                recv = recv.zip(received).map(|(sum, n)| sum + n);
                send = send.zip(sent).map(|(sum, n)| sum + n);
            }
        }
        Ok(ProcessTotals {
            fd_count,
            sockets: Some(sockets.len() as u64),
            recv_payload: recv,
            send_payload: send,
        })
    }
}

/// The number of descriptors of a process into which one may not look: since Linux 6.2 the size
/// of its fd directory.
fn counted(dir: &ProcDir) -> Option<ProcessTotals> {
    // Before, the size is 0, which is no count.
    let fd_count = Some(dir.stat("fd").ok()?.stx_size).filter(|&size| size > 0)?;
    Some(ProcessTotals { fd_count, ..ProcessTotals::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_is_there_once_and_in_order() {
        let pids: Vec<u32> = entries().unwrap().map(|entry| entry.process.pid).collect();
        assert!(pids.is_sorted_by(|one, other| one < other));
        assert!(pids.contains(&std::process::id()));
    }

    #[test]
    fn the_fd_directory_tells_its_size_where_the_kernel_does() {
        let dir = ProcDir::open(std::process::id()).unwrap();
        // Other tests open files meanwhile; that there are some is all that stays true.
        if let Some(totals) = counted(&dir) {
            assert!(totals.fd_count > 0);
            assert_eq!(totals.sockets, None);
        }
    }
}
