//! What goes wrong around crib-top itself: its terminal, its standard streams, its reader.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime, clock_settime};
use serde_json::Value;

use crate::support::command::{file_rows, only_process};
use crate::support::line::{Line, Loaded, Owner};
use crate::support::privilege::{needs_bpf, needs_loops};
use crate::support::queues;
use crate::support::terminal::Terminal;
use crate::support::whole::{Seen, Sort, check};
use crate::support::workload::Workload;
use crate::support::{crib_top_path, in_qemu, skipped};

/// How long something may take until it is so.
const PATIENCE: Duration = Duration::from_secs(60);

/// The live view with all that it may load; then the terminal goes away.
fn the_terminal_goes_away(owner: Owner) {
    let workload = Workload::start(["pipe,tcp-established,eventfd"]);
    let pid = workload.pid().to_string();
    let mut line = Line::start(owner, &["-p", &pid, "-d", "100ms", "--source", "bpf"]);
    line.wait_for("eventfd");
    // Who opens files is traced.
    line.send("t");
    line.wait_for("groups by");
    line.send("o");
    line.wait_for("traced where");
    let loaded = Loaded::by(line.pid());
    assert!(loaded.is_complete(), "{loaded:?}");
    let status = line.hang_up();
    assert_eq!(status.code(), Some(0), "{status}");
    loaded.expect_gone();
}

#[test]
fn it_ends_when_the_terminal_hangs_up() {
    needs_bpf!("it_ends_when_the_terminal_hangs_up");
    the_terminal_goes_away(Owner::Itself);
}

#[test]
fn it_ends_when_the_terminal_is_gone_and_no_signal_comes() {
    needs_bpf!("it_ends_when_the_terminal_is_gone_and_no_signal_comes");
    the_terminal_goes_away(Owner::Nobody);
}

#[test]
fn keys_come_from_the_controlling_terminal_where_standard_input_is_none() {
    let workload = Workload::start(["pipe,eventfd"]);
    let pid = workload.pid().to_string();
    let options = ["-p", &pid, "--source", "procfs"];
    for streams in ["<&-", "</dev/null", "<&- 2>&-"] {
        let script = format!("exec \"$0\" \"$@\" {streams}");
        let mut terminal = Terminal::start_by(&script, &options, 80, 24);
        terminal.wait_for("eventfd");
        terminal.send("?");
        terminal.wait_for("Keys");
        terminal.send("\u{1b}");
        terminal.wait_until("the table again", |screen| !screen.contains("Keys"));
        terminal.send("q");
        assert_eq!(terminal.expect_end().code, 0, "{streams}");
    }
}

/// Runs crib-top by a shell that closes some of its streams.
fn run_with(streams: &str, arguments: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new("sh")
        .args(["-c", &format!("exec \"$0\" \"$@\" {streams}")])
        .arg(crib_top_path())
        .args(arguments)
        .output()
        .expect("there is a shell");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.stdout, errors)
}

#[test]
fn closed_streams_change_nothing_but_what_is_seen() {
    let workload = Workload::start(["pipe,tcp-established,eventfd"]);
    let pid = workload.pid().to_string();
    let commands: [(&[&str], i32); 6] = [
        (&["-p", &pid, "--source", "procfs"], 0),
        (&["files", "-J", "-p", &pid, "--source", "procfs"], 0),
        (&["ps", "--source", "procfs"], 0),
        (&["lint", "-p", &pid, "--for", "1s", "--source", "procfs"], 0),
        (&["files", "-p", "4194304"], 1),
        (&["no-such-command"], 2),
    ];
    for (arguments, code) in commands {
        let (open, ..) = run_with("", arguments);
        assert_eq!(open, Some(code), "{arguments:?}");
        for streams in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let (closed, out, errors) = run_with(streams, arguments);
            assert_eq!(closed, Some(code), "{arguments:?} {streams}: {errors}");
            let written = code == 0 && !streams.split(' ').any(|stream| stream == ">&-");
            assert_eq!(!out.is_empty(), written, "{arguments:?} {streams}");
            assert!(!errors.contains("panic"), "{errors}");
        }
    }
}

/// Starts crib-top, whose output comes through pipes.
fn start(arguments: &[&str]) -> Child {
    Command::new(crib_top_path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("crib-top can be started")
}

/// As `| head -1` does: more is written than a pipe holds, and nobody reads it.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    needs_loops!("a_reader_that_has_seen_enough_is_no_error");
    let workload = Workload::start(["many", "200", "8", "1024"]);
    let pid = workload.pid().to_string();
    let fd = workload.report["files"][0]["fd"].to_string();
    let commands: [&[&str]; 9] = [
        &["files"],
        &["files", "-J"],
        &["files", "-j", "--source", "procfs"],
        &["dump"],
        &["dump", "-J"],
        &["lint", "-J"],
        &["packets", "--fd", &fd, "--hex"],
        &["packets", "--fd", &fd, "--pcap", "-"],
        &["leaks", "--for", "1s"],
    ];
    for arguments in commands {
        let mut child = start(&[arguments, &["-p", &pid]].concat());
        // All that is read is the first bytes; then the pipe is closed.
        let mut out = BufReader::with_capacity(16, child.stdout.take().expect("it is a pipe"));
        assert!(!out.fill_buf().expect("it can be read").is_empty(), "{arguments:?}");
        drop(out);
        let output = child.wait_with_output().expect("our own child");
        let errors = String::from_utf8_lossy(&output.stderr);
        let code = if arguments[0] == "leaks" { [0, 10].as_slice() } else { &[0] };
        assert!(
            output.status.code().is_some_and(|is| code.contains(&is)),
            "{arguments:?} {errors}"
        );
        assert_eq!(errors, "", "{arguments:?}");
    }
}

/// What it waits for need not come: here, that somebody reads what it prints.
#[test]
fn a_second_interrupt_ends_what_the_first_one_did_not() {
    let workload = Workload::start(["pipe"]);
    let pid = workload.pid().to_string();
    for command in ["leaks", "lint"] {
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&writer, true).expect("our own pipe");
        while rustix::io::write(&writer, &[0; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&writer, false).expect("our own pipe");
        let mut child = Command::new(crib_top_path())
            .args([command, "-p", &pid, "--for", "600s", "--source", "procfs"])
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::null())
            .spawn()
            .expect("crib-top can be started");
        // Before it is caught, the first one ends the process.
        let is_caught = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
            let status = status.unwrap_or_default();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
            mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|m| m & 2 != 0)
        };
        let start = Instant::now();
        while !is_caught() {
            assert!(start.elapsed() < PATIENCE, "{command} never catches it");
            thread::sleep(Duration::from_millis(5));
        }
        let raw = Pid::from_child(&child);
        kill_process(raw, Signal::INT).expect("our own child");
        thread::sleep(Duration::from_millis(500));
        let status = child.try_wait().expect("our own child");
        assert!(status.is_none(), "{command}: nobody reads what it prints, but {status:?}");
        // One that comes before the first was taken is the same.
        let status = loop {
            kill_process(raw, Signal::INT).expect("our own child");
            if let Some(status) = child.try_wait().expect("our own child") {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill().expect("our own child");
            }
            thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(status.code(), Some(130), "{command}: {status}");
    }
}

/// Stops crib-top again and again until it ends, in between which it runs for these times.
fn stop_until_end(child: &mut Child, runs: impl IntoIterator<Item = Duration>) -> ExitStatus {
    for run in runs {
        thread::sleep(run);
        if let Some(status) = child.try_wait().expect("our own child") {
            return status;
        }
        // It may have ended since, but nobody has waited for it.
        kill_process(Pid::from_child(child), Signal::STOP).expect("our own child");
        thread::sleep(Duration::from_millis(15));
        kill_process(Pid::from_child(child), Signal::CONT).expect("our own child");
    }
    child.wait().expect("our own child")
}

/// One dump by a crib-top that is stopped as soon as its programs are loaded, and after each
/// millisecond.
fn dump_with_stops(pid: &str) -> Value {
    let arguments = ["dump", "-p", pid, "-J", "--source", "bpf", "--payload", "1048576"];
    let mut child = start(&arguments);
    let (mut out, mut told) = (child.stdout.take(), child.stderr.take());
    let reading = thread::spawn(move || {
        let (mut text, mut errors) = (Vec::new(), String::new());
        out.as_mut().expect("it is a pipe").read_to_end(&mut text).expect("it can be read");
        told.as_mut().expect("it is a pipe").read_to_string(&mut errors).expect("it can be read");
        (text, errors)
    });
    while !Loaded::by(child.id()).is_complete() && child.try_wait().is_ok_and(|it| it.is_none()) {
        thread::sleep(Duration::from_millis(1));
    }
    // Emulated, it does the same in many times the time.
    let run = Duration::from_millis(if in_qemu() { 50 } else { 1 });
    let status = stop_until_end(&mut child, std::iter::repeat_n(run, 1000));
    let (text, errors) = reading.join().expect("the thread is sound");
    assert!(status.success(), "{status}: {errors}");
    serde_json::from_slice(&text).expect("a document")
}

/// What comes and goes between two of its steps is marked, or it does not matter.
#[test]
fn a_reader_that_is_stopped_in_the_middle_tells_nothing_wrong() {
    needs_loops!("a_reader_that_is_stopped_in_the_middle_tells_nothing_wrong");
    let rounds = if in_qemu() { 1 } else { 3 };
    for (name, sort) in [("unix-dgram", Sort::Messages(false)), ("tcp", Sort::Stream)] {
        let workload = Workload::start(["flux", name]);
        let mut seen = Seen::default();
        let mut done = 0;
        // What is torn each time proves nothing; a machine may be slow enough for that once.
        while done < rounds || (seen.whole == 0 && done < rounds + 5) {
            done += 1;
            let document = dump_with_stops(&workload.pid().to_string());
            for row in file_rows(only_process(&document)) {
                if workload.files().any(|file| row["fd"] == file.fd) {
                    check(queues::of_file(row), sort, &mut seen);
                    seen.readings += 1;
                }
            }
        }
        assert_eq!(seen.readings, 2 * done, "both ends are there in each reading: {seen:?}");
        assert!(seen.whole > 0, "nothing was ever read whole: {seen:?}");
    }
}

/// The verifier gives up when a signal comes: that is no reason to do without BPF.
#[test]
fn signals_do_not_keep_programs_from_being_loaded() {
    needs_bpf!("signals_do_not_keep_programs_from_being_loaded");
    let workload = Workload::start(["pipe"]);
    let mut child = start(&["files", "-p", &workload.pid().to_string(), "--source", "bpf"]);
    // In one of these times it loads; emulated, that takes long.
    let step = if in_qemu() { 200 } else { 8 };
    let status = stop_until_end(&mut child, (1..50).map(|n| Duration::from_millis(n * step)));
    let mut errors = String::new();
    let told = child.stderr.take().expect("it is a pipe").read_to_string(&mut errors);
    told.expect("it can be read");
    assert!(status.success(), "{status}: {errors}");
}

/// Sets the time of day so many seconds on.
fn step_clock(seconds: i64) {
    let mut time = clock_gettime(ClockId::Realtime);
    time.tv_sec += seconds;
    clock_settime(ClockId::Realtime, time).expect("we are root in a machine of our own");
}

/// An hour forth and back, as when a clock is set right: ages and rates go by another clock.
#[test]
fn a_clock_that_is_set_changes_no_age_and_no_rate() {
    const TEST: &str = "a_clock_that_is_set_changes_no_age_and_no_rate";
    needs_bpf!("a_clock_that_is_set_changes_no_age_and_no_rate");
    if !in_qemu() {
        return skipped(TEST, "it sets the clock, which here others go by too");
    }
    const HOUR: i64 = 3600;
    let workload = Workload::start(["leaks", "socket"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "-d", "500ms"], 120, 40);
    terminal.wait_for("/s");
    let watching = start(&["leaks", "-p", &pid, "--for", "20s", "-J"]);
    thread::sleep(Duration::from_secs(8));
    step_clock(HOUR);
    thread::sleep(Duration::from_secs(3));
    let forth = terminal.wait_for("/s");
    step_clock(-HOUR);
    thread::sleep(Duration::from_secs(3));
    let back = terminal.wait_for("/s");
    for screen in [&forth, &back] {
        // What was never closed is the oldest, and is some seconds old.
        let ages = screen.lines().filter_map(|line| line.split_whitespace().find(|w| is_hours(w)));
        assert_eq!(ages.count(), 0, "{screen}");
    }
    let output = watching.wait_with_output().expect("our own child");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "a leak is suspected: {errors}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let seconds = document["seconds"].as_f64().expect("it is known");
    assert!((19.0..600.0).contains(&seconds), "{seconds}");
    let group = &document["groups"][0];
    let (rate, oldest) = (group["per_second"].as_f64(), group["oldest_seconds"].as_f64());
    assert!(rate.is_some_and(|rate| (0.5..500.0).contains(&rate)), "{group}");
    assert!(oldest.is_some_and(|oldest| (0.0..600.0).contains(&oldest)), "{group}");
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

/// An age of an hour or more, as the live view shows it.
fn is_hours(word: &str) -> bool {
    let word = word.trim_start_matches('>');
    let hours = word.split_once('h').filter(|(hours, _)| hours.parse::<u32>().is_ok());
    hours.is_some()
}
