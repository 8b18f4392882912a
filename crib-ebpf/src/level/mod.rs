//! What a dump does at each level of its nest.
//!
//! Each part is a *global function*, which the verifier looks at once, by itself, with arguments
//! that may be anything, where it looks at other code anew on each way that leads there, and
//! five loops deep that is more than it will do. It also has a stack frame of its own, which is
//! gone when it returns: all frames on the way to one point must fit 512 bytes. What makes a
//! function global is that the object exports it: hence the names. They take numbers only, and
//! find everything else in the maps.

mod bytes;
mod file;
mod packet;
mod queue;
mod socket;
mod task;

pub use bytes::{crib_ahead, crib_chunks, crib_chunks_again, read_chunk};
pub use file::{
    crib_epoll, crib_file, crib_file_begin, crib_file_end, crib_file_lost, crib_file_still,
    crib_operations, crib_path, crib_pipe,
};
pub use packet::{
    crib_flight, crib_packet, crib_packet_begin, crib_packet_end, crib_packet_headers,
    crib_packet_sender,
};
pub use queue::{crib_queue_begin, crib_queue_end};

pub use socket::{
    crib_addresses, crib_other_queues, crib_socket, crib_socket_end, crib_tcp, crib_tcp_received,
    crib_tcp_sent, crib_udp_queues, crib_unix, crib_unix_queues,
};
pub use task::{crib_begin, crib_end};

use zerocopy::IntoBytes;

use crate::emit;
use crate::progress::Dump;

/// What comes next at a level.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Go {
    /// Into it.
    In = 0,
    /// Into it, where an earlier run has begun already.
    Again = 1,
    /// Past it, to the next.
    Past = 2,
    /// Nowhere: the run has to stop.
    Stop = 3,
}

impl Go {
    /// From what a global function returned.
    #[inline(always)]
    pub fn of(number: u32) -> Self {
        match number {
            0 => Self::In,
            1 => Self::Again,
            2 => Self::Past,
            _ => Self::Stop,
        }
    }
}

/// Whether there is room for `bytes` more in this run; else it has to stop.
#[inline(always)]
fn room(dump: &mut Dump, bytes: u32) -> bool {
    let there = dump.progress.bytes_left >= bytes;
    if !there {
        dump.progress.stop = 1;
    }
    there
}

/// Bytes of records that come one at a time, rounded up.
const SMALL: u32 = 1024;

/// Writes one record for which there is room.
#[inline(always)]
pub fn send<T: IntoBytes>(record: &T) {
    // SAFETY: a reference is readable; records have no padding.
    unsafe { spend((&raw const *record).cast(), size_of::<T>() as u32) };
}

/// Writes `len` bytes for which there is room, and takes them off what is left.
///
/// # Safety
/// As [`emit::to_ring`].
#[inline(always)]
unsafe fn spend(data: *const u8, len: u32) {
    /// What the ring puts before each record (`BPF_RINGBUF_HDR_SZ`).
    const HEADER: u32 = 8;
    // SAFETY: the caller's.
    let written = unsafe { emit::to_ring(data, len) };
    if let Some(dump) = emit::dump() {
        if !written {
            dump.progress.lost += 1;
        }
        let used = (len + HEADER + 7) & !7;
        dump.progress.bytes_left = dump.progress.bytes_left.saturating_sub(used);
    }
}
