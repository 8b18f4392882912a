//! A leak looked at in the terminal: groups, what grows, who opens it, and the way back.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::line::Loaded;
use crate::support::privilege::needs_bpf;
use crate::support::terminal::Terminal;
use crate::support::workload::Workload;
use crate::support::{in_qemu, skipped};

const CTRL_Z: &str = "\x1a";

/// Whether a line holds all of these.
fn line_with(screen: &str, texts: &[&str]) -> bool {
    screen.lines().any(|line| texts.iter().all(|text| line.contains(text)))
}

#[test]
fn a_leak_is_seen_as_it_grows() {
    needs_bpf!("a_leak_is_seen_as_it_grows");
    let workload = Workload::start(["leaks", "socket"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "-d", "200ms"], 120, 40);
    terminal.wait_until("the rate and the limit", |screen| {
        line_with(screen, &[&pid, "/s", "limit in"])
    });
    // Traced before it is suspected, so that what is suspected was seen.
    terminal.send("o");
    let screen = terminal.wait_until("whether it is traced", |screen| {
        screen.contains("traced where") || screen.contains("can't be traced")
    });
    let traced = screen.contains("traced where");
    terminal.wait_until("the suspect", |screen| {
        screen.contains("A leak is suspected")
            && line_with(screen, &["socket inet dgram udp", "/s"])
            && line_with(screen, &["fd ", "udp"])
    });
    // The binaries that run in other kernels are stripped: there is only the module.
    let opener = if in_qemu() { "workload+0x" } else { "leak_a_socket" };
    if traced {
        terminal.wait_until("its opener", |screen| screen.contains(opener));
    }
    terminal.send("t");
    terminal.wait_until("the groups", |screen| {
        line_with(screen, &["!", "socket inet dgram udp"]) && screen.contains("groups by label")
    });
    terminal.send("t");
    terminal.wait_until("kinds", |screen| screen.contains("groups by kind"));
    terminal.send("t");
    terminal.wait_until("openers", |screen| {
        screen.contains("groups by opener")
            && (!traced || line_with(screen, &["!", opener]))
            && screen.contains("not seen when it was opened")
            && (!traced || screen.lines().nth(3).is_some_and(|first| first.contains(opener)))
    });
    // The selection has gone with a group that was first before.
    terminal.send("g");
    // Into the group that grows, which is the first one, and to one of its files.
    terminal.send("\r");
    terminal.wait_until("its files", |screen| {
        line_with(screen, &["group:"]) && line_with(screen, &["socket", "udp"])
    });
    terminal.send("\r");
    terminal.wait_until("a file", |screen| line_with(screen, &["> fd "]));
    // Who opened it stands at the end.
    terminal.send("G");
    terminal
        .wait_until("its opener again", |screen| !traced || line_with(screen, &["(workload+0x"]));
    // What is there, and what is not there any more: two Escs at once would be another key.
    for (place, left) in [
        ("group:", "> fd "),
        ("groups by opener", "group:"),
        ("> leaks", "groups by opener"),
        ("KIND", "> leaks"),
    ] {
        terminal.send("\x1b");
        terminal.wait_until(place, |screen| screen.contains(place) && !screen.contains(left));
    }
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
    workload.finish();
}

/// Waits until crib-top has so many programs in the kernel.
#[track_caller]
fn wait_for_programs(terminal: &mut Terminal, what: &str, wanted: impl Fn(usize) -> bool) -> usize {
    let pid = terminal.pid();
    terminal.wait_until(what, |_| wanted(Loaded::by(pid).programs()));
    Loaded::by(pid).programs()
}

/// Tracing may slow down each system call on the machine: no program of it may be left where
/// nothing is read any more that shows it.
#[test]
fn tracing_ends_with_its_views_and_its_process_and_where_nothing_is_read() {
    const TEST: &str = "tracing_ends_with_its_views_and_its_process_and_where_nothing_is_read";
    needs_bpf!("tracing_ends_with_its_views_and_its_process_and_where_nothing_is_read");
    let mut workload = Workload::start(["leaks", "socket"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "-d", "200ms"], 120, 40);
    terminal.wait_for("/s");
    terminal.send("l");
    terminal.wait_for("> leaks");
    terminal.send("o");
    let is_told = |screen: &str| screen.contains("traced where") || screen.contains("can't be");
    if !terminal.wait_until("whether it is traced", is_told).contains("traced where") {
        return skipped(TEST, "who opens files can't be traced here");
    }
    let with = Loaded::by(terminal.pid()).programs();
    terminal.send(" ");
    let without = wait_for_programs(&mut terminal, "a pause without tracing", |n| n < with);
    terminal.send(" ");
    wait_for_programs(&mut terminal, "tracing after it", |n| n == with);
    // It is left in a pause.
    terminal.send(" ");
    wait_for_programs(&mut terminal, "another pause", |n| n == without);
    terminal.send("\x1b");
    terminal.wait_until("the table", |screen| !screen.contains("> leaks"));
    assert_eq!(Loaded::by(terminal.pid()).programs(), without);
    terminal.send(" ");
    terminal.wait_until("readings", |screen| !screen.contains("PAUSED"));
    assert_eq!(Loaded::by(terminal.pid()).programs(), without);
    terminal.send("o");
    wait_for_programs(&mut terminal, "tracing again", |n| n == with);
    // While it is stopped, nobody can see what is traced.
    terminal.send(CTRL_Z);
    wait_for_programs(&mut terminal, "a stop without tracing", |n| n == without);
    let pid = terminal.pid();
    terminal.wait_until("it stands still", |_| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
        status.is_ok_and(|status| status.contains("State:\tT"))
    });
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::CONT).expect("it is there");
    wait_for_programs(&mut terminal, "tracing after the stop", |n| n == with);
    // The process ends while it is traced.
    workload.kill();
    terminal.wait_for("has ended");
    wait_for_programs(&mut terminal, "no tracing of what has ended", |n| n == without);
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn the_list_tells_when_a_limit_is_reached() {
    needs_bpf!("the_list_tells_when_a_limit_is_reached");
    let workload = Workload::start(["leaks", "socket"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-d", "200ms"], 140, 30);
    terminal.wait_for("PID");
    terminal.send("/");
    terminal.send(&pid);
    terminal.wait_until("the growth", |screen| {
        line_with(screen, &[&pid, "/s", "workload"]) && screen.contains("FULL IN")
    });
    terminal.send("\rq");
    workload.finish();
}
