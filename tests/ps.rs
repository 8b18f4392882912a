//! `ps` counts what each process has open.

use serde_json::Value;

use crate::support::command::{crib_top, file_rows, files, only_process};
use crate::support::differences::none_in_a_quiet_moment;
use crate::support::privilege::{needs_bpf, needs_loops};
use crate::support::truth;
use crate::support::workload::Workload;

/// The row of one process in `ps -J`.
pub fn row_of(pid: u32, source: &str) -> Value {
    let document = crib_top(["ps", "-J", "--source", source]).expect_code(0).json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["source"], source);
    let processes = document["processes"].as_array().expect("processes is a list");
    let mut rows = processes.iter().filter(|process| process["pid"] == pid);
    let row = rows.next().unwrap_or_else(|| panic!("ps has no process {pid}")).clone();
    assert_eq!(rows.next(), None, "ps has process {pid} twice");
    row
}

fn differences_in(workload: &Workload, source: &str) -> Vec<String> {
    let row = row_of(workload.pid(), source);
    let truth = truth::of_process(workload.pid());
    let is_socket = |link: &Option<String>| link.as_ref().is_some_and(|l| l.starts_with("socket:"));
    let sockets = truth.values().filter(|truth| is_socket(&truth.link)).count();
    let mut found = Vec::new();
    let mut same = |field: &str, expected: Value| {
        if row[field] != expected {
            found.push(format!("{field} is {}, not {expected}", row[field]));
        }
    };
    same("comm", "workload".into());
    same("fd_count", truth.len().into());
    same("sockets", sockets.into());
    found
}

#[test]
fn ps_by_bpf_counts_as_proc_does() {
    needs_bpf!("ps_by_bpf_counts_as_proc_does");
    let workload = Workload::start(["all"]);
    none_in_a_quiet_moment(|| differences_in(&workload, "bpf"));
}

#[test]
fn ps_by_procfs_counts_as_proc_does() {
    let workload = Workload::start(["all"]);
    none_in_a_quiet_moment(|| differences_in(&workload, "procfs"));
}

#[test]
fn ps_sums_up_what_files_tells() {
    needs_loops!("ps_sums_up_what_files_tells");
    let workload = Workload::start(["tcp-established,udp-unconnected,unix-stream,unix-seqpacket"]);
    none_in_a_quiet_moment(|| {
        let document = files(workload.pid(), "bpf");
        let rows = file_rows(only_process(&document));
        let ps = row_of(workload.pid(), "bpf");
        let mut found = Vec::new();
        for (direction, field) in [("recv", "recv_payload"), ("send", "send_payload")] {
            let payload = |row: &Value| row["socket"][direction]["payload"].as_u64();
            let sum: u64 = rows.iter().filter_map(payload).sum();
            if ps[field] != sum {
                found.push(format!("{field} is {}, the files' sum is {sum}", ps[field]));
            }
        }
        found
    });
}
