//! The columns of the table of open files.

use std::fmt::Write;
use std::time::Duration;

use super::column::{Column, ColumnKind, Table, Value, written};
use super::lint::{Given, Lint, Subject};
use super::peers::{holders, peers};
use super::{AccessMode, Device, Family, File, Kind, Pipe, Process, Queued, Socket, Text};

/// The table of a process's open files.
#[derive(Clone, Copy, Debug)]
pub struct Files;

/// An open file, with the process that holds it.
#[derive(Clone, Copy, Debug)]
pub struct FileRow<'a> {
    /// The process in whose table the file is.
    pub process: &'a Process,
    /// The file.
    pub file: &'a File,
    /// How long it has been seen, where it is watched over time.
    pub age: Option<Duration>,
    /// What lints go by beside the file.
    pub given: Given<'a>,
}

impl<'a> FileRow<'a> {
    /// The row of a single reading, which knows no ages.
    pub fn new(process: &'a Process, file: &'a File) -> Self {
        Self { process, file, age: None, given: Given::default() }
    }

    /// The same for lints.
    pub fn subject(&self) -> Subject<'a> {
        Subject { process: self.process, file: self.file, given: self.given }
    }
}

impl Files {
    /// The columns that only a sweep over all processes fills.
    pub const SWEPT: &'static [&'static str] =
        &["PEER", "HOLDERS", "SOCK.PEER.PID", "SOCK.PEER.FD"];
}

impl Table for Files {
    type Row<'a> = FileRow<'a>;

    const ROWS: &'static str = "open files";

    fn columns() -> &'static [Column<Self>] {
        COLUMNS
    }

    fn default_names() -> &'static [&'static str] {
        &["FD", "KIND", "OPS", "MODE", "RECVQ", "SENDQ", "POS", "SIZE", "NAME"]
    }
}

/// A column of the file itself.
macro_rules! file {
    ($name:literal, $kind:ident, $help:literal, $value:expr) => {
        Column {
            name: $name,
            help: $help,
            kind: ColumnKind::$kind,
            value: |row, _| {
                let value: for<'a> fn(&'a File) -> Value<'a> = $value;
                value(row.file)
            },
        }
    };
}

/// A column of the file whose text is put together.
macro_rules! composed {
    ($name:literal, $help:literal, $value:expr) => {
        Column {
            name: $name,
            help: $help,
            kind: ColumnKind::Text,
            value: |row, room| {
                let value: for<'a> fn(&'a File, &'a mut String) -> Value<'a> = $value;
                value(row.file, room)
            },
        }
    };
}

/// A column of the process that holds the file.
macro_rules! process {
    ($name:literal, $kind:ident, $help:literal, $value:expr) => {
        Column {
            name: $name,
            help: $help,
            kind: ColumnKind::$kind,
            value: |row, _| {
                let value: for<'a> fn(&'a Process) -> Value<'a> = $value;
                value(row.process)
            },
        }
    };
}

/// A column of the socket behind the file; unknown for what is no socket.
macro_rules! socket {
    ($name:literal, $kind:ident, $help:literal, $value:expr) => {
        Column {
            name: $name,
            help: $help,
            kind: ColumnKind::$kind,
            value: |row, _| {
                let value: for<'a> fn(&'a Socket) -> Value<'a> = $value;
                row.file.socket.as_deref().map_or(Value::Unknown, value)
            },
        }
    };
}

/// A column of the pipe behind the file; unknown for what is no pipe.
macro_rules! pipe {
    ($name:literal, $kind:ident, $help:literal, $value:expr) => {
        Column {
            name: $name,
            help: $help,
            kind: ColumnKind::$kind,
            value: |row, _| {
                let value: for<'a> fn(&'a Pipe) -> Value<'a> = $value;
                row.file.pipe.as_deref().map_or(Value::Unknown, value)
            },
        }
    };
}

/// One number of a direction's queue.
fn queued<'a>(queued: Option<Queued>, field: fn(Queued) -> Option<u64>) -> Value<'a> {
    queued.and_then(field).into()
}

fn device(device: Option<Device>, room: &mut String) -> Value<'_> {
    device.map(|device| written(room, device)).into()
}

static COLUMNS: &[Column<Files>] = &[
    file!("FD", Number, "file descriptor", |f| f.fd.into()),
    file!("KIND", Text, "kind of file: regular, socket, eventfd, ...", |f| f.kind.name().into()),
    composed!("TYPE", "type as in lsfd(1): REG, TCP, UNIX-STREAM, ...", |f, room| {
        type_name(f, room).into()
    }),
    file!("OPS", Text, "name of the file operations", |f| f.ops.as_deref().into()),
    file!("MODE", Text, "access: r, w, rw, or - for O_PATH", |f| f
        .mode
        .map(AccessMode::name)
        .into()),
    composed!("FLAGS", "flags of open(2) that are set", |f, room| {
        f.flags.map(|flags| joined(flags.names(), room)).into()
    }),
    file!("CLOEXEC", Bool, "whether exec closes it", |f| f.cloexec.into()),
    file!("POS", Bytes, "file position", |f| f.pos.get().into()),
    file!("SIZE", Bytes, "size of the file", |f| f.size.get().into()),
    composed!("DEV", "device of the file system, major:minor", |f, room| device(f.dev, room)),
    composed!("RDEV", "device that a char or block file stands for", |f, room| {
        device(f.rdev, room)
    }),
    file!("INO", Number, "inode number", |f| f.ino.get().into()),
    file!("REFS", Number, "references on the open file", |f| f.refs.into()),
    file!("TID", Number, "thread whose own table it is in", |f| f.tid.into()),
    file!("DELETED", Bool, "whether its name is gone from the file system", |f| f.deleted.into()),
    Column {
        name: "AGE",
        help: "time since it was first seen; in the terminal UI",
        kind: ColumnKind::Seconds,
        value: |row, _| row.age.into(),
    },
    file!("RECVQ", Bytes, "bytes that wait for the reader of a socket or pipe", |f| {
        queued(f.queued().0, |q| q.payload)
    }),
    file!(
        "RECVQ.MESSAGES",
        Number,
        "messages, or a pipe's buffers, that wait for the reader",
        |f| { queued(f.queued().0, |q| q.messages) }
    ),
    file!("RECVQ.MEMORY", Bytes, "memory charged for what waits for the reader", |f| {
        queued(f.queued().0, |q| q.memory)
    }),
    file!("SENDQ", Bytes, "bytes sent and not yet taken", |f| queued(f.queued().1, |q| q.payload)),
    file!("SENDQ.MESSAGES", Number, "messages sent and not yet taken", |f| {
        queued(f.queued().1, |q| q.messages)
    }),
    file!("SENDQ.MEMORY", Bytes, "memory charged for what was sent and not yet taken", |f| {
        queued(f.queued().1, |q| q.memory)
    }),
    socket!("SOCK.FAMILY", Text, "address family: unix, inet, inet6, netlink, ...", |s| {
        s.family.map(Family::name).into()
    }),
    socket!("SOCK.TYPE", Text, "socket type: stream, dgram, ...", |s| {
        s.kind.map(|kind| kind.name()).into()
    }),
    socket!("SOCK.PROTOCOL", Text, "protocol within the family: tcp, udp, ...", |s| {
        s.protocol.map(|protocol| protocol.name()).into()
    }),
    socket!("SOCK.STATE", Text, "state of the connection, as in ss(8)", |s| {
        s.state.map(|state| state.name()).into()
    }),
    socket!("SOCK.LOCAL", Text, "its own address", |s| s.local.as_ref().into()),
    socket!("SOCK.REMOTE", Text, "the address it is connected to", |s| s.remote.as_ref().into()),
    socket!("SOCK.NETNS", Number, "inode number of its network namespace", |s| s.netns.into()),
    socket!("SOCK.DROPS", Number, "messages dropped for want of room", |s| s.drops.into()),
    socket!("SOCK.ERROR", Number, "pending error, an errno(3) value", |s| s.error.into()),
    socket!("SOCK.SHUTDOWN", Text, "directions shut down: none, read, write, both", |s| {
        s.shutdown.map(|shutdown| shutdown.name()).into()
    }),
    socket!("SOCK.RCVBUF", Bytes, "size of the receive buffer", |s| s.rcvbuf.into()),
    socket!("SOCK.SNDBUF", Bytes, "size of the send buffer", |s| s.sndbuf.into()),
    socket!("SOCK.PENDING", Number, "connections that wait for accept(2)", |s| {
        s.accept.map(|accept| accept.pending).into()
    }),
    socket!("SOCK.BACKLOG", Number, "connections that may wait for accept(2)", |s| {
        s.accept.map(|accept| accept.max).into()
    }),
    socket!("SOCK.INFLIGHT", Number, "files in flight in its receive queue", |s| {
        s.inflight_files.into()
    }),
    socket!("SOCK.PEER.PID", Number, "process that holds the other end", |s| {
        s.peer.and_then(|peer| peer.pid).into()
    }),
    socket!("SOCK.PEER.FD", Number, "descriptor of the other end", |s| {
        s.peer.and_then(|peer| peer.fd).into()
    }),
    socket!("SOCK.PEER.INO", Number, "inode number of the socket at the other end", |s| {
        s.peer.and_then(|peer| peer.ino).into()
    }),
    pipe!("PIPE.BYTES", Bytes, "bytes written and not yet read", |p| p.bytes.into()),
    pipe!("PIPE.BUFFERS", Number, "buffers in use", |p| p.buffers.into()),
    pipe!("PIPE.SLOTS", Number, "buffers there are", |p| p.slots.into()),
    pipe!("PIPE.READERS", Number, "open files that can read from it", |p| p.readers.into()),
    pipe!("PIPE.WRITERS", Number, "open files that can write to it", |p| p.writers.into()),
    file!("EPOLL.WATCHES", Number, "files that an epoll instance watches", |f| {
        f.epoll.as_ref().map(|epoll| epoll.watches.len() as u64).into()
    }),
    composed!("PEER", "who has the other end open: 4711/nginx fd 7, ...; in files alone", peers),
    Column {
        name: "HOLDERS",
        help: "who else has the same open file, by dup, fork or SCM_RIGHTS; in files alone",
        kind: ColumnKind::Text,
        value: holders,
    },
    Column {
        name: "LINT",
        help: "what is in trouble about it, or looks like it; --list-lints explains the names",
        kind: ColumnKind::Text,
        value: |row, room| joined(row.subject().found().iter().map(Lint::name), room).into(),
    },
    process!("PID", Number, "process id", |p| p.pid.into()),
    process!("COMM", Text, "command name of the process", |p| (&p.comm).into()),
    process!("UID", Number, "real user id of the process", |p| p.uid.into()),
    process!("USER", Text, "user of the process", |p| p.user.as_deref().into()),
    composed!("NAME", "path, or protocol, addresses and state of a socket", name),
];

fn joined(names: impl Iterator<Item = &'static str>, room: &mut String) -> &str {
    room.clear();
    for name in names {
        if !room.is_empty() {
            room.push(',');
        }
        room.push_str(name);
    }
    room
}

/// The type as lsfd(1) names it: what stat(2) says, finer for sockets and anonymous inodes.
fn type_name<'r>(file: &'r File, room: &'r mut String) -> &'r str {
    match file.kind {
        Kind::Regular => "REG",
        Kind::Directory => "DIR",
        Kind::Char => "CHR",
        Kind::Block => "BLK",
        Kind::Fifo | Kind::Pipe => "FIFO",
        Kind::Symlink => "LINK",
        Kind::Socket => {
            room.clear();
            if let Some(socket) = file.socket.as_deref() {
                push_protocol(socket, room);
            }
            room.make_ascii_uppercase();
            if room.is_empty() { "SOCK" } else { room }
        }
        other => other.name(),
    }
}

/// Appends the protocol where the family has several of them, else family and type: `tcp`,
/// `netlink-route`, `unix-stream`; nothing where the family is unknown.
fn push_protocol(socket: &Socket, text: &mut String) {
    let Some(family) = socket.family else { return };
    match (family, socket.protocol, socket.kind) {
        // Zero is the default protocol: it says less than the type does.
        (Family::INET | Family::INET6, Some(protocol), _) if protocol.number != 0 => {
            text.push_str(&protocol.name());
        }
        (Family::NETLINK | Family::PACKET, Some(protocol), _) => {
            text.extend([&family.name(), "-", &protocol.name()]);
        }
        (_, _, Some(kind)) => text.extend([&family.name(), "-", &kind.name()]),
        (_, _, None) => text.push_str(&family.name()),
    }
}

/// What a person wants to read of a file: its path, or who a socket talks to.
fn name<'r>(file: &'r File, room: &'r mut String) -> Value<'r> {
    let path = file.path.as_ref().map(Text::escaped);
    room.clear();
    match (file.socket.as_deref(), path) {
        (Some(socket), path) => push_socket(socket, path.as_deref(), room),
        (None, Some(path)) if file.deleted == Some(true) => room.push_str(&path),
        (None, path) => return path.into(),
    }
    if file.deleted == Some(true) {
        room.push_str(" (deleted)");
    }
    Value::from(&**room)
}

/// Appends `tcp 127.0.0.1:80->127.0.0.1:4711 ESTABLISHED`; of an unnamed socket the inode, which
/// is what the other tools know it by.
fn push_socket(socket: &Socket, path: Option<&str>, text: &mut String) {
    let address = |address: &Option<Text>, text: &mut String| match address {
        Some(address) if !address.is_empty() => {
            text.push_str(&address.escaped());
            true
        }
        _ => false,
    };
    push_protocol(socket, text);
    if !text.is_empty() {
        text.push(' ');
    }
    if !address(&socket.local, text) {
        text.push_str(path.unwrap_or("?"));
    }
    let end = text.len();
    text.push_str("->");
    if !address(&socket.remote, text) {
        match socket.peer.and_then(|peer| peer.ino) {
            // Writing to a String does not fail.
            Some(ino) => drop(write!(text, "socket:[{ino}]")),
            None => text.truncate(end),
        }
    }
    if let Some(state) = socket.state {
        text.extend([" ", &state.name()]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::find;
    use super::super::sample;
    use super::*;

    fn cell(row: &FileRow<'_>, name: &str) -> String {
        find::<Files>(name).unwrap().text(row)
    }

    #[test]
    fn every_default_column_exists_and_no_name_is_there_twice() {
        assert_eq!(Files::default_columns().len(), Files::default_names().len());
        let mut names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COLUMNS.len());
    }

    #[test]
    fn values_are_of_the_kind_their_column_says() {
        let reading = sample::reading();
        for file in &reading.files {
            for column in COLUMNS {
                match (column.value)(&FileRow::new(&reading.process, file), &mut String::new()) {
                    Value::Unknown => {}
                    Value::Int(_) => assert!(column.kind.is_numeric(), "{column:?}"),
                    Value::Bool(_) => assert_eq!(column.kind, ColumnKind::Bool, "{column:?}"),
                    Value::Text(_) => assert_eq!(column.kind, ColumnKind::Text, "{column:?}"),
                }
            }
        }
    }

    #[test]
    fn a_row_of_which_nothing_is_known_shows_no_zero() {
        let process = sample::process();
        let file = File::unknown(Some(3));
        let row = FileRow::new(&process, &file);
        for column in COLUMNS {
            assert_ne!(column.text(&row), "0", "{column:?}");
        }
        assert_eq!(cell(&row, "NAME"), "-");
    }

    #[test]
    fn a_name_is_a_path_or_what_a_socket_is_about() {
        let reading = sample::reading();
        let names: Vec<_> = reading
            .files
            .iter()
            .map(|file| {
                let row = FileRow::new(&reading.process, file);
                format!("{} {}", cell(&row, "TYPE"), cell(&row, "NAME"))
            })
            .collect();
        assert_eq!(
            names,
            [
                "CHR /dev/pts/0",
                "FIFO pipe:[20]",
                "REG /tmp/caf\u{e9}\\x1b[31m (deleted)",
                "TCP tcp 127.0.0.1:80->127.0.0.1:4711 ESTABLISHED",
                "UNIX-STREAM unix-stream socket:[1235]->socket:[1236] ESTABLISHED",
                "NETLINK-ROUTE netlink-route route:100 UNCONN",
                "SOCK socket:[1240]",
                "eventpoll anon_inode:[eventpoll]",
                "unknown -",
            ]
        );
    }
}
