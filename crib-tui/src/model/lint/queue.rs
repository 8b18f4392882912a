//! Lints about what waits: not sent, not read, not accepted, dropped, or in flight.

use std::time::Duration;

use super::words::{amount, fd, other_end, packets, threads, time};
use super::{Drops, RECENT, Rule, Subject, timing};
use crate::model::{Accept, Family, Queued, Socket, SocketType, count};

/// From this part of its limit on, in percent, an accept queue is nearly full.
const NEARLY: u64 = 80;

pub(super) const SEND_STUCK: Rule = Rule {
    summary: "a socket whose send queue holds something and did not shrink for 5s or longer",
    means: "the other end takes nothing: its program does not read, or it can't be reached",
    holds: |subject| send_stuck(subject).is_some(),
    seen: |subject| {
        let (lasted, queued) = send_stuck(subject)?;
        Some(format!(
            "{} that the other end does not take, and that did not get less for {} at least",
            amount(subject.file, queued),
            time(lasted)
        ))
    },
    look: |subject| {
        let other = subject.file.socket.as_deref().map(other_end).unwrap_or_default();
        match subject.file.socket.as_deref().and_then(|socket| socket.family) {
            Some(Family::UNIX) => format!("who holds the other end: ss -xp; {}", packets(subject)),
            _ => format!("the program at {other}; {}", packets(subject)),
        }
    },
};

pub(super) const UNREAD_UNPOLLED: Rule = Rule {
    summary: "a socket or pipe with unread data of which nothing was taken for 5s or longer, in no epoll \
              instance of the process",
    means: "nothing will tell the program that there is something to read, unless it waits in \
            poll(2), select(2) or a read of its own",
    holds: |subject| unread_unpolled(subject).is_some(),
    seen: |subject| {
        let (lasted, queued) = unread_unpolled(subject)?;
        let shared = subject.file.refs.is_some_and(|refs| refs > 1);
        let shared = if shared { "; others that share it were not looked at" } else { "" };
        Some(format!(
            "{} unread, which no reading saw get less for {} at least, in none of the process's \
             epoll instances{shared}",
            amount(subject.file, queued),
            time(lasted)
        ))
    },
    look: |subject| format!("{}; where its threads wait: {}", packets(subject), threads(subject)),
};

pub(super) const ACCEPT_FULL: Rule = Rule {
    summary: "a listener with 80% or more of the connections that may wait for accept(2)",
    means: "the program does not accept as fast as clients connect: soon they time out or are \
            refused",
    holds: |subject| accept_full(subject).is_some(),
    seen: |subject| {
        let Accept { pending, max } = accept_full(subject)?;
        let full = if is_full(pending, max) { ": it is full" } else { "" };
        let verb = if pending == 1 { "waits" } else { "wait" };
        let connections = count(pending.into(), "connection");
        Some(format!("{connections} {verb} for accept(2), with a backlog of {max}{full}"))
    },
    look: |subject| {
        format!(
            "where its threads wait: {}; the backlog of listen(2) and net.core.somaxconn; nstat -az \
             TcpExtListenOverflows",
            threads(subject)
        )
    },
};

pub(super) const UDP_DROPS: Rule = Rule {
    summary: "a UDP socket that dropped messages within the last 10 seconds",
    means: "messages come faster than the program reads them, and its receive buffer is full",
    holds: |subject| udp_drops(subject).is_some(),
    seen: |subject| {
        let (drops, socket) = udp_drops(subject)?;
        let within = time(subject.given.now?.saturating_sub(drops.since));
        let all = socket.drops.map(|all| format!(", {all} since it was opened"));
        Some(format!(
            "{} dropped within {within}{}",
            count(drops.count, "message"),
            all.unwrap_or_default()
        ))
    },
    look: |subject| {
        let rcvbuf = subject.file.socket.as_deref().and_then(|socket| socket.rcvbuf);
        let rcvbuf = rcvbuf.map(|bytes| format!(" ({bytes} now)")).unwrap_or_default();
        format!("its receive buffer, SO_RCVBUF{rcvbuf} and net.core.rmem_max; {}", packets(subject))
    },
};

pub(super) const FILES_IN_FLIGHT: Rule = Rule {
    summary: "a unix socket with files in flight in its receive queue, of which nothing was taken \
              for 5s or longer",
    means: "the files stay open as long as nobody reads the messages that carry them, and are in \
            no process's table of descriptors",
    holds: |subject| in_flight(subject).is_some(),
    seen: |subject| {
        let (lasted, files) = in_flight(subject)?;
        Some(format!(
            "{} in flight in its queue, of which no reading saw anything taken for {} at least",
            count(files, "file"),
            time(lasted)
        ))
    },
    look: |subject| format!("{} -J lists them; who reads {}", packets(subject), fd(subject)),
};

fn send_stuck(subject: &Subject<'_>) -> Option<(Duration, Queued)> {
    subject.file.socket.as_ref()?;
    let queued = timing::queued(subject.file).1.filter(|&queued| timing::waits(queued))?;
    Some((subject.long(|timing| timing.send)?, queued))
}

fn unread_unpolled(subject: &Subject<'_>) -> Option<(Duration, Queued)> {
    if subject.file.socket.is_none() && subject.file.pipe.is_none() {
        return None;
    }
    let queued = timing::queued(subject.file).0.filter(|&queued| timing::waits(queued))?;
    let unwatched = subject.watched_by()?.is_empty();
    unwatched.then_some(())?;
    Some((subject.long(|timing| timing.recv)?, queued))
}

fn accept_full(subject: &Subject<'_>) -> Option<Accept> {
    let accept = subject.file.socket.as_deref()?.accept?;
    let Accept { pending, max } = accept;
    let nearly = u64::from(pending) * 100 >= u64::from(max) * NEARLY;
    (pending > 0 && nearly).then_some(accept)
}

/// As `sk_acceptq_is_full` and `unix_recvq_full` have it: one more than the limit may wait.
fn is_full(pending: u32, max: u32) -> bool {
    pending > max
}

fn udp_drops<'a>(subject: &Subject<'a>) -> Option<(Drops, &'a Socket)> {
    let socket = subject.file.socket.as_deref()?;
    let inet = matches!(socket.family, Some(Family::INET | Family::INET6));
    let datagrams = socket.kind == Some(SocketType(libc::SOCK_DGRAM as u16));
    let drops = subject.given.timing?.drops.filter(|_| inet && datagrams)?;
    (subject.given.now?.saturating_sub(drops.last) <= RECENT).then_some((drops, socket))
}

fn in_flight(subject: &Subject<'_>) -> Option<(Duration, u64)> {
    let files = subject.file.socket.as_deref()?.inflight_files.filter(|&files| files > 0)?;
    Some((subject.long(|timing| timing.recv)?, files))
}
