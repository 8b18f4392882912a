//! Names made to harm: escape sequences, new lines, broken UTF-8, 8,000 characters.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::command::{Run, crib_top, file_rows, files, has_control, only_process};
use crate::support::differences;
use crate::support::privilege::{has_loops, needs_bpf, needs_loops};
use crate::support::terminal::Terminal;
use crate::support::truth;
use crate::support::workload::{Workload, workload_path};

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
    // /proc gives no such path, so nothing may be made up for it; the kernel knows it whole, and
    // tells it to programs that loop.
    let whole = &deep.expect["path"];
    let expected = if source == "bpf" && has_loops() { whole } else { &serde_json::Value::Null };
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

/// What must not come out as it is, from one place or another.
const SEQUENCES: [&[u8]; 4] = [b"\x1b[2Jx", b"\x1b]0;owned", b"\x07", b"\xc2\x9b31m"];

fn count(out: &[u8], sequence: &[u8]) -> usize {
    out.windows(sequence.len()).filter(|window| *window == sequence).count()
}

#[test]
fn no_message_and_no_sender_reaches_the_terminal() {
    needs_loops!("no_message_and_no_sender_reaches_the_terminal");
    let workload = Workload::start(["hostile"]);
    let pid = workload.pid().to_string();
    let fd = workload.file("hostile-message").fd.to_string();
    let packets = ["packets", "-p", &pid, "--fd", &fd];
    for more in [&[][..], &["--hex"], &["-J"], &["-j"], &["--ascii", "--hex"]] {
        let run = crib_top(packets.iter().chain(more)).expect_code(0);
        expect_harmless(&run);
        assert!(run.text().contains("x1b]0;owned"), "the sender is there: {}", run.text());
    }
    for arguments in [["dump", "-p", &pid, "-J"], ["dump", "-p", &pid, "--ascii"]] {
        expect_harmless(&crib_top(arguments).expect_code(0));
    }
    // The bytes are what they are; what is said of them is harmless.
    let capture = crib_top(packets.iter().chain(&["--pcap", "-"])).expect_code(0);
    assert_eq!(count(&capture.stdout, b"\x1b]0;owned"), 1, "once, in the message itself");
    assert_eq!(count(&capture.stdout, b"\\x1b]0;owned"), 1, "in the comment, escaped");
}

#[test]
fn no_error_carries_what_was_asked_for_to_the_terminal() {
    let workload = Workload::start(["hostile"]);
    let pid = workload.pid().to_string();
    let fd = workload.files().find(|file| file.label == "hostile-file").expect("it is made").fd;
    let fd = fd.to_string();
    let bad = "\x1b[2J\x1b]0;owned\x07\n\u{9b}31m\u{202e}";
    let path = format!("/nonexistent/{bad}");
    let errors: [&[&str]; 16] = [
        &[bad],
        &["files", bad],
        &["files", "-p", bad],
        &["ps", "-p", bad],
        &["files", "-p", &pid, "-Q", bad],
        &["files", "-p", &pid, "-Q", &format!("{bad} == 1")],
        &["files", "-p", &pid, "-Q", &format!("NAME =~ \"[{bad}\"")],
        &["files", "-p", &pid, "-o", bad],
        &["files", "-p", &pid, "--source", bad],
        &["files", "-p", &pid, "-d", bad],
        &["dump", "-p", &pid, "--payload", bad],
        &["packets", "-p", &pid, "--fd", bad],
        &["packets", "-p", &pid, "--fd", &fd],
        &["packets", "-p", &pid, "--fd", "1", "--queue", bad],
        &["packets", "-p", &pid, "--fd", "1", "--pcap", &path],
        &["leaks", "-p", &pid, "--for", bad],
    ];
    for arguments in errors {
        let run = crib_top(arguments);
        assert_ne!(run.code, Some(0), "{run:?}");
        run.expect_one_line_error("");
    }
    // A part of its hostile name finds it.
    expect_harmless(&crib_top(["files", "-p", "\x1b[2Jx"]));
}

#[test]
fn no_module_of_a_stack_reaches_the_terminal() {
    needs_bpf!("no_module_of_a_stack_reaches_the_terminal");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join(OsStr::from_bytes(b"\x1b[2J\x1b]0;owned\x07\n\xc2\x9b31m"));
    std::fs::copy(workload_path(), &path).expect("it can be copied");
    let workload = Workload::start_at(&path, ["leaks", "socket"]);
    let pid = workload.pid().to_string();
    for format in ["-J", "-j", "--ascii"] {
        let run = crib_top(["leaks", "-p", &pid, "--for", "4s", format]);
        assert!(matches!(run.code, Some(0 | 10)), "{run:?}");
        expect_harmless(&run);
        assert!(run.text().contains("x1b]0;owned"), "its name is there: {}", run.text());
    }
}

#[test]
fn no_screen_carries_a_name_to_the_terminal() {
    needs_loops!("no_screen_carries_a_name_to_the_terminal");
    let workload = Workload::start(["hostile"]);
    let pid = workload.pid().to_string();
    let harmless = |screen: &str| assert!(!screen.lines().any(has_control), "{screen:?}");
    let end = |mut terminal: Terminal| {
        terminal.send("q");
        let ended = terminal.expect_end();
        assert_eq!(ended.code, 0);
        for sequence in SEQUENCES {
            let text = sequence.escape_ascii();
            assert_eq!(count(&ended.written, sequence), 0, "{text} reached the terminal");
        }
    };
    let mut terminal = Terminal::start(&["--source", "bpf", "-d", "200ms"], 200, 40);
    terminal.wait_for("PID");
    terminal.send(&format!("/{pid}"));
    harmless(&terminal.wait_for("\\x1b[2Jx"));
    terminal.send("\r");
    harmless(&terminal.wait_for(" FD KIND"));
    end(terminal);

    // Each file closely, and what is in its queues.
    for file in workload.files() {
        let filter = format!("FD == {}", file.fd);
        let mut terminal =
            Terminal::start(&["-p", &pid, "-Q", &filter, "--source", "bpf"], 200, 40);
        let row = format!(" {} {}", file.fd, file.kind);
        harmless(&terminal.wait_for(&row));
        terminal.send("\r");
        harmless(&terminal.wait_until("the file", |screen| !screen.contains(" FD KIND")));
        if file.label == "hostile-message" {
            terminal.wait_for("MESSAGES");
            terminal.send("\r");
            harmless(&terminal.wait_until("its packets", |screen| {
                screen.contains(" message") && !screen.contains("MESSAGES")
            }));
            terminal.send("\r");
            harmless(&terminal.wait_for("1b 5d 30 3b"));
            terminal.send("x");
            harmless(&terminal.wait_until("its text", |screen| !screen.contains("1b 5d 30 3b")));
        }
        end(terminal);
    }
}
