//! A thread with a descriptor table of its own: its files are shown, once, with its tid.

use std::process::Command;

use serde_json::Value;

use crate::support::command::{file_rows, files, only_process};
use crate::support::differences::{self, none_in_a_quiet_moment};
use crate::support::privilege::needs_bpf;
use crate::support::truth::{self, Truth};
use crate::support::workload::{Workload, workload_path};
use crate::support::{crib_top_path, skipped};

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

/// In a pid namespace in which ids have started again from below: a process whose threads have
/// lower ids than itself. Its own words, and the document of its files.
const SCRIPT: &str = r#"
    echo 20000 >/proc/sys/kernel/ns_last_pid || exit 100
    sleep 1000 | "$1" threads 100 >"$0/told" &
    tries=0
    until [ -s "$0/told" ] || [ $tries -ge 600 ]; do sleep 0.1; tries=$((tries + 1)); done
    cat "$0/told"
    "$2" files -J --source bpf -p workload
"#;

#[test]
fn the_common_table_is_the_leaders_where_threads_have_lower_ids() {
    const TEST: &str = "the_common_table_is_the_leaders_where_threads_have_lower_ids";
    needs_bpf!("the_common_table_is_the_leaders_where_threads_have_lower_ids");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("unshare")
        .args(["-p", "-f", "--mount-proc", "sh", "-c", SCRIPT])
        .args([directory.path(), &workload_path(), &crib_top_path()])
        .env("TMPDIR", directory.path())
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(100) => output,
        other => return skipped(TEST, format!("ids can't be set: {other:?}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let [told, document] = lines[..] else { panic!("{text}\n{errors}") };
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("a document") };
    let (told, document) = (json(told), json(document));
    let process = only_process(&document);
    let (tid, pid) = (told["thread"]["tid"].as_u64(), process["pid"].as_u64());
    assert!(tid.is_some() && tid < pid, "thread {tid:?} of {pid:?}");
    let threads: Vec<Option<u64>> =
        file_rows(process).iter().map(|row| row["tid"].as_u64()).collect();
    assert!(threads.is_sorted() && threads.iter().all(|it| it.is_none() || *it == tid), "{text}");
    let is_in = |fd: &Value, tid: Option<u64>| {
        file_rows(process).iter().any(|row| row["fd"] == *fd && row["tid"].as_u64() == tid)
    };
    assert!(is_in(&told["thread"]["fd"], tid), "{text}");
    for file in told["files"].as_array().expect("a list") {
        assert!(is_in(&file["fd"], None), "{file}: {text}");
    }
}
