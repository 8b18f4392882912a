//! Queues are read while a sender and a receiver run at full speed: what isn't marked is whole,
//! and the receiver gets every message.

use crate::support::command::only_process;
use crate::support::in_qemu;
use crate::support::privilege::loops_work_or_are_proven_absent;
use crate::support::queues::{self, dump, packets};
use crate::support::whole::{Seen, Sort, check};
use crate::support::workload::Workload;

fn every_message_is_whole(name: &str, sort: Sort) {
    const ROUNDS: u32 = 17;
    // Emulated, a start of crib-top takes seconds: there as few as will do.
    let enough = if in_qemu() { 1 } else { ROUNDS };
    let workload = Workload::start(["flux", name]);
    let mut seen = Seen::default();
    for round in 0..ROUNDS {
        if round >= enough && seen.whole > 0 {
            break;
        }
        for label in ["receiver", "sender"] {
            let document = packets(workload.pid(), workload.file(label).fd);
            check(&document["queues"], sort, &mut seen);
            seen.readings += 1;
        }
        let document = dump(workload.pid());
        for row in only_process(&document)["files"].as_array().expect("files is a list") {
            if workload.files().any(|file| row["fd"] == file.fd) {
                check(queues::of_file(row), sort, &mut seen);
                seen.readings += 1;
            }
        }
    }
    // Past the harness, which shows what a failing test printed.
    println!("{name}: {seen:?}");
    assert!(seen.whole > 0, "nothing was ever read whole: {seen:?}");
    let end = workload.finish();
    let (sent, received) = (end["sent"].as_u64(), end["received"].as_u64());
    let (Some(sent), Some(received)) = (sent, received) else { panic!("{name}: {end}") };
    assert!(sent > 0 && received > 0, "{end}");
    if sort != Sort::Messages(true) {
        assert_eq!(sent, received, "not everything came");
    }
}

macro_rules! at_full_speed {
    ($($test:ident: $name:literal, $sort:expr;)*) => {
        $(#[test]
        fn $test() {
            if loops_work_or_are_proven_absent(stringify!($test)) {
                every_message_is_whole($name, $sort);
            }
        })*
    };
}

at_full_speed! {
    unix_dgram_at_full_speed: "unix-dgram", Sort::Messages(false);
    unix_seqpacket_at_full_speed: "unix-seqpacket", Sort::Messages(false);
    unix_stream_at_full_speed: "unix-stream", Sort::Stream;
    udp_at_full_speed: "udp", Sort::Messages(true);
    tcp_at_full_speed: "tcp", Sort::Stream;
    pipe_at_full_speed: "pipe", Sort::Stream;
    pipe_packets_at_full_speed: "pipe-packets", Sort::Messages(false);
}
