//! A packet's bytes: each chunk is written once and read twice.

use crib_common::dump::{ChunkRecord, kind};
use crib_common::limits::CHUNK_BYTES;
use crib_common::record::RecordHeader;

use super::{Go, room, spend};
use crate::chunks::Chunk;
use crate::emit;
use crate::packet::Details;
use crate::progress::{BLOCK, BYTES, Dump};
use crate::read::{Kptr, Raw, below, copy};
use crate::repeat::{Step, repeat};

/// Writes what is asked for of a packet's bytes, then reads them again, to see whether they are
/// still the same.
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
    if dump.progress.stop != 0 {
        return Go::Stop as u32;
    }
    dump.progress.again = 0;
    packet.chunks(&dump.packet, dump.progress.offset).for_each(|chunk| {
        if read_chunk(dump, &chunk) {
            dump.progress.again = hash(&dump.bytes, dump.progress.again, chunk.len);
        }
        Step::Continue
    });
    Go::In as u32
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
    unsafe { copy(bytes, len, address) && copy(bytes.add(len as usize), BLOCK as u32, zeros) }
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
