//! A queue: its first record, and its end.

use crib_common::dump::{QueueEndRecord, QueueRecord, end_bits, kind};
use crib_common::record::RecordHeader;

use super::packet::close_packet;
use super::{Go, SMALL, room, send};
use crate::emit;
use crate::progress::{Dump, ahead};
use crate::read::Value;

/// Begins the queue that was put into the map, or goes on with it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_queue_begin() -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    let Some(request) = emit::dump_request() else { return Go::Stop as u32 };
    let Some(queue) = emit::dump().and_then(|dump| dump.queue.queue()) else {
        return Go::Past as u32;
    };
    if request.queues >> (queue.number & 31) & 1 == 0 {
        return Go::Past as u32;
    }
    if dump.progress.queue_open != 0 && dump.progress.queue == queue.number {
        if !queue.keeps_places(dump.progress.begun) {
            dump.progress.queue_bits |= end_bits::TORN;
        }
        return Go::Again as u32;
    }
    if !room(dump, SMALL) {
        return Go::Stop as u32;
    }
    // What was being read has no such queue any more.
    close_packet(dump, end_bits::TORN);
    close_queue(dump, end_bits::TORN | end_bits::CUT);
    let begun = queue.begin();
    let progress = &mut dump.progress;
    progress.queue = queue.number;
    progress.queue_open = 1;
    progress.begun = begun;
    progress.queue_bits = 0;
    progress.ahead.found = ahead::UNKNOWN;
    progress.ahead.len = 0;
    progress.behind = Value::unknown();
    progress.packet = 0;
    progress.packet_open = 0;
    progress.payload = 0;
    progress.memory = 0;
    let header = RecordHeader::of::<QueueRecord>(kind::QUEUE, 0);
    send(&QueueRecord { header, queue: queue.number, len: begun.len });
    Go::In as u32
}

/// Ends the queue, after a walk of which these bits are true.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_queue_end(bits: u32, ended: u32) -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    dump.progress.queue_bits |= bits;
    if dump.progress.stop != 0 || !room(dump, SMALL) {
        return Go::Stop as u32;
    }
    // A packet that was begun in an earlier run and was not met again.
    close_packet(dump, end_bits::TORN);
    close_queue(dump, if ended != 0 { 0 } else { end_bits::CUT });
    dump.progress.queue += 1;
    Go::In as u32
}

/// Ends the queue that was begun, if one was.
#[inline(always)]
pub fn close_queue(dump: &mut Dump, bits: u32) {
    if dump.progress.queue_open == 0 {
        return;
    }
    let progress = &mut dump.progress;
    let header = RecordHeader::of::<QueueEndRecord>(kind::QUEUE_END, 0);
    let record = QueueEndRecord {
        header,
        packets: progress.packet,
        bits: progress.queue_bits | bits,
        payload: progress.payload,
        memory: progress.memory,
    };
    progress.queue_open = 0;
    send(&record);
}
