//! What must not get out: bytes where none were asked for, and where the kernel has its memory.

use crate::queues::workload;
use crate::support::command::{Run, crib_top};
use crate::support::in_qemu;
use crate::support::privilege::{needs_bpf, needs_loops};
use crate::support::queues::unhex;
use crate::support::terminal::Terminal;
use crate::support::workload::Workload;

/// Shorter ones may turn up by chance, in a name or in a number; as text, longer ones too.
const LEAST: usize = 5;
const LEAST_TEXT: usize = 7;

/// What waits in the workload's queues, byte by byte.
fn secrets(workload: &Workload) -> Vec<Vec<u8>> {
    let files = workload.files().filter_map(|file| file.queues.as_object());
    let queues = files.flat_map(|queues| queues.values());
    let packets = queues.filter_map(|queue| queue.as_array()).flatten();
    let payloads = packets.filter_map(|packet| packet["payload"].as_str()).map(unhex);
    // Numbers in a packet may be anywhere else too.
    let is_text = |payload: &Vec<u8>| payload.iter().all(|&byte| (b' '..=b'~').contains(&byte));
    payloads.filter(|payload| payload.len() >= LEAST).filter(is_text).collect()
}

/// Where a secret is in an output, as it is, in hexadecimal, or in that with spaces.
fn found<'a>(out: &[u8], secrets: &'a [Vec<u8>]) -> Option<&'a [u8]> {
    let hex = |bytes: &[u8], between: &str| {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
    };
    let has = |needle: &[u8]| has(out, needle);
    secrets.iter().map(|secret| &secret[..secret.len().min(8)]).find(|secret| {
        secret.len() >= LEAST_TEXT && has(secret)
            || has(hex(secret, "").as_bytes())
            || has(hex(secret, " ").as_bytes())
    })
}

fn has(out: &[u8], needle: &[u8]) -> bool {
    out.windows(needle.len()).any(|window| window == needle)
}

/// Everything that is printed about one process without a terminal.
fn outputs(workload: &Workload, more: &[&str]) -> Vec<Run> {
    let pid = workload.pid().to_string();
    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut add = |arguments: &[&str]| {
        let arguments = arguments.iter().chain(more).map(|&argument| argument.to_owned());
        commands.push(arguments.collect());
    };
    add(&["files", "-p", &pid, "-J"]);
    add(&["files", "-p", &pid, "-j", "--source", "procfs"]);
    add(&["files", "-p", &pid, "-o", "+SOCK.LOCAL,+SOCK.REMOTE"]);
    add(&["dump", "-p", &pid, "-J"]);
    add(&["dump", "-p", &pid]);
    add(&["ps", "-p", &pid, "-J"]);
    add(&["doctor"]);
    add(&["doctor", "-J"]);
    add(&["leaks", "-p", &pid, "--for", "300ms", "-J"]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let capture = directory.path().join("x.pcapng");
    // Emulated, each start of crib-top takes seconds: each way of reading is enough there.
    let shown = if in_qemu() { &["udp"] } else { SHOWN };
    for file in workload.files().filter(|file| shown.contains(&file.label)) {
        let fd = file.fd.to_string();
        add(&["packets", "-p", &pid, "--fd", &fd, "--hex"]);
        add(&["packets", "-p", &pid, "--fd", &fd, "--pcap", "-"]);
        if file.label == "udp" {
            let capture = capture.to_str().expect("a path of text");
            add(&["packets", "-p", &pid, "--fd", &fd, "-J"]);
            add(&["packets", "-p", &pid, "--fd", &fd, "--pcap", capture]);
        }
    }
    if in_qemu() {
        commands.retain(|command| {
            command[0] == "packets" || command.iter().any(|argument| argument == "-J")
        });
    }
    let mut runs: Vec<Run> = commands.iter().map(crib_top).collect();
    if let Ok(stdout) = std::fs::read(capture) {
        let mut run = crib_top(["-H"]);
        run.stdout = stdout;
        runs.push(run);
    }
    runs
}

#[test]
fn without_payload_no_byte_of_a_queue_is_in_any_output() {
    const TEST: &str = "without_payload_no_byte_of_a_queue_is_in_any_output";
    needs_loops!("without_payload_no_byte_of_a_queue_is_in_any_output");
    let workload = workload(TEST, QUEUES);
    let secrets = secrets(&workload);
    assert!(secrets.len() > 10, "{secrets:?}");
    let dump = crib_top(["dump", "-J", "-p", &workload.pid().to_string()]).expect_code(0);
    assert!(found(&dump.stdout, &secrets).is_some(), "what is asked for is there");
    for run in outputs(&workload, &["--payload", "0"]) {
        for out in [&run.stdout[..], run.stderr.as_bytes()] {
            if let Some(secret) = found(out, &secrets) {
                panic!("{:?} is in {run:?}", String::from_utf8_lossy(secret));
            }
        }
    }
}

/// Those whose packets are shown one by one.
const SHOWN: &[&str] = &["tcp", "udp", "unix-dgram", "netlink", "packet", "pipe"];

/// One of each way in which bytes wait.
const QUEUES: &str = "tcp,tcp-partly-read,tcp-unacknowledged,tcp-out-of-order,udp,udp6,udp-reader,\
    unix-stream,unix-dgram,unix-seqpacket,netlink,raw,packet,pipe,pipe-packets,flight";

#[test]
fn without_payload_the_ui_shows_no_byte_of_a_queue() {
    const TEST: &str = "without_payload_the_ui_shows_no_byte_of_a_queue";
    needs_loops!("without_payload_the_ui_shows_no_byte_of_a_queue");
    let workload = workload(TEST, "udp");
    let (pid, fd) = (workload.pid().to_string(), workload.file("udp").fd);
    let filter = format!("FD == {fd}");
    for (payload, shown) in [("4K", true), ("0", false)] {
        let arguments = ["-p", &pid, "-Q", &filter, "--source", "bpf", "--payload", payload];
        let mut terminal = Terminal::start(&arguments, 140, 40);
        terminal.wait_for("127.0.0.1:");
        terminal.send("\r");
        terminal.wait_for("MESSAGES");
        terminal.send("\r");
        terminal.wait_until("the packets", |screen| {
            screen.contains(" message") && !screen.contains("MESSAGES")
        });
        terminal.send("\r");
        terminal.wait_until("a packet", |screen| screen.contains("packet 0"));
        if shown {
            terminal.wait_for("hello");
        }
        terminal.send("x");
        terminal.send("q");
        let written = terminal.expect_end().written;
        assert_eq!(has(&written, b"hello"), shown, "--payload {payload}");
        assert_eq!(kernel_address(&written), None);
    }
}

/// An address of the kernel's, in clear: sixteen hexadecimal digits of its half of memory.
fn kernel_address(out: &[u8]) -> Option<String> {
    let digits = out.split(|byte| !byte.is_ascii_hexdigit() && *byte != b'x');
    digits
        .map(|word| word.strip_prefix(b"0x").unwrap_or(word))
        .filter(|word| word.len() == 16)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .find(|word| {
            let number = u64::from_str_radix(word, 16);
            // -1 as 64 bits is no address; what epoll instances watch holds such numbers.
            number.is_ok_and(|number| number >= 0xffff_0000_0000_0000 && number != u64::MAX)
        })
}

#[test]
fn no_kernel_address_is_in_any_output() {
    const TEST: &str = "no_kernel_address_is_in_any_output";
    needs_bpf!("no_kernel_address_is_in_any_output");
    assert!(kernel_address(b"at 0xffff8881000a2c00, ok").is_some());
    assert!(kernel_address(b"a hash 00ff8881000a2c00 or ffffffffffffffff").is_none());
    let queues = workload(TEST, QUEUES);
    let kinds = Workload::start(["regular,pipe,unix-stream,eventpoll,eventfd,bpf_map,bpf_prog"]);
    let errors = [
        vec!["files", "-p", "2", "--source", "bpf"],
        vec!["packets", "-p", "1", "--fd", "1000000"],
        vec!["dump", "-p", "4194303"],
        vec!["files", "-p", "1", "-Q", "FD =~ 0xffff8881000a2c"],
    ];
    let errors: Vec<Run> = errors.into_iter().map(crib_top).collect();
    let runs = outputs(&queues, &[]).into_iter().chain(outputs(&kinds, &[])).chain(errors);
    for run in runs {
        for out in [&run.stdout[..], run.stderr.as_bytes()] {
            if let Some(address) = kernel_address(out) {
                panic!("{address} is in {run:?}");
            }
        }
    }
    // What the numbers look like that must not be there.
    if !in_qemu() {
        let symbols = std::fs::read("/proc/kallsyms").expect("it is there");
        assert!(kernel_address(&symbols).is_some() || !rustix::process::geteuid().is_root());
    }
}
