//! tshark opens what `packets --pcap` writes, and finds in it what was queued.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::queues::workload;
use crate::support::command::crib_top;
use crate::support::privilege::needs_loops;
use crate::support::queues::unhex;
use crate::support::workload::Workload;
use crate::support::{in_qemu, skipped};

/// Whether tshark is here. It has to be in CI, and can't be in the small guests.
fn tshark_is_missing(test: &str) -> bool {
    match Command::new("tshark").arg("--version").output() {
        Ok(_) => false,
        Err(error) => {
            assert!(in_qemu() || std::env::var_os("CI").is_none(), "tshark: {error}");
            skipped(test, format!("tshark: {error}"));
            true
        }
    }
}

fn tshark(file: &Path, more: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(more)
        // Neither somebody's preferences nor a word about running as root.
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .output()
        .expect("tshark was started before");
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> =
        errors.lines().filter(|line| !line.starts_with("Running as user \"root\"")).collect();
    assert!(errors.is_empty(), "tshark {more:?}: {errors:?}");
    assert!(output.status.success(), "tshark {more:?}: {:?}", output.status);
    output
}

/// Writes the queues of one of the workload's files and returns tshark's fields, by frame.
fn frames(workload: &Workload, label: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("queues.pcapng");
    let (pid, fd) = (workload.pid().to_string(), workload.file(label).fd.to_string());
    let name = path.to_str().expect("a path of text");
    let arguments = ["packets", "-p", &pid, "--fd", &fd, "--source", "bpf", "--payload", "1M"];
    crib_top(arguments.iter().chain(&["--pcap", name])).expect_code(0);
    // The same on standard output.
    let run = crib_top(arguments.iter().chain(&["--pcap", "-"])).expect_code(0);
    assert_eq!(run.stdout.first_chunk(), Some(&[0x0a, 0x0d, 0x0d, 0x0a]), "no pcapng: {run:?}");

    let document = tshark(&path, &["-T", "json"]);
    let document: Value = serde_json::from_slice(&document.stdout).expect("tshark speaks JSON");
    let frames = document.as_array().expect("tshark lists frames").len();
    // Nothing is malformed.
    let malformed = tshark(&path, &["-Y", "_ws.malformed"]);
    assert!(malformed.stdout.is_empty(), "{}", String::from_utf8_lossy(&malformed.stdout));

    let mut options = vec!["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"];
    let known = ["frame.comment"].iter().chain(fields);
    options.extend(known.flat_map(|field| ["-e", field]));
    let output = tshark(&path, &options);
    let text = String::from_utf8(output.stdout).expect("tshark writes UTF-8");
    let rows: Vec<Vec<String>> =
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    assert_eq!(rows.len(), frames, "{text}");
    for row in &rows {
        assert!(row[0].contains(&pid), "the comment tells the process: {:?}", row[0]);
    }
    rows.into_iter().map(|row| row[1..].to_vec()).collect()
}

/// The workload's own word for what is in a queue.
fn told(workload: &Workload, label: &str, queue: &str) -> Vec<Value> {
    let told = &workload.file(label).queues[queue];
    told.as_array().unwrap_or_else(|| panic!("{label}: {told}")).clone()
}

fn port(address: &Value) -> String {
    let address = address.as_str().expect("an address");
    address.rsplit(':').next().unwrap_or_default().to_owned()
}

#[test]
fn tshark_finds_datagrams() {
    const TEST: &str = "tshark_finds_datagrams";
    needs_loops!("tshark_finds_datagrams");
    if tshark_is_missing(TEST) {
        return;
    }
    let workload = workload(TEST, "udp,udp6,udp-reader,udp-fragments,udp-large");
    for label in ["udp", "udp6", "udp-reader", "udp-fragments", "udp-large"] {
        if !workload.files().any(|file| file.label == label) {
            continue;
        }
        let fields = ["udp.srcport", "udp.length", "udp.payload"];
        let frames = frames(&workload, label, &fields);
        let queues = &workload.file(label).queues;
        let due: Vec<&Value> = ["receive", "reader"]
            .iter()
            .flat_map(|queue| queues[queue].as_array().into_iter().flatten())
            .collect();
        assert_eq!(frames.len(), due.len(), "{label}: {frames:.500?}");
        let mut found: Vec<_> = frames.iter().map(|f| (f[0].clone(), f[2].clone())).collect();
        let hex = |packet: &Value| packet["payload"].as_str().expect("hex").to_owned();
        let mut due: Vec<_> = due
            .iter()
            .map(|packet| {
                let from = &packet["from"];
                let from = if from.is_null() { String::new() } else { port(from) };
                (from, hex(packet))
            })
            .collect();
        found.sort();
        due.sort();
        for (found, due) in found.iter().zip(&due) {
            assert_eq!(found.1.replace(':', ""), due.1, "{label}");
            assert!(due.0.is_empty() || found.0 == due.0, "{label}: {found:.80?} {due:.80?}");
        }
    }
}

#[test]
fn tshark_finds_tcp_streams() {
    const TEST: &str = "tshark_finds_tcp_streams";
    needs_loops!("tshark_finds_tcp_streams");
    if tshark_is_missing(TEST) {
        return;
    }
    let workload = workload(TEST, "tcp,tcp6,tcp-unacknowledged,tcp-out-of-order,tcp-backlog");
    for (label, queue) in
        [("tcp", "receive"), ("tcp6", "receive"), ("tcp-unacknowledged", "outgoing")]
    {
        if !workload.files().any(|file| file.label == label) {
            continue;
        }
        let frames = frames(&workload, label, &["tcp.seq_raw", "tcp.payload"]);
        let mut pieces: Vec<(u32, Vec<u8>)> = frames
            .iter()
            .map(|f| (f[0].parse().expect("a number"), unhex(&f[1].replace(':', ""))))
            .collect();
        let stream =
            unhex(workload.file(label).queues[queue]["stream"].as_str().expect("a stream"));
        let first = pieces.first().expect("a frame").0;
        pieces.sort_by_key(|(seq, _)| seq.wrapping_sub(first) as i32);
        let found: Vec<u8> = pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
        assert!(found == stream, "{label}: {} bytes, not {}", found.len(), stream.len());
    }
    for (label, queue) in [("tcp-out-of-order", "out_of_order"), ("tcp-backlog", "backlog")] {
        let frames = frames(&workload, label, &["tcp.seq_raw", "tcp.payload"]);
        for packet in told(&workload, label, queue) {
            let frame = frames.iter().find(|frame| frame[0].parse().ok() == packet["seq"].as_u64());
            let frame = frame.unwrap_or_else(|| panic!("no frame for {}", packet["seq"]));
            assert_eq!(frame[1].replace(':', ""), packet["payload"]);
        }
    }
}

/// What has no headers of its own keeps its bytes, whatever it is wrapped in.
#[test]
fn tshark_opens_what_never_was_on_a_wire() {
    const TEST: &str = "tshark_opens_what_never_was_on_a_wire";
    needs_loops!("tshark_opens_what_never_was_on_a_wire");
    if tshark_is_missing(TEST) {
        return;
    }
    let groups = "unix-dgram,unix-stream,netlink,netlink-route,packet,raw,ping,pipe";
    let workload = workload(TEST, groups);
    for (label, queue) in [
        ("unix-dgram", "receive"),
        ("unix-stream", "receive"),
        ("netlink", "receive"),
        ("netlink-route", "receive"),
        ("packet", "receive"),
        ("raw", "receive"),
        ("ping", "receive"),
        ("pipe", "pipe"),
    ] {
        let due = told(&workload, label, queue);
        let frames = frames(&workload, label, &["frame.len"]);
        assert_eq!(frames.len(), due.len(), "{label}: {frames:?}");
        for (frame, due) in frames.iter().zip(&due) {
            let len: u64 = frame[0].parse().expect("a number");
            assert!(len >= due["len"].as_u64().expect("a length"), "{label}: {len} for {due}");
        }
    }
}
