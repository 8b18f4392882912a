//! Known bytes in each queue that a socket or pipe has: `packets` and `dump` give exactly these,
//! twice, and the process still gets all of them.

use serde_json::{Value, json};

use crate::support::command::{file_rows, only_process};
use crate::support::differences::none_in_a_quiet_moment;
use crate::support::privilege::{loops_work_or_are_proven_absent, needs_bpf, needs_loops};
use crate::support::queues::{self, brief, concatenated, dump, packets, packets_of, payload};
use crate::support::workload::{Told, Workload};
use crate::support::{in_qemu, skipped};

/// What a machine may refuse: it takes a module or a newer kernel.
const MAY_BE_REFUSED: &[&str] = &["vsock", "tcp6", "tcp6-listen", "udp6", "udp6-error", "raw6"];

/// The workload with these groups of files, or all; says by name which ones can't be had here.
#[track_caller]
pub fn workload<'a>(test: &str, names: impl Into<Option<&'a str>>) -> Workload {
    let workload = Workload::start(["queues"].into_iter().chain(names.into()));
    for (label, why) in workload.skipped() {
        assert!(MAY_BE_REFUSED.contains(&label), "{label} could not be made: {why}");
        skipped(&format!("{test} {label}"), why);
    }
    workload
}

fn prefixed(file: &Told<'_>, how: &str, differences: Vec<String>) -> Vec<String> {
    differences.into_iter().map(|d| format!("{} ({how}): {d}", file.label)).collect()
}

/// Everything in which a dump, or `packets` for each file, contradicts the workload.
fn differences_in(workload: &Workload) -> Vec<String> {
    let document = dump(workload.pid());
    let process = only_process(&document);
    let mut found = Vec::new();
    if process["complete"] != true {
        found.push("the dump is not complete".to_owned());
    }
    for file in workload.files() {
        match file_rows(process).iter().find(|row| row["fd"] == file.fd) {
            Some(row) => {
                let different = queues::differences(queues::of_file(row), file.queues);
                found.extend(prefixed(&file, "dump", different));
                if row["kind"] != file.kind {
                    found.push(format!("{} is a {}", file.label, row["kind"]));
                }
            }
            None => found.push(format!("{} is not in the dump", file.label)),
        }
    }
    // Emulated, each start of crib-top takes seconds: what the dump has shown of all is looked at
    // again in one of them.
    let alone = if in_qemu() { 1 } else { usize::MAX };
    for file in workload.files().take(alone) {
        let document = packets(workload.pid(), file.fd);
        let different = queues::differences(&document["queues"], file.queues);
        found.extend(prefixed(&file, "packets", different));
        let (socket, pipe) = (document["socket"].is_object(), document["pipe"].is_object());
        if socket == pipe || socket != (file.kind == "socket") {
            found.push(format!("{}: socket {socket}, pipe {pipe}", file.label));
        }
    }
    found
}

/// What the process got in the end has to be what crib-top showed of it before.
fn lost(file: &Told<'_>, shown: &Value, drained: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let incoming = [packets_of(shown, "reader"), packets_of(shown, "receive")].concat();
    let mut same = |what: &str, shown: Vec<&Value>, field: &str| {
        let Some(got) = drained[what].as_array() else { return };
        let got: Vec<&Value> =
            got.iter().map(|item| if field == "from" { item } else { &item[field] }).collect();
        if shown != got {
            let brief = |values: &[&Value]| brief(&json!(values));
            found.push(format!("{what}: shown {}, got {}", brief(&shown), brief(&got)));
        }
    };
    let all = if file.kind == "socket" { &incoming } else { packets_of(shown, "pipe") };
    same("messages", all.iter().map(|packet| &packet["payload"]).collect(), "payload");
    let errors = packets_of(shown, "error");
    same("errors", errors.iter().map(|packet| &packet["payload"]).collect(), "payload");
    let waiting = packets_of(shown, "accept");
    same("clients", waiting.iter().map(|packet| &packet["from"]).collect(), "from");
    // More may have come since: what was not sent, what was out of order.
    if let Some(got) = drained["stream"].as_str()
        && !got.starts_with(&concatenated(all))
    {
        found.push("the stream does not go on as it was shown".to_owned());
    }
    if let Some(error) = drained["error"].as_str() {
        found.push(error.to_owned());
    }
    found.into_iter().map(|d| format!("{}: {d}", file.label)).collect()
}

/// The queues of every file, by label.
fn all_shown(workload: &Workload) -> Vec<Value> {
    let document = dump(workload.pid());
    let rows = file_rows(only_process(&document));
    let of = |fd| rows.iter().find(|row| row["fd"] == fd).unwrap_or(&Value::Null);
    workload.files().map(|file| queues::of_file(of(file.fd)).clone()).collect()
}

/// Whether its packets stay as they are: TCP splits and joins those that it sends.
fn keeps_its_borders(file: &Told<'_>) -> bool {
    file.queues["outgoing"].is_null() && file.queues["receive"]["begins"].is_null()
}

#[track_caller]
fn exactly_what_was_put_in(test: &str, names: &str) {
    let workload = workload(test, names);
    none_in_a_quiet_moment(|| differences_in(&workload));
    // Once more: nothing was taken, and nothing is told otherwise.
    let first = all_shown(&workload);
    let second = if in_qemu() { first.clone() } else { all_shown(&workload) };
    for ((file, first), second) in workload.files().zip(&first).zip(&second) {
        if keeps_its_borders(&file) {
            assert_eq!(first, second, "{}, read twice", file.label);
        }
    }
    let report = workload.report.clone();
    let drained = workload.finish();
    let drained = drained["drained"].as_array().expect("it tells what came out");
    let files = report["files"].as_array().expect("it told of files");
    assert_eq!(drained.len(), files.len());
    let mut found = Vec::new();
    for ((file, shown), drained) in files.iter().zip(&second).zip(drained) {
        let told = Told {
            fd: 0,
            kind: file["kind"].as_str().expect("a kind"),
            label: file["label"].as_str().expect("a label"),
            expect: &Value::Null,
            queues: &file["queues"],
        };
        found.extend(lost(&told, shown, &drained["drained"]));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

macro_rules! exactly {
    ($($test:ident: $names:literal;)*) => {
        $(#[test]
        fn $test() {
            if loops_work_or_are_proven_absent(stringify!($test)) {
                exactly_what_was_put_in(stringify!($test), $names);
            }
        })*
    };
}

exactly! {
    tcp_receive_queue_holds_what_was_sent: "tcp,tcp6,tcp-partly-read,tcp-close-wait";
    tcp_write_and_retransmit_queues_hold_the_rest: "tcp-unread,tcp-unacknowledged";
    tcp_out_of_order_queue_holds_what_came_early: "tcp-out-of-order";
    tcp_receive_queue_holds_once_what_came_twice: "tcp-overlapping";
    tcp_backlog_holds_what_comes_while_the_socket_is_held: "tcp-backlog";
    accept_queues_hold_those_who_wait: "tcp-listen,tcp6-listen,unix-listen";
    udp_queues_hold_datagrams_with_their_senders: "udp,udp6,udp-reader,udp-stamped";
    error_queues_hold_what_came_back: "udp-error,udp6-error,udp-sent-stamp";
    unix_queues_hold_messages_with_their_senders:
        "unix-stream,unix-stream-partly-read,unix-dgram,unix-seqpacket";
    netlink_queues_hold_messages: "netlink,netlink-route";
    raw_ping_and_packet_queues_hold_packets: "raw,raw6,ping,packet,vsock";
    pipes_hold_buffers: "pipe,pipe-packets,pipe-partly-read,pipe-spliced,fifo";
    messages_hold_files_in_flight: "flight";
    files_in_flight_hold_files_in_flight: "flight-nested";
    files_in_flight_may_be_the_same: "flight-repeated";
    large_packets_are_whole: "unix-large,udp-large,netlink-large,udp-fragments,tcp-fragments";
}

/// What the sender wrote is in its two queues and in the receiver's, each byte once.
#[test]
fn every_byte_of_a_connection_is_in_one_queue() {
    const TEST: &str = "every_byte_of_a_connection_is_in_one_queue";
    needs_loops!("every_byte_of_a_connection_is_in_one_queue");
    let workload = workload(TEST, "tcp-unread");
    none_in_a_quiet_moment(|| {
        let document = dump(workload.pid());
        let queues_of = |label: &str| {
            let fd = workload.file(label).fd;
            let row = file_rows(only_process(&document)).iter().find(|row| row["fd"] == fd);
            queues::of_file(row.expect("it is in the dump")).clone()
        };
        let (there, here) = (queues_of("tcp-unread"), queues_of("tcp-unsent"));
        let (retransmit, write) = (packets_of(&here, "retransmit"), packets_of(&here, "write"));
        let found = [packets_of(&there, "receive"), retransmit, write].concat();
        let due = workload.file("tcp-unread").queues["receive"]["begins"].as_str();
        let same = Some(concatenated(&found).as_str()) == due;
        if same { Vec::new() } else { vec![format!("{} packets, other bytes", found.len())] }
    });
}

/// Needs no crib-top: what the workload says is in its files comes out of them.
#[test]
fn workload_tells_the_truth_about_its_queues() {
    const TEST: &str = "workload_tells_the_truth_about_its_queues";
    // Namespaces, raw sockets and TCP_REPAIR are for root alone.
    needs_bpf!("workload_tells_the_truth_about_its_queues");
    let workload = workload(TEST, None);
    let report = workload.report.clone();
    let drained = workload.finish();
    let drained = drained["drained"].as_array().expect("it tells what came out");
    for (file, drained) in report["files"].as_array().expect("files").iter().zip(drained) {
        let (label, told, drained) = (&file["label"], &file["queues"], &drained["drained"]);
        assert!(drained["error"].is_null(), "{label}: {drained}");
        let list = |name: &str| told[name].as_array().cloned().unwrap_or_default();
        let list_of = |what: &str| drained[what].as_array().cloned().unwrap_or_default();
        if drained["messages"].is_array() {
            let incoming = [list("reader"), list("receive"), list("pipe")].concat();
            let payloads = |items: &[Value]| items.iter().map(payload).collect::<Vec<_>>();
            assert_eq!(payloads(&incoming), payloads(&list_of("messages")), "{label}");
        }
        if let Some(got) = drained["stream"].as_str() {
            let told = ["receive", "pipe"].map(|name| match &told[name] {
                Value::Array(packets) => concatenated(packets),
                queue => queue["stream"].as_str().or(queue["begins"].as_str()).unwrap_or("").into(),
            });
            assert!(got.starts_with(&told.concat()), "{label}: {}", brief(drained));
        }
        let ends = told["error"]["ends"].as_array().cloned().unwrap_or_else(|| {
            list("error").iter().map(|packet| packet["payload"].clone()).collect()
        });
        let errors = list_of("errors");
        assert_eq!(errors.len(), ends.len(), "{label}");
        for (error, end) in errors.iter().zip(&ends) {
            let (error, end) = (error["payload"].as_str(), end.as_str().expect("hex"));
            assert!(error.is_some_and(|error| error.ends_with(end)), "{label}: {error:?}");
        }
        let waiting: Vec<Value> = list("accept").iter().map(|c| c["from"].clone()).collect();
        assert_eq!(list_of("clients"), waiting, "{label}");
    }
}

/// A socket in flight is looked into, and those in its queue, until it is said that there is
/// more.
#[test]
fn the_way_down_ends_with_a_word() {
    const TEST: &str = "the_way_down_ends_with_a_word";
    needs_loops!("the_way_down_ends_with_a_word");
    let workload = workload(TEST, "flight-nested");
    let document = dump(workload.pid());
    let fd = workload.file("flight-nested").fd;
    let rows = file_rows(only_process(&document));
    let mut file = rows.iter().find(|row| row["fd"] == fd).expect("it is in the dump").clone();
    let mut levels = 0;
    while file["socket"]["deeper"] != true {
        let packets = packets_of(queues::of_file(&file), "receive").to_vec();
        assert_eq!(packets.len(), 1, "at level {levels}: {}", brief(&file));
        let files = packets[0]["files"].as_array().expect("files is a list");
        let socket = files.iter().find(|file| file["kind"] == "socket");
        file = socket.unwrap_or_else(|| panic!("level {levels} is the last")).clone();
        levels += 1;
    }
    // The descriptor's own queues, and those three steps down from there.
    assert_eq!(levels, 4, "the first that is not looked into");
}

/// How many of the files in flight below this one were looked into, and how many there are.
fn looked_into(file: &Value) -> (usize, usize) {
    let queues = queues::of_file(file).as_array().into_iter().flatten();
    let packets = queues.filter_map(|queue| queue["packets"].as_array()).flatten();
    packets.filter_map(|packet| packet["files"].as_array()).flatten().fold(
        (0, 0),
        |(seen, all), flight| {
            let is_seen = queues::of_file(flight).is_array();
            let (deeper_seen, deeper) = looked_into(flight);
            (seen + usize::from(is_seen) + deeper_seen, all + 1 + deeper)
        },
    )
}

/// Forty references to one socket, which has as many to another one, and that to a pipe.
#[test]
fn what_is_in_flight_many_times_is_looked_into_once() {
    const TEST: &str = "what_is_in_flight_many_times_is_looked_into_once";
    needs_loops!("what_is_in_flight_many_times_is_looked_into_once");
    let workload = workload(TEST, "flight-repeated");
    let document = dump(workload.pid());
    let fd = workload.file("flight-repeated").fd;
    let rows = file_rows(only_process(&document));
    let file = rows.iter().find(|row| row["fd"] == fd).expect("it is in the dump");
    assert_eq!(looked_into(file), (3, 120));
}

/// The time at which a datagram came is the one that its reader gets.
#[test]
fn time_stamps_are_the_readers() {
    const TEST: &str = "time_stamps_are_the_readers";
    needs_loops!("time_stamps_are_the_readers");
    let workload = workload(TEST, "udp-stamped");
    let file = workload.file("udp-stamped").fd;
    let document = packets(workload.pid(), file);
    let shown = packets_of(&document["queues"], "receive").to_vec();
    let drained = workload.finish();
    let got = drained["drained"][0]["drained"]["messages"].as_array().expect("messages").clone();
    assert_eq!((shown.len(), got.len()), (2, 2));
    for (shown, got) in shown.iter().zip(&got) {
        let time = shown["time"].as_str().unwrap_or_else(|| panic!("no time in {}", brief(shown)));
        let time: jiff::Timestamp = time.parse().expect("a time");
        let nanoseconds: i128 = got["time"].as_str().expect("it asked for it").parse().expect("ns");
        assert_eq!(time.as_microsecond() as i128, nanoseconds / 1000);
    }
}

#[test]
fn a_queue_of_many_messages_is_whole() {
    const TEST: &str = "a_queue_of_many_messages_is_whole";
    needs_loops!("a_queue_of_many_messages_is_whole");
    let name = if in_qemu() { "unix-20000" } else { "unix-100000" };
    let workload = workload(TEST, name);
    let file = workload.file(name);
    let document = packets(workload.pid(), file.fd);
    let found = queues::differences(&document["queues"], file.queues);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
