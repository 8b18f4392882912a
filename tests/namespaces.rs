//! crib-top within a namespace of its own: the ids are those that a person there sees.

use std::process::Command;

use serde_json::Value;

use crate::support::privilege::needs_bpf;
use crate::support::workload::workload_path;
use crate::support::{crib_top_path, skipped};

/// Starts a workload and looks at it within a new pid namespace, whose processes end with it;
/// prints the workload's own words, the number of its descriptors by /proc, and two documents.
const SCRIPT: &str = r#"
    sleep 1000 | "$WORKLOAD" pipe,tcp-listen,udp-unconnected >"$DIR/told" &
    tries=0
    until [ -s "$DIR/told" ] || [ $tries -ge 600 ]; do sleep 0.1; tries=$((tries + 1)); done
    for pid in /proc/[0-9]*; do
        [ "$(cat "$pid/comm")" = workload ] && ls "$pid/fd" | wc -l
    done
    "$CRIB_TOP" ps -J --source bpf
    "$CRIB_TOP" files -J --source bpf -p workload
"#;

#[test]
fn processes_have_the_ids_of_our_pid_namespace() {
    const TEST: &str = "processes_have_the_ids_of_our_pid_namespace";
    needs_bpf!("processes_have_the_ids_of_our_pid_namespace");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("unshare")
        .args(["-p", "-f", "--mount-proc", "sh", "-c", SCRIPT])
        .env("WORKLOAD", workload_path())
        .env("CRIB_TOP", crib_top_path())
        .env("DIR", directory.path())
        // Its small pid may have been another workload's, of another namespace.
        .env("TMPDIR", directory.path())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return skipped(TEST, format!("unshare(1): {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let [descriptors, processes, files] = lines[..] else { panic!("{text}\n{errors}") };
    let descriptors: u64 = descriptors.trim().parse().expect("wc prints a number");
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("a document") };

    let processes = json(processes);
    let rows = processes["processes"].as_array().expect("a list");
    assert!(rows.iter().any(|row| row["pid"] == 1), "the first process of the namespace: {rows:?}");
    let mut workloads = rows.iter().filter(|row| row["comm"] == "workload");
    let workload = workloads.next().expect("the workload is in the list");
    assert_eq!(workload["fd_count"], descriptors);

    let files = json(files);
    let process = &files["processes"][0];
    assert_eq!(process["pid"], workload["pid"]);
    assert_eq!(process["fd_count"], descriptors);
    assert!(process["files"].as_array().expect("a list").iter().all(|file| file["tid"].is_null()));
}
