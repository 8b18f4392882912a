//! Wire records of the nested dump: queues, packets and their bytes, and what is asked for.
//!
//! The stream of one run, and of the runs that resume it, is
//!
//! ```text
//! dump   = file* END
//! file   = FILE [PATH] [OPS] [SOCKET [UNIX] [TCP] | PIPE | WATCHES] queue* FILE_END
//! queue  = QUEUE packet* QUEUE_END
//! packet = PACKET [NAME] [HEADERS] flight* CHUNK* PACKET_END
//! flight = FLIGHT [PATH] [OPS] [SOCKET [UNIX] [TCP] | PIPE]
//! ```
//!
//! where FILE, OPS, SOCKET, UNIX, PIPE and WATCHES are those of [`crate::record`], and FLIGHT is
//! a [`FileRecord`](crate::record::FileRecord) of a file in a message. A run that stops early
//! ends with no END: the next one goes on with the record that comes next, so that runs need
//! only be laid behind one another.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::limits::{HEADER_BYTES, UNIX_NAME_BYTES};
use crate::record::RecordHeader;

/// The kinds of record, beside those of [`crate::record::kind`].
pub mod kind {
    /// [`PathRecord`](super::PathRecord), followed by the names.
    pub const PATH: u16 = 16;
    /// [`TcpRecord`](super::TcpRecord).
    pub const TCP: u16 = 17;
    /// [`QueueRecord`](super::QueueRecord).
    pub const QUEUE: u16 = 18;
    /// [`PacketRecord`](super::PacketRecord).
    pub const PACKET: u16 = 19;
    /// [`NameRecord`](super::NameRecord).
    pub const NAME: u16 = 20;
    /// [`HeadersRecord`](super::HeadersRecord).
    pub const HEADERS: u16 = 21;
    /// [`FileRecord`](crate::record::FileRecord) of a file in flight.
    pub const FLIGHT: u16 = 22;
    /// [`ChunkRecord`](super::ChunkRecord), followed by the bytes.
    pub const CHUNK: u16 = 23;
    /// [`PacketEndRecord`](super::PacketEndRecord).
    pub const PACKET_END: u16 = 24;
    /// [`QueueEndRecord`](super::QueueEndRecord).
    pub const QUEUE_END: u16 = 25;
    /// [`FileEndRecord`](super::FileEndRecord).
    pub const FILE_END: u16 = 26;
    /// [`EndRecord`](super::EndRecord).
    pub const END: u16 = 27;
}

/// Which queue of a socket or pipe.
pub mod queue {
    /// `sk_receive_queue`.
    pub const RECEIVE: u32 = 0;
    /// `udp_sock.reader_queue`.
    pub const READER: u32 = 1;
    /// `sk_write_queue`.
    pub const WRITE: u32 = 2;
    /// `tcp_rtx_queue`.
    pub const RETRANSMIT: u32 = 3;
    /// `tcp_sock.out_of_order_queue`.
    pub const OUT_OF_ORDER: u32 = 4;
    /// `sk_error_queue`.
    pub const ERROR: u32 = 5;
    /// `sk_backlog`.
    pub const BACKLOG: u32 = 6;
    /// A listener's connections: `icsk_accept_queue`, or a unix listener's receive queue.
    pub const ACCEPT: u32 = 7;
    /// The buffers of a pipe.
    pub const PIPE: u32 = 8;
    /// How many there are.
    pub const COUNT: u32 = 9;
}

/// The path of the file before, walked by name through its dentries: the names follow from the
/// last to the first, each a byte of length and so many bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PathRecord {
    /// Kind [`kind::PATH`].
    pub header: RecordHeader,
    /// Bytes of names that follow.
    pub len: u32,
    /// 1 when the walk came to the root; else the names are the last of a longer path, or could
    /// not all be read.
    pub whole: u32,
}

/// What TCP knows of a connection; follows its socket's record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct TcpRecord {
    /// Kind [`kind::TCP`].
    pub header: RecordHeader,
    /// The kernel's clock tick counter (`jiffies_64`), which `timer_at` is measured by.
    pub jiffies: u64,
    /// The monotonic clock in nanoseconds at that tick, which tells how long a tick is.
    pub clock: u64,
    /// Which fields were read: bits of [`tcp_known`].
    pub known: u32,
    /// First byte that was sent and not acknowledged.
    pub snd_una: u32,
    /// Next byte to be sent.
    pub snd_nxt: u32,
    /// Next byte that the program will write.
    pub write_seq: u32,
    /// Next byte that is expected.
    pub rcv_nxt: u32,
    /// Next byte that the program will read.
    pub copied_seq: u32,
    /// Window that the other end offers, in bytes.
    pub snd_wnd: u32,
    /// Window that was offered to the other end, in bytes.
    pub rcv_wnd: u32,
    /// Congestion window in packets.
    pub snd_cwnd: u32,
    /// Slow start threshold in packets.
    pub snd_ssthresh: u32,
    /// Smoothed round trip time in units of 1/8 microsecond.
    pub srtt: u32,
    /// Its mean deviation in units of 1/4 microsecond.
    pub rttvar: u32,
    /// Maximum segment size in bytes.
    pub mss: u32,
    /// Retransmission timeout in ticks.
    pub rto: u32,
    /// Which timer runs: ICSK_TIME_* (include/net/inet_connection_sock.h), 0 for none.
    pub timer: u32,
    /// When it fires: the low 32 bits of `jiffies`.
    pub timer_at: u32,
    /// Retransmissions in a row.
    pub retransmits: u32,
    /// Retransmissions since the connection began.
    pub total_retransmits: u32,
    /// How often the timeout was doubled.
    pub backoff: u32,
    /// Window probes that were not answered.
    pub probes: u32,
    /// When the last acknowledgement came: the low 32 bits of `jiffies`, 0 for never.
    pub rcv_tstamp: u32,
    /// Nothing.
    pub reserved: u32,
}

/// Bits of [`TcpRecord::known`].
#[allow(missing_docs, reason = "each is named as its field")]
pub mod tcp_known {
    pub const SND_UNA: u32 = 1 << 0;
    pub const SND_NXT: u32 = 1 << 1;
    pub const WRITE_SEQ: u32 = 1 << 2;
    pub const RCV_NXT: u32 = 1 << 3;
    pub const COPIED_SEQ: u32 = 1 << 4;
    pub const SND_WND: u32 = 1 << 5;
    pub const RCV_WND: u32 = 1 << 6;
    pub const SND_CWND: u32 = 1 << 7;
    pub const SND_SSTHRESH: u32 = 1 << 8;
    pub const SRTT: u32 = 1 << 9;
    pub const RTTVAR: u32 = 1 << 10;
    pub const MSS: u32 = 1 << 11;
    pub const RTO: u32 = 1 << 12;
    pub const TIMER: u32 = 1 << 13;
    pub const TIMER_AT: u32 = 1 << 14;
    pub const RETRANSMITS: u32 = 1 << 15;
    pub const TOTAL_RETRANSMITS: u32 = 1 << 16;
    pub const BACKOFF: u32 = 1 << 17;
    pub const PROBES: u32 = 1 << 18;
    pub const RCV_TSTAMP: u32 = 1 << 19;
}

/// A queue begins. Its packets follow, the next to be read first; in a tree by sequence number.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct QueueRecord {
    /// Kind [`kind::QUEUE`].
    pub header: RecordHeader,
    /// One of [`queue`].
    pub queue: u32,
    /// Messages by the kernel's own count, [`UNKNOWN_LEN`] where it keeps none (the trees) or
    /// it could not be read.
    pub len: u32,
}

/// In place of a length that is not known.
pub const UNKNOWN_LEN: u32 = u32::MAX;

/// One packet (`struct sk_buff`), buffer of a pipe, or connection that waits.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PacketRecord {
    /// Kind [`kind::PACKET`].
    pub header: RecordHeader,
    /// Address of the `sk_buff`, `request_sock` or `pipe_buffer`. Never shown.
    pub address: u64,
    /// `skb->tstamp`, nanoseconds since 1970 (CLOCK_REALTIME); only in queues of what was received.
    pub time: i64,
    /// A pipe's buffer: the address of its `struct page`. Never shown.
    pub page: u64,
    /// Which fields were read: bits of [`packet_known`].
    pub known: u32,
    /// Its place in the queue, from 0.
    pub index: u32,
    /// Bytes that a reader would get of it: without `consumed`.
    pub len: u32,
    /// Bytes of it that a unix stream's or TCP's reader took already, or that TCP has twice and gives
    /// it from the packet before.
    pub consumed: u32,
    /// Bytes of TCP's header that stand before its payload, in the backlog, and are not in `len`.
    pub wrapping: u32,
    /// `skb->truesize`; a pipe's buffer: unknown.
    pub truesize: u32,
    /// Bytes in the linear part (`skb_headlen`), before `consumed` is taken off.
    pub linear: u32,
    /// Bytes in page fragments and fragment lists (`skb->data_len`).
    pub paged: u32,
    /// Page fragments (`skb_shared_info.nr_frags`).
    pub frags: u32,
    /// TCP: sequence number of the first byte.
    pub seq: u32,
    /// TCP: sequence number behind the last byte, SYN and FIN counted.
    pub end_seq: u32,
    /// TCP: flags as in the header (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128).
    pub tcp_flags: u32,
    /// Files in flight in it.
    pub files: u32,
    /// `skb->protocol` in host order: an EtherType.
    pub protocol: u16,
    /// Family of `from`, an AF_* number; 0 for none. unix: the name follows in a [`NameRecord`].
    pub from_family: u16,
    /// inet, accept queue: port in host order. packet: ARPHRD_* type of the device.
    pub from_port: u16,
    /// packet: `sll_pkttype`, PACKET_* (packet(7)).
    pub packet_type: u16,
    /// inet: 4 bytes. inet6: 16 bytes. netlink: port id, group; packet: interface index, each 4
    /// bytes in host order.
    pub from: [u8; 16],
    /// Nothing.
    pub reserved: u32,
}

/// Bits of [`PacketRecord::known`].
#[allow(missing_docs, reason = "each is named as its field")]
pub mod packet_known {
    pub const LEN: u32 = 1 << 0;
    pub const TRUESIZE: u32 = 1 << 1;
    pub const PARTS: u32 = 1 << 2;
    /// It is known and not 0.
    pub const TIME: u32 = 1 << 3;
    /// `seq`, `end_seq`.
    pub const SEQ: u32 = 1 << 4;
    pub const TCP_FLAGS: u32 = 1 << 5;
    pub const FILES: u32 = 1 << 6;
    pub const PROTOCOL: u32 = 1 << 7;
    pub const FROM: u32 = 1 << 8;
}

/// The name of the unix socket that sent the packet before.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NameRecord {
    /// Kind [`kind::NAME`].
    pub header: RecordHeader,
    /// Bytes of the name, 0 for none, [`UnixRecord::UNKNOWN`](crate::record::UnixRecord::UNKNOWN)
    /// where it could not be read.
    pub len: u32,
    /// Nothing.
    pub reserved: u32,
    /// `sun_path`; an abstract name begins with a NUL byte (unix(7)).
    pub name: [u8; UNIX_NAME_BYTES],
}

/// The protocol headers that still stand before the payload of a packet that was received, from
/// its network header on.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct HeadersRecord {
    /// Kind [`kind::HEADERS`].
    pub header: RecordHeader,
    /// How many bytes of `bytes` there are.
    pub len: u32,
    /// At which of them the transport header begins.
    pub transport: u32,
    /// The bytes.
    pub bytes: [u8; HEADER_BYTES],
}

/// Bytes of the payload of the packet before.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ChunkRecord {
    /// Kind [`kind::CHUNK`].
    pub header: RecordHeader,
    /// Where in the payload they stand.
    pub offset: u32,
    /// How many they are.
    pub len: u32,
    /// 1: the bytes follow. 0: they could not be read.
    pub captured: u32,
    /// Where they were: one of [`part`].
    pub part: u32,
}

/// Parts of a packet.
pub mod part {
    /// The linear part.
    pub const LINEAR: u32 = 0;
    /// A page fragment, or a pipe's page.
    pub const PAGE: u32 = 1;
    /// A packet of the fragment list.
    pub const LIST: u32 = 2;
}

/// A packet ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PacketEndRecord {
    /// Kind [`kind::PACKET_END`].
    pub header: RecordHeader,
    /// As in the packet's record.
    pub index: u32,
    /// What is true of it: bits of [`end_bits`].
    pub bits: u32,
}

/// A queue ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct QueueEndRecord {
    /// Kind [`kind::QUEUE_END`].
    pub header: RecordHeader,
    /// Packets that were counted, with those that were not asked for.
    pub packets: u32,
    /// What is true of it: bits of [`end_bits`].
    pub bits: u32,
    /// Their payload in bytes, also of those that were not asked for.
    pub payload: u64,
    /// Their `truesize` in bytes, as `payload`.
    pub memory: u64,
}

/// A file ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileEndRecord {
    /// Kind [`kind::FILE_END`].
    pub header: RecordHeader,
    /// The descriptor.
    pub fd: u32,
    /// What is true of it: bits of [`end_bits`]. TORN: the descriptor stands for another file
    /// now, or none, so that all that was said of it may be wrong.
    pub bits: u32,
}

/// The dump is complete.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct EndRecord {
    /// Kind [`kind::END`].
    pub header: RecordHeader,
    /// Files that were found.
    pub files: u32,
    /// Runs that it took, this one counted.
    pub runs: u32,
    /// Records that found no room, against all reckoning: none, if the reckoning is right.
    pub lost: u32,
    /// Nothing.
    pub reserved: u32,
}

/// What is true of something that ended.
pub mod end_bits {
    /// It changed while it was read: what was said of it may be wrong or mixed of two.
    pub const TORN: u32 = 1 << 0;
    /// It goes on behind a limit: there is more than was said.
    pub const CUT: u32 = 1 << 1;
    /// The limit was one that was asked for (payload bytes, a range of packets).
    pub const ASKED: u32 = 1 << 2;
}

/// What user space asks of a dump.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct DumpRequest {
    /// What to add to `page << 6` to get a page's address in the direct map, where
    /// [`dump_bits::PAGES`] says that it is known (x86-64).
    pub page_constant: u64,
    /// The thread whose table is read, in the reader's pid namespace.
    pub tid: u32,
    /// The first descriptor that is wanted.
    pub first_fd: u32,
    /// The last one.
    pub last_fd: u32,
    /// Which queues: a bit each of [`queue`]; 0 for none.
    pub queues: u32,
    /// The first packet of each queue that is wanted.
    pub first_packet: u32,
    /// The last one.
    pub last_packet: u32,
    /// Bytes of each packet at most.
    pub payload: u32,
    /// Bits of [`dump_bits`].
    pub bits: u32,
    /// Bytes in the ring after which a run stops: what there is room for.
    pub bytes: u32,
    /// Packets that a run looks at.
    pub packets: u32,
    /// How many of `hops` there are.
    pub hop_count: u32,
    /// From a descriptor's file to a file in flight in its queue, and on from there; the dump is
    /// then of that one file.
    pub hops: [Hop; HOPS],
    /// Tells one dump from the next: a run with the number of the one before goes on from where
    /// that one stopped. Never 0.
    pub session: u32,
}

/// How many times a dump can go from a socket to a file in flight in it.
pub const HOPS: usize = 3;

/// One step from a socket to a file in flight in one of its queues.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Hop {
    /// One of [`queue`].
    pub queue: u32,
    /// The packet's place in it.
    pub packet: u32,
    /// The file's place in the packet.
    pub file: u32,
    /// Nothing.
    pub reserved: u32,
}

/// Bits of [`DumpRequest::bits`].
pub mod dump_bits {
    /// `page_constant` is known.
    pub const PAGES: u32 = 1 << 0;
    /// Files' paths are wanted.
    pub const PATHS: u32 = 1 << 1;
    /// What epoll instances watch is wanted.
    pub const WATCHES: u32 = 1 << 2;
    /// Files in flight are wanted.
    pub const FLIGHT: u32 = 1 << 3;
}
