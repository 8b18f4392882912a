//! As many files as a process may have: each is there, once, with its own path.

use std::collections::BTreeMap;

use crate::ps::row_of;
use crate::support::command::{file_rows, files, only_process};
use crate::support::differences::none_in_a_quiet_moment;
use crate::support::privilege::needs_bpf;
use crate::support::truth;
use crate::support::workload::Workload;

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
