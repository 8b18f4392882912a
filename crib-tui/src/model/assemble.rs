//! Rows of the table out of decoded records.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;

use crib_common::record::{
    FileRecord, PipeRecord, SocketRecord, TotalsRecord, WatchEntry, file_bits, file_known,
    pipe_known, socket_known, watch_known,
};

use super::{
    Accept, AccessMode, Device, Epoll, Evidence, Family, File, FileId, Kind, OpenFlags, Peer, Pipe,
    ProcessTotals, Protocol, Queued, Shutdown, Socket, SocketType, State, Text, Watch,
};
use crate::decode::{DecodeError, Record};

/// `super_block.s_magic` of sockfs and pipefs (include/uapi/linux/magic.h).
const SOCKFS_MAGIC: u64 = 0x534f_434b;
const PIPEFS_MAGIC: u64 = 0x5049_5045;
/// FMODE_READ and FMODE_WRITE (include/linux/fs.h).
const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 2;
/// What `d_path` appends to the path of a file whose name is gone.
const DELETED: &[u8] = b" (deleted)";

/// Makes identities of kernel addresses: a keyed hash, whose key never leaves the program, so
/// that an identity tells files apart and gives no address away.
#[derive(Clone, Debug, Default)]
pub struct IdKey(RandomState);

impl IdKey {
    fn id(&self, address: u64) -> FileId {
        FileId(self.0.hash_one(address))
    }
}

/// Puts together the files of one process.
///
/// # Errors
/// The first record that could not be decoded; the files before it are lost with it, since a
/// table with a hole in it would be a wrong one.
pub fn files<'a>(
    records: impl Iterator<Item = Result<Record<'a>, DecodeError>>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
) -> Result<Vec<File>, DecodeError> {
    let mut files: Vec<File> = Vec::new();
    let mut tables = Tables::default();
    // Whether the records that follow belong to a file that is shown.
    let mut shown = false;
    for record in records {
        match record? {
            Record::File(record, path) => {
                shown = tables.first_owner(record.table, record.tid) == record.tid;
                if shown {
                    let tid = tables.own_thread(&record);
                    files.push(file(&record, path, tid, &ops_name, key));
                }
            }
            Record::Socket(record) if shown => with_last(&mut files, |file| {
                file.socket = Some(Box::new(socket(&record)));
            }),
            Record::Unix(record) if shown => with_last(&mut files, |file| {
                if let Some(socket) = &mut file.socket {
                    socket.local = unix_name(record.local_len, &record.local);
                    socket.remote = unix_name(record.remote_len, &record.remote);
                }
            }),
            Record::Pipe(record) if shown => with_last(&mut files, |file| {
                file.pipe = Some(pipe(&record));
            }),
            Record::Watches(entries, whole) if shown => with_last(&mut files, |file| {
                file.epoll = Some(epoll(&entries, whole, key));
            }),
            _ => {}
        }
    }
    Ok(files)
}

fn with_last(files: &mut [File], change: impl FnOnce(&mut File)) {
    if let Some(file) = files.last_mut() {
        change(file);
    }
}

/// The descriptor tables of one process's threads, most of which share one.
///
/// The kernel leaves out threads that share their leader's table, but not those that share one
/// with another thread, nor those of a leader that has exited.
#[derive(Default)]
struct Tables {
    owners: HashMap<u64, u32>,
    common: Option<u64>,
}

impl Tables {
    /// The thread through which a table was first seen.
    fn first_owner(&mut self, table: u64, tid: u32) -> u32 {
        *self.owners.entry(table).or_insert(tid)
    }

    /// The thread whose own table a file is in; none for the process's common table, which is
    /// its leader's, or the first that is met where the leader has exited.
    fn own_thread(&mut self, record: &FileRecord) -> Option<u32> {
        let common = *self.common.get_or_insert(record.table);
        (record.table != common).then_some(record.tid)
    }
}

/// `value` if its bit is set in `known`.
fn known<T>(known: u64, bit: u64, value: T) -> Option<T> {
    (known & bit != 0).then_some(value)
}

fn file(
    record: &FileRecord,
    path: &[u8],
    tid: Option<u32>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
) -> File {
    let has = |bit| record.known & bit != 0;
    let bit = |known, bit| has(known).then_some(record.bits & bit != 0);
    let ops = has(file_known::OPS).then(|| ops_name(record.ops)).flatten();
    let magic = has(file_known::MAGIC).then_some(record.magic);
    let internal_mount = bit(file_known::INTERNAL, file_bits::INTERNAL);
    let i_mode = has(file_known::I_MODE).then_some(record.i_mode);
    let ino = has(file_known::INO).then_some(record.ino);

    let (path, deleted) = match (magic, ino) {
        (Some(SOCKFS_MAGIC), Some(ino)) => (Some(format!("socket:[{ino}]").into()), Some(false)),
        (Some(PIPEFS_MAGIC), Some(ino)) => (Some(format!("pipe:[{ino}]").into()), Some(false)),
        _ => deleted_apart(path, record),
    };
    let evidence = Evidence {
        i_mode,
        s_magic: magic,
        internal_mount,
        path: path.as_ref().map(Text::as_bytes),
        ops: ops.as_deref(),
    };
    let kind = Kind::classify(&evidence);
    File {
        fd: Some(record.fd),
        kind,
        ops,
        mode: has(file_known::MODE).then_some(AccessMode {
            read: record.f_mode & FMODE_READ != 0,
            write: record.f_mode & FMODE_WRITE != 0,
        }),
        flags: has(file_known::FLAGS).then_some(OpenFlags(record.f_flags)),
        cloexec: bit(file_known::CLOEXEC, file_bits::CLOEXEC),
        pos: has(file_known::POS).then_some(record.pos),
        path,
        deleted,
        dev: has(file_known::DEV).then(|| Device::from_kernel(record.dev)),
        rdev: (has(file_known::RDEV) && matches!(kind, Kind::Char | Kind::Block))
            .then(|| Device::from_kernel(record.rdev)),
        ino,
        size: has(file_known::SIZE).then_some(record.size),
        refs: has(file_known::REFS).then(|| u64::try_from(record.refs).ok()).flatten(),
        tid,
        socket: None,
        pipe: None,
        epoll: None,
        watched_by: None,
        id: Some(key.id(record.file)),
    }
}

/// The path without what `d_path` appends, and whether the file's name is gone.
///
/// A name may end in " (deleted)" by itself. The kernel appends it to a dentry that is not in
/// the hash (`d_unlinked`), and to the names of memfds and their like, which live on a mount of
/// the kernel's own and have no link (`simple_dname`).
fn deleted_apart(path: &[u8], record: &FileRecord) -> (Option<Text>, Option<bool>) {
    let has = |bit| record.known & bit != 0;
    let unhashed = has(file_known::UNHASHED).then_some(record.bits & file_bits::UNHASHED != 0);
    if path.is_empty() {
        return (None, unhashed);
    }
    let nameless = has(file_known::INTERNAL)
        && record.bits & file_bits::INTERNAL != 0
        && has(file_known::NLINK)
        && record.nlink == 0;
    match path.strip_suffix(DELETED) {
        Some(name) if unhashed == Some(true) || nameless => (Some(name.into()), Some(true)),
        _ => (Some(path.into()), unhashed),
    }
}

fn pipe(record: &PipeRecord) -> Pipe {
    let has = |bit| record.known & bit != 0;
    Pipe {
        bytes: has(pipe_known::BYTES).then_some(record.bytes),
        buffers: has(pipe_known::BUFFERS).then_some(record.buffers),
        slots: has(pipe_known::SLOTS).then_some(record.slots),
        readers: has(pipe_known::READERS).then_some(record.readers),
        writers: has(pipe_known::WRITERS).then_some(record.writers),
        queues: None,
    }
}

fn epoll(entries: &[WatchEntry], whole: bool, key: &IdKey) -> Epoll {
    let watch = |entry: &WatchEntry| {
        let needed = watch_known::FD | watch_known::EVENTS | watch_known::DATA;
        (entry.known & needed == needed).then_some(Watch {
            fd: entry.fd,
            events: entry.events,
            data: entry.data,
            ready: (entry.known & watch_known::READY != 0).then_some(entry.ready != 0),
            file: (entry.file != 0).then(|| key.id(entry.file)),
        })
    };
    let watches: Vec<_> = entries.iter().filter_map(watch).collect();
    let complete = whole && watches.len() == entries.len();
    Epoll { watches, complete }
}

fn socket(record: &SocketRecord) -> Socket {
    let has = record.known;
    let family = known(has, socket_known::FAMILY, Family(record.family));
    let queued = |messages, payload, memory, (m, p, y)| Queued {
        messages: known(has, m, u64::from(messages)),
        payload: known(has, p, payload),
        memory: known(has, y, memory),
    };
    let protocol = match family {
        // Unix sockets have none.
        None | Some(Family::UNIX) => None,
        Some(Family::PACKET) => known(has, socket_known::LOCAL_PORT, record.local_port),
        Some(_) => known(has, socket_known::PROTOCOL, record.protocol),
    };
    Socket {
        family,
        kind: known(has, socket_known::TYPE, SocketType(record.sock_type)),
        protocol: family.zip(protocol).map(|(family, number)| Protocol { family, number }),
        state: known(has, socket_known::STATE, state(record)),
        local: address(record, Side::Local),
        remote: address(record, Side::Remote),
        recv: Some(queued(
            record.recv_messages,
            record.recv_payload,
            record.recv_memory,
            (socket_known::RECV_MESSAGES, socket_known::RECV_PAYLOAD, socket_known::RECV_MEMORY),
        )),
        send: Some(queued(
            record.send_messages,
            record.send_payload,
            record.send_memory,
            (socket_known::SEND_MESSAGES, socket_known::SEND_PAYLOAD, socket_known::SEND_MEMORY),
        )),
        accept: known(
            has,
            socket_known::ACCEPT,
            Accept { pending: record.accept_pending, max: record.accept_max },
        ),
        rcvbuf: known(has, socket_known::RCVBUF, record.rcvbuf),
        sndbuf: known(has, socket_known::SNDBUF, record.sndbuf),
        drops: known(has, socket_known::DROPS, u64::from(record.drops)),
        error: known(has, socket_known::ERROR, record.error),
        shutdown: known(has, socket_known::SHUTDOWN, Shutdown::from_kernel(record.shutdown)),
        peer: known(
            has,
            socket_known::PEER_INO,
            Peer { pid: None, fd: None, ino: Some(record.peer_ino) },
        ),
        inflight_files: known(has, socket_known::INFLIGHT, u64::from(record.inflight)),
        netns: known(has, socket_known::NETNS, record.netns),
        tcp: None,
        queues: None,
        deeper: false,
    }
}

/// The state by the protocol's own words: CLOSE means an end only where there are connections.
fn state(record: &SocketRecord) -> State {
    const TCP_CLOSE: u8 = 7;
    const IPPROTO_TCP: u16 = 6;
    const IPPROTO_MPTCP: u16 = 262;
    let inet = matches!(Family(record.family), Family::INET | Family::INET6);
    let tcp = inet && matches!(record.protocol, IPPROTO_TCP | IPPROTO_MPTCP);
    match record.state {
        0 => State::Unconnected,
        TCP_CLOSE if !tcp => State::Unconnected,
        state => State::Tcp(state),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Local,
    Remote,
}

/// An address as text, "" for none; unix names come in a record of their own.
fn address(record: &SocketRecord, side: Side) -> Option<Text> {
    let has = |bit| record.known & bit != 0;
    let (bytes, port, has_address, has_port) = match side {
        Side::Local => (
            &record.local,
            record.local_port,
            has(socket_known::LOCAL),
            has(socket_known::LOCAL_PORT),
        ),
        Side::Remote => (
            &record.remote,
            record.remote_port,
            has(socket_known::REMOTE),
            has(socket_known::REMOTE_PORT),
        ),
    };
    let word = |at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&bytes[at..at + 4]);
        u32::from_ne_bytes(word)
    };
    let text = match Family(record.family) {
        Family::UNIX => return Some(Text::default()),
        _ if !has_address && Family(record.family) == Family::PACKET && side == Side::Remote => {
            String::new()
        }
        _ if !has_address => return None,
        Family::INET => {
            let mut octets = [0; 4];
            octets.copy_from_slice(&bytes[..4]);
            inet(Ipv4Addr::from(octets).into(), record, port, has_port)?
        }
        Family::INET6 => inet(Ipv6Addr::from(*bytes).into(), record, port, has_port)?,
        Family::NETLINK if side == Side::Remote && word(0) == 0 && word(4) == 0 => String::new(),
        Family::NETLINK => word(0).to_string(),
        Family::PACKET if word(0) == 0 => String::new(),
        Family::PACKET => format!("if{}", word(0)),
        Family::VSOCK => vsock(word(0), word(4)),
        _ => return None,
    };
    Some(text.into())
}

/// `address:port`; the address alone where the protocol has no ports; "" for none at all.
fn inet(
    address: std::net::IpAddr,
    record: &SocketRecord,
    port: u16,
    has_port: bool,
) -> Option<String> {
    const SOCK_RAW: u16 = libc::SOCK_RAW as u16;
    if record.sock_type == SOCK_RAW {
        let named = !address.is_unspecified();
        return Some(if named { address.to_string() } else { String::new() });
    }
    if !has_port {
        return None;
    }
    Some(match address {
        address if address.is_unspecified() && port == 0 => String::new(),
        std::net::IpAddr::V4(address) => SocketAddrV4::new(address, port).to_string(),
        std::net::IpAddr::V6(address) => SocketAddrV6::new(address, port, 0, 0).to_string(),
    })
}

/// `cid:port`, `*` for any (vsock(7)); "" where both are any.
fn vsock(cid: u32, port: u32) -> String {
    let part = |value: u32| if value == u32::MAX { "*".to_owned() } else { value.to_string() };
    if cid == u32::MAX && port == u32::MAX {
        return String::new();
    }
    format!("{}:{}", part(cid), part(port))
}

/// A unix socket's name: its path, or `@` and the rest of an abstract one (unix(7)).
fn unix_name(len: u32, bytes: &[u8]) -> Option<Text> {
    let name = bytes.get(..usize::try_from(len).ok()?)?;
    Some(match name {
        [] => Text::default(),
        // An abstract name may hold anything, NUL bytes too.
        [0, name @ ..] => [b"@", name].concat().into(),
        path => path.split(|&byte| byte == 0).next().unwrap_or_default().into(),
    })
}

/// Puts together the sums over each process's files, by tgid.
///
/// # Errors
/// The first record that could not be decoded.
pub fn totals<'a>(
    records: impl Iterator<Item = Result<Record<'a>, DecodeError>>,
) -> Result<HashMap<u32, ProcessTotals>, DecodeError> {
    let mut processes: HashMap<u32, ProcessTotals> = HashMap::new();
    let mut seen: HashMap<(u32, u64), u32> = HashMap::new();
    for record in records {
        let Record::Totals(record) = record? else { continue };
        // Threads that share a table are counted once; one table may come in several parts.
        let owner = *seen.entry((record.tgid, record.table)).or_insert(record.tid);
        if owner == record.tid {
            add(processes.entry(record.tgid).or_insert(EMPTY), &record);
        }
    }
    Ok(processes)
}

const EMPTY: ProcessTotals =
    ProcessTotals { fd_count: 0, sockets: Some(0), recv_payload: Some(0), send_payload: Some(0) };

fn add(totals: &mut ProcessTotals, record: &TotalsRecord) {
    let add = |sum: Option<u64>, value, unknown| {
        // A sum with an unknown part is unknown.
        sum.filter(|_| unknown == 0)?.checked_add(value)
    };
    totals.fd_count += record.files;
    totals.sockets = add(totals.sockets, record.sockets, 0);
    totals.recv_payload = add(totals.recv_payload, record.recv_payload, record.recv_unknown);
    totals.send_payload = add(totals.send_payload, record.send_payload, record.send_unknown);
}
