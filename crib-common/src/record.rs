//! Wire records: what the BPF programs write and user space decodes.
//!
//! A stream of records is a sequence of `{header, body}`, each beginning at a multiple of 8
//! bytes. A record that describes a part of a file (socket, pipe) follows its file's record.
//! Each body says in `known` which of its fields were read; the others hold nothing.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::limits::{OPS_FUNCTIONS, OPS_SYMBOL_BYTES, UNIX_NAME_BYTES};

/// What every record begins with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RecordHeader {
    /// One of [`kind`].
    pub kind: u16,
    /// Which version of the layout this is: [`VERSION`].
    pub version: u16,
    /// Bytes from the header's start to the record's end; the next record begins at the next
    /// multiple of [`ALIGN`].
    pub len: u32,
}

/// The version of the layout that both sides were built with.
pub const VERSION: u16 = 1;

/// Records begin at multiples of so many bytes.
pub const ALIGN: usize = 8;

/// The kinds of record.
pub mod kind {
    /// [`FileRecord`](super::FileRecord), followed by the path's bytes.
    pub const FILE: u16 = 1;
    /// [`SocketRecord`](super::SocketRecord).
    pub const SOCKET: u16 = 2;
    /// [`UnixRecord`](super::UnixRecord).
    pub const UNIX: u16 = 3;
    /// [`PipeRecord`](super::PipeRecord).
    pub const PIPE: u16 = 4;
    /// [`OpsRecord`](super::OpsRecord).
    pub const OPS: u16 = 5;
    /// [`TotalsRecord`](super::TotalsRecord).
    pub const TOTALS: u16 = 6;
    /// [`WatchesRecord`](super::WatchesRecord), followed by its entries.
    pub const WATCHES: u16 = 7;
}

impl RecordHeader {
    /// The header of a record of type `T` of this kind, with `tail` bytes behind it.
    #[inline(always)]
    pub const fn of<T>(kind: u16, tail: u32) -> Self {
        Self { kind, version: VERSION, len: size_of::<T>() as u32 + tail }
    }
}

/// One open file. The path's bytes follow it where `path_len` is positive.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileRecord {
    /// Kind [`kind::FILE`].
    pub header: RecordHeader,
    /// Address of the `struct file`. Never shown; user space makes an identity of it.
    pub file: u64,
    /// Address of the `struct files_struct` it was found in: tells shared tables from own ones.
    pub table: u64,
    /// Address of its `struct file_operations`, which an [`OpsRecord`] names.
    pub ops: u64,
    /// `inode.i_ino`.
    pub ino: u64,
    /// Address of the directory entry that its own is in; 0 where that was not looked at, and in
    /// the table where the path is told every time.
    pub parent: u64,
    /// Address of its mount's `struct vfsmount`, where `parent` is there.
    pub mount: u64,
    /// `super_block.s_magic`.
    pub magic: u64,
    /// `file.f_pos`.
    pub pos: i64,
    /// `inode.i_size`.
    pub size: i64,
    /// References on the file, without the iterator's own.
    pub refs: i64,
    /// Which fields were read: bits of [`file_known`].
    pub known: u32,
    /// What is true of it: bits of [`file_bits`].
    pub bits: u32,
    /// The process's id in the reader's pid namespace.
    pub tgid: u32,
    /// The id of the thread through which it was found, in the same namespace.
    pub tid: u32,
    /// The descriptor.
    pub fd: u32,
    /// `file.f_mode`, FMODE_* bits.
    pub f_mode: u32,
    /// `file.f_flags`, O_* bits.
    pub f_flags: u32,
    /// `inode.i_mode`.
    pub i_mode: u32,
    /// `super_block.s_dev` in the kernel's encoding.
    pub dev: u32,
    /// `inode.i_rdev` in the kernel's encoding.
    pub rdev: u32,
    /// `inode.i_nlink`.
    pub nlink: u32,
    /// Bytes of path that follow; negative: the error of `bpf_d_path`; 0: it was not asked.
    pub path_len: i32,
}

/// Bits of [`FileRecord::known`].
#[allow(missing_docs, reason = "each is named as its field")]
pub mod file_known {
    pub const OPS: u32 = 1 << 0;
    pub const INO: u32 = 1 << 1;
    pub const MAGIC: u32 = 1 << 2;
    pub const POS: u32 = 1 << 3;
    pub const SIZE: u32 = 1 << 4;
    pub const REFS: u32 = 1 << 5;
    pub const MODE: u32 = 1 << 6;
    pub const FLAGS: u32 = 1 << 7;
    pub const I_MODE: u32 = 1 << 8;
    pub const DEV: u32 = 1 << 9;
    pub const RDEV: u32 = 1 << 10;
    pub const NLINK: u32 = 1 << 11;
    pub const CLOEXEC: u32 = 1 << 12;
    pub const UNHASHED: u32 = 1 << 13;
    pub const INTERNAL: u32 = 1 << 14;
}

/// Bits of [`FileRecord::bits`], each valid only where [`file_known`] has its like.
pub mod file_bits {
    /// Exec closes this descriptor.
    pub const CLOEXEC: u32 = 1 << 0;
    /// Its dentry is unhashed and not a root: the kernel calls it deleted (`d_unlinked`).
    pub const UNHASHED: u32 = 1 << 1;
    /// It lives on a mount of the kernel's own (SB_KERNMOUNT).
    pub const INTERNAL: u32 = 1 << 2;
    /// Its path, and whether it is unhashed, are what an earlier reading of this session told
    /// of this descriptor.
    pub const TOLD: u32 = 1 << 3;
}

/// A socket; follows its file's record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketRecord {
    /// Kind [`kind::SOCKET`].
    pub header: RecordHeader,
    /// Which fields were read: bits of [`socket_known`].
    pub known: u64,
    /// Inode number of its network namespace.
    pub netns: u64,
    /// Inode number of the peer socket (unix), or one of [`peer`].
    pub peer_ino: u64,
    /// Bytes a reader would get.
    pub recv_payload: u64,
    /// Memory charged for what was received.
    pub recv_memory: u64,
    /// Bytes sent and not yet taken.
    pub send_payload: u64,
    /// Memory charged for what was sent.
    pub send_memory: u64,
    /// Messages in the receive queues.
    pub recv_messages: u32,
    /// Messages in the send queues.
    pub send_messages: u32,
    /// `sk_rcvbuf`.
    pub rcvbuf: u32,
    /// `sk_sndbuf`.
    pub sndbuf: u32,
    /// `sk_drops`.
    pub drops: u32,
    /// `sk_err`.
    pub error: u32,
    /// Connections that wait for accept.
    pub accept_pending: u32,
    /// `sk_max_ack_backlog`.
    pub accept_max: u32,
    /// Files in flight in its receive queue.
    pub inflight: u32,
    /// `skc_family`.
    pub family: u16,
    /// `sk_type`.
    pub sock_type: u16,
    /// `sk_protocol`.
    pub protocol: u16,
    /// `skc_state`.
    pub state: u8,
    /// `sk_shutdown`.
    pub shutdown: u8,
    /// inet: port in host order. packet: EtherType in host order.
    pub local_port: u16,
    /// inet: port in host order.
    pub remote_port: u16,
    /// inet: 4 bytes; inet6: 16 bytes. netlink: port id. packet: interface index. vsock: cid,
    /// port. Numbers other than addresses in host order, 4 bytes each.
    pub local: [u8; 16],
    /// As `local`; netlink: port id, group.
    pub remote: [u8; 16],
}

/// In place of the inode number of a unix socket's peer, which has 32 bits (`get_next_ino`): there is
/// none.
pub mod peer {
    /// It is not connected.
    pub const NOBODY: u64 = u64::MAX;
    /// The peer was closed.
    pub const CLOSED: u64 = u64::MAX - 1;
    /// The peer waits to be accepted.
    pub const NOT_ACCEPTED: u64 = u64::MAX - 2;
}

/// Bits of [`SocketRecord::known`].
#[allow(missing_docs, reason = "each is named as its field")]
pub mod socket_known {
    pub const NETNS: u64 = 1 << 0;
    pub const PEER_INO: u64 = 1 << 1;
    pub const RECV_PAYLOAD: u64 = 1 << 2;
    pub const RECV_MEMORY: u64 = 1 << 3;
    pub const RECV_MESSAGES: u64 = 1 << 4;
    pub const SEND_PAYLOAD: u64 = 1 << 5;
    pub const SEND_MEMORY: u64 = 1 << 6;
    pub const SEND_MESSAGES: u64 = 1 << 7;
    pub const RCVBUF: u64 = 1 << 8;
    pub const SNDBUF: u64 = 1 << 9;
    pub const DROPS: u64 = 1 << 10;
    pub const ERROR: u64 = 1 << 11;
    pub const ACCEPT: u64 = 1 << 12;
    pub const INFLIGHT: u64 = 1 << 13;
    pub const FAMILY: u64 = 1 << 14;
    pub const TYPE: u64 = 1 << 15;
    pub const PROTOCOL: u64 = 1 << 16;
    pub const STATE: u64 = 1 << 17;
    pub const SHUTDOWN: u64 = 1 << 18;
    pub const LOCAL: u64 = 1 << 19;
    pub const REMOTE: u64 = 1 << 20;
    pub const LOCAL_PORT: u64 = 1 << 21;
    pub const REMOTE_PORT: u64 = 1 << 22;
}

/// The names of a unix socket and its peer; follows the socket's record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct UnixRecord {
    /// Kind [`kind::UNIX`].
    pub header: RecordHeader,
    /// Bytes of its own name, 0 for none, [`UnixRecord::UNKNOWN`] where it could not be read.
    pub local_len: u32,
    /// Bytes of its peer's name, as `local_len`; 0 also without a peer.
    pub remote_len: u32,
    /// `sun_path`; an abstract name begins with a NUL byte (unix(7)).
    pub local: [u8; UNIX_NAME_BYTES],
    /// As `local`.
    pub remote: [u8; UNIX_NAME_BYTES],
}

impl UnixRecord {
    /// In place of a length: the name could not be read.
    pub const UNKNOWN: u32 = u32::MAX;
}

/// A pipe or FIFO; follows its file's record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PipeRecord {
    /// Kind [`kind::PIPE`].
    pub header: RecordHeader,
    /// Bytes written and not yet read.
    pub bytes: u64,
    /// Buffers in use.
    pub buffers: u32,
    /// `max_usage`: buffers that may be in use.
    pub slots: u32,
    /// `readers`.
    pub readers: u32,
    /// `writers`.
    pub writers: u32,
    /// Which fields were read: bits of [`pipe_known`].
    pub known: u32,
    /// Nothing; keeps the size a multiple of [`ALIGN`].
    pub reserved: u32,
}

/// Bits of [`PipeRecord::known`].
#[allow(missing_docs, reason = "each is named as its field")]
pub mod pipe_known {
    pub const BYTES: u32 = 1 << 0;
    pub const BUFFERS: u32 = 1 << 1;
    pub const SLOTS: u32 = 1 << 2;
    pub const READERS: u32 = 1 << 3;
    pub const WRITERS: u32 = 1 << 4;
}

/// What an epoll instance watches; follows its file's record, and is followed by `count` times
/// a [`WatchEntry`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct WatchesRecord {
    /// Kind [`kind::WATCHES`].
    pub header: RecordHeader,
    /// Entries that follow.
    pub count: u32,
    /// 1 when these are all, 0 when there are more or the walk was disturbed.
    pub whole: u32,
}

/// One watched file (`struct epitem`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct WatchEntry {
    /// `event.data`.
    pub data: u64,
    /// `ffd.fd`.
    pub fd: u32,
    /// `event.events`.
    pub events: u32,
    /// 1 when it is on the ready list.
    pub ready: u32,
    /// Which fields were read: bits of [`watch_known`].
    pub known: u32,
    /// Address of the watched `struct file`, 0 where it is unknown. Never shown.
    pub file: u64,
}

/// Bits of [`WatchEntry::known`].
#[allow(missing_docs, reason = "each is named as its field")]
pub mod watch_known {
    pub const DATA: u32 = 1 << 0;
    pub const FD: u32 = 1 << 1;
    pub const EVENTS: u32 = 1 << 2;
    pub const READY: u32 = 1 << 3;
}

/// File operations that were met for the first time, with what the kernel calls them and their
/// functions: many kernels' symbol tables have functions only.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct OpsRecord {
    /// Kind [`kind::OPS`].
    pub header: RecordHeader,
    /// Address of the `struct file_operations`.
    pub ops: u64,
    /// Addresses of functions, those that name a file best first; 0 for none.
    pub functions: [u64; OPS_FUNCTIONS],
    /// Bytes that [`Self::symbols`] would take whole; 0 where this kernel's programs can't look
    /// symbols up (before Linux 5.13), negative where that failed.
    pub symbol_bytes: i32,
    /// Nothing.
    pub reserved: u32,
    /// A line for each of [`Self::ops`] and [`Self::functions`], as `%pS` writes it:
    /// `symbol+0xoffset/0xsize [module]`, a number where there is no symbol. Cut where it is
    /// longer, and ended by a NUL.
    pub symbols: [u8; OPS_SYMBOL_BYTES],
}

/// The sums over one descriptor table.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct TotalsRecord {
    /// Kind [`kind::TOTALS`].
    pub header: RecordHeader,
    /// Address of the `struct files_struct`.
    pub table: u64,
    /// The process's id in the reader's pid namespace.
    pub tgid: u32,
    /// The id of the thread through which it was found, in the same namespace.
    pub tid: u32,
    /// Descriptors.
    pub files: u64,
    /// Sockets among them.
    pub sockets: u64,
    /// Sum of the sockets' received payload.
    pub recv_payload: u64,
    /// Sum of the sockets' sent payload.
    pub send_payload: u64,
    /// Sockets whose received payload is unknown, and so missing from the sum.
    pub recv_unknown: u32,
    /// Sockets whose sent payload is unknown, and so missing from the sum.
    pub send_unknown: u32,
}

/// What user space asks of a run.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Request {
    /// The only process to report, for kernels whose links can't filter (before Linux 6.1);
    /// 0 for every process.
    pub tgid: u32,
    /// Readings of one session leave out paths that an earlier one has told; 0 for a reading
    /// that tells all of them and remembers none.
    pub session: u32,
    /// Which reading this is; no two that follow one another have the same.
    pub reading: u32,
    /// Nothing.
    pub reserved: u32,
    /// The time of day in seconds since 1970 (CLOCK_REALTIME).
    pub now: i64,
}
