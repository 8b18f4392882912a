//! Lints about files that are kept open without need: deleted ones, and inherited ones.

use std::time::Duration;

use super::words::{fd, time};
use super::{Inherited, Rule, Subject};
use crate::model::{Kind, count};

pub(super) const DELETED_OPEN: Rule = Rule {
    summary: "a regular file whose name is gone and whose size is not 0",
    means: "its space is not given back before it is closed, unless it has another name (hard \
            link) left; no tool that goes by names finds it",
    holds: |subject| deleted(subject).is_some(),
    seen: |subject| {
        let size = deleted(subject)?;
        Some(format!("deleted, and still of {}", count(size, "byte")))
    },
    look: |subject| {
        let pid = subject.process.pid;
        match subject.file.fd {
            Some(fd) => format!(
                "whether the program should have reopened it (logs: logrotate's copytruncate or a \
                 signal); its content: /proc/{pid}/fd/{fd}"
            ),
            None => String::new(),
        }
    },
};

pub(super) const INHERITED: Rule = Rule {
    summary: "a descriptor without close-on-exec that stands for the same open file as in the \
              parent, which is another program, and of which no use was seen for 5s or longer",
    means: "it came over exec(2), probably by accident: what the parent closes, this process \
            keeps open",
    holds: |subject| inherited(subject).is_some(),
    seen: |subject| {
        let (parent, lasted) = inherited(subject)?;
        let Inherited { pid, comm, .. } = parent;
        Some(format!(
            "the same open file as {} of its parent {pid} ({comm}), without close-on-exec; no use \
             of it was seen for {}",
            fd(subject),
            time(lasted)
        ))
    },
    look: |subject| {
        let parent = subject.given.inherited.map_or(0, |inherited| inherited.pid);
        format!("where process {parent} opens it: O_CLOEXEC or SOCK_CLOEXEC is missing there")
    },
};

fn deleted(subject: &Subject<'_>) -> Option<u64> {
    let file = subject.file;
    // What was opened with O_TMPFILE never had a name.
    let temporary =
        file.flags.is_some_and(|flags| flags.0 & libc::O_TMPFILE as u32 == libc::O_TMPFILE as u32);
    let gone = file.kind == Kind::Regular && file.deleted == Some(true) && !temporary;
    let size = file.size.get().filter(|_| gone)?;
    u64::try_from(size).ok().filter(|&size| size > 0)
}

fn inherited<'a>(subject: &Subject<'a>) -> Option<(&'a Inherited, Duration)> {
    let inherited = subject.given.inherited?;
    let file = subject.file;
    // Standard input, output and error are given on purpose.
    let candidate = file.cloexec == Some(false) && file.fd.is_some_and(|fd| fd > 2);
    let unwatched = subject.watched_by().is_none_or(<[u32]>::is_empty);
    let unused = inherited.unused >= super::LONG;
    (candidate && unwatched && unused).then_some((inherited, inherited.unused))
}
