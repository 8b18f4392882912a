use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use super::*;
use crate::decode::{Record, Records};
use crate::kernel::left_out;
use crate::kernel::staged;

const PROGRAMS: [(&str, &str); 9] = [
    ("empty", TASK_FILE),
    ("files_bare", TASK_FILE),
    ("files_paths", TASK_FILE),
    ("transport_seq", TASK_FILE),
    ("transport_ring", TASK_FILE),
    ("transport_array", TASK_FILE),
    ("staged_packets", nested::TASK),
    ("staged_bytes", nested::TASK),
    ("note_reader", nested::TASK),
];

#[test]
fn every_program_of_the_benchmark_loads() {
    if left_out("every_program_of_the_benchmark_loads") {
        return;
    }
    let mut programs = Programs::open(8).unwrap();
    for (name, target) in PROGRAMS {
        programs.iterator(name, target).unwrap();
    }
}

#[test]
fn all_transports_carry_the_same_records() {
    if left_out("all_transports_carry_the_same_records") {
        return;
    }
    let mut programs = Programs::open(64 * 1024).unwrap();
    let pid = std::process::id();
    let held: Vec<_> = (0..300).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    let mut read = |transport| {
        let mut fds = Vec::new();
        programs
            .transport(transport, pid, |record| fds.push((record.fd, record.ino, record.file)))
            .unwrap();
        // Other tests open files meanwhile: these stay.
        fds.retain(|&(fd, ..)| held.iter().any(|file| file.as_raw_fd() as u32 == fd));
        fds
    };
    let seq = read(Transport::SeqFile);
    assert_eq!(seq.len(), held.len());
    assert_eq!(read(Transport::Ring), seq);
    assert_eq!(read(Transport::Array), seq);
}

#[test]
fn what_the_array_has_no_room_for_is_an_error() {
    if left_out("what_the_array_has_no_room_for_is_an_error") {
        return;
    }
    let mut programs = Programs::open(1).unwrap();
    let error = programs.transport(Transport::Array, std::process::id(), |_| ()).unwrap_err();
    assert!(error.to_string().contains("too small"), "{error}");
}

#[test]
fn the_staged_way_finds_every_byte() {
    if left_out("the_staged_way_finds_every_byte") {
        return;
    }
    let mut programs = Programs::open(8).unwrap();
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    let messages: Vec<Vec<u8>> = (0..200).map(|number| vec![number as u8; 700]).collect();
    rustix::net::sockopt::set_socket_send_buffer_size_force(&sender, 1 << 20).unwrap();
    sender.set_nonblocking(true).unwrap();
    for message in &messages {
        sender.send(message).unwrap();
    }
    let mut records = Vec::new();
    let seen = staged::read(&mut programs, std::process::id(), &mut records).unwrap();
    assert!(seen.sockets >= 2 && seen.packets >= 200, "{seen:?}");
    let chunks = Records::new(&records).filter_map(|record| match record.unwrap() {
        Record::Chunk(_, bytes) => Some(bytes.to_vec()),
        _ => None,
    });
    let chunks: Vec<_> = chunks.collect();
    for message in messages {
        assert!(chunks.contains(&message), "{message:?}");
    }
    drop(receiver);
}

#[test]
fn system_calls_are_counted_exactly() {
    if left_out("system_calls_are_counted_exactly") {
        return;
    }
    let mut programs = Programs::open(8).unwrap();
    programs.count_calls().unwrap();
    // Other tests make calls meanwhile: a child's are told apart, and nobody else's are theirs.
    let before = programs.calls();
    let child = |calls: u32| {
        let script = format!("i=0; while [ $i -lt {calls} ]; do : 2>/dev/null; i=$((i+1)); done");
        let status = std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(status.success());
    };
    for _ in 0..50 {
        let _ = rustix::process::getppid();
    }
    child(0);
    let few = programs.calls();
    assert!(few.own >= before.own + 50, "{few:?}");
    assert!(few.descendants > before.descendants, "{few:?}");
    child(100);
    let many = programs.calls();
    // Each redirection opens, duplicates and closes.
    assert!(many.descendants >= few.descendants + 300, "{many:?}");
    programs.stop_counting();
    let after = programs.calls();
    let _ = rustix::process::getppid();
    assert_eq!(programs.calls(), after);
}
