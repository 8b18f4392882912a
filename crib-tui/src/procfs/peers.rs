//! The files of all processes that some files have at their other ends or share, from /proc.
//!
//! What a descriptor's links and infos say is what it was opened on. Whether two descriptors are
//! of one open file is asked of kcmp(2), which puts open files in an order without saying where
//! they are.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use super::net::{self, Sockets};
use super::{Target, add_known_sockets, list, no_list};
use crate::kcmp;
use crate::model::{FileId, Held, ProcessState, ReadError, Search, Source, Sweep};

/// As [`crate::source::Reader::sweep`].
///
/// # Errors
/// See there.
pub fn sweep(search: &Search, only: Option<&[u32]>) -> Result<Sweep, ReadError> {
    let time = SystemTime::now();
    let mut by_netns: HashMap<u64, Sockets> = HashMap::new();
    let mut complete = true;
    let mut held = Vec::new();
    for entry in list::entries().map_err(no_list)? {
        let pid = entry.process.pid;
        let asked = only.is_none_or(|only| only.contains(&pid));
        if !asked || entry.process.state != ProcessState::Alive {
            continue;
        }
        let target = Target { dir: &entry.dir, process: &entry.process };
        let mut files = match target.files() {
            Ok((files, whole)) => {
                complete &= whole;
                files
            }
            // It has ended meanwhile.
            Err(ReadError::NoProcess(_) | ReadError::Ended { .. }) => continue,
            Err(_) => {
                complete = false;
                continue;
            }
        };
        if files.iter().any(|file| file.socket.is_some()) {
            match net::netns(&entry.dir) {
                Some(netns) => {
                    let read = || Sockets::read(&entry.dir);
                    add_known_sockets(by_netns.entry(netns).or_insert_with(read), &mut files);
                }
                None => add_known_sockets(&Sockets::read(&entry.dir), &mut files),
            }
        }
        let comm = &entry.process.comm;
        let wanted = files.into_iter().filter(|file| search.wants(file)).map(Arc::new);
        held.extend(wanted.map(|file| Held { pid, comm: comm.clone(), file }));
    }
    identify(&mut held);
    Ok(Sweep::new(Source::Procfs, time, complete, held))
}

/// Gives each descriptor the identity of its open file in place of what it was opened on; none
/// where that can't be told.
fn identify(held: &mut [Held]) {
    let hasher = RandomState::new();
    held.sort_by_key(|held| held.file.id);
    let groups = held.chunk_by_mut(|one, other| one.file.id == other.file.id);
    for (number, group) in (0_u64..).zip(groups) {
        let known = group[0].file.id.is_some();
        let firsts = known.then(|| open_files(group).ok()).flatten();
        for (at, held) in group.iter_mut().enumerate() {
            let first = firsts.as_ref().map(|firsts| firsts[at]);
            let id = first.map(|first| FileId::new(hasher.hash_one((number, first))));
            Arc::make_mut(&mut held.file).id = id;
        }
    }
}

/// For each of these descriptors the place of the first one of the same open file.
///
/// # Errors
/// Those of [`kcmp::order_of_files`], also when one of them was closed meanwhile.
fn open_files(group: &[Held]) -> io::Result<Vec<usize>> {
    // One of each open file, in the kernel's order.
    let mut known: Vec<usize> = Vec::new();
    let mut firsts = Vec::with_capacity(group.len());
    for (at, held) in group.iter().enumerate() {
        let (mut low, mut high) = (0, known.len());
        let mut first = None;
        while low < high && first.is_none() {
            let middle = low.midpoint(high);
            match compare(&group[known[middle]], held)? {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => first = Some(known[middle]),
            }
        }
        if first.is_none() {
            known.insert(low, at);
        }
        firsts.push(first.unwrap_or(at));
    }
    Ok(firsts)
}

/// Which of two open files comes first in the kernel's order.
fn compare(one: &Held, other: &Held) -> io::Result<Ordering> {
    let task = |held: &Held| held.file.tid.unwrap_or(held.pid);
    let (Some(fd), Some(other_fd)) = (one.file.fd, other.file.fd) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    kcmp::order_of_files((task(one), fd), (task(other), other_fd))
}
