//! Processes that aren't there, that end, that have ended, and that never had a file.

use std::thread::sleep;
use std::time::Instant;

use crate::support::command::{crib_top, file_rows, files, only_process};
use crate::support::privilege::needs_bpf;
use crate::support::skipped;
use crate::support::workload::Workload;

#[test]
fn a_pid_that_does_not_exist_is_an_error() {
    // It was a process's a moment ago, and pids aren't given out again so soon.
    let mut workload = Workload::start(["exit-after", "0"]);
    workload.wait();
    let pid = workload.pid().to_string();
    for arguments in [&["files", "-p", &pid][..], &["files", "-p", &pid, "-J"], &["-p", &pid]] {
        // Where BPF can't be used, `auto` would say so in a line of its own.
        let arguments = arguments.iter().chain(&["--source", "procfs"]);
        crib_top(arguments).expect_code(1).expect_one_line_error(&pid);
    }
}

fn a_zombie_has_no_files(source: &str) {
    let workload = Workload::start(["zombie"]);
    let zombie = workload.report["zombie"].as_u64().expect("the report has the zombie's pid");
    let zombie = u32::try_from(zombie).expect("a pid");
    let document = files(zombie, source);
    let process = only_process(&document);
    assert_eq!(process["pid"], zombie);
    assert!(file_rows(process).is_empty(), "{process}");
    crib_top(["files", "-p", &zombie.to_string()]).expect_code(0);
}

#[test]
fn a_zombie_has_no_files_by_bpf() {
    needs_bpf!("a_zombie_has_no_files_by_bpf");
    a_zombie_has_no_files("bpf");
}

#[test]
fn a_zombie_has_no_files_by_procfs() {
    a_zombie_has_no_files("procfs");
}

fn a_kernel_thread_has_no_files(test: &str, source: &str) {
    // Inside a pid namespace of a container, no kernel thread can be seen.
    if std::fs::read_to_string("/proc/2/comm").ok().as_deref() != Some("kthreadd\n") {
        return skipped(test, "pid 2 is not kthreadd here");
    }
    let document = files(2, source);
    let process = only_process(&document);
    assert_eq!(process["comm"], "kthreadd");
    assert!(file_rows(process).is_empty(), "{process}");
    crib_top(["files", "-p", "2"]).expect_code(0);
}

#[test]
fn a_kernel_thread_has_no_files_by_bpf() {
    needs_bpf!("a_kernel_thread_has_no_files_by_bpf");
    a_kernel_thread_has_no_files("a_kernel_thread_has_no_files_by_bpf", "bpf");
}

#[test]
fn a_kernel_thread_has_no_files_by_procfs() {
    a_kernel_thread_has_no_files("a_kernel_thread_has_no_files_by_procfs", "procfs");
}

/// Whenever the target is killed, a reading either is whole or says in one line that it isn't.
fn a_process_that_ends_midway_is_no_accident(source: &'static str) {
    const FILES: usize = 1000;
    const STEPS: u32 = 8;
    let run = |pid: u32| crib_top(["files", "-p", &pid.to_string(), "-J", "--source", source]);
    // How long a reading takes here tells when to kill: at its start, at its end, in between.
    let undisturbed = Workload::start(["fds", &FILES.to_string()]);
    let start = Instant::now();
    run(undisturbed.pid()).expect_code(0);
    let takes = start.elapsed();
    for step in 0..=STEPS {
        let mut workload = Workload::start(["fds", &FILES.to_string()]);
        let pid = workload.pid();
        let reading = std::thread::spawn(move || run(pid));
        sleep(takes * step / STEPS);
        workload.kill();
        let run = reading.join().expect("crib-top was run");
        if run.code != Some(0) {
            run.expect_code(1).expect_one_line_error(&pid.to_string());
            continue;
        }
        let document = run.json();
        let process = only_process(&document);
        assert_eq!(process["pid"], pid);
        let there = file_rows(process).len();
        // A process that was killed and not yet waited for is a zombie, and has no files.
        let whole = there >= FILES || there == 0;
        assert!(whole || process["complete"] == false, "{there} files, said to be complete");
    }
}

#[test]
fn a_process_that_ends_midway_is_no_accident_by_bpf() {
    needs_bpf!("a_process_that_ends_midway_is_no_accident_by_bpf");
    a_process_that_ends_midway_is_no_accident("bpf");
}

#[test]
fn a_process_that_ends_midway_is_no_accident_by_procfs() {
    a_process_that_ends_midway_is_no_accident("procfs");
}
