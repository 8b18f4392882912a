//! Hand-made readings for tests: one file of each shape that the views tell apart.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::lint::Beside;
use super::*;

/// A server of user 1000.
pub(crate) fn process() -> Process {
    Process {
        pid: 4242,
        comm: "server".into(),
        uid: Some(1000),
        user: Some("alice".into()),
        fd_limit: Some(1024),
        cmdline: "/usr/bin/server --listen 80".into(),
        other_mounts: None,
        start_ticks: 100,
        state: ProcessState::Alive,
    }
}

/// 2026-11-23T18:40:00.123456Z.
pub(crate) fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_459_200_123_456)
}

/// The server's files.
pub(crate) fn files() -> Vec<File> {
    let files = vec![tty(), pipe(), deleted(), tcp(), unix(), netlink(), bare_socket(), epoll()];
    let files = files.into_iter().zip(0..).map(|(file, fd)| File { fd: Some(fd), ..file });
    files.chain([File::unknown(Some(9))]).collect()
}

/// The reading in which they were found.
pub(crate) fn reading() -> FilesReading {
    FilesReading {
        source: Source::Bpf,
        time: time(),
        process: process(),
        files: files().into_iter().map(Arc::new).collect(),
        complete: true,
        beside: Beside::default(),
    }
}

/// Three processes: the server, a kernel thread, and one that may not be looked into.
pub(crate) fn processes() -> ProcessesReading {
    let thread = Process {
        pid: 2,
        comm: "kthreadd".into(),
        uid: Some(0),
        user: Some("root".into()),
        fd_limit: None,
        cmdline: "".into(),
        other_mounts: None,
        start_ticks: 0,
        state: ProcessState::KernelThread,
    };
    let foreign = Process {
        pid: 77,
        comm: "we\x1bird".into(),
        uid: Some(4_000_000),
        user: None,
        fd_limit: Some(u64::MAX),
        cmdline: "we\x1bird --now".into(),
        other_mounts: None,
        start_ticks: 50,
        state: ProcessState::Alive,
    };
    let totals = ProcessTotals {
        fd_count: 9,
        sockets: Some(4),
        recv_payload: Some(8192),
        send_payload: None,
    };
    ProcessesReading {
        source: Source::Procfs,
        time: time(),
        processes: vec![
            (thread, Some(ProcessTotals { fd_count: 0, sockets: Some(0), ..Default::default() })),
            (foreign, None),
            (process(), Some(totals)),
        ],
    }
}

fn file(kind: Kind, ops: &str, path: &str, ino: u64) -> File {
    File {
        kind,
        ops: Some(ops.into()),
        mode: Some(AccessMode { read: true, write: true }),
        flags: Some(OpenFlags(libc::O_RDWR as u32)),
        cloexec: Some(true),
        pos: 0.into(),
        path: Some(path.into()),
        deleted: Some(false),
        dev: Some(Device::new(0, 8)),
        ino: ino.into(),
        size: 0.into(),
        refs: Some(1),
        ..File::unknown(None)
    }
}

fn tty() -> File {
    File {
        rdev: Some(Device::new(136, 0)),
        cloexec: Some(false),
        ..file(Kind::Char, "tty_fops", "/dev/pts/0", 3)
    }
}

fn pipe() -> File {
    let pipe = Pipe {
        bytes: Some(5),
        buffers: Some(1),
        slots: Some(16),
        readers: Some(1),
        writers: Some(1),
        queues: None,
        peers: None,
    };
    File {
        mode: Some(AccessMode { read: true, write: false }),
        flags: Some(OpenFlags(libc::O_NONBLOCK as u32)),
        pipe: Some(Box::new(pipe)),
        ..file(Kind::Pipe, "pipefifo_fops", "pipe:[20]", 20)
    }
}

fn deleted() -> File {
    File {
        deleted: Some(true),
        pos: 4096.into(),
        size: (1 << 40).into(),
        tid: Some(4243),
        ..file(Kind::Regular, "ext4_file_operations", "/tmp/café\x1b[31m", 21)
    }
}

fn queued(messages: u64, payload: u64, memory: u64) -> Option<Queued> {
    Some(Queued { messages: Some(messages), payload: Some(payload), memory: Some(memory) })
}

fn socket(family: Family, kind: i32, number: u16) -> Socket {
    Socket {
        family: Some(family),
        kind: Some(SocketType(kind as u16)),
        protocol: Some(Protocol { family, number }),
        state: Some(State::ESTABLISHED),
        local: Some("".into()),
        remote: Some("".into()),
        recv: queued(0, 0, 0),
        send: queued(0, 0, 0),
        accept: None,
        rcvbuf: Some(131_072),
        sndbuf: Some(2_626_560),
        drops: Some(0),
        error: Some(0),
        shutdown: Some(Shutdown::None),
        peer: None,
        other_end: None,
        inflight_files: Some(0),
        netns: Some(4_026_531_840),
        tcp: None,
        queues: None,
        peers: None,
        deeper: false,
    }
}

fn tcp() -> File {
    let socket = Socket {
        local: Some("127.0.0.1:80".into()),
        remote: Some("127.0.0.1:4711".into()),
        recv: queued(2, 8192, 16_640),
        ..socket(Family::INET, libc::SOCK_STREAM, 6)
    };
    File {
        socket: Some(Box::new(socket)),
        ..file(Kind::Socket, "socket_file_ops", "socket:[1234]", 1234)
    }
}

fn unix() -> File {
    let socket = Socket {
        peer: Some(Peer { pid: Some(7), fd: Some(4), ino: Some(1236) }),
        other_end: Some(OtherEnd::Open),
        accept: Some(Accept { pending: 0, max: 128 }),
        ..socket(Family::UNIX, libc::SOCK_STREAM, 0)
    };
    File {
        socket: Some(Box::new(socket)),
        ..file(Kind::Socket, "socket_file_ops", "socket:[1235]", 1235)
    }
}

fn netlink() -> File {
    let socket = Socket {
        state: Some(State::Unconnected),
        local: Some("route:100".into()),
        ..socket(Family::NETLINK, libc::SOCK_RAW, 0)
    };
    File {
        socket: Some(Box::new(socket)),
        ..file(Kind::Socket, "socket_file_ops", "socket:[1237]", 1237)
    }
}

/// As /proc shows one without privileges.
fn bare_socket() -> File {
    File { ops: None, refs: None, ..file(Kind::Socket, "", "socket:[1240]", 1240) }
}

fn epoll() -> File {
    let watches =
        vec![Watch { fd: 5, events: 1 | 1 << 31, data: 5, ready: Some(false), file: None }];
    File {
        epoll: Some(Box::new(Epoll { watches, complete: true })),
        ..file(Kind::Eventpoll, "eventpoll_fops", "anon_inode:[eventpoll]", 9)
    }
}
