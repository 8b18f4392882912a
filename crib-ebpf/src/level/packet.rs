//! A packet: its first records, the files in flight in it, and its end.

use crib_common::dump::{PacketEndRecord, dump_bits, end_bits, kind};
use crib_common::limits::RING_UNIT;
use crib_common::record::RecordHeader;

use super::{Go, SMALL, room, send};
use crate::emit;
use crate::packet::Details;
use crate::progress::{Dump, ahead};
use crate::queues::is;
use crate::socket::AF_UNIX;

/// Begins a packet, or goes on with it; past it where it is not wanted.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_packet_begin(address: u64, index: u32) -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    let Some(request) = emit::dump_request() else { return Go::Stop as u32 };
    let Some(packet) = Details::of(address, index) else { return Go::Past as u32 };
    if dump.progress.packet_open != 0 {
        if dump.progress.identity.address() == address {
            return Go::Again as u32;
        }
        // The queue has moved on between two runs, and this place is another packet's.
        if !room(dump, SMALL) {
            return Go::Stop as u32;
        }
        dump.progress.queue_bits |= end_bits::TORN;
        close_packet(dump, end_bits::TORN);
        dump.progress.packet = index + 1;
        return Go::Past as u32;
    }
    if dump.progress.packets_left == 0 {
        dump.progress.stop = 1;
    }
    if dump.progress.stop != 0 || !room(dump, SMALL) {
        return Go::Stop as u32;
    }
    packet.copy_into(&mut dump.skb);
    dump.progress.packets_left -= 1;
    dump.progress.payload += u64::from(packet.len(&dump.skb, dump.progress.behind).or_zero());
    dump.progress.memory += u64::from(packet.truesize(&dump.skb).or_zero());
    dump.progress.packet = index;
    if index < request.first_packet || index > request.last_packet {
        dump.progress.queue_bits |= end_bits::ASKED;
        dump.progress.behind = packet.behind(&dump.skb);
        dump.progress.packet = index + 1;
        return Go::Past as u32;
    }
    let progress = &mut dump.progress;
    progress.packet_open = 1;
    progress.flight = 0;
    progress.offset = 0;
    progress.hash = 0;
    Go::In as u32
}

/// The first records of a packet that is begun.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_packet(address: u64, index: u32) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(packet) = Details::of(address, index) else { return 0 };
    packet.identify(&dump.skb, &mut dump.progress.identity);
    let follows = match dump.progress.ahead.found {
        ahead::UNKNOWN => true,
        ahead::PACKET => dump.progress.ahead.seq == dump.progress.identity.seq(),
        _ => false,
    };
    if !follows || !dump.progress.identity.is_there() {
        dump.progress.queue_bits |= end_bits::TORN;
    }
    packet.fill(&dump.skb, dump.progress.behind, &mut dump.packet);
    0
}

/// Who sent it, which is in its record, and the record itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_packet_sender(address: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(packet) = Details::of(address, 0) else { return 0 };
    if packet.is(is::SKB) {
        packet.fill_sender(&dump.skb, &mut dump.packet);
    }
    send(&dump.packet);
    0
}

/// The name of who sent it, and the headers in front of it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_packet_headers(address: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(packet) = Details::of(address, 0) else { return 0 };
    if !packet.is(is::SKB) {
        return 0;
    }
    if dump.packet.from_family == AF_UNIX {
        packet.fill_name(&dump.skb, &mut dump.name);
        send(&dump.name);
    }
    if packet.has_headers() && packet.fill_headers(&dump.skb, &mut dump.headers) {
        send(&dump.headers);
    }
    0
}

/// Whether a file in flight is wanted, and there is room for it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_flight(place: u32) -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    let Some(request) = emit::dump_request() else { return Go::Stop as u32 };
    if request.bits & dump_bits::FLIGHT == 0 || !room(dump, RING_UNIT) {
        return Go::Stop as u32;
    }
    dump.progress.flight = place + 1;
    Go::In as u32
}

/// Ends a packet whose bytes were all read twice.
///
/// Bytes that are the same twice, in a packet that is the same before, between and after, are
/// those of one packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_packet_end(address: u64, index: u32) -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    let Some(packet) = Details::of(address, index) else { return Go::Past as u32 };
    if dump.progress.stop != 0 || !room(dump, SMALL) {
        return Go::Stop as u32;
    }
    packet.copy_into(&mut dump.skb);
    packet.identify(&dump.skb, &mut dump.progress.now);
    let is_same = packet.is_same(&dump.progress.identity, &dump.progress.now);
    // It says that it is longer than it is where a sender is held up that has counted its bytes
    // and not yet put them into it.
    let Some(request) = emit::dump_request() else { return Go::Stop as u32 };
    let is_full = dump.progress.offset >= dump.packet.len.min(request.payload);
    let whole = is_same && is_full && dump.progress.again == dump.progress.hash;
    dump.progress.behind = packet.behind(&dump.skb);
    close_packet(dump, if whole { 0 } else { end_bits::TORN });
    dump.progress.packet = index + 1;
    Go::In as u32
}

/// Ends the packet that was begun, if one was.
#[inline(always)]
pub fn close_packet(dump: &mut Dump, bits: u32) {
    if dump.progress.packet_open == 0 {
        return;
    }
    dump.progress.packet_open = 0;
    let header = RecordHeader::of::<PacketEndRecord>(kind::PACKET_END, 0);
    send(&PacketEndRecord { header, index: dump.progress.packet, bits });
}
