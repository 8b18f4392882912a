//! How the workload tells what is in a queue.
//!
//! `queues` is an object with one entry a queue that isn't empty:
//! - `"receive": [{..}, ..]`: these packets and no others, each given as a part of the PACKET
//!   document; a file in flight in one is a part of the FILE document, whose `queues`, if any,
//!   are told as here,
//! - `"receive": {"stream": HEX}`: these bytes, in however many packets,
//! - `{"begins": HEX}`, `{"rest_of": HEX}`: the first of these bytes, or the last,
//! - `"error": {"ends": [HEX, ..]}`: so many packets, which end with these bytes,
//! - `"receive": {"numbered": COUNT, "size": N}`: so many packets of N bytes each, the first four
//!   being its number from 0 (little-endian), the rest zero,
//! - `"outgoing": {"stream": HEX}`: these bytes in the retransmit and the write queue together,
//! - `"holds": [NAME, ..]`: these queues aren't empty, whatever else is told.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::holder::merge;

/// Bytes as the interface writes them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A packet that carries exactly these bytes, all of them readable.
pub fn packet(payload: &[u8]) -> Value {
    json!({ "len": payload.len(), "captured": payload.len(), "payload": hex(payload),
            "unreadable": 0, "torn": false })
}

/// The same with what more is known of it.
pub fn packet_with(payload: &[u8], more: Value) -> Value {
    let mut packet = packet(payload);
    merge(&mut packet, more);
    packet
}

/// A queue whose packets have no borders that a reader could know.
pub fn stream(bytes: &[u8]) -> Value {
    json!({ "stream": hex(bytes) })
}

/// Bytes that tell where they stand, no two of 251 alike, and not the same for two seeds.
pub fn known_bytes(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|at| ((at % 251) as u8) ^ seed ^ ((at / 251) as u8)).collect()
}
