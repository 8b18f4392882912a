//! Names made to harm: escape sequences, new lines, broken UTF-8, 8,000 characters.

use crate::support::command::{Run, crib_top, file_rows, files, has_control, only_process};
use crate::support::differences;
use crate::support::privilege::needs_bpf;
use crate::support::truth;
use crate::support::workload::Workload;

/// No byte of the output acts on a terminal, but for the ends of lines.
#[track_caller]
fn expect_harmless(run: &Run) {
    for line in run.text().split('\n').chain(run.stderr.split('\n')) {
        assert!(!has_control(line), "controls in {line:?}");
    }
}

fn no_name_reaches_the_terminal(source: &str) {
    let workload = Workload::start(["hostile"]);
    let pid = workload.pid().to_string();
    let outputs: [&[&str]; 6] = [
        &["files", "-p", &pid],
        &["files", "-p", &pid, "-J"],
        &["files", "-p", &pid, "-j"],
        &["ps"],
        &["ps", "-J"],
        &["ps", "-j"],
    ];
    for arguments in outputs {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--source", source]).collect();
        expect_harmless(&crib_top(arguments).expect_code(0));
    }

    // A new line in a name makes no second row.
    let fds = truth::count(workload.pid());
    let table = crib_top(["files", "-n", "-p", &pid, "--source", source]).expect_code(0);
    assert_eq!(table.text().lines().count() as u64, fds, "rows in\n{}", table.text());
    let lines = crib_top(["files", "-j", "-p", &pid, "--source", source]).expect_code(0);
    assert_eq!(lines.text().lines().count() as u64, fds, "lines in\n{}", lines.text());

    // And each file is there as it is, escaped.
    let document = files(workload.pid(), source);
    let process = only_process(&document);
    // PR_SET_NAME takes fifteen bytes.
    assert_eq!(process["comm"], "\\x1b[2Jx\\x0ay\\xff\\x9b;\"");
    let truth = truth::of_process(workload.pid());
    for (fd, truth) in &truth {
        let row = file_rows(process).iter().find(|row| row["fd"] == *fd);
        let row = row.unwrap_or_else(|| panic!("fd {fd} is not there"));
        let found = differences::from_proc(row, truth);
        assert!(found.is_empty(), "fd {fd}: {}", found.join("\n"));
    }
    let deep = workload.files().find(|file| file.label == "hostile-deep-file").expect("it is made");
    assert!(truth[&deep.fd].link.is_none(), "its path is longer than the kernel tells");
    let row = file_rows(process).iter().find(|row| row["fd"] == deep.fd).expect("it is there");
    // /proc gives no such path, so nothing may be made up for it; the kernel knows it whole.
    let whole = &deep.expect["path"];
    let expected = if source == "bpf" { whole } else { &serde_json::Value::Null };
    assert_eq!(&row["path"], expected);
}

#[test]
fn no_name_reaches_the_terminal_by_bpf() {
    needs_bpf!("no_name_reaches_the_terminal_by_bpf");
    no_name_reaches_the_terminal("bpf");
}

#[test]
fn no_name_reaches_the_terminal_by_procfs() {
    no_name_reaches_the_terminal("procfs");
}
