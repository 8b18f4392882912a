//! Lints about TCP connections: closed by one end only, over, or not getting through.

use std::time::Duration;

use super::words::{other_end, packets, remote, threads, time};
use super::{LONG, Rule, Subject};
use crate::model::{Family, File, Socket, State, Tcp, count};

/// Retransmissions in a row from which on a connection is said to retransmit: one alone is what
/// any lost packet leads to.
const IN_A_ROW: u32 = 2;

pub(super) const CLOSE_WAIT: Rule = Rule {
    summary: "TCP in CLOSE-WAIT for 5s or longer, everything read and nothing left to send",
    means: "the other end has closed and this process has not: mostly a close(2) that was \
            forgotten",
    holds: |subject| close_wait(subject).is_some_and(|(_, unread)| unread == 0),
    seen: |subject| {
        let (lasted, _) = close_wait(subject)?;
        Some(format!("in CLOSE-WAIT for {} at least, nothing unread", time(lasted)))
    },
    look: |subject| {
        format!(
            "what the program does when read(2) returns 0; whether more of them come: crib-top \
             leaks -p {}",
            subject.process.pid
        )
    },
};

pub(super) const CLOSE_WAIT_UNREAD: Rule = Rule {
    summary: "TCP in CLOSE-WAIT for 5s or longer, with unread bytes",
    means: "the other end has closed and this process has not even read what came before: it \
            does not look at the connection any more, or is busy elsewhere",
    holds: |subject| close_wait(subject).is_some_and(|(_, unread)| unread > 0),
    seen: |subject| {
        let (lasted, unread) = close_wait(subject)?;
        Some(format!("in CLOSE-WAIT for {} at least, {} unread", time(lasted), bytes(unread)))
    },
    look: |subject| format!("{}; where its threads wait: {}", packets(subject), threads(subject)),
};

pub(super) const CLOSED_HELD: Rule = Rule {
    summary: "TCP that was connected, or tried to connect, is in CLOSE, and is still held open",
    means: "the connection is over, or failed: by a reset, refusal or timeout, or because both \
            ends closed it; the descriptor stands for none",
    holds: |subject| closed(subject).is_some(),
    seen: |subject| {
        let socket = closed(subject)?;
        let error = socket.error.filter(|&error| error != 0);
        // What a reset is told as depends on whether there was a connection (`tcp_reset`).
        let was = match error.and_then(|error| i32::try_from(error).ok()) {
            Some(libc::ECONNREFUSED) => "tried to connect",
            Some(libc::ECONNRESET | libc::EPIPE) => "was connected",
            _ => "was connected, or tried to connect,",
        };
        let error = error.map(|error| format!(", error {} pending", super::socket::errno(error)));
        Some(format!("in CLOSE, it {was} to {}{}", other_end(socket), error.unwrap_or_default()))
    },
    look: |_| "what the program does when a call on it fails, or epoll reports EPOLLHUP".to_owned(),
};

pub(super) const ZERO_WINDOW: Rule = Rule {
    summary: "TCP with bytes to send, to which the other end offers a window of 0",
    means: "the program at the other end does not read, so that its kernel takes nothing more",
    holds: |subject| zero_window(subject).is_some(),
    seen: |subject| {
        let (tcp, unsent) = zero_window(subject)?;
        let probed = tcp.backoff.filter(|&times| times > 0);
        let probed =
            probed.map(|times| format!(", the window was probed {}", count(times.into(), "time")));
        Some(format!(
            "the other end offers a window of 0, {} to be sent{}",
            waiting(unsent),
            probed.unwrap_or_default()
        ))
    },
    look: |subject| match subject.file.socket.as_deref() {
        Some(socket) => {
            format!("the program at {}: its RECV-Q, and what it waits for", other_end(socket))
        }
        None => String::new(),
    },
};

pub(super) const RETRANSMITTING: Rule = Rule {
    summary: "TCP that has sent the same 2 times in a row or more without an acknowledgement",
    means: "packets to the other end, or its answers, get lost: it is gone, or a firewall or a \
            bad link lies between",
    holds: |subject| retransmitting(subject).is_some(),
    seen: |subject| {
        let (tcp, times) = retransmitting(subject)?;
        let all = tcp.total_retransmits.map(|all| format!(", {all} in all")).unwrap_or_default();
        let what = match subject.file.socket.as_deref().and_then(|socket| socket.state) {
            Some(State::SYN_SENT) => "SYN sent again",
            _ => "sent again",
        };
        Some(format!("{what} {times} times in a row without an acknowledgement{all}"))
    },
    look: |subject| match subject.file.socket.as_deref().and_then(remote) {
        Some(remote) => {
            let host = remote.rsplit_once(':').map_or(&*remote, |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            format!("ss -tinp dst {remote}; ip route get {host}")
        }
        None => "ss -tinp".to_owned(),
    },
};

/// The socket, if it is one of TCP's.
pub(super) fn of_tcp(file: &File) -> Option<&Socket> {
    let socket = file.socket.as_deref()?;
    let inet = matches!(socket.family, Some(Family::INET | Family::INET6));
    let number = i32::from(socket.protocol?.number);
    let stream = socket.kind.is_none_or(|kind| i32::from(kind.0) == libc::SOCK_STREAM);
    (inet && stream && number == libc::IPPROTO_TCP).then_some(socket)
}

/// How long the connection has been in CLOSE-WAIT, and how many bytes are unread. A process that
/// is still sending is not done with it: what it sends is acknowledged, where it does not wait.
fn close_wait(subject: &Subject<'_>) -> Option<(Duration, u64)> {
    let socket = of_tcp(subject.file).filter(|socket| socket.state == Some(State::CLOSE_WAIT))?;
    let unread = socket.recv.and_then(|recv| recv.payload)?;
    let sending = socket.send.and_then(|send| send.payload) != Some(0);
    if sending && unread == 0 {
        return None;
    }
    // The packet that closed it was an acknowledgement, too: since the last one came, it has been
    // in this state at least.
    let acknowledged = subject.tcp().and_then(|tcp| tcp.last_ack);
    if unread == 0 && acknowledged.is_some_and(|ago| ago < LONG) {
        return None;
    }
    let quiet = acknowledged.filter(|&quiet| quiet >= LONG);
    let lasted = subject.long(|timing| timing.close_wait).max(quiet)?;
    Some((lasted, unread))
}

/// A connection that is over, or that did not come about and whose program has not been told by
/// connect(2). What is not connected yet is in CLOSE, too, and has no other end; a connect(2) that
/// fails leaves the address, and clears the port.
fn closed<'a>(subject: &Subject<'a>) -> Option<&'a Socket> {
    let socket = of_tcp(subject.file).filter(|socket| socket.state == Some(State::CLOSE))?;
    let remote = socket.remote.as_ref()?;
    (!remote.is_empty() && !remote.as_bytes().ends_with(b":0")).then_some(socket)
}

fn zero_window<'a>(subject: &Subject<'a>) -> Option<(&'a Tcp, u64)> {
    let socket = of_tcp(subject.file)?;
    let unsent = socket.send.and_then(|send| send.payload).filter(|&bytes| bytes > 0)?;
    let tcp = subject.tcp().filter(|tcp| tcp.snd_wnd == Some(0))?;
    // Before the other end has answered, it has offered nothing yet.
    (socket.state != Some(State::SYN_SENT)).then_some((tcp, unsent))
}

fn retransmitting<'a>(subject: &Subject<'a>) -> Option<(&'a Tcp, u32)> {
    let socket = of_tcp(subject.file)?;
    if matches!(socket.state, None | Some(State::CLOSE | State::LISTEN)) {
        return None;
    }
    let tcp = subject.tcp()?;
    let times = tcp.retransmits.filter(|&times| times >= IN_A_ROW)?;
    Some((tcp, times))
}

/// Whether what TCP knows of a file's connection could make a difference: what is only in a
/// dump need not be read of others.
pub fn needs_details(file: &File) -> bool {
    of_tcp(file).is_some_and(|socket| {
        matches!(socket.state, Some(State::SYN_SENT | State::CLOSE_WAIT))
            || socket.send.and_then(|send| send.payload) != Some(0)
    })
}

/// Whether a connection is in CLOSE-WAIT and nothing is left to send: no packet comes any more that
/// says anything new, unless the process goes on to send.
pub(super) fn is_over(file: &File) -> bool {
    of_tcp(file).is_some_and(|socket| {
        socket.state == Some(State::CLOSE_WAIT)
            && socket.send.and_then(|send| send.payload) == Some(0)
    })
}

fn bytes(bytes: u64) -> String {
    count(bytes, "byte")
}

fn waiting(bytes: u64) -> String {
    format!("{} wait{}", self::bytes(bytes), if bytes == 1 { "s" } else { "" })
}
