//! `bench` measures what it says, and leaves nothing behind.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::command::crib_top;
use crate::support::privilege::needs_loops;
use crate::support::{crib_top_path, in_qemu};

const FDS: u64 = 200;
const SOCKETS: u64 = 5;
const PACKETS: u64 = 3;
const BYTES: u64 = 100;

/// The arguments of a small benchmark; of one round inside an emulated kernel, where each start
/// takes seconds.
fn small() -> Vec<String> {
    let flags = [("fds", FDS), ("sockets", SOCKETS), ("packets", PACKETS), ("bytes", BYTES)];
    let flags = flags.into_iter().chain([("rounds", rounds())]);
    let flags = flags.flat_map(|(flag, number)| [format!("--{flag}"), number.to_string()]);
    std::iter::once("bench".to_owned()).chain(flags).collect()
}

fn rounds() -> u64 {
    if in_qemu() { 1 } else { 2 }
}

/// The way of this name in the section of this name.
#[track_caller]
fn way<'a>(document: &'a Value, section: &str, name: &str) -> &'a Value {
    let named = |list: &'a Value, name: &str| {
        let list = list.as_array().expect("a list");
        list.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name}"))
    };
    named(&named(&document["sections"], section)["ways"], name)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn bench_tells_what_each_way_took_and_can_not_see() {
    needs_loops!("bench_tells_what_each_way_took_and_can_not_see");
    let document = crib_top(small().into_iter().chain(["-J".to_owned()])).expect_code(0).json();
    assert_eq!((&document["schema"], &document["source"]), (&1.into(), &"bpf".into()));
    assert!(document["kernel"].is_string() && document["time"].is_string());
    let asked = serde_json::json!({
        "fds": FDS, "sockets": SOCKETS, "packets": PACKETS, "bytes": BYTES, "rounds": rounds(),
    });
    assert_eq!(document["workload"], asked);
    let sections = document["sections"].as_array().expect("a list");
    let names: Vec<_> = sections.iter().map(|section| section["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["files", "sockets", "transports", "system", "tracing"]);
    for section in sections {
        consistent(section);
    }
    // Standard input, output and error are open as well, and there may be more.
    assert!((FDS..FDS + 20).contains(&sections[0]["items"].as_u64().unwrap()));
    assert_eq!(sections[1]["items"], SOCKETS * PACKETS);
    assert_eq!(sections[2]["items"], sections[0]["items"]);
    assert!(number(&sections[3]["items"]) > number(&sections[0]["items"]));
    // What crib-top and the kernel do by themselves is possible wherever BPF is.
    for (section, name) in [
        ("files", "empty iterator"),
        ("files", "crib-top, no paths"),
        ("files", "crib-top, first"),
        ("files", "crib-top, steady"),
        ("files", "procfs crate"),
        ("files", "crib-top files -J"),
        ("sockets", "nested, ring buffer"),
        ("sockets", "nested, as a model"),
        ("sockets", "staged, seq_file"),
        ("transports", "seq_file"),
        ("transports", "ring buffer"),
        ("transports", "mapped array"),
        ("system", "empty iterator"),
        ("system", "crib-top ps, sums"),
        ("system", "crib-top, all fields"),
        ("system", "procfs crate"),
        ("tracing", "not traced"),
    ] {
        assert!(way(&document, section, name)["skipped"].is_null(), "{section}: {name}");
    }
    // Other programs may not be installed, and are listed all the same.
    for name in ["lsof", "lsfd", "ls -l"] {
        assert!(!way(&document, "files", name)["blind"].as_array().unwrap().is_empty());
    }
    let calls = |name| way(&document, "sockets", name)["syscalls"].as_u64();
    if let (Some(nested), Some(staged)) = (calls("nested, ring buffer"), calls("staged, seq_file"))
    {
        // A request, a link, an iterator, two reads and two closes for each socket and packet.
        assert!(staged >= 7 * (SOCKETS + SOCKETS * PACKETS), "{staged}");
        assert!(nested < 20, "{nested}");
    }
}

/// The numbers of a section follow from one another.
#[track_caller]
fn consistent(section: &Value) {
    let ways = section["ways"].as_array().expect("a list");
    let median =
        |name: &Value| ways.iter().find(|way| way["name"] == *name).unwrap()["median_ns"].clone();
    let (base, ours) = (median(&section["base"]), median(&section["ours"]));
    for way in ways {
        assert!(way["blind"].is_array(), "{way}");
        if !way["skipped"].is_null() {
            assert!(way["skipped"].is_string() && way["median_ns"].is_null(), "{way}");
            assert_eq!(way["rounds"], 0, "{way}");
            continue;
        }
        assert_eq!(way["rounds"], rounds(), "{way}");
        let time = number(&way["median_ns"]);
        assert!(number(&way["min_ns"]) <= time && time <= number(&way["max_ns"]), "{way}");
        assert!(time > 0.0, "{way}");
        let near = |value: &Value, expected: f64| {
            assert!((number(value) - expected).abs() <= expected * 1e-9, "{value} {expected}");
        };
        near(&way["per_item_ns"], time / number(&section["items"]));
        near(&way["ratio"], time / number(&base));
        near(&way["ratio_to_ours"], time / number(&ours));
    }
}

#[test]
fn bench_leaves_nothing_behind_however_it_ends() {
    needs_loops!("bench_leaves_nothing_behind_however_it_ends");
    let temporary = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = Command::new(crib_top_path());
        command.args(small()).env("TMPDIR", temporary.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // Emulated it takes a minute.
    if !in_qemu() {
        let mut whole = start();
        assert!(whole.wait().unwrap().success());
        // Whoever waits for it finds all gone.
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
        assert_eq!(workloads(temporary.path()), 0);
    }
    // A shell without job control has what it starts in the background ignore Ctrl-C.
    let gentle = if is_ignored(Signal::INT) { Signal::TERM } else { Signal::INT };
    for signal in [gentle, Signal::KILL] {
        let mut cut = start();
        wait_until("it has begun", || workloads(temporary.path()) > 0);
        kill_process(Pid::from_child(&cut), signal).unwrap();
        assert!(!cut.wait().unwrap().success());
        wait_until("all is gone", || {
            workloads(temporary.path()) == 0 && fs::read_dir(temporary.path()).unwrap().count() == 0
        });
    }
}

/// Whether this process ignores a signal, and so what it starts.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 != 0
}

/// How many processes hold something for a benchmark with this directory.
fn workloads(temporary: &std::path::Path) -> usize {
    let directory = temporary.canonicalize().unwrap();
    let directory = directory.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .filter(|line| {
            let line = String::from_utf8_lossy(line);
            line.contains("bench-workload\0") && line.contains(&format!("\0{directory}"))
        })
        .count()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bench_refuses_what_it_can_not_do() {
    for (arguments, needle) in [
        (["bench", "--fds", "0"], "--fds '0' is no number from 1"),
        (["bench", "--fds", "many"], "--fds 'many' is no number from 1"),
        (["bench", "--bytes", "9K"], "--bytes '9K' is no number from 1 to 8192"),
        (["bench", "--packets", "-1"], "--packets '-1' is no number from 1"),
        (["bench", "-p", "1"], "bench takes no -p"),
    ] {
        crib_top(arguments).expect_code(2).expect_one_line_error(needle);
    }
}

/// What its processes are told to make may be there already, as somebody else's.
#[test]
fn a_directory_that_was_there_before_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("file"), "precious").expect("our own directory");
    let output = Command::new(crib_top_path())
        .args(["//bench-workload", "files"])
        .arg(directory.path())
        .arg("1")
        .stdin(Stdio::null())
        .output()
        .expect("crib-top can be started");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.starts_with(b"failed "), "{output:?}");
    let text = std::fs::read_to_string(directory.path().join("file"));
    assert_eq!(text.expect("it is still there"), "precious");
    // One that it makes itself is gone with it.
    let made = directory.path().join("made");
    let output = Command::new(crib_top_path())
        .args(["//bench-workload", "files"])
        .arg(&made)
        .arg("1")
        .stdin(Stdio::null())
        .output()
        .expect("crib-top can be started");
    assert!(output.status.success() && output.stdout.starts_with(b"holds "), "{output:?}");
    assert!(!made.exists());
}
