//! A dump that no buffer holds at once, and that takes many runs: nothing is missing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::command::only_process;
use crate::support::pattern::message_of;
use crate::support::privilege::needs_loops;
use crate::support::queues::{brief, dump, of_file, packets_of, payload};
use crate::support::workload::Workload;

const SOCKETS: usize = 1000;
const MESSAGES: usize = 10;
const LEN: usize = 1024;

#[test]
fn a_large_dump_is_whole() {
    needs_loops!("a_large_dump_is_whole");
    let workload = Workload::start(
        ["many".to_owned()]
            .into_iter()
            .chain([SOCKETS, MESSAGES, LEN].iter().map(ToString::to_string)),
    );
    let document = dump(workload.pid());
    let process = only_process(&document);
    assert_eq!(process["complete"], true);
    let rows = process["files"].as_array().expect("files is a list");
    let by_fd: BTreeMap<u64, &Value> =
        rows.iter().filter_map(|row| Some((row["fd"].as_u64()?, row))).collect();
    assert_eq!(by_fd.len(), rows.len(), "descriptors that are there twice");
    assert_eq!(workload.files().count(), SOCKETS);
    for (socket, file) in workload.files().enumerate() {
        let row = by_fd.get(&file.fd).unwrap_or_else(|| panic!("socket {socket} is missing"));
        let packets = packets_of(of_file(row), "receive");
        assert_eq!(packets.len(), MESSAGES, "socket {socket}: {}", brief(row));
        for (message, packet) in packets.iter().enumerate() {
            let number = (socket * MESSAGES + message) as u64;
            assert_eq!(packet["index"], message, "socket {socket}");
            assert_eq!(packet["torn"], false, "socket {socket}, message {message}");
            assert!(
                payload(packet) == message_of(number, LEN),
                "socket {socket}, message {message}: {}",
                brief(packet)
            );
        }
    }
}
