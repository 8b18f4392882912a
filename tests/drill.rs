//! In the terminal, from the table down to a packet's bytes and to a file in flight, and back.

use crate::queues::workload;
use crate::support::privilege::needs_loops;
use crate::support::terminal::Terminal;
use crate::support::workload::Workload;

pub const ENTER: &str = "\r";
pub const ESC: &str = "\x1b";
pub const DOWN: &str = "\x1b[B";

/// Opens the table of the workload's files and selects the one under this descriptor.
pub fn open_on(workload: &Workload, label: &str) -> Terminal {
    open_from("bpf", workload, label)
}

/// As [`open_on`], from this source.
pub fn open_from(source: &str, workload: &Workload, label: &str) -> Terminal {
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "--source", source, "-d", "200ms"], 140, 40);
    terminal.wait_for("socket");
    let fd = workload.file(label).fd;
    let filter = format!("FD == {fd}");
    terminal.send("f");
    terminal.send(&filter);
    terminal.send(ENTER);
    terminal.wait_until("the one row", is_table_of_one);
    terminal
}

/// Presses a key and waits for the screen to which it leads.
#[track_caller]
pub fn step(
    terminal: &mut Terminal,
    key: &str,
    what: &str,
    wanted: impl Fn(&str) -> bool,
) -> String {
    let before = terminal.contents();
    terminal.send(key);
    terminal.wait_until(what, |screen| screen != before && wanted(screen))
}

/// All there is to say about a socket: its queues side by side.
fn is_file(screen: &str) -> bool {
    screen.lines().any(|line| line.trim_start().starts_with("receive "))
        && screen.contains("MESSAGES")
}

/// One row a packet, and they are there: what is opened before is nothing.
fn is_queue(screen: &str) -> bool {
    screen.contains("LEN") && !screen.contains("MESSAGES") && screen.contains(" message")
}

/// How many screens lie above this one, as its first line tells: one mark between any two.
fn depth(screen: &str) -> usize {
    screen.lines().next().map_or(0, |first| first.matches(" > ").count())
}

/// Goes back step by step until the table is there again, as it was left.
fn back_to_the_table(terminal: &mut Terminal, steps: usize) {
    for _ in 0..steps {
        let before = terminal.contents();
        assert!(!is_table(&before), "too early:\n{before}");
        // That something changed is not enough, the clock does: an Esc sent before the last one was
        // read would make one key of the two.
        step(terminal, ESC, "the screen before", |screen| depth(screen) < depth(&before));
    }
    // The filter is kept.
    terminal.wait_until("the table as it was", is_table_of_one);
}

fn is_table(screen: &str) -> bool {
    screen.contains(" FD KIND") && screen.contains("NAME")
}

/// The table, filtered.
pub fn is_table_of_one(screen: &str) -> bool {
    let is_row = |line: &&str| {
        // What nobody reads is marked after a while.
        let mut words = line.trim_start_matches('!').split_whitespace();
        words.next().is_some_and(|fd| fd.parse::<u32>().is_ok()) && words.next() == Some("socket")
    };
    is_table(screen) && screen.lines().filter(is_row).count() == 1
}

#[test]
fn from_the_table_to_the_bytes_and_back() {
    const TEST: &str = "from_the_table_to_the_bytes_and_back";
    needs_loops!("from_the_table_to_the_bytes_and_back");
    let workload = workload(TEST, "unix-stream-partly-read,udp-reader,udp");
    let mut terminal = open_on(&workload, "udp");
    let screen = step(&mut terminal, ENTER, "the socket's queues", |screen| {
        is_file(screen) && screen.contains("127.0.0.1:")
    });
    assert!(screen.to_lowercase().contains("udp"), "{screen}");
    let told = workload.file("udp").queues["receive"].clone();
    let packets = told.as_array().expect("packets").iter();
    let senders: Vec<&str> =
        packets.map(|packet| packet["from"].as_str().expect("a sender")).collect();
    step(&mut terminal, ENTER, "a row for each packet", |screen| {
        is_queue(screen) && senders.iter().all(|sender| screen.contains(sender))
    });
    step(&mut terminal, ENTER, "the packet's bytes", |screen| {
        screen.contains("hello") && screen.contains("68 65 6c 6c 6f")
    });
    step(&mut terminal, "x", "its text alone", |screen| {
        screen.contains("hello") && !screen.contains("68 65 6c 6c 6f")
    });
    back_to_the_table(&mut terminal, 3);
    // The selection is kept too: the same way leads to the same place.
    step(&mut terminal, ENTER, "the socket again", |screen| {
        is_file(screen) && screen.contains("127.0.0.1:")
    });
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn a_file_in_flight_can_be_opened() {
    const TEST: &str = "a_file_in_flight_can_be_opened";
    needs_loops!("a_file_in_flight_can_be_opened");
    let workload = workload(TEST, "flight-nested");
    let mut terminal = open_on(&workload, "flight-nested");
    step(&mut terminal, ENTER, "the socket", is_file);
    step(&mut terminal, ENTER, "its queue", is_queue);
    // The packet with its text and its two files; the second one is a socket.
    step(&mut terminal, ENTER, "the packet and its files", |screen| {
        ["at level 0", "memfd:level 0", "socket:["].iter().all(|text| screen.contains(text))
    });
    terminal.send(DOWN);
    step(&mut terminal, ENTER, "the socket in flight", is_file);
    step(&mut terminal, ENTER, "its queue", is_queue);
    step(&mut terminal, ENTER, "the packet in that", |screen| {
        screen.contains("at level 1") && screen.contains("memfd:level 1")
    });
    back_to_the_table(&mut terminal, 6);
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

/// A live view shows what comes, and Space holds it.
#[test]
fn space_freezes_a_queue() {
    needs_loops!("space_freezes_a_queue");
    let workload = Workload::start(["flux", "udp"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "--source", "bpf", "-d", "100ms"], 140, 40);
    terminal.wait_for("udp");
    let fd = workload.file("receiver").fd;
    terminal.send(&format!("fFD == {fd}{ENTER}"));
    terminal.wait_until("the one row", is_table_of_one);
    terminal.send(ENTER);
    let first = terminal.wait_for("receive");
    terminal.wait_until("another reading", |screen| *screen != first);
    terminal.send(" ");
    terminal.wait_until("the word", |screen| screen.to_lowercase().contains("paused"));
    // One that was under way may still come; after that nothing moves, not even the clock.
    let moves = || {
        let before = terminal.contents();
        std::thread::sleep(std::time::Duration::from_secs(2));
        terminal.contents() != before
    };
    let stands_still = (0..20).any(|_| !moves());
    assert!(stands_still, "it goes on:\n{}", terminal.contents());
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}
