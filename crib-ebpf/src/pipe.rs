//! A pipe or FIFO (`struct pipe_inode_info`).

use crib_common::limits::PIPE_BUFFERS;
use crib_common::offsets::ABSENT;
use crib_common::record::{PipeRecord, RecordHeader, kind, pipe_known};

use crate::read::{Access, Kptr, Raw, Value, offset};
use crate::repeat::{Step, repeat};

/// Fills in `record`. `LOOPS` says whether the kernel has `bpf_loop`; without it the bytes in
/// more than no buffer are unknown.
#[inline(always)]
pub fn fill<A: Access, const LOOPS: bool>(record: &mut PipeRecord, pipe: Kptr<A>) {
    let mut known = 0;
    record.header = RecordHeader::of::<PipeRecord>(kind::PIPE, 0);
    record.slots = pipe.get(offset!(pipe_max_usage)).note(&mut known, pipe_known::SLOTS);
    record.readers = pipe.get(offset!(pipe_readers)).note(&mut known, pipe_known::READERS);
    record.writers = pipe.get(offset!(pipe_writers)).note(&mut known, pipe_known::WRITERS);
    let content = content::<A, LOOPS>(pipe);
    record.buffers = content.buffers.note(&mut known, pipe_known::BUFFERS);
    record.bytes = content.bytes.note(&mut known, pipe_known::BYTES);
    record.known = known;
    record.reserved = 0;
}

#[derive(Clone, Copy, Default)]
struct Content {
    buffers: Value<u32>,
    bytes: Value<u64>,
}

/// The buffers between tail and head, and the bytes in them. The reader and the writers move
/// both while this looks: when they did, the sum is unknown.
#[inline(always)]
fn content<A: Access, const LOOPS: bool>(pipe: Kptr<A>) -> Content {
    let mut content = Content::default();
    let Some(head) = pipe.get::<u32>(offset!(pipe_head)).ok() else { return content };
    let Some(tail) = pipe.get::<u32>(offset!(pipe_tail)).ok() else { return content };
    let ring: u32 = pipe.get(offset!(pipe_ring_size)).or_zero();
    let buffers = head.wrapping_sub(tail);
    if buffers > ring {
        return content;
    }
    content.buffers = Value::of(buffers);
    content.bytes = Value::when(buffers == 0, 0);
    let bufs: u64 = pipe.get(offset!(pipe_bufs)).or_zero();
    let size = offset!(pipe_buffer_size);
    if !LOOPS || buffers == 0 || buffers > PIPE_BUFFERS || bufs == 0 || size == ABSENT {
        return content;
    }
    let mut bytes = 0;
    let mut summed = 0;
    repeat(buffers, |index| {
        // The ring's size is a power of two (pipe_resize_ring).
        let slot = tail.wrapping_add(index) & ring.wrapping_sub(1);
        let Some(buffer) = Kptr::<Raw>::to(bufs + u64::from(slot) * u64::from(size)) else {
            return Step::Break;
        };
        let Some(len) = buffer.get::<u32>(offset!(pipe_buffer_len)).ok() else {
            return Step::Break;
        };
        bytes += u64::from(len);
        summed += 1;
        Step::Continue
    });
    let still = pipe.get::<u32>(offset!(pipe_head)).is(head)
        && pipe.get::<u32>(offset!(pipe_tail)).is(tail)
        && pipe.get::<u64>(offset!(pipe_bufs)).is(bufs);
    content.bytes = Value::when(summed == buffers && still, bytes);
    content
}
