//! How far a dump is, and the scratch space for its records: all of it in a map.

use crib_common::dump::{ChunkRecord, HeadersRecord, NameRecord, PacketRecord, TcpRecord};
use crib_common::limits::CHUNK_BYTES;

use crate::identity::Identity;
use crate::packet::Skb;
use crate::packets::Begun;
use crate::path::Path;
use crate::queues::{OwnerNumbers, QueueNumbers};
use crate::read::Value;

/// Bytes that are hashed in one step.
pub const BLOCK: usize = 64;
/// Room for a chunk, a power of two over its size, and a block to fill up the last one.
pub const BYTES: usize = 2 * CHUNK_BYTES;

/// How far a dump is, and the scratch space for its records. For why it is in a map and not on
/// the stack see [`crate::rbtree::Walk`].
#[repr(C)]
pub struct Dump {
    /// How far it is.
    pub progress: Progress,
    /// What has the queues that are being read.
    pub owner: OwnerNumbers,
    /// The queue that is being read.
    pub queue: QueueNumbers,
    /// The packet that is being read, as it was when it was begun, and at last as it is now.
    pub skb: Skb,
    pub path: Path,
    pub tcp: TcpRecord,
    pub packet: PacketRecord,
    pub name: NameRecord,
    pub headers: HeadersRecord,
    pub chunk: ChunkRecord,
    /// The bytes of a chunk, which follow its record.
    pub bytes: [u8; BYTES + BLOCK],
    /// Nothing, to fill up the last block of a chunk with.
    pub zeros: [u8; BLOCK],
}

/// What is known of the packet behind the one that is being read, see
/// [`crate::level::crib_ahead`].
#[repr(C)]
pub struct Ahead {
    /// What its first chunk hashes to, and how long that is: 0 where it was not read.
    pub hash: u64,
    pub len: u32,
    /// The TCP sequence number that it begins with.
    pub seq: u32,
    /// Whether it was looked for: one of [`ahead`].
    pub found: u32,
    /// Nothing.
    pub reserved: u32,
}

/// What was found behind a packet.
pub mod ahead {
    /// It was not looked for.
    pub const UNKNOWN: u32 = 0;
    /// A packet.
    pub const PACKET: u32 = 1;
    /// No packet that the link leads to and back from.
    pub const NONE: u32 = 2;
}

/// How far a dump is.
#[repr(C)]
pub struct Progress {
    /// What is to come behind the packet that was read last.
    pub ahead: Ahead,
    /// Where the packet before the one that is being read ended ([`crate::packet::Details::behind`]).
    pub behind: Value<u32>,
    /// What the packet that is being read was known by when it was begun.
    pub identity: Identity,
    /// What it is known by now.
    pub now: Identity,
    /// The file that is being read.
    pub file: u64,
    /// The hash of the packet's bytes that were read until now.
    pub hash: u64,
    /// The hash of the packet's bytes when they are read again.
    pub again: u64,
    /// Sums over the queue that is being read.
    pub payload: u64,
    pub memory: u64,
    /// The file in flight that was looked for.
    pub flight_file: u64,
    /// The file that the way to one in flight has led to.
    pub reached: u64,
    /// Which dump this is of.
    pub session: u32,
    /// The thread.
    pub tgid: u32,
    pub tid: u32,
    /// The descriptor that is next, or being read.
    pub fd: u32,
    /// The last descriptor that this run looks at.
    pub run_end: u32,
    /// The descriptor that is said: none for a file in flight.
    pub shown_fd: u32,
    /// Whether the file's first records are out.
    pub file_open: u32,
    /// Whether the descriptor has got another file since.
    pub file_lost: u32,
    /// Whether the descriptor stood for it still when it was looked at last.
    pub file_still: u32,
    /// The queue that is next, or being read.
    pub queue: u32,
    pub queue_open: u32,
    /// What the queue was when it was begun.
    pub begun: Begun,
    /// What is true of it until now.
    pub queue_bits: u32,
    /// The packet that is next, or being read.
    pub packet: u32,
    pub packet_open: u32,
    /// The file in flight that is next.
    pub flight: u32,
    /// The payload byte that is next.
    pub offset: u32,
    /// What is left of this run.
    pub bytes_left: u32,
    pub packets_left: u32,
    /// Whether this run has to stop.
    pub stop: u32,
    pub files: u32,
    pub runs: u32,
    /// Records that found no room.
    pub lost: u32,
    /// The socket that is being told of: its address and what kind it is.
    pub sk: u64,
    pub sort: u32,
    /// The hop that is next.
    pub hop: u32,
}
