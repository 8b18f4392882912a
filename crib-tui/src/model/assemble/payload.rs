//! A packet's bytes out of its chunks, whatever these claim.

use crib_common::dump::ChunkRecord;

use crate::model::Packet;

/// What chunks may make of a packet's payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Bytes of each packet that were asked for.
    pub(super) asked: u32,
    /// Bytes that unreadable chunks may still be filled up with: they claim a length without
    /// having as many bytes, so that nothing else bounds them.
    pub(super) filler: usize,
}

impl Room {
    /// More than all the sockets of a process hold in pages that can't be read, and little
    /// enough to be allocated.
    const FILLER: usize = 256 << 20;

    pub(super) fn new(asked: u32) -> Self {
        Self { asked, filler: Self::FILLER }
    }

    /// Adds a chunk. One that doesn't follow on what is there, or goes beyond the packet's
    /// length, is left out, and the packet is torn.
    pub(super) fn add(&mut self, packet: &mut Packet, chunk: &ChunkRecord, bytes: &[u8]) {
        let limit = packet.len.map_or(self.asked, |len| len.min(self.asked)) as usize;
        let (offset, len) = (chunk.offset as usize, chunk.len as usize);
        let held = packet.payload.len();
        if offset < held || offset > limit || len > limit - offset {
            packet.torn = true;
            return;
        }
        // Bytes that no chunk tells of were not read either.
        let readable = chunk.captured != 0;
        let unread = if readable { offset - held } else { offset + len - held };
        if unread > self.filler {
            packet.torn = true;
            return;
        }
        self.fill(packet, unread);
        if readable {
            packet.payload.extend_from_slice(bytes);
            packet.captured += chunk.len;
        }
    }

    fn fill(&mut self, packet: &mut Packet, len: usize) {
        if len == 0 {
            return;
        }
        self.filler -= len;
        let start = packet.payload.len();
        let end = start + len;
        packet.payload.resize(end, 0);
        // At most the limit of the payload, which is 32 bits.
        packet.unreadable += len as u32;
        match packet.gaps.last_mut() {
            Some(gap) if gap.end == start => gap.end = end,
            _ => packet.gaps.push(start..end),
        }
    }
}
