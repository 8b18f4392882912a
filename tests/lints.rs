//! Each lint finds the file that is in trouble, and nothing in the one beside it that looks alike
//! and is well.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::command::{crib_top, file_rows, only_process};
use crate::support::privilege::{has_loops, needs_bpf, needs_loops};
use crate::support::skipped;
use crate::support::terminal::Terminal;
use crate::support::workload::Workload;

/// How long to watch: more than what is called long.
const TIME: &str = "6s";

type Names = BTreeSet<String>;

fn workload() -> &'static Workload {
    static WORKLOAD: OnceLock<Workload> = OnceLock::new();
    // It ends with the tests, whose end closes its standard input.
    WORKLOAD.get_or_init(|| Workload::start(["lints"]))
}

fn watched(pid: u64, source: &str) -> Value {
    let pid = pid.to_string();
    let arguments = ["lint", "-p", &pid, "--for", TIME, "-J", "--source", source];
    crib_top(arguments).expect_code(0).json()
}

/// What was found in the workload over time: read once, for all tests.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| watched(workload().pid().into(), "bpf"))
}

/// The names of what was found about a descriptor.
fn found_at(document: &Value, fd: &Value) -> Names {
    let findings = document["findings"].as_array().expect("findings is a list");
    let of_it = findings.iter().filter(|finding| finding["fd"] == *fd);
    of_it.map(|finding| finding["name"].as_str().expect("a name").to_owned()).collect()
}

fn found(label: &str) -> Names {
    found_at(document(), &workload().file(label).fd.into())
}

fn names(expected: &[&str]) -> Names {
    expected.iter().map(|&name| name.to_owned()).collect()
}

/// That exactly these lints find something.
#[track_caller]
fn finds(label: &str, expected: &[&str]) {
    let mut expected = names(expected);
    // The process has an epoll instance: without loops nobody knows what that watches.
    if !has_loops() {
        expected.remove("unread-unpolled");
    }
    assert_eq!(found(label), expected, "{label}: {:#}", document()["findings"]);
}

/// That this lint finds something, whatever else there is.
#[track_caller]
fn finds_among_others(label: &str, expected: &str) {
    let found = found(label);
    assert!(found.contains(expected), "{label}: {found:?}");
}

macro_rules! lints {
    ($needs:ident: $($test:ident { $($label:literal: $expected:expr;)* })*) => {
        $(#[test]
        fn $test() {
            $needs!(stringify!($test));
            $(finds($label, &$expected);)*
        })*
    };
}

lints! {
    needs_bpf:
    close_wait {
        "close-wait": ["close-wait"];
        "close-wait-unread": ["close-wait-unread", "unread-unpolled"];
        "established": [];
    }
    tcp_closed_held {
        "tcp-closed-held": ["tcp-closed-held"];
        "tcp-fresh": [];
        "tcp-refused": [];
        "tcp-refused-unseen": ["tcp-closed-held", "socket-error"];
        "tcp-refused-later": ["tcp-closed-held"];
    }
    accept_full {
        "accept-full": ["accept-full"];
        "accept-few": [];
    }
    socket_error {
        "socket-error": ["socket-error"];
        "no-error": [];
    }
    udp_drops {
        "udp-drops": ["udp-drops", "unread-unpolled"];
        "udp-dropped": ["unread-unpolled"];
    }
    files_in_flight {
        "files-in-flight": ["files-in-flight", "unread-unpolled"];
        "no-files-in-flight": ["unread-unpolled"];
    }
    deleted_open {
        "deleted-open": ["deleted-open"];
        "deleted-empty": [];
        "not-deleted": [];
        "memfd": [];
    }
}

lints! {
    needs_loops:
    close_wait_that_is_answered {
        "close-wait-answered": [];
    }
    send_stuck {
        "send-stuck": ["send-stuck"];
        "send-done": [];
        "moving-sender": [];
    }
    unread_unpolled {
        "unread-unpolled": ["unread-unpolled"];
        "unread-unpolled-socket": ["unread-unpolled"];
        "unread-polled": [];
        "empty-unpolled": [];
        "moving-reader": [];
    }
    peer_gone {
        "peer-gone": ["peer-gone"];
        "peer-gone-seqpacket": ["peer-gone"];
        "peer-gone-dgram": ["peer-gone"];
        "peer-gone-unnamed-dgram": ["peer-gone"];
        "peer-gone-served": ["peer-gone"];
        "peer-gone-named": ["peer-gone", "socket-error"];
        "no-peer-dgram": [];
        "peer-shut-down": [];
        "peer-there-dgram": [];
        "not-accepted": [];
        "not-accepted-shut-down": [];
        "server-dgram": [];
        "client-dgram": [];
    }
}

#[test]
fn a_connection_that_never_was_is_not_said_to_have_been() {
    needs_bpf!("a_connection_that_never_was_is_not_said_to_have_been");
    let seen = |label: &str| {
        let fd = workload().file(label).fd;
        let mut findings = document()["findings"].as_array().expect("a list").iter();
        let finding = findings
            .find(|finding| finding["fd"] == fd && finding["name"] == "tcp-closed-held")
            .expect("it is found");
        finding["seen"].as_str().expect("a sentence").to_owned()
    };
    for (label, words) in [
        ("tcp-refused-unseen", "in CLOSE, it tried to connect to "),
        ("tcp-refused-later", "in CLOSE, it was connected, or tried to connect, to "),
        ("tcp-closed-held", "in CLOSE, it was connected, or tried to connect, to "),
    ] {
        assert!(seen(label).starts_with(words), "{label}: {}", seen(label));
    }
}

#[test]
fn zero_window() {
    needs_loops!("zero_window");
    finds_among_others("zero-window", "zero-window");
    finds("established-client", &[]);
}

#[test]
fn retransmitting() {
    needs_loops!("retransmitting");
    finds("retransmitting", &["retransmitting", "send-stuck"]);
    finds("established-client", &[]);
}

#[test]
fn inherited_fd() {
    needs_bpf!("inherited_fd");
    if std::fs::read("/proc/self/syscall").is_err() {
        return skipped("inherited_fd", "this kernel does not tell which calls threads are in");
    }
    let child = &workload().report["child"];
    let pid = child["pid"].as_u64().expect("a pid");
    let document = watched(pid, "bpf");
    for file in child["files"].as_array().expect("a list") {
        let expected: &[&str] = match file["label"].as_str() {
            Some("inherited-unused") => &["inherited-fd"],
            _ => &[],
        };
        assert_eq!(found_at(&document, &file["fd"]), names(expected), "{file}: {document:#}");
    }
    let seen = document["findings"][0]["seen"].as_str().expect("a sentence");
    assert!(seen.contains(&format!("its parent {}", workload().pid())), "{seen}");
    // The child's limit is the one of before.
    assert_eq!(found_at(&document, &Value::Null), names(&[]));
}

#[test]
fn fd_limit() {
    needs_bpf!("fd_limit");
    assert_eq!(found_at(document(), &Value::Null), names(&["fd-limit"]));
    let (count, limit) = (&document()["fd_count"], &document()["fd_limit"]);
    let finding = &document()["findings"][0];
    let seen = finding["seen"].as_str().expect("a sentence");
    assert!(seen.starts_with(&format!("{count} of {limit} descriptors")), "{seen}");
    for text in ["means", "look"] {
        assert!(finding[text].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
    }
}

#[test]
fn one_reading_claims_nothing_that_takes_time() {
    needs_loops!("one_reading_claims_nothing_that_takes_time");
    // By then the connections that are closed have been for long, which TCP tells.
    document();
    let pid = workload().pid().to_string();
    let document = crib_top(["files", "-p", &pid, "-J"]).expect_code(0).json();
    let process = only_process(&document);
    assert_eq!(process["lints"][0]["name"], "fd-limit");
    let of = |process: &Value, label: &str| -> Names {
        let fd = workload().file(label).fd;
        let file = file_rows(process).iter().find(|file| file["fd"] == fd).expect("it is open");
        let lints = file["lints"].as_array().expect("a list");
        lints.iter().map(|lint| lint["name"].as_str().expect("a name").into()).collect()
    };
    let at_once = [
        "close-wait",
        "close-wait-unread",
        "tcp-closed-held",
        "zero-window",
        "retransmitting",
        "accept-full",
        "socket-error",
        "peer-gone",
        "deleted-open",
    ];
    for label in at_once {
        assert_eq!(of(process, label), names(&[label]), "{label}");
    }
    let over_time = ["send-stuck", "unread-unpolled", "files-in-flight"];
    for label in over_time.into_iter().chain(["established", "udp-drops", "udp-dropped"]) {
        assert_eq!(of(process, label), names(&[]), "{label}");
    }
    // A dump has them, too.
    let dump = crib_top(["dump", "-p", &pid, "-J", "--payload", "0"]).expect_code(0).json();
    let dumped = of(only_process(&dump), "retransmitting");
    assert_eq!(dumped, names(&["retransmitting"]));
}

#[test]
fn the_column_can_be_shown_and_filtered_and_lints_switched_off() {
    needs_loops!("the_column_can_be_shown_and_filtered_and_lints_switched_off");
    let pid = workload().pid().to_string();
    let rows = |filter: &str, more: &[&str]| {
        let arguments = ["files", "-p", &pid, "-n", "-o", "LINT,FD", "-Q", filter];
        crib_top(arguments.into_iter().chain(more.iter().copied()))
    };
    let run = rows("LINT =~ 'peer-gone'", &[]).expect_code(0);
    let gone: Vec<&str> = run.text().lines().collect();
    assert!(gone.len() == 6 && gone.iter().all(|row| row.contains("peer-gone ")), "{gone:?}");
    rows("LINT", &["--no-lint", "all"]).expect_code(1);
    rows("LINT =~ 'peer-gone'", &["--no-lint", "peer-gone,fd-limit"]).expect_code(1);
    let run = crib_top(["lint", "-p", &pid, "--no-lint", "nonsense"]).expect_code(2);
    run.expect_one_line_error("peer-gone");
}

#[test]
fn a_list_for_people_has_all_three_texts() {
    needs_loops!("a_list_for_people_has_all_three_texts");
    let pid = workload().pid().to_string();
    let run = crib_top(["lint", "-p", &pid, "-Q", "LINT =~ 'peer-gone'"]).expect_code(0);
    let count = |start: &str| run.text().lines().filter(|line| line.starts_with(start)).count();
    // Six sockets, one of which has an error as well, and the process's limit.
    assert_eq!((count("fd "), count("the process")), (6, 1), "{}", run.text());
    for text in ["    seen     ", "    means    ", "    look at  "] {
        assert_eq!(count(text), 8, "{}", run.text());
    }
    let list = crib_top(["--list-lints"]).expect_code(0);
    assert!(list.text().lines().any(|line| line.starts_with("inherited-fd ")), "{}", list.text());
}

#[test]
fn the_live_table_marks_what_is_in_trouble_and_lists_it() {
    needs_loops!("the_live_table_marks_what_is_in_trouble_and_lists_it");
    let pid = workload().pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "--source", "bpf", "-d", "200ms"], 140, 120);
    let marked = |label: &str| {
        let fd = workload().file(label).fd.to_string();
        move |screen: &str| {
            screen.lines().any(|line| {
                line.strip_prefix('!').and_then(|rest| rest.split_whitespace().next()) == Some(&fd)
            })
        }
    };
    // At once, and after a while.
    terminal.wait_until("a mark", marked("peer-gone"));
    let screen = terminal.wait_until("another mark", marked("close-wait"));
    assert!(!marked("established")(&screen) && !marked("unread-polled")(&screen), "{screen}");
    terminal.send("L");
    let list = terminal.wait_until("the list", |screen| {
        ["findings", "fd-limit: ", "close-wait: ", "means", "look at"]
            .iter()
            .all(|text| screen.contains(text))
    });
    // Others may come before it, such as what the workload was started with.
    let title = format!("fd {} ", workload().file("close-wait").fd);
    let titles = list.lines().filter(|line| line.starts_with("fd "));
    let above = titles.take_while(|line| !line.starts_with(&title)).count();
    terminal.send(&format!("g{}\r", "\x1b[B".repeat(above)));
    terminal.wait_until("the file", |screen| {
        screen.contains("close-wait: in CLOSE-WAIT") && screen.contains("MESSAGES")
    });
    terminal.send("\x1b");
    terminal.wait_until("the list again", |screen| {
        screen.contains("> findings ") && !screen.contains("> findings > ")
    });
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

/// Whether the row of this descriptor is marked.
fn is_marked(screen: &str, fd: &Value) -> bool {
    let fd = fd.to_string();
    let marked = screen.lines().filter_map(|line| line.strip_prefix('!'));
    marked.filter_map(|rest| rest.split_whitespace().next()).any(|first| first == fd)
}

#[test]
fn the_live_table_knows_what_tcp_does() {
    needs_loops!("the_live_table_knows_what_tcp_does");
    let pid = workload().pid().to_string();
    let filter = "LINT =~ 'zero-window' or LINT =~ 'retransmitting'";
    let arguments = ["-p", &pid, "--source", "bpf", "-d", "200ms", "-Q", filter];
    let mut terminal = Terminal::start(&arguments, 140, 60);
    let fds = ["zero-window", "retransmitting"].map(|label| workload().file(label).fd.into());
    terminal.wait_until("both", |screen| fds.iter().all(|fd| is_marked(screen, fd)));
    terminal.send("L");
    terminal.wait_until("the list", |screen| {
        ["zero-window: the other end offers a window of 0", "retransmitting: sent again"]
            .iter()
            .all(|text| screen.contains(text))
    });
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn the_live_table_marks_what_was_inherited() {
    needs_bpf!("the_live_table_marks_what_was_inherited");
    if std::fs::read("/proc/self/syscall").is_err() {
        let why = "this kernel does not tell which calls threads are in";
        return skipped("the_live_table_marks_what_was_inherited", why);
    }
    let child = &workload().report["child"];
    let pid = child["pid"].to_string();
    let fd = |label: &str| {
        let mut files = child["files"].as_array().expect("a list").iter();
        &files.find(|file| file["label"] == label).expect("it is there")["fd"]
    };
    let arguments = ["-p", &pid, "--source", "bpf", "-d", "200ms"];
    let mut terminal = Terminal::start(&arguments, 140, 40);
    let unused = fd("inherited-unused");
    let screen = terminal.wait_until("a mark", |screen| is_marked(screen, unused));
    for label in ["inherited-used", "its-own"] {
        assert!(!is_marked(&screen, fd(label)), "{label}: {screen}");
    }
    let seen = format!("inherited-fd: the same open file as fd {unused} of its parent");
    terminal.send("L");
    terminal.wait_until("the list", |screen| screen.contains(&seen));
    // On the file's own screen, too.
    terminal.send("g\r");
    terminal.wait_until("the file", |screen| screen.contains(&seen) && screen.contains("Findings"));
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

/// What /proc tells of a listener's queue.
fn accept_queue_by_procfs(fd: u64) -> Value {
    let pid = workload().pid().to_string();
    let document = crib_top(["files", "-p", &pid, "-J", "--source", "procfs"]).json();
    let mut files = file_rows(only_process(&document)).iter();
    let file = files.find(|file| file["fd"] == fd).expect("it is open");
    file["socket"]["accept"].clone()
}

/// /proc knows less: what it does not tell is not claimed, and what it tells is the same.
#[test]
fn procfs_finds_no_more_than_bpf() {
    needs_bpf!("procfs_finds_no_more_than_bpf");
    let document = watched(workload().pid().into(), "procfs");
    for file in workload().files() {
        let found = found_at(&document, &file.fd.into());
        let bpf = found_at(self::document(), &file.fd.into());
        // When the last acknowledgement came it does not tell.
        if file.label == "close-wait-answered" {
            assert!(found.is_subset(&names(&["close-wait"])), "{found:?}");
            continue;
        }
        assert!(found.is_subset(&bpf), "{}: {found:?} and {bpf:?}", file.label);
    }
    // How long an accept queue is, a module tells that a kernel may lack (CONFIG_INET_TCP_DIAG);
    // small machines do.
    let no_modules = accept_queue_by_procfs(workload().file("accept-full").fd).is_null();
    for label in ["close-wait", "accept-full", "udp-drops", "deleted-open"] {
        let fd = workload().file(label).fd;
        if no_modules && label == "accept-full" {
            skipped("procfs_finds_no_more_than_bpf", format!("{label}: there is no tcp_diag"));
            continue;
        }
        assert!(found_at(&document, &fd.into()).contains(label), "{label}");
    }
    assert_eq!(found_at(&document, &Value::Null), names(&["fd-limit"]));
}
