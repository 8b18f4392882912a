//! Queues of channels whose messages tell whether they are whole: what isn't marked has to be.

use serde_json::Value;

use super::pattern::{self, SHORTEST_PIECE};
use super::queues::{brief, payload};

/// What the readings of one test saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Readings.
    pub readings: u64,
    /// Packets that claim to be whole, and are.
    pub whole: u64,
    /// Packets that say that they aren't.
    pub torn: u64,
    /// Queues that say that they aren't.
    pub torn_queues: u64,
}

/// What a queue's packets are made of.
#[derive(Clone, Copy, PartialEq)]
pub enum Sort {
    /// Messages; `true`: some may be lost on the way.
    Messages(bool),
    /// Bytes without borders.
    Stream,
}

fn flag(document: &Value, name: &str) -> bool {
    document[name].as_bool().unwrap_or_else(|| panic!("no {name} in {}", brief(document)))
}

/// A packet that claims to have been read as it was.
fn claims_to_be_whole(packet: &Value) -> bool {
    !flag(packet, "torn") && packet["unreadable"] == 0 && packet["captured"] == packet["len"]
}

fn check_queue(queue: &Value, sort: Sort, seen: &mut Seen) {
    let name = queue["name"].as_str().expect("a queue has a name");
    let torn = flag(queue, "torn");
    seen.torn_queues += u64::from(torn);
    let packets = queue["packets"].as_array().expect("packets is a list");
    let mut before: Option<u64> = None;
    let mut bytes_in_row = Vec::new();
    for packet in packets {
        if !claims_to_be_whole(packet) {
            // Something has to say why it isn't whole.
            assert!(
                torn || flag(packet, "torn") || packet["unreadable"] != 0,
                "{name}: neither whole nor marked: {}",
                brief(packet)
            );
            seen.torn += 1;
            (before, bytes_in_row) = (None, Vec::new());
            continue;
        }
        let bytes = payload(packet);
        let wrong = |why: String| -> u64 { panic!("{name}: {why}: {}", brief(packet)) };
        match sort {
            Sort::Messages(lossy) => {
                let number = pattern::message_number(&bytes).unwrap_or_else(wrong);
                if !torn && let Some(before) = before {
                    let follows = number == before + 1 || (lossy && number > before);
                    assert!(follows, "{name}: {before} and then {number}, not torn");
                }
                before = Some(number);
            }
            Sort::Stream => {
                if bytes.len() >= SHORTEST_PIECE {
                    pattern::stream_position(&bytes).unwrap_or_else(wrong);
                }
                bytes_in_row.extend(bytes);
            }
        }
        seen.whole += 1;
    }
    // What is not torn goes on from packet to packet, but for gaps that TCP itself has.
    let gaps = ["out_of_order", "backlog"].contains(&name);
    if sort == Sort::Stream && !torn && !gaps && bytes_in_row.len() >= SHORTEST_PIECE {
        let position = pattern::stream_position(&bytes_in_row);
        assert!(position.is_ok(), "{name}, not torn, {} packets: {position:?}", packets.len());
    }
}

/// Fails where something in these queues claims to be whole and is not.
pub fn check(queues: &Value, sort: Sort, seen: &mut Seen) {
    for queue in queues.as_array().into_iter().flatten() {
        if queue["name"] != "error" && queue["name"] != "accept" {
            check_queue(queue, sort, seen);
        }
    }
}
