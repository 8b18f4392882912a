//! `files --peers` finds who is at the other end of a file, and who else holds it.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

use serde_json::Value;

use crate::drill::{DOWN, ENTER, ESC, is_table_of_one, open_from, open_on, step};
use crate::support::command::{Run, crib_top, file_rows, only_process};
use crate::support::differences::{MayBeNull, from_expectation, none_in_a_quiet_moment};
use crate::support::privilege::{needs_bpf, needs_loops};
use crate::support::workload::Workload;
use crate::support::{in_qemu, skipped};

fn peers(pid: u32, source: &str, more: &[&str]) -> Run {
    let pid = pid.to_string();
    let arguments = ["files", "-p", &pid, "--source", source];
    crib_top(arguments.iter().chain(more)).expect_code(0)
}

fn document(pid: u32, source: &str) -> Value {
    peers(pid, source, &["--peers", "-J"]).json()
}

#[track_caller]
fn row_of(document: &Value, fd: u64) -> &Value {
    let rows = file_rows(only_process(document));
    rows.iter().find(|row| row["fd"] == fd).unwrap_or_else(|| panic!("no fd {fd}"))
}

/// The name of both processes, as the kernel has it.
fn comm(workload: &Workload) -> &str {
    workload.file("alone").expect["holders"][0]["comm"].as_str().expect("a name")
}

/// Where the document is not what the workload says of its files.
fn differences(workload: &Workload, source: &str, may_be_null: MayBeNull) -> Vec<String> {
    let document = document(workload.pid(), source);
    let mut found = Vec::new();
    for file in workload.files() {
        let row = row_of(&document, file.fd);
        let differences = from_expectation(row, file.expect, may_be_null);
        found.extend(differences.iter().map(|d| format!("fd {} {}: {d}", file.fd, file.label)));
    }
    found
}

#[test]
fn the_other_end_is_found_in_the_other_process() {
    needs_loops!("the_other_end_is_found_in_the_other_process");
    let workload = Workload::start(["ends"]);
    for (label, why) in workload.skipped() {
        skipped("the_other_end_is_found_in_the_other_process", format!("{label}: {why}"));
    }
    none_in_a_quiet_moment(|| differences(&workload, "bpf", &[]));
}

/// What was sent by the one waits for the other: both queues come of one sweep.
#[test]
fn both_ends_tell_of_each_other() {
    needs_loops!("both_ends_tell_of_each_other");
    let workload = Workload::start(["ends"]);
    let other = workload.report["other"].as_u64().expect("a pid");
    let there = document(u32::try_from(other).expect("a pid"), "bpf");
    let here = document(workload.pid(), "bpf");
    for (label, sent) in [("unix-pair", 3), ("unix-path", 13), ("tcp4", 4)] {
        let own = row_of(&here, workload.file(label).fd);
        let peer = &own["socket"]["peer"];
        assert_eq!(peer["pid"], other, "{label}");
        let theirs = row_of(&there, peer["fd"].as_u64().expect("a descriptor"));
        assert_eq!(theirs["socket"]["recv"]["payload"], sent, "{label}");
        let back = &theirs["socket"]["peer"];
        assert_eq!(back["pid"], workload.pid(), "{label}");
        assert_eq!(back["fd"], own["fd"], "{label}");
        assert_eq!(back["ino"], own["ino"], "{label}");
    }
}

/// The second source finds the same, as far as /proc and kcmp(2) tell.
#[test]
fn proc_tells_the_same() {
    const NAME: &str = "proc_tells_the_same";
    // Unix sockets' peers, and sizes of buffers, are told by modules that a kernel may lack
    // (CONFIG_UNIX_DIAG, CONFIG_INET_TCP_DIAG).
    const UNIX: MayBeNull = &[
        "refs",
        "pipe.bytes",
        "holders",
        "holder_count",
        "socket.peer",
        "socket.remote",
        "socket.rcvbuf",
        "socket.sndbuf",
        "socket.recv.memory",
    ];
    let workload = Workload::start(["ends"]);
    let document = document(workload.pid(), "procfs");
    let alone = row_of(&document, workload.file("alone").fd);
    let no_holders = alone["holders"].is_null();
    if no_holders {
        skipped(NAME, "kcmp(2) is not to be had");
    }
    none_in_a_quiet_moment(|| {
        let found = differences(&workload, "procfs", UNIX);
        let may_lack = |line: &String| {
            let unix = line.contains(" unix-p") && line.contains("peers");
            unix || (no_holders && line.contains(" eventfd: "))
        };
        found.into_iter().filter(|line| !may_lack(line)).collect()
    });
}

/// A process that has both ends itself is found as well: whatever the kind of file.
#[test]
fn both_ends_may_be_in_one_process() {
    needs_loops!("both_ends_may_be_in_one_process");
    let workload = Workload::start([
        "unix-stream,unix-stream-orphan,unix-connected,unix-listen,unix-dgram-abstract,\
         unix-inflight,tcp-established,tcp6-established,pipe,pipe-widowed,fifo",
    ]);
    none_in_a_quiet_moment(|| differences(&workload, "bpf", &[]));
    let document = document(workload.pid(), "bpf");
    let fd_of = |label: &str| workload.file(label).fd;
    let peers = |label: &str| {
        let row = row_of(&document, fd_of(label));
        let part = if row["socket"].is_null() { "pipe" } else { "socket" };
        let peers = row[part]["peers"].as_array().expect("a list").iter();
        peers.map(|peer| peer["fd"].as_u64().expect("a descriptor")).collect::<Vec<_>>()
    };
    for (one, other) in [
        ("tcp6-mapped", "tcp6-mapped-client"),
        ("tcp6-established", "tcp6-established-client"),
        ("unix-dgram-abstract", "unix-dgram-abstract-sender"),
        ("pipe", "pipe-write"),
        ("fifo", "fifo-read"),
    ] {
        assert_eq!(peers(one), [fd_of(other)], "{one}");
        assert_eq!(peers(other), [fd_of(one)], "{other}");
    }
    for alone in ["unix-stream-orphan", "unix-listen", "unix-listen-client", "tcp6-listen"] {
        assert_eq!(peers(alone), [0; 0], "{alone}");
    }
    // Another reference is that of a message.
    let flight = row_of(&document, fd_of("unix-inflight-file"));
    assert_eq!((&flight["refs"], &flight["holder_count"]), (&2.into(), &1.into()));
}

#[test]
fn columns_show_and_filters_find_who_it_is() {
    needs_bpf!("columns_show_and_filters_find_who_it_is");
    let workload = Workload::start(["ends"]);
    let other = &workload.report["other"];
    let table = |filter: &str| {
        let run = peers(workload.pid(), "bpf", &["-n", "-o", "FD,PEER,HOLDERS", "-Q", filter]);
        run.text().trim().to_owned()
    };
    let fd_of = |label: &str| workload.file(label).fd;
    let comm = comm(&workload);
    let pair = format!("{} {other}/{comm} fd ", fd_of("unix-pair"));
    assert!(table(&format!("FD == {}", fd_of("unix-pair"))).starts_with(&pair));
    let dup = format!("FD == {} and HOLDERS", fd_of("dup"));
    let words = table(&dup);
    let holder = format!("{}/{comm} fd {}", workload.pid(), fd_of("dup-2"));
    assert!(words.ends_with(&holder), "{words:?}");
    let found = table(&format!("PEER =~ \"^{other}/\" and KIND == \"fifo\""));
    assert!(found.starts_with(&format!("{} {other}/", fd_of("fifo"))), "{found:?}");
    // Nobody looks through all processes who was not asked to.
    let plain = peers(workload.pid(), "bpf", &["-J"]).json();
    let row = row_of(&plain, fd_of("pipe"));
    assert!(row.get("holders").is_none() && row["pipe"].get("peers").is_none(), "{row}");
}

/// The inode of a unix socket's peer, and the processes and descriptors that hold the socket.
type Known = (u64, Vec<(u64, u64)>);

/// The connected unix sockets as ss(8) knows them, by inode.
fn ss() -> std::io::Result<BTreeMap<u64, Known>> {
    let output = Command::new("ss").args(["-xpH"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<(u64, Known)> {
    let (sockets, users) = line.split_once("users:")?;
    let mut numbers = sockets.split_whitespace().rev();
    let peer = numbers.next()?.parse().ok()?;
    let own = numbers.nth(1)?.parse().ok()?;
    let number = |text: &str, name: &str| {
        let text = text.split_once(name)?.1;
        text.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    let users = users.split("),(").filter_map(|u| Some((number(u, "pid=")?, number(u, "fd=")?)));
    Some((own, (peer, users.collect())))
}

#[test]
fn unix_peers_are_those_that_ss_shows() {
    const NAME: &str = "unix_peers_are_those_that_ss_shows";
    needs_bpf!("unix_peers_are_those_that_ss_shows");
    if let Err(error) = ss() {
        assert!(in_qemu() || std::env::var_os("CI").is_none(), "ss: {error}");
        return skipped(NAME, format!("ss: {error}"));
    }
    let workload = Workload::start(["ends"]);
    none_in_a_quiet_moment(|| {
        let truth = ss().expect("it ran before");
        let document = document(workload.pid(), "bpf");
        let mut found = Vec::new();
        for label in ["unix-pair", "unix-path"] {
            let row = row_of(&document, workload.file(label).fd);
            let peers = row["socket"]["peers"].as_array().expect("a list").iter();
            let number = |peer: &Value, field: &str| peer[field].as_u64().expect("a number");
            let ours: Vec<_> = peers.map(|p| (number(p, "pid"), number(p, "fd"))).collect();
            let theirs = row["ino"].as_u64().and_then(|ino| truth.get(&truth.get(&ino)?.0));
            if theirs.is_none_or(|(_, users)| *users != ours) {
                found.push(format!("{label}: {ours:?}, ss: {theirs:?}"));
            }
        }
        found
    });
}

/// One that others are connected to is itself connected to none (getpeername(2)), whoever they are.
#[test]
fn a_datagram_server_has_clients_and_no_peer() {
    needs_bpf!("a_datagram_server_has_clients_and_no_peer");
    let name = format!("crib-peers-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).expect("a name");
    let server = UnixDatagram::bind_addr(&address).expect("it is free");
    let client = UnixDatagram::unbound().expect("a socket");
    client.connect_addr(&address).expect("it is there");
    let (pid, fd) = (std::process::id(), server.as_raw_fd());
    let filter = format!("FD == {fd}");
    let document = peers(pid, "bpf", &["--peers", "-J", "-Q", &filter]).json();
    let socket = &row_of(&document, fd as u64)["socket"];
    assert!(socket["peer"].is_null(), "{socket}");
    assert_eq!(socket["peers"][0]["fd"], client.as_raw_fd(), "{socket}");
    // What was found is shown where nobody has chosen what is.
    let text = peers(pid, "bpf", &["--peers", "-Q", &filter]).text().to_owned();
    assert!(text.contains("PEER") && text.contains("HOLDERS"), "{text}");
    assert!(text.contains(&format!(" fd {}", client.as_raw_fd())), "{text}");
}

/// Records come in pieces: no file is lost between two.
#[test]
fn every_one_of_many_files_is_found() {
    const FILES: usize = 3000;
    needs_bpf!("every_one_of_many_files_is_found");
    let workload = Workload::start(["fds", &FILES.to_string()]);
    let document = document(workload.pid(), "bpf");
    let alone = |file: &Value| file["kind"] == "regular" && file["holder_count"] == 1;
    let rows = file_rows(only_process(&document));
    assert_eq!(rows.iter().filter(|row| alone(row)).count(), FILES);
}

/// A thread with a table of its own holds what was open when it took it.
#[test]
fn a_thread_with_a_table_of_its_own_is_a_holder_of_its_own() {
    needs_bpf!("a_thread_with_a_table_of_its_own_is_a_holder_of_its_own");
    let workload = Workload::start(["threads"]);
    let tid = &workload.report["thread"]["tid"];
    let fd = workload.file("in-both-tables").fd;
    let document = document(workload.pid(), "bpf");
    let row = row_of(&document, fd);
    let holders = row["holders"].as_array().expect("a list");
    assert_eq!(holders.len(), 2, "{row}");
    assert_eq!((&holders[0]["pid"], holders[0].get("tid")), (&workload.pid().into(), None));
    assert_eq!((&holders[1]["fd"], &holders[1]["tid"]), (&fd.into(), tid));
    let only = row_of(&document, workload.file("in-the-process's-table").fd);
    assert_eq!(only["holder_count"], 1, "{only}");
}

/// From a file to its other end in another process, and back with everything kept.
#[test]
fn p_leads_to_the_other_process_and_esc_back() {
    needs_loops!("p_leads_to_the_other_process_and_esc_back");
    let workload = Workload::start(["ends"]);
    let (own, other) = (workload.pid().to_string(), workload.report["other"].to_string());
    let mut terminal = open_on(&workload, "unix-pair");
    let fd = workload.file("unix-pair").fd.to_string();
    let peer_fd = &workload.file("unix-pair").expect["socket"]["peer"]["fd"].to_string();
    // Role, pid, command, descriptor, then messages and bytes received and sent.
    let row = |screen: &str, wanted: &[&str]| {
        let starts = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.len() >= wanted.len() && words.iter().zip(wanted).all(|(a, b)| a == b)
        };
        screen.lines().any(starts)
    };
    let this = ["this", &own, comm(&workload), &fd, "0", "0", "1", "3"];
    let that = ["other", &other, comm(&workload), peer_fd, "1", "3", "0", "0"];
    let is_ends = |screen: &str| row(screen, &this) && row(screen, &that);
    step(&mut terminal, "p", "both ends", is_ends);
    terminal.send(DOWN);
    step(&mut terminal, ENTER, "the other process's file", |screen| {
        screen.contains(&format!("{other} > fd {peer_fd}")) && screen.contains("MESSAGES")
    });
    step(&mut terminal, ESC, "the other process's table", |screen| {
        screen.contains(&other) && screen.contains(" FD KIND")
    });
    step(&mut terminal, ESC, "both ends again", is_ends);
    step(&mut terminal, ESC, "the table", is_table_of_one);
    // From the file's own screen it is the same.
    step(&mut terminal, ENTER, "the file", |screen| screen.contains("MESSAGES"));
    step(&mut terminal, "p", "both ends", is_ends);
    step(&mut terminal, ESC, "the file", |screen| screen.contains("MESSAGES"));
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

/// The same from /proc, which tells no more than that.
#[test]
fn p_leads_to_the_other_process_from_proc_too() {
    let workload = Workload::start(["ends"]);
    let other = workload.report["other"].to_string();
    let mut terminal = open_from("procfs", &workload, "tcp4");
    let peer_fd = &workload.file("tcp4").expect["socket"]["peer"]["fd"].to_string();
    let is_ends = |screen: &str| {
        screen.contains("Both ends") && screen.contains(&format!("other {other:>8}"))
    };
    step(&mut terminal, "p", "both ends", is_ends);
    terminal.send(DOWN);
    let title = format!("{} {other} > fd {peer_fd}", comm(&workload));
    step(&mut terminal, ENTER, "the other process's file", |screen| {
        screen.contains(&title) && screen.contains("tcp") && !screen.contains("was closed")
    });
    // It is still the same after some more readings.
    let first = terminal.contents();
    let later = terminal.wait_until("another reading", |screen| screen != first);
    assert!(later.contains(&title) && !later.contains("was closed"), "{later}");
    step(&mut terminal, ESC, "the other process's table", |screen| screen.contains(" FD KIND"));
    step(&mut terminal, ESC, "both ends again", is_ends);
    step(&mut terminal, ESC, "the table", is_table_of_one);
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}
