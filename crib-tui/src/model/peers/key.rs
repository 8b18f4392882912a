//! What leads from one end of a file to the other, and from one descriptor to the next.

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::model::{Device, Family, File, FileId, Kind, Socket, Text};

/// A pipe or FIFO: the device and the inode's number, the same at both ends.
pub(super) type PipeKey = (Device, u64);

/// An open file. A process that opens and closes all the time gets the memory of one for another
/// while a sweep goes on: with the same identity, but hardly with the same inode too.
pub(super) type OpenKey = (FileId, Kind, Option<Device>, Option<u64>);

/// The open file with this identity.
pub(super) fn open(id: Option<FileId>, file: &File) -> Option<OpenKey> {
    id.map(|id| (id, file.kind, file.dev, file.ino.get()))
}

/// The pipe or FIFO that a file is an end of; none for what is no end of one, as a FIFO that
/// was opened with O_PATH.
pub(super) fn pipe(file: &File) -> Option<PipeKey> {
    let is_pipe = matches!(file.kind, Kind::Pipe | Kind::Fifo);
    let opened = file.mode.is_none_or(|mode| mode.read || mode.write);
    (is_pipe && opened).then_some(file.dev.zip(file.ino.get())).flatten()
}

/// One direction of a connection, as one end of it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    /// The inode number of the network namespace: addresses mean nothing without it.
    netns: u64,
    /// IPPROTO_*; the numbers are the same for inet and inet6.
    protocol: u16,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Flow {
    /// That of a connected socket. An IPv4 address that an IPv6 socket has mapped (RFC 4291,
    /// 2.5.5.2) is that IPv4 address: the other end may be either sort of socket.
    pub(super) fn of(socket: &Socket) -> Option<Self> {
        if !matches!(socket.family, Some(Family::INET | Family::INET6)) {
            return None;
        }
        let (local, remote) = (address(socket.local.as_ref()?)?, address(socket.remote.as_ref()?)?);
        let connected = local.port() != 0 && remote.port() != 0;
        connected.then_some(Self {
            netns: socket.netns?,
            protocol: socket.protocol?.number,
            local,
            remote,
        })
    }

    /// That of the other end.
    pub(super) fn reversed(self) -> Self {
        Self { local: self.remote, remote: self.local, ..self }
    }

    /// The same in whatever namespace.
    pub(super) fn anywhere(self) -> Self {
        Self { netns: 0, ..self }
    }

    /// The namespace.
    pub(super) fn netns(self) -> u64 {
        self.netns
    }

    /// Whether both ends have to be on this host, whatever it is that holds them.
    pub(super) fn is_local(self) -> bool {
        self.remote.ip().is_loopback() || self.remote.ip() == self.local.ip()
    }
}

fn address(text: &Text) -> Option<SocketAddr> {
    let address: SocketAddr = str::from_utf8(text.as_bytes()).ok()?.parse().ok()?;
    // Without the scope, which one end has and the other may lack.
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// The inode number of a unix socket.
pub(super) fn unix(file: &File) -> Option<u64> {
    let socket = file.socket.as_deref()?;
    (socket.family == Some(Family::UNIX)).then_some(file.ino.get()).flatten()
}

/// The inode number of a unix socket's peer.
pub(super) fn unix_peer(file: &File) -> Option<u64> {
    let socket = file.socket.as_deref()?;
    (socket.family == Some(Family::UNIX)).then_some(socket.peer?.ino).flatten()
}

/// Which descriptors matter to some files: all others can be passed over at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    files: HashSet<FileId>,
    pipes: HashSet<PipeKey>,
    /// Unix sockets: those that are asked about, and their peers.
    unix: HashSet<u64>,
    /// Connections, as the other ends see them, in whatever namespace these are.
    flows: HashSet<Flow>,
}

impl Search {
    /// For the ends of these files.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a File>) -> Self {
        let mut search = Self::default();
        for file in files {
            search.files.extend(file.id);
            search.pipes.extend(pipe(file));
            search.unix.extend(unix(file));
            search.unix.extend(unix_peer(file));
            search.flows.extend(
                file.socket.as_deref().and_then(Flow::of).map(Flow::reversed).map(Flow::anywhere),
            );
        }
        search
    }

    /// Whether a file may matter of which only this is known, so that it is worth a look.
    pub fn may_want(
        &self,
        id: Option<FileId>,
        is_socket: bool,
        inode: Option<(Device, u64)>,
    ) -> bool {
        id.is_some_and(|id| self.files.contains(&id))
            || inode.is_some_and(|inode| self.pipes.contains(&inode))
            || (is_socket && !(self.unix.is_empty() && self.flows.is_empty()))
    }

    /// Whether a file matters.
    pub fn wants(&self, file: &File) -> bool {
        let has_unix = |ino: Option<u64>| ino.is_some_and(|ino| self.unix.contains(&ino));
        file.id.is_some_and(|id| self.files.contains(&id))
            || pipe(file).is_some_and(|pipe| self.pipes.contains(&pipe))
            || has_unix(unix(file))
            || has_unix(unix_peer(file))
            || file
                .socket
                .as_deref()
                .and_then(Flow::of)
                .is_some_and(|flow| self.flows.contains(&flow.anywhere()))
    }
}
