//! What is asked of `packets`: some bytes, some queues; and what can't be had: files that are not
//! open, have no queues, or are replaced while they are read.

use serde_json::Value;

use crate::queues::workload;
use crate::support::command::{crib_top, file_rows, only_process};
use crate::support::privilege::needs_loops;
use crate::support::queues::{self, brief, packets, packets_of, payload, run_packets};
use crate::support::workload::Workload;
use crate::support::{in_qemu, skipped};

/// The packets of all queues.
fn all_packets(queues: &Value) -> Vec<Value> {
    let queues = queues.as_array().expect("queues is a list");
    let packets = queues.iter().flat_map(|queue| queue["packets"].as_array().expect("packets"));
    packets.cloned().collect()
}

/// Fewer bytes are the first ones, and what was cut off is counted nowhere.
#[test]
fn payload_is_cut_where_it_was_asked_for() {
    const TEST: &str = "payload_is_cut_where_it_was_asked_for";
    needs_loops!("payload_is_cut_where_it_was_asked_for");
    let workload = workload(TEST, "udp,unix-large,udp-fragments,pipe,tcp-fragments");
    let dump = |payload| {
        let pid = workload.pid().to_string();
        let arguments = ["dump", "-p", &pid, "-J", "--source", "bpf", "--payload", payload];
        let document = crib_top(arguments).expect_code(0).json();
        file_rows(only_process(&document)).to_vec()
    };
    let of = |rows: &[Value], fd| {
        let row = rows.iter().find(|row| row["fd"] == fd).expect("it is in the dump");
        all_packets(queues::of_file(row))
    };
    let whole = dump("1M");
    for (given, limit) in [("0", 0), ("7", 7), ("4K", 4096), ("10000", 10_000)] {
        let cut = dump(given);
        for file in workload.files() {
            let what = format!("{} --payload {given}", file.label);
            compare_cut(&of(&cut, file.fd), &of(&whole, file.fd), limit, &what);
        }
    }
    let file = workload.file("udp-fragments");
    let document = run_packets(workload.pid(), file.fd, &["--payload", "4K"]).expect_code(0).json();
    compare_cut(&all_packets(&document["queues"]), &of(&whole, file.fd), 4096, "packets");
}

fn compare_cut(cut: &[Value], whole: &[Value], limit: u64, what: &str) {
    assert!(!whole.is_empty(), "{what}: no packets");
    assert_eq!(cut.len(), whole.len(), "{what}");
    for (cut, whole) in cut.iter().zip(whole) {
        let say = || format!("{what}: {}", brief(cut));
        assert_eq!(cut["len"], whole["len"], "{}", say());
        assert_eq!(cut["truesize"], whole["truesize"], "{}", say());
        let wanted = whole["len"].as_u64().expect("a length").min(limit);
        assert_eq!(cut["captured"], wanted, "{}", say());
        assert_eq!(cut["unreadable"], 0, "{}", say());
        assert_eq!(payload(cut), payload(whole)[..wanted as usize], "{}", say());
    }
}

#[test]
fn one_queue_alone_can_be_asked_for() {
    const TEST: &str = "one_queue_alone_can_be_asked_for";
    needs_loops!("one_queue_alone_can_be_asked_for");
    let workload = workload(TEST, "udp-reader");
    let fd = workload.file("udp-reader").fd;
    let whole = packets(workload.pid(), fd);
    for name in ["reader", "receive", "error"] {
        let document = run_packets(workload.pid(), fd, &["--queue", name]).expect_code(0).json();
        let queues = document["queues"].as_array().expect("queues is a list");
        // One that is empty may be left out.
        assert!(queues.iter().all(|queue| queue["name"] == name), "{name}: {}", brief(&document));
        let payloads = |document: &Value| {
            packets_of(&document["queues"], name).iter().map(payload).collect::<Vec<_>>()
        };
        assert_eq!(payloads(&document), payloads(&whole), "{name}");
    }
}

/// For a person: the known text is there, in a table and in hex, and nothing that a terminal
/// would act on.
#[test]
fn packets_are_there_to_be_read() {
    const TEST: &str = "packets_are_there_to_be_read";
    needs_loops!("packets_are_there_to_be_read");
    let workload = workload(TEST, "udp,tcp-listen");
    let pid = workload.pid().to_string();
    let run = |label: &str, more: &[&str]| {
        let fd = workload.file(label).fd.to_string();
        let arguments = ["packets", "-p", &pid, "--fd", &fd, "--source", "bpf"];
        let run = crib_top(arguments.iter().chain(more)).expect_code(0);
        assert!(!run.text().lines().any(crate::support::command::has_control), "{}", run.text());
        run.text().to_owned()
    };
    let told = workload.file("udp").queues["receive"].clone();
    let from = told[0]["from"].as_str().expect("a sender");
    let table = run("udp", &[]);
    assert!(table.contains(from), "no {from} in\n{table}");
    let hex = run("udp", &["--hex"]);
    assert!(hex.contains("hello"), "{hex}");
    assert!(hex.contains("68 65 6c 6c 6f") || hex.contains("6865 6c6c 6f"), "{hex}");
    let client = workload.file("tcp-listen").queues["accept"][0]["from"].clone();
    let client = client.as_str().expect("an address");
    assert!(run("tcp-listen", &[]).contains(client));
}

#[test]
fn what_has_no_queues_is_an_error() {
    needs_loops!("what_has_no_queues_is_an_error");
    let workload = Workload::start(["regular,eventfd"]);
    for label in ["regular", "eventfd"] {
        let fd = workload.file(label).fd;
        let run = run_packets(workload.pid(), fd, &[]);
        run.expect_code(1).expect_one_line_error(&fd.to_string());
    }
}

#[test]
fn what_is_not_open_is_an_error() {
    needs_loops!("what_is_not_open_is_an_error");
    let workload = Workload::start(["pipe"]);
    for fd in [900, 1 << 20, u64::from(u32::MAX)] {
        let run = run_packets(workload.pid(), fd, &[]);
        run.expect_code(1).expect_one_line_error(&fd.to_string());
    }
    let mut gone = Workload::start(["exit-after", "0"]);
    gone.wait();
    run_packets(gone.pid(), 1, &[]).expect_code(1).expect_one_line_error(&gone.pid().to_string());
}

#[test]
fn what_is_asked_wrongly_is_a_usage_error() {
    let workload = Workload::start(["pipe"]);
    let pid = workload.pid().to_string();
    let wrong: [&[&str]; 6] = [
        &["packets", "-p", &pid, "--fd", "3", "--queue", "nosuch"],
        &["packets", "-p", &pid, "--fd", "minus"],
        &["packets", "-p", &pid, "--fd", "3", "--payload", "lots"],
        &["packets", "-p", &pid],
        &["packets", "--fd", "3"],
        &["dump"],
    ];
    for arguments in wrong {
        let run = crib_top(arguments.iter().chain(&["--source", "procfs"]));
        run.expect_code(2).expect_one_line_error("");
    }
}

/// /proc knows nothing of what is in a queue.
#[test]
fn procfs_has_no_queues() {
    let workload = Workload::start(["pipe"]);
    let (pid, fd) = (workload.pid().to_string(), workload.file("pipe").fd.to_string());
    for arguments in [&["packets", "-p", &pid, "--fd", &fd][..], &["dump", "-p", &pid]] {
        for more in [&[][..], &["-J"]] {
            let arguments = arguments.iter().chain(&["--source", "procfs"]).chain(more);
            crib_top(arguments).expect_code(3).expect_one_line_error("");
        }
    }
}

/// A file says which epoll instances watch it, and these say what they watch.
#[test]
fn a_file_says_who_watches_it() {
    needs_loops!("a_file_says_who_watches_it");
    let workload = Workload::start(["eventpoll"]);
    let document = queues::dump(workload.pid());
    let rows = only_process(&document)["files"].as_array().expect("files is a list");
    let row = |label: &str| {
        let fd = workload.file(label).fd;
        rows.iter().find(|row| row["fd"] == fd).unwrap_or_else(|| panic!("{label} is missing"))
    };
    let epoll = row("eventpoll");
    assert_eq!(epoll["epoll"]["watches"].as_array().map(Vec::len), Some(2), "{}", brief(epoll));
    for label in ["eventpoll-ready", "eventpoll-silent"] {
        let watched_by = &row(label)["watched_by"];
        assert_eq!(watched_by, &serde_json::json!([epoll["fd"]]), "{label}: {}", brief(row(label)));
    }
    assert_eq!(row("eventpoll-silent-write")["watched_by"], serde_json::json!([]));
}

/// Whether what a reading shows of a descriptor that is switched is one of its two files.
///
/// Returns which one, none where the reading says itself that it isn't sure.
fn one_of_two(document: &Value, ino: Option<&Value>, switched: &Value) -> Option<u64> {
    let queues = document["queues"].as_array().expect("queues is a list");
    let sure = |what: &Value| what["torn"] == false && what["complete"] != false;
    let mut which = None;
    for packet in queues.iter().filter(|queue| sure(queue)).flat_map(|queue| {
        queue["packets"].as_array().expect("packets is a list").iter().filter(|p| sure(p))
    }) {
        let bytes = payload(packet);
        let index = packet["index"].as_u64().expect("a number");
        let file = switched["files"].as_array().expect("files");
        let file = file.iter().find(|file| bytes.first().is_some_and(|b| file["byte"] == *b));
        let file = file.unwrap_or_else(|| panic!("of neither file: {}", brief(packet)));
        let byte = file["byte"].as_u64().expect("a byte");
        let due = 500 + if byte == u64::from(b'B') { 700 } else { 0 } + index;
        assert!(bytes.iter().all(|b| u64::from(*b) == byte), "mixed: {}", brief(packet));
        assert_eq!(bytes.len() as u64, due, "{}", brief(packet));
        assert!(which.is_none_or(|which| which == byte), "a queue of both: {}", brief(document));
        if let Some(ino) = ino {
            assert_eq!(ino, &file["ino"], "one file's queue under the other's name");
        }
        which = Some(byte);
    }
    let receive = queues.iter().find(|queue| queue["name"] == "receive");
    match receive {
        Some(receive) if sure(receive) && which.is_some() => {
            let due = switched["files"][0]["messages"].as_u64();
            assert_eq!(receive["packets"].as_array().map(|p| p.len() as u64), due);
            which
        }
        _ => None,
    }
}

/// Never a mix of two files.
fn a_file_that_is_replaced_is_one_or_the_other(test: &str, mode: &[&str]) {
    let readings = if in_qemu() { 2 } else { 30 };
    let workload = Workload::start(["switching"].iter().chain(mode));
    let switched = workload.report["switched"].clone();
    let fd = switched["fd"].as_u64().expect("a descriptor");
    let (mut seen, mut unsure) = ([0, 0], 0);
    for _ in 0..readings {
        let run = run_packets(workload.pid(), fd, &[]);
        match run.code {
            Some(0) => match one_of_two(&run.json(), None, &switched) {
                Some(byte) => seen[usize::from(byte == u64::from(b'B'))] += 1,
                None => unsure += 1,
            },
            // It says that it wasn't there, or not for long enough.
            _ => {
                run.expect_code(1).expect_one_line_error(&fd.to_string());
                unsure += 1;
            }
        }
        let document = queues::dump(workload.pid());
        let rows = only_process(&document)["files"].as_array().expect("files is a list");
        if let Some(row) = rows.iter().find(|row| row["fd"] == fd) {
            let queues = serde_json::json!({ "queues": queues::of_file(row) });
            if queues["queues"].is_array() {
                one_of_two(&queues, Some(&row["ino"]), &switched);
            }
        }
    }
    // Between its bursts it rests, so that a reading can be had.
    assert!(seen[0] + seen[1] > 0, "none of {readings} readings was sure");
    if seen.contains(&0) {
        skipped(test, format!("saw {} of the one, {} of the other, {unsure}", seen[0], seen[1]));
    }
    let times = workload.finish()["times"].as_u64().expect("it tells how often");
    assert!(times > 1000, "it was switched only {times} times");
}

#[test]
fn a_replaced_file_is_one_or_the_other() {
    needs_loops!("a_replaced_file_is_one_or_the_other");
    a_file_that_is_replaced_is_one_or_the_other("a_replaced_file_is_one_or_the_other", &[]);
}

#[test]
fn a_file_that_is_closed_and_opened_is_one_or_the_other() {
    needs_loops!("a_file_that_is_closed_and_opened_is_one_or_the_other");
    a_file_that_is_replaced_is_one_or_the_other(
        "a_file_that_is_closed_and_opened_is_one_or_the_other",
        &["close"],
    );
}
