//! A packet's bytes: each chunk is written once and read twice, and between the two readings the
//! next packet is looked at.

use crib_common::dump::{ChunkRecord, end_bits, kind};
use crib_common::limits::CHUNK_BYTES;
use crib_common::record::RecordHeader;

use super::{Go, room, spend};
use crate::chunks::Chunk;
use crate::emit;
use crate::packet::Details;
use crate::progress::{BLOCK, BYTES, Dump, ahead};
use crate::queues::is;
use crate::read::{Kptr, Raw, below, copy, offset};
use crate::repeat::{Step, repeat};

/// Writes what is asked for of a packet's bytes.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_chunks(address: u64) -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    let Some(request) = emit::dump_request() else { return Go::Stop as u32 };
    // Not all files in flight found room: they come before the bytes.
    if dump.progress.stop != 0 {
        return Go::Stop as u32;
    }
    let Some(packet) = Details::of(address, 0) else { return Go::Past as u32 };
    let payload = packet.chunks(&dump.packet, request.payload);
    payload.resume(dump.progress.offset).for_each(|chunk| {
        if !room(dump, 2 * CHUNK_BYTES as u32) {
            return Step::Break;
        }
        send_chunk(dump, &chunk);
        dump.progress.offset = chunk.offset + chunk.len;
        Step::Continue
    });
    let go = if dump.progress.stop != 0 { Go::Stop } else { Go::In };
    go as u32
}

/// Notes what comes behind a packet whose bytes were written, in a list or in TCP's tree of what
/// was sent.
///
/// Packets get one another's memory, so that a packet which leads on to the next one, and that
/// one back, may both be others than those that were there a moment ago. But what a packet is
/// followed by while its bytes stay the same, which the second reading shows, follows it: nothing
/// is taken out from behind it. The next packet has to be that one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_ahead(address: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    dump.progress.ahead.found = ahead::UNKNOWN;
    dump.progress.ahead.len = 0;
    let Some(packet) = Details::of(address, 0) else { return 0 };
    if !packet.is(is::LISTED) {
        // What was sent and is not acknowledged has no gaps.
        if packet.is(is::NUMBERED) && !packet.is(is::STAMPED) {
            dump.progress.ahead.found = ahead::PACKET;
            dump.progress.ahead.seq = dump.progress.identity.end_seq();
        }
        return 0;
    }
    dump.progress.ahead.found = ahead::NONE;
    let next: u64 = packet.pointer.get(offset!(skb_next)).or_zero();
    if next == packet.queue.head.address() {
        return 0;
    }
    let Some(next) = Details::of(next, 0) else { return 0 };
    if !next.pointer.get::<u64>(offset!(skb_prev)).is(address) {
        return 0;
    }
    dump.progress.ahead.found = ahead::PACKET;
    dump.progress.ahead.seq = next.seq(&next.pointer).or_zero();
    // TCP numbers its packets, and appends to the last one.
    if next.is(is::NUMBERED) {
        // There is never a gap between two: what is missing is on its way to its place. When TCP
        // cuts a packet in two, what was cut off is in no queue for a moment (tso_fragment), which
        // lasts as long as whoever cuts is held up.
        if dump.progress.ahead.seq.wrapping_sub(dump.progress.identity.end_seq()) as i32 > 0 {
            dump.progress.queue_bits |= end_bits::TORN;
        }
        return 0;
    }
    next.payload(request.payload).for_each(|chunk| {
        if read_chunk(dump, &chunk) {
            dump.progress.ahead.hash = hash(&dump.bytes, 0, chunk.len);
            dump.progress.ahead.len = chunk.len;
        }
        Step::Break
    });
    0
}

/// Reads a packet's bytes again, to see whether they are still the same.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_chunks_again(address: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(packet) = Details::of(address, 0) else { return 0 };
    dump.progress.again = 0;
    packet.chunks(&dump.packet, dump.progress.offset).for_each(|chunk| {
        if read_chunk(dump, &chunk) {
            dump.progress.again = hash(&dump.bytes, dump.progress.again, chunk.len);
        }
        Step::Continue
    });
    0
}

/// Writes a chunk, with its bytes where they can be read.
#[inline(always)]
fn send_chunk(dump: &mut Dump, chunk: &Chunk<'_>) {
    let captured = read_chunk(dump, chunk);
    let len = below::<{ BYTES as u32 }>(chunk.len);
    let follow = if captured { len } else { 0 };
    dump.chunk = ChunkRecord {
        header: RecordHeader::of::<ChunkRecord>(kind::CHUNK, follow),
        offset: chunk.offset,
        len: chunk.len,
        captured: u32::from(captured),
        part: chunk.part,
    };
    if captured {
        dump.progress.hash = hash(&dump.bytes, dump.progress.hash, chunk.len);
        let ahead = &dump.progress.ahead;
        let is_other = chunk.len != ahead.len || dump.progress.hash != ahead.hash;
        if chunk.offset == 0 && ahead.len != 0 && is_other {
            dump.progress.queue_bits |= end_bits::TORN;
        }
    }
    let size = size_of::<ChunkRecord>() as u32 + below::<{ BYTES as u32 }>(follow);
    // SAFETY: the bytes follow the record in the map, and have that room.
    unsafe { spend((&raw const dump.chunk).cast(), size) };
}

/// The bytes of a chunk into the scratch space, filled up to a block with zeros.
#[inline(always)]
pub fn read_chunk(dump: &mut Dump, chunk: &Chunk<'_>) -> bool {
    let Some(address) = chunk.address else { return false };
    let len = below::<{ BYTES as u32 }>(chunk.len);
    let bytes = dump.bytes.as_mut_ptr();
    let Some(zeros) = Kptr::<Raw>::to(dump.zeros.as_ptr() as u64) else { return false };
    // SAFETY: `len` is below BYTES, behind which there is room for a block.
    unsafe {
        copy(bytes, len, address).is_known()
            && copy(bytes.add(len as usize), BLOCK as u32, zeros).is_known()
    }
}

/// A hash of the first `len` bytes and of what went before. It need not resist anybody: it tells
/// a packet from another one that has come into its memory meanwhile.
#[inline(always)]
fn hash(bytes: &[u8; BYTES + BLOCK], before: u64, len: u32) -> u64 {
    /// An odd number with no pattern in its bits: that of the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = before ^ u64::from(len);
    repeat(len / BLOCK as u32 + 1, |block| {
        let at = below::<{ BYTES as u32 }>(block * BLOCK as u32) as usize;
        // SAFETY: `at` is below BYTES, behind which there is room for a block; blocks begin at
        // multiples of 8 as the array does.
        let word =
            |index: usize| unsafe { bytes.as_ptr().add(at + index * 8).cast::<u64>().read() };
        // Four in a row don't wait for one another.
        let mut sum = 0;
        let mut lane = 0;
        while lane < 4 {
            let mut part = (word(lane) ^ FACTOR.rotate_left(8 * lane as u32)).wrapping_mul(FACTOR);
            part ^= part >> 29;
            part = (part ^ word(lane + 4)).wrapping_mul(FACTOR);
            sum ^= (part ^ part >> 32).rotate_left(lane as u32);
            lane += 1;
        }
        hash = (hash ^ sum).wrapping_mul(FACTOR);
        hash ^= hash >> 29;
        Step::Continue
    });
    hash
}
