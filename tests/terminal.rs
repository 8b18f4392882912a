//! The real program in a pseudo-terminal: picker, table, quit, and the terminal as it was.

use std::process::Command;

use crate::support::command::has_control;
use crate::support::privilege::needs_bpf;
use crate::support::terminal::Terminal;
use crate::support::workload::Workload;

fn picker_table_quit(source: &str) {
    let workload = Workload::start(["regular,pipe,unix-stream,tcp-established,eventfd"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["--source", source, "-d", "200ms"], 100, 30);
    terminal.wait_for("PID");
    terminal.send("/");
    terminal.send(&pid);
    terminal.wait_until("the workload's row", |screen| {
        screen.lines().any(|line| line.contains(&pid) && line.contains("workload"))
    });
    terminal.send("\r");
    let opened = |screen: &str| screen.contains("eventfd") && screen.contains("pipe:[");
    let screen = terminal.wait_until("the table", opened);
    for text in ["workload", "ESTABLISHED", "127.0.0.1:", "read-write"] {
        assert!(screen.contains(text), "no {text:?} on\n{screen}");
    }

    terminal.resize(20, 5);
    let small = terminal.wait_until("a screen for 20x5", |screen| {
        screen.lines().all(|line| line.chars().count() <= 20) && screen.contains(&pid)
    });
    assert!(small.lines().count() <= 5, "{small}");
    terminal.resize(100, 30);
    terminal.wait_until("the table again", opened);

    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn picker_table_quit_by_bpf() {
    needs_bpf!("picker_table_quit_by_bpf");
    picker_table_quit("bpf");
}

#[test]
fn picker_table_quit_by_procfs() {
    picker_table_quit("procfs");
}

fn end_by_signal(signal: &str) {
    let workload = Workload::start(["pipe"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "--source", "procfs"], 80, 24);
    terminal.wait_for("pipe:[");
    // `kill` is a program in every system, and in a busybox too.
    let sent = Command::new("kill").args([signal, &terminal.pid().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    terminal.expect_end();
}

#[test]
fn sigterm_restores_the_terminal() {
    end_by_signal("-TERM");
}

#[test]
fn sigint_restores_the_terminal() {
    end_by_signal("-INT");
}

#[test]
fn sighup_restores_the_terminal() {
    end_by_signal("-HUP");
}

#[test]
fn a_process_that_ends_is_said_to_have_ended() {
    let mut workload = Workload::start(["pipe,eventfd"]);
    let pid = workload.pid().to_string();
    let options = ["-p", &pid, "--source", "procfs", "-d", "100ms"];
    let mut terminal = Terminal::start(&options, 80, 24);
    terminal.wait_for("eventfd");
    workload.kill();
    let screen = terminal
        .wait_until("the word of its end", |screen| screen.to_lowercase().contains("ended"));
    // What was seen last stays.
    assert!(screen.contains("eventfd"), "{screen}");
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn hostile_names_stay_text() {
    let workload = Workload::start(["hostile"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "--source", "procfs"], 200, 24);
    let screen = terminal.wait_for("\\x1b[2J");
    assert!(!screen.lines().any(has_control), "{screen:?}");
    terminal.send("q");
    let ended = terminal.expect_end();
    assert_eq!(ended.code, 0);
    for sequence in [&b"\x1b[2Jx"[..], b"\x1b]0;owned", b"\x07"] {
        let found = ended.written.windows(sequence.len()).any(|window| window == sequence);
        assert!(!found, "{:?} reached the terminal", sequence.escape_ascii().to_string());
    }
}
