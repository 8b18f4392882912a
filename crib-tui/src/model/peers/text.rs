//! Descriptors of other processes in a line of text, as the columns PEER and HOLDERS have them.

use std::fmt::{self, Display};

use super::{Absent, Held, Peers};
use crate::model::column::Value;
use crate::model::{File, FileRow};

/// Descriptors that are named in a line.
const NAMED: usize = 4;

/// As `4711/nginx fd 7`.
impl Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ", self.pid, self.comm)?;
        if let Some(tid) = self.file.tid {
            write!(f, "thread {tid} ")?;
        }
        match self.file.fd {
            Some(fd) => write!(f, "fd {fd}"),
            None => f.write_str("in flight"),
        }
    }
}

/// The first few of `held`, separated by commas, and how many of `all` are not among them.
pub(super) fn push_list<'a>(text: &mut String, held: impl Iterator<Item = &'a Held>, all: usize) {
    use fmt::Write;
    let mut named = 0;
    for held in held.take(NAMED) {
        let separator = if named > 0 { ", " } else { "" };
        // Writing to a String does not fail.
        let _ = write!(text, "{separator}{held}");
        named += 1;
    }
    if named > 0 && all > named {
        let _ = write!(text, ", +{} more", all - named);
    }
}

/// The descriptors at the other end: none known is something else than not known.
pub(in crate::model) fn peers<'r>(file: &'r File, room: &'r mut String) -> Value<'r> {
    match file.ends.as_ref().map(|ends| &*ends.peers) {
        None | Some(Peers::Absent(Absent::NotInProc | Absent::Unreadable)) => Value::Unknown,
        Some(peers) => {
            room.clear();
            if let Peers::Found(listed) = peers {
                push_list(room, listed.held.iter(), listed.all);
            }
            room.as_str().into()
        }
    }
}

/// The other descriptors of the same open file.
pub(in crate::model) fn holders<'r>(row: &'r FileRow<'_>, room: &'r mut String) -> Value<'r> {
    let place = (row.process.pid, row.file.tid, row.file.fd);
    let ends = row.file.ends.as_deref();
    let Some((ends, others)) = ends.and_then(|ends| Some((ends, ends.others(place)?))) else {
        return Value::Unknown;
    };
    room.clear();
    let all = ends.holders.as_ref().map_or(0, |holders| holders.all);
    push_list(room, others, all.saturating_sub(1));
    room.as_str().into()
}
