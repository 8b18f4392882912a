//! Lints about the state of a socket of any sort: errors, and a peer that is gone.

use super::words::fd;
use super::{Rule, Subject};
use crate::model::{Family, OtherEnd, Shutdown, Socket, SocketType, State};

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
            unread.map(|bytes| format!(", {} still unread", crate::model::count(bytes, "byte")));
        Some(format!("connected, and its other end is closed{}", unread.unwrap_or_default()))
    },
    look: |subject| {
        format!("what the program does at the end of {}, or when EPOLLHUP is reported", fd(subject))
    },
};

fn error(subject: &Subject<'_>) -> Option<u32> {
    subject.file.socket.as_deref()?.error.filter(|&error| error != 0)
}

/// Where the source does not tell what is at the other end, a peer that was closed has no inode any
/// more, but neither has one that nobody has accepted yet: only one that was seen was there. Of a
/// stream, since a datagram socket may have been connected to nobody since.
fn peer_gone<'a>(subject: &Subject<'a>) -> Option<&'a Socket> {
    let socket = subject.file.socket.as_deref()?;
    let is_closed = match socket.other_end {
        Some(other_end) => other_end == OtherEnd::Closed,
        None => {
            let was_there = subject.given.timing.is_some_and(|timing| timing.lost_peer);
            let stream = socket.kind.is_some_and(|kind| kind != DATAGRAM);
            // A close shuts down the survivor's both directions (`unix_release_sock`).
            lacks_peer(socket) && stream && was_there && socket.shutdown == Some(Shutdown::Both)
        }
    };
    is_closed.then_some(socket)
}

const DATAGRAM: SocketType = SocketType(libc::SOCK_DGRAM as u16);

/// Whether a unix socket is connected, and its peer has no inode.
pub(super) fn lacks_peer(socket: &Socket) -> bool {
    socket.family == Some(Family::UNIX)
        && socket.state == Some(State::ESTABLISHED)
        && socket.peer.is_none_or(|peer| peer.ino.is_none() && peer.pid.is_none())
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
