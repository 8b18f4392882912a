//! Queues are read while a sender and a receiver run at full speed: what isn't marked is whole,
//! and the receiver gets every message.

use serde_json::Value;

use crate::support::command::only_process;
use crate::support::in_qemu;
use crate::support::pattern::{self, SHORTEST_PIECE};
use crate::support::privilege::bpf_works_or_is_proven_absent;
use crate::support::queues::{self, brief, dump, packets, payload};
use crate::support::workload::Workload;

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

fn every_message_is_whole(name: &str, sort: Sort) {
    const ROUNDS: u32 = 17;
    // Emulated, a start of crib-top takes seconds: there as few as will do.
    let enough = if in_qemu() { 2 } else { ROUNDS };
    let workload = Workload::start(["flux", name]);
    let mut seen = Seen::default();
    for round in 0..ROUNDS {
        if round >= enough && seen.whole > 0 {
            break;
        }
        for label in ["receiver", "sender"] {
            let document = packets(workload.pid(), workload.file(label).fd);
            check(&document["queues"], sort, &mut seen);
            seen.readings += 1;
        }
        let document = dump(workload.pid());
        for row in only_process(&document)["files"].as_array().expect("files is a list") {
            if workload.files().any(|file| row["fd"] == file.fd) {
                check(queues::of_file(row), sort, &mut seen);
                seen.readings += 1;
            }
        }
    }
    // Past the harness, which shows what a failing test printed.
    println!("{name}: {seen:?}");
    assert!(seen.whole > 0, "nothing was ever read whole: {seen:?}");
    let end = workload.finish();
    let (sent, received) = (end["sent"].as_u64(), end["received"].as_u64());
    let (Some(sent), Some(received)) = (sent, received) else { panic!("{name}: {end}") };
    assert!(sent > 0 && received > 0, "{end}");
    if sort != Sort::Messages(true) {
        assert_eq!(sent, received, "not everything came");
    }
}

macro_rules! at_full_speed {
    ($($test:ident: $name:literal, $sort:expr;)*) => {
        $(#[test]
        fn $test() {
            if bpf_works_or_is_proven_absent(stringify!($test)) {
                every_message_is_whole($name, $sort);
            }
        })*
    };
}

at_full_speed! {
    unix_dgram_at_full_speed: "unix-dgram", Sort::Messages(false);
    unix_seqpacket_at_full_speed: "unix-seqpacket", Sort::Messages(false);
    unix_stream_at_full_speed: "unix-stream", Sort::Stream;
    udp_at_full_speed: "udp", Sort::Messages(true);
    tcp_at_full_speed: "tcp", Sort::Stream;
    pipe_at_full_speed: "pipe", Sort::Stream;
    pipe_packets_at_full_speed: "pipe-packets", Sort::Messages(false);
}
