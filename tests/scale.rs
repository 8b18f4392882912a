//! As many files as a process may have: each is there, once, with its own path.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::ps::row_of;
use crate::support::command::{file_rows, files, only_process};
use crate::support::differences::none_in_a_quiet_moment;
use crate::support::privilege::needs_bpf;
use crate::support::terminal::Terminal;
use crate::support::truth;
use crate::support::workload::Workload;
use crate::support::{crib_top_path, skipped};

/// 19,600, or what the hard limit on descriptors allows with some to spare.
fn wanted() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("one's own limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|rest| rest.split_whitespace().nth(1)).expect("a hard limit");
    hard.parse().map_or(19_600, |hard: u64| hard.saturating_sub(100).min(19_600))
}

fn differences_in(workload: &Workload, source: &str) -> Vec<String> {
    let document = files(workload.pid(), source);
    let process = only_process(&document);
    let rows = file_rows(process);
    let by_fd: BTreeMap<u64, &str> =
        rows.iter().filter_map(|row| Some((row["fd"].as_u64()?, row["path"].as_str()?))).collect();
    let mut found = Vec::new();
    if process["complete"] != true {
        found.push("the reading is not complete".to_owned());
    }
    if rows.len() as u64 != truth::count(workload.pid()) || rows.len() != by_fd.len() {
        found.push(format!("{} rows with {} different fds", rows.len(), by_fd.len()));
    }
    for file in workload.files() {
        let path = by_fd.get(&file.fd);
        if !path.is_some_and(|path| path.ends_with(&format!("/{}", file.label))) {
            found.push(format!("fd {} has path {path:?}, not {}", file.fd, file.label));
        }
    }
    found.truncate(20);
    found
}

#[test]
fn every_one_of_19600_files_is_there() {
    needs_bpf!("every_one_of_19600_files_is_there");
    let workload = Workload::start(["fds".to_owned(), wanted().to_string()]);
    none_in_a_quiet_moment(|| differences_in(&workload, "bpf"));
    none_in_a_quiet_moment(|| {
        let (counted, there) = (row_of(workload.pid(), "bpf"), truth::count(workload.pid()));
        let agree = counted["fd_count"] == there;
        if agree { Vec::new() } else { vec![format!("ps: {counted}, /proc: {there}")] }
    });
}

const MILLION: usize = 1_000_000;
/// What crib-top may take for a million rows: the live view keeps two tables of them.
const MEMORY_KIB: u64 = 1024 * 1024;

/// Whether a process may have so many descriptors here; says so by name where it may not.
fn may_have_a_million(test: &str) -> bool {
    // Whoever may raise the limit can tell best.
    let script = format!("ulimit -n {}", MILLION + 2000);
    let output = Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
    if !output.status.success() {
        skipped(test, String::from_utf8_lossy(&output.stderr).trim());
    }
    output.status.success()
}

/// The most memory that a process has had, in KiB.
fn most_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is running");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("it has memory")
}

/// Fails unless each of the workload's descriptors has one row, and that is right.
fn check_a_million_rows(workload: &Workload) {
    let first = workload.report["first"].as_u64().expect("it is a number") as usize;
    let started = Instant::now();
    let mut child = Command::new(crib_top_path())
        .args([
            "files",
            "-n",
            "-o",
            "FD,NAME",
            "--source",
            "bpf",
            "-p",
            &workload.pid().to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("crib-top can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    let mut line = lines.next().expect("there are rows").expect("it can be read");
    // It prints when everything is there.
    let (memory, time) = (most_memory(child.id()), started.elapsed());
    let mut seen = 0;
    loop {
        let (fd, name) = line.trim().split_once(' ').expect("two columns");
        let fd: usize = fd.parse().expect("a number");
        if (first..first + MILLION).contains(&fd) {
            let right = match fd.is_multiple_of(1000) {
                true => name.ends_with(&format!("/{fd}")),
                false => name == ["/dev/null", "/dev/zero"][fd % 2],
            };
            assert!(right, "fd {fd} is said to be {name}");
            assert_eq!(fd, first + seen, "rows are missing, or there twice");
            seen += 1;
        }
        let Some(next) = lines.next() else { break };
        line = next.expect("it can be read");
    }
    assert!(child.wait().expect("our own child").success());
    assert_eq!(seen, MILLION);
    println!("a million rows: {memory} KiB, the first after {time:?}, {:?}", started.elapsed());
    assert!(memory < MEMORY_KIB, "{memory} KiB");
}

#[test]
fn a_million_descriptors() {
    const TEST: &str = "a_million_descriptors";
    needs_bpf!("a_million_descriptors");
    if !may_have_a_million(TEST) {
        return;
    }
    let workload = Workload::start(["million".to_owned(), MILLION.to_string()]);
    let pid = workload.pid();
    check_a_million_rows(&workload);

    let started = Instant::now();
    let counted = row_of(pid, "bpf")["fd_count"].as_u64().expect("it is known");
    println!("ps: {:?}", started.elapsed());
    assert_eq!(counted, truth::count(pid));

    let started = Instant::now();
    let mut terminal = Terminal::start(&["-p", &pid.to_string(), "--source", "bpf"], 120, 40);
    terminal.wait_for(&format!("{counted} of "));
    let (memory, time) = (most_memory(terminal.pid()), started.elapsed());
    println!("the live view: {memory} KiB, {time:?}");
    assert!(memory < MEMORY_KIB, "{memory} KiB");
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}
