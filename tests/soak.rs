//! The whole reading path for as long as one likes, against a process in which everything happens
//! at once. A few seconds in each `cargo test`; `CRIB_SOAK=3600 cargo test --test soak -- --nocapture`
//! goes on for an hour. A test binary of its own, since it counts what is left in the kernel, where
//! other tests load programs too. docs/reliability.md has what came of it.

#[allow(dead_code, reason = "the other tests, which share it, use the rest")]
#[path = "support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::command::{crib_top, file_rows, only_process};
use crate::support::privilege::needs_loops;
use crate::support::queues::{self, dump, packets};
use crate::support::terminal::Terminal;
use crate::support::whole::{Seen, Sort, check};
use crate::support::workload::{Told, Workload};
use crate::support::{crib_top_path, skipped};

/// How long it goes on where CRIB_SOAK does not say.
const SECONDS: u64 = 10;

/// What the kernel says when something is wrong with it.
const COMPLAINTS: [&str; 6] = ["BUG", "WARNING", "Oops", "Call Trace", "soft lockup", "rcu_"];

/// BPF programs in the kernel.
fn programs() -> usize {
    aya::programs::loaded_programs().filter(Result::is_ok).count()
}

/// Lines of the kernel's log in which it complains; none where it may not be read.
fn complaints() -> Option<Vec<String>> {
    let output = Command::new("dmesg").output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complains = |line: &&str| COMPLAINTS.iter().any(|complaint| line.contains(complaint));
    Some(text.lines().filter(complains).map(str::to_owned).collect())
}

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is running");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

fn sort_of(label: &str) -> Sort {
    if label.starts_with("tcp") { Sort::Stream } else { Sort::Messages(false) }
}

/// One reading in each way; each has to be valid, and what it claims to be whole has to be so.
fn read_all(pid: u32, told: &[(u64, Sort)], seen: &mut Seen) {
    let id = pid.to_string();
    let document = crib_top(["files", "-p", &id, "-J", "--source", "bpf"]).expect_code(0).json();
    let mut places = HashSet::new();
    for file in file_rows(only_process(&document)) {
        assert!(file["fd"].is_u64() && file["kind"].is_string(), "{file}");
        assert!(places.insert((file["tid"].as_u64(), file["fd"].as_u64())), "twice: {file}");
    }
    // One that says that it may lack something may.
    let process = only_process(&document);
    for (fd, _) in told.iter().filter(|_| process["complete"] == true) {
        let count = places.len();
        let is_there = places.contains(&(None, Some(*fd)));
        assert!(is_there, "fd {fd} is open all the time: {count} files, {}", process["fd_count"]);
    }
    let document = dump(pid);
    for file in file_rows(only_process(&document)) {
        let sort = told.iter().find(|(fd, _)| file["fd"] == *fd && file["tid"].is_null());
        if let Some(&(_, sort)) = sort {
            check(queues::of_file(file), sort, seen);
        }
    }
    for &(fd, sort) in told {
        check(&packets(pid, fd)["queues"], sort, seen);
    }
    let list = crib_top(["ps", "-J"]).expect_code(0).json();
    let rows = list["processes"].as_array().expect("a list");
    assert!(rows.iter().any(|row| row["pid"] == pid && row["fd_count"].as_u64() > Some(8)));
    let findings = crib_top(["lint", "-p", &id, "-J"]).expect_code(0).json();
    assert_eq!(findings["pid"], pid);
    let document = crib_top(["files", "-p", &id, "-J", "--peers"]).expect_code(0).json();
    assert_eq!(only_process(&document)["pid"], pid);
    seen.readings += 5 + told.len() as u64;
}

#[test]
fn everything_at_once() {
    needs_loops!("everything_at_once");
    let seconds =
        std::env::var("CRIB_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let time = Duration::from_secs(seconds);
    let (programs_before, complaints_before) = (programs(), complaints());
    let workload = Workload::start(["soak"]);
    let pid = workload.pid();
    let told: Vec<_> =
        workload.files().map(|Told { fd, label, .. }| (fd, sort_of(label))).collect();
    // The live view looks on all the time, and traces.
    let mut ui = Terminal::start(&["-p", &pid.to_string(), "-d", "100ms"], 120, 40);
    ui.wait_for("of");
    ui.send("o");
    let (began, mut seen, mut killed, mut early) = (Instant::now(), Seen::default(), 0, None);
    while began.elapsed() < time {
        read_all(pid, &told, &mut seen);
        // One that is killed in the middle of a reading.
        let mut cut = Command::new(crib_top_path())
            .args(["dump", "-p", &pid.to_string(), "-J"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("crib-top can be started");
        thread::sleep(Duration::from_millis(seen.readings % 80));
        kill_process(Pid::from_child(&cut), Signal::KILL).expect("our own child");
        cut.wait().expect("our own child");
        killed += 1;
        if early.is_none() && began.elapsed() > time / 10 {
            early = Some(resident(ui.pid()));
        }
    }
    let (early, late) = (early.unwrap_or(0), resident(ui.pid()));
    ui.send("q");
    assert_eq!(ui.expect_end().code, 0);
    let end: Value = workload.finish();
    println!(
        "{} s: {seen:?}, {killed} killed, {end}, the live view took {early} and then {late} KiB",
        began.elapsed().as_secs()
    );
    assert!(end["received"].as_u64() > Some(0), "{end}");
    assert!(seen.whole > 0, "nothing was ever read whole: {seen:?}");
    // What is remembered of a process is bounded; allocators keep some of what they had.
    assert!(late <= early + early / 2 + 8192, "{early} KiB, then {late} KiB");
    match (complaints_before, complaints()) {
        (Some(before), Some(after)) => assert_eq!(before, after, "the kernel complains"),
        _ => skipped("everything_at_once, the kernel's log", "dmesg can't be had"),
    }
    // The kernel frees programs a moment after their last user.
    let began = Instant::now();
    while programs() > programs_before && began.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(100));
    }
    assert!(programs() <= programs_before, "{} programs are left", programs() - programs_before);
}
