//! A pipe or FIFO (`struct pipe_inode_info`).

use crib_common::limits::PIPE_BUFFERS;
use crib_common::offsets::ABSENT;
use crib_common::record::{PipeRecord, RecordHeader, kind, pipe_known};

use crate::file::note;
use crate::read::{Access, Kptr, Raw, offset};
use crate::repeat::{Step, repeat};

/// Fills in `record`. `LOOPS` says whether the kernel has `bpf_loop`; without it the bytes in
/// more than no buffer are unknown.
#[inline(always)]
pub fn fill<A: Access, const LOOPS: bool>(record: &mut PipeRecord, pipe: Kptr<A>) {
    let mut known = 0;
    record.header = RecordHeader::of::<PipeRecord>(kind::PIPE, 0);
    record.slots = note!(known, pipe_known::SLOTS, pipe.get(offset!(pipe_max_usage)));
    record.readers = note!(known, pipe_known::READERS, pipe.get(offset!(pipe_readers)));
    record.writers = note!(known, pipe_known::WRITERS, pipe.get(offset!(pipe_writers)));
    let content = content::<A, LOOPS>(pipe);
    record.buffers = note!(known, pipe_known::BUFFERS, content.map(|content| content.buffers));
    record.bytes = note!(known, pipe_known::BYTES, content.and_then(|content| content.bytes));
    record.known = known;
    record.reserved = 0;
}

#[derive(Clone, Copy)]
struct Content {
    buffers: u32,
    bytes: Option<u64>,
}

/// The buffers between tail and head, and the bytes in them. The reader and the writers move
/// both while this looks: when they did, the sum is unknown.
#[inline(always)]
fn content<A: Access, const LOOPS: bool>(pipe: Kptr<A>) -> Option<Content> {
    let head: u32 = pipe.get(offset!(pipe_head))?;
    let tail: u32 = pipe.get(offset!(pipe_tail))?;
    let buffers = head.wrapping_sub(tail);
    let ring: u32 = pipe.get(offset!(pipe_ring_size))?;
    if buffers > ring {
        return None;
    }
    if buffers == 0 {
        return Some(Content { buffers, bytes: Some(0) });
    }
    let size = offset!(pipe_buffer_size);
    if !LOOPS || buffers > PIPE_BUFFERS || size == ABSENT {
        return Some(Content { buffers, bytes: None });
    }
    let bufs: u64 = pipe.get(offset!(pipe_bufs))?;
    let mut bytes = 0;
    let mut whole = true;
    repeat(buffers, |index| {
        // The ring's size is a power of two (pipe_resize_ring).
        let slot = tail.wrapping_add(index) & ring.wrapping_sub(1);
        let buffer = Kptr::<Raw>::to(bufs + u64::from(slot) * u64::from(size));
        match buffer.and_then(|buffer| buffer.get::<u32>(offset!(pipe_buffer_len))) {
            Some(len) => {
                bytes += u64::from(len);
                Step::Continue
            }
            None => {
                whole = false;
                Step::Break
            }
        }
    });
    let still = pipe.get::<u32>(offset!(pipe_head)) == Some(head)
        && pipe.get::<u32>(offset!(pipe_tail)) == Some(tail)
        && pipe.get::<u64>(offset!(pipe_bufs)) == Some(bufs);
    Some(Content { buffers, bytes: (whole && still).then_some(bytes) })
}
