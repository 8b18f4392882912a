//! One packet of a dump out of its record.

use std::time::{Duration, SystemTime};

use crib_common::dump::{PacketRecord, packet_known};

use super::{IdKey, known, sender};
use crate::model::{Packet, Parts, TcpFlags};

/// The packet that a record tells of, without what the records behind it tell.
pub(super) fn packet(record: &PacketRecord, key: &IdKey) -> Packet {
    let has = u64::from(record.known);
    let value = |bit: u32, value: u32| known(has, bit.into(), value);
    let len = value(packet_known::LEN, record.len);
    let consumed = value(packet_known::LEN, record.consumed).unwrap_or(0);
    let seq = value(packet_known::SEQ, record.seq);
    let time = known(has, packet_known::TIME.into(), record.time);
    // What is left of a packet becomes less as it is read; it was as long as that.
    let whole = u64::from(len.unwrap_or(0)) + u64::from(consumed);
    let id = key.packet(record.address, seq.unwrap_or(0), whole, time.unwrap_or(0));
    Packet {
        index: record.index,
        len,
        truesize: value(packet_known::TRUESIZE, record.truesize),
        time: time.and_then(moment),
        from: sender::recorded(record),
        seq,
        end_seq: value(packet_known::SEQ, record.end_seq),
        // The header has 8 of them.
        tcp_flags: value(packet_known::TCP_FLAGS, record.tcp_flags)
            .map(|flags| TcpFlags(flags as u8)),
        parts: known(
            has,
            packet_known::PARTS.into(),
            Parts { linear: record.linear, paged: record.paged, frags: record.frags },
        ),
        consumed,
        files: Vec::new(),
        file_count: value(packet_known::FILES, record.files),
        ethertype: known(has, packet_known::PROTOCOL.into(), record.protocol)
            .filter(|&protocol| protocol != 0),
        headers: Vec::new(),
        captured: 0,
        payload: Vec::new(),
        unreadable: 0,
        gaps: Vec::new(),
        torn: false,
        id,
    }
}

/// Nanoseconds since 1970 as a moment.
fn moment(nanoseconds: i64) -> Option<SystemTime> {
    let since = Duration::from_nanos(u64::try_from(nanoseconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}
