//! A thread with a descriptor table of its own: its files are shown, once, with its tid.

use serde_json::Value;

use crate::support::command::{file_rows, files, only_process};
use crate::support::differences::{self, none_in_a_quiet_moment};
use crate::support::privilege::needs_bpf;
use crate::support::truth::{self, Truth};
use crate::support::workload::Workload;

fn differences_in(workload: &Workload, source: &str) -> Vec<String> {
    let tid = workload.report["thread"]["tid"].as_u64().expect("the report has the thread's tid");
    let document = files(workload.pid(), source);
    let process = only_process(&document);
    let rows = file_rows(process);
    let mut found = Vec::new();
    let mut compare = |tid: Value, truth: std::collections::BTreeMap<u64, Truth>| {
        let table: Vec<&Value> = rows.iter().filter(|row| row["tid"] == tid).collect();
        let fds: Vec<u64> = table.iter().filter_map(|row| row["fd"].as_u64()).collect();
        let expected: Vec<u64> = truth.keys().copied().collect();
        if fds != expected {
            found.push(format!("the table of tid {tid} has fds {fds:?}, not {expected:?}"));
        }
        for row in table {
            let Some(truth) = row["fd"].as_u64().and_then(|fd| truth.get(&fd)) else { continue };
            let differences = differences::from_proc(row, truth);
            found.extend(differences.iter().map(|d| format!("tid {tid} fd {}: {d}", row["fd"])));
        }
    };
    compare(Value::Null, truth::of_process(workload.pid()));
    compare(tid.into(), truth::of_thread(workload.pid(), tid));
    // The thread that shares the process's table adds nothing.
    if let Some(row) = rows.iter().find(|row| !row["tid"].is_null() && row["tid"] != tid) {
        found.push(format!("a file of a table that is shared: {row}"));
    }
    if process["fd_count"] != rows.len() {
        found.push(format!("fd_count is {}, there are {} rows", process["fd_count"], rows.len()));
    }
    found
}

#[test]
fn a_threads_own_table_is_shown_by_bpf() {
    needs_bpf!("a_threads_own_table_is_shown_by_bpf");
    let workload = Workload::start(["threads"]);
    none_in_a_quiet_moment(|| differences_in(&workload, "bpf"));
}

#[test]
fn a_threads_own_table_is_shown_by_procfs() {
    let workload = Workload::start(["threads"]);
    none_in_a_quiet_moment(|| differences_in(&workload, "procfs"));
}
