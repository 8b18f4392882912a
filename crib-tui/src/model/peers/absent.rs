//! Why a file has no other end that could be found.

use std::fmt::{self, Display};

use super::Sweep;
use super::key::Flow;
use crate::model::{
    AccessMode, Family, File, Kind, OtherEnd, Pipe, Shutdown, Socket, Source, State,
};

/// Why a file has no other end, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Files of its kind have none.
    Kind(Kind),
    /// It was opened with O_PATH: it stands for a name, and is no end of anything.
    PathOnly,
    /// Sockets of its family or protocol have none that could be told.
    Family(Family),
    /// It is a socket that waits for connections.
    Listens,
    /// It is a socket that is not connected.
    Unconnected,
    /// Whatever was at the other end of the connection has closed it.
    Closed,
    /// Nobody has accepted the connection yet.
    NotAccepted,
    /// The other end of a unix socket is no file yet, or not any more.
    NoFile,
    /// The other end of a connection on this host is in no process's table.
    Nowhere,
    /// The other end of a connection has another host's address.
    Elsewhere,
    /// As [`Self::Elsewhere`], but there is one with these addresses the other way round in
    /// another network namespace.
    OtherNamespace {
        /// The process.
        pid: u32,
        /// Its descriptor.
        fd: Option<u32>,
        /// The inode number of the namespace.
        netns: u64,
    },
    /// No datagram socket is connected back to this one.
    NotBack,
    /// Nobody has the pipe open for reading.
    NoReader,
    /// Nobody has the pipe open for writing.
    NoWriter,
    /// It is the only open file of this FIFO, for reading and writing.
    Alone,
    /// It has another end, which no process's table holds.
    InNoTable,
    /// Nobody else holds the eventfd.
    Unshared,
    /// /proc does not tell what leads to it.
    NotInProc,
    /// It may belong to a process that could not be looked at.
    Unreadable,
}

/// The access of a file that was opened with O_PATH.
const PATH_ONLY: AccessMode = AccessMode { read: false, write: false };

impl Absent {
    /// Of a file at whose other end a sweep has found nothing.
    pub(super) fn of(file: &File, sweep: &Sweep) -> Self {
        let reason = match (&file.socket, &file.pipe) {
            (Some(socket), _) => of_socket(socket, sweep),
            (None, Some(pipe)) => of_pipe(file, pipe),
            (None, None) if file.mode == Some(PATH_ONLY) => Self::PathOnly,
            (None, None) => match file.kind {
                // /proc does not say how many have it open.
                Kind::Pipe | Kind::Fifo => Self::InNoTable,
                Kind::Eventfd => Self::Unshared,
                Kind::Socket => Self::NotInProc,
                kind => Self::Kind(kind),
            },
        };
        // Where some process could not be looked at, it may be the one.
        let found_out = matches!(
            reason,
            Self::Nowhere
                | Self::InNoTable
                | Self::Unshared
                | Self::Elsewhere
                | Self::NoFile
                | Self::NotBack
        );
        if found_out && !sweep.complete { Self::Unreadable } else { reason }
    }
}

fn of_socket(socket: &Socket, sweep: &Sweep) -> Absent {
    let Some(family) = socket.family else { return Absent::NotInProc };
    if socket.state == Some(State::LISTEN) {
        return Absent::Listens;
    }
    match family {
        Family::UNIX => of_unix(socket, sweep.source),
        Family::INET | Family::INET6 => of_inet(socket, sweep),
        family => Absent::Family(family),
    }
}

fn of_unix(socket: &Socket, source: Source) -> Absent {
    match socket.other_end {
        Some(OtherEnd::Nobody) => return Absent::Unconnected,
        Some(OtherEnd::NotAccepted) => return Absent::NotAccepted,
        Some(OtherEnd::Closed) => return Absent::Closed,
        Some(OtherEnd::Open) => return Absent::InNoTable,
        None => {}
    }
    match socket.state {
        // A datagram socket is never connected unless it asked for it.
        Some(State::Unconnected) => Absent::Unconnected,
        // The kernel shuts down the survivor's both directions (unix_release_sock).
        _ if socket.shutdown == Some(Shutdown::Both) => Absent::Closed,
        _ if socket.peer.is_some_and(|peer| peer.ino.is_some()) => Absent::InNoTable,
        _ if source == Source::Procfs && socket.shutdown.is_none() => Absent::NotInProc,
        _ => Absent::NoFile,
    }
}

fn of_inet(socket: &Socket, sweep: &Sweep) -> Absent {
    match (socket.state, Flow::of(socket)) {
        (Some(State::Unconnected), None) => Absent::Unconnected,
        (Some(State::CLOSE), _) => Absent::Closed,
        (Some(State::CLOSE_WAIT | State::LAST_ACK | State::FIN_WAIT_2), Some(flow))
            if flow.is_local() =>
        {
            Absent::Closed
        }
        (_, None) => Absent::Unconnected,
        (_, Some(_)) if i32::from(socket.kind.map_or(0, |kind| kind.0)) == libc::SOCK_DGRAM => {
            Absent::NotBack
        }
        // Addresses of this host mean another one in each namespace.
        (_, Some(flow)) if flow.is_local() => Absent::Nowhere,
        (_, Some(flow)) => match sweep.in_another_namespace(flow) {
            Some((held, theirs)) => {
                let (pid, fd) = (held.pid, held.file.fd);
                Absent::OtherNamespace { pid, fd, netns: theirs.netns() }
            }
            None => Absent::Elsewhere,
        },
    }
}

fn of_pipe(file: &File, pipe: &Pipe) -> Absent {
    let mode = file.mode.unwrap_or_default();
    match (pipe.readers, pipe.writers) {
        (Some(0..=1), Some(0..=1)) if mode.read && mode.write => Absent::Alone,
        (_, Some(0)) if mode.read => Absent::NoWriter,
        (Some(0), _) if mode.write => Absent::NoReader,
        _ => Absent::InNoTable,
    }
}

impl Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind(kind) => {
                return write!(f, "a file of kind {} has no other end", kind.name());
            }
            Self::Family(family) => {
                return write!(f, "that of a {} socket is not looked for", family.name());
            }
            Self::PathOnly => "it was opened with O_PATH, and neither reads nor writes",
            Self::Listens => "it waits for connections: these have another end, it has none",
            Self::Unconnected => "it is not connected",
            Self::Closed => "the other end was closed",
            Self::NotAccepted => "nobody has accepted the connection yet",
            Self::NoFile => {
                "the other end is no open file: not accepted yet, or closed a moment ago"
            }
            Self::Nowhere => {
                "both addresses are of this host, but no process holds the other end in this \
                 network namespace: it is closed, not accepted yet, or the kernel's own"
            }
            Self::Elsewhere => {
                "no process holds the other end in this network namespace: it is on another \
                 host, or in another namespace"
            }
            Self::OtherNamespace { pid, fd, netns } => {
                let fd = fd.map(|fd| format!("fd {fd} of ")).unwrap_or_default();
                return write!(
                    f,
                    "no process holds the other end in this network namespace; {fd}process {pid}, \
                     in namespace {netns}, has the addresses the other way round and may be it"
                );
            }
            Self::NotBack => {
                "no socket is connected back to it: one that takes datagrams from anyone may be \
                 there"
            }
            Self::NoReader => "the other end was closed: nobody has it open for reading",
            Self::NoWriter => "the other end was closed: nobody has it open for writing",
            Self::Alone => "this one alone both reads and writes it",
            Self::InNoTable => {
                "the other end is in no process's table: it is in flight, or the kernel's own, or \
                 in a pid namespace that is not seen from here"
            }
            Self::Unshared => "nobody else holds it",
            Self::NotInProc => "/proc does not tell what leads to the other end",
            Self::Unreadable => "not found, but not every process could be looked at: run as root",
        })
    }
}
