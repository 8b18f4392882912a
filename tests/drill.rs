//! In the terminal, from the table down to a packet's bytes and to a file in flight, and back.

use crate::queues::workload;
use crate::support::privilege::needs_bpf;
use crate::support::terminal::Terminal;
use crate::support::workload::Workload;

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const DOWN: &str = "\x1b[B";

/// Opens the table of the workload's files and selects the one under this descriptor.
fn open_on(workload: &Workload, label: &str) -> Terminal {
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "--source", "bpf", "-d", "200ms"], 140, 40);
    terminal.wait_for("socket");
    let fd = workload.file(label).fd;
    let filter = format!("FD == {fd}");
    terminal.send("f");
    terminal.send(&filter);
    terminal.send(ENTER);
    terminal.wait_until("the one row", |screen| {
        let rows = screen.lines().filter(|line| line.contains("socket:["));
        rows.count() == 1
    });
    terminal
}

/// Goes back step by step until the table is there again, as it was left.
fn back_to_the_table(terminal: &mut Terminal, steps: usize) {
    for _ in 0..steps {
        let before = terminal.contents();
        terminal.send(ESC);
        terminal.wait_until("the screen before", |screen| screen != before);
    }
    let screen = terminal.wait_for("socket:[");
    let rows = screen.lines().filter(|line| line.contains("socket:[")).count();
    assert_eq!(rows, 1, "the filter is kept:\n{screen}");
}

#[test]
fn from_the_table_to_the_bytes_and_back() {
    const TEST: &str = "from_the_table_to_the_bytes_and_back";
    needs_bpf!("from_the_table_to_the_bytes_and_back");
    let workload = workload(TEST, "unix-stream-partly-read,udp-reader,udp");
    let mut terminal = open_on(&workload, "udp");
    terminal.send(ENTER);
    // The socket: its queues side by side.
    let screen = terminal.wait_until("the socket's queues", |screen| {
        screen.contains("receive") && screen.contains("127.0.0.1:")
    });
    assert!(screen.to_lowercase().contains("udp"), "{screen}");
    terminal.send(ENTER);
    // The queue: a row a packet, with its sender.
    let told = workload.file("udp").queues["receive"].clone();
    let senders: Vec<&str> = told
        .as_array()
        .expect("packets")
        .iter()
        .map(|packet| packet["from"].as_str().expect("a sender"))
        .collect();
    terminal.wait_until("a row for each packet", |screen| {
        senders.iter().all(|sender| screen.contains(sender))
    });
    terminal.send(ENTER);
    // The packet: its bytes in hex and as text.
    terminal.wait_until("the packet's bytes", |screen| {
        screen.contains("hello") && screen.contains("68 65 6c 6c 6f")
    });
    terminal.send("x");
    terminal.wait_until("its text alone", |screen| {
        screen.contains("hello") && !screen.contains("68 65 6c 6c 6f")
    });
    back_to_the_table(&mut terminal, 3);
    // The selection is kept too: the same way leads to the same place.
    terminal.send(ENTER);
    terminal.wait_for("receive");
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn a_file_in_flight_can_be_opened() {
    const TEST: &str = "a_file_in_flight_can_be_opened";
    needs_bpf!("a_file_in_flight_can_be_opened");
    let workload = workload(TEST, "flight-nested");
    let mut terminal = open_on(&workload, "flight-nested");
    terminal.send(ENTER);
    terminal.wait_for("receive");
    terminal.send(ENTER);
    terminal.wait_for("unix");
    terminal.send(ENTER);
    // The packet with its text and its two files; the second one is a socket.
    let screen = terminal.wait_until("the packet and its files", |screen| {
        screen.contains("at level 0") && screen.contains("memfd:level 0")
    });
    assert!(screen.contains("socket:["), "{screen}");
    terminal.send(DOWN);
    terminal.send(ENTER);
    terminal.wait_for("receive");
    terminal.send(ENTER);
    terminal.send(ENTER);
    // What is in the queue of the socket in flight.
    terminal.wait_until("the packet in flight", |screen| screen.contains("at level 1"));
    back_to_the_table(&mut terminal, 6);
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

/// A live view shows what comes, and Space holds it.
#[test]
fn space_freezes_a_queue() {
    const TEST: &str = "space_freezes_a_queue";
    needs_bpf!("space_freezes_a_queue");
    let workload = Workload::start(["flux", "udp"]);
    let pid = workload.pid().to_string();
    let mut terminal = Terminal::start(&["-p", &pid, "--source", "bpf", "-d", "100ms"], 140, 40);
    terminal.wait_for("udp");
    let fd = workload.file("receiver").fd;
    terminal.send(&format!("fFD == {fd}{ENTER}"));
    terminal.wait_until(TEST, |screen| {
        screen.lines().filter(|line| line.contains("socket:[")).count() == 1
    });
    terminal.send(ENTER);
    let first = terminal.wait_for("receive");
    terminal.wait_until("another reading", |screen| *screen != first);
    terminal.send(" ");
    // One that was under way may still come; after that nothing moves.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let frozen = terminal.contents();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(terminal.contents(), frozen);
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}
