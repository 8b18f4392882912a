//! Lints about the state of a socket of any sort: errors, and a peer that is gone.

use super::words::fd;
use super::{Rule, Subject};
use crate::model::{Family, Shutdown, Socket, SocketType, State};

pub(super) const ERROR: Rule = Rule {
    summary: "a socket with an error that the program has not been told",
    means: "the next call on the socket fails with it; until then the program does not know",
    holds: |subject| error(subject).is_some(),
    seen: |subject| Some(format!("error {} is pending", errno(error(subject)?))),
    look: |subject| {
        format!("whether the program reads, writes or polls {}, or asks for SO_ERROR", fd(subject))
    },
};

pub(super) const PEER_GONE: Rule = Rule {
    summary: "a connected unix socket whose other end was closed",
    means: "reading gives what is still there and then the end, writing fails with EPIPE or \
            ECONNREFUSED: this end is of no use any more",
    holds: |subject| peer_gone(subject).is_some(),
    seen: |subject| {
        let socket = peer_gone(subject)?;
        let unread = socket.recv.and_then(|recv| recv.payload).filter(|&bytes| bytes > 0);
        let unread =
            unread.map(|bytes| format!(", {} still unread", super::words::count(bytes, "byte")));
        Some(format!("connected, and its other end is closed{}", unread.unwrap_or_default()))
    },
    look: |subject| {
        format!("what the program does at the end of {}, or when EPOLLHUP is reported", fd(subject))
    },
};

fn error(subject: &Subject<'_>) -> Option<u32> {
    subject.file.socket.as_deref()?.error.filter(|&error| error != 0)
}

/// A peer that is closed has no inode any more. Neither has one that nobody has accepted yet;
/// but only a close shuts a stream's other end down in both directions.
fn peer_gone<'a>(subject: &Subject<'a>) -> Option<&'a Socket> {
    let socket = subject.file.socket.as_deref()?;
    let connected = socket.family == Some(Family::UNIX) && socket.state == Some(State::ESTABLISHED);
    // Where not even that is known, the peer is unknown rather than gone.
    let shutdown = socket.shutdown?;
    let over = match socket.kind? {
        SocketType(kind) if i32::from(kind) == libc::SOCK_DGRAM => true,
        _ => shutdown == Shutdown::Both,
    };
    let gone = socket.peer.is_none_or(|peer| peer.ino.is_none() && peer.pid.is_none());
    (connected && over && gone).then_some(socket)
}

/// `104 (Connection reset by peer)`.
pub fn errno(number: u32) -> String {
    match i32::try_from(number) {
        Ok(0) | Err(_) => number.to_string(),
        Ok(code) => {
            let text = std::io::Error::from_raw_os_error(code).to_string();
            let reason = text.split(" (os error").next().unwrap_or(&text);
            format!("{number} ({reason})")
        }
    }
}
