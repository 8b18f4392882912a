use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use crib_common::dump::{EndRecord, PacketRecord, end_bits, queue};
use crib_common::limits::{RING_BYTES, RING_UNIT, RUN_PACKETS};
use rustix::io::write;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, send, socketpair};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use super::super::left_out;
use super::*;
use crate::decode::{Record, Records};

const MESSAGES: u8 = 20;

/// One message, told from all others by its length too.
fn put(sender: &OwnedFd, number: u8) {
    send(sender, &vec![number; 100 + usize::from(number)], SendFlags::empty()).unwrap();
}

fn by_length(packet: &PacketRecord) -> u8 {
    u8::try_from(packet.len - 100).unwrap()
}

fn take(receiver: &OwnedFd) {
    recv(receiver, &mut [0; 100], RecvFlags::empty()).unwrap();
}

/// Reads a queue five packets a run, with `between` behind the first one; the number of each
/// packet, and what is true of the queue.
fn read(between: impl FnOnce(&OwnedFd, &OwnedFd)) -> (Vec<u8>, u32) {
    let (family, sort) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let (sender, receiver) = socketpair(family, sort, SocketFlags::CLOEXEC, None).unwrap();
    (0..MESSAGES).for_each(|number| put(&sender, number));
    read_in_two(&receiver, by_length, || between(&sender, &receiver))
}

/// The same of a pipe that has room for [`MESSAGES`] and no more.
fn read_pipe(between: impl FnOnce(&OwnedFd, &OwnedFd)) -> (Vec<u8>, u32) {
    let (receiver, sender) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT).unwrap();
    let room = usize::from(MESSAGES).next_power_of_two();
    assert_eq!(fcntl_setpipe_size(&sender, room * 4096).unwrap(), room * 4096);
    (0..MESSAGES).for_each(|number| write_one(&sender, number));
    read_in_two(&receiver, by_length, || between(&sender, &receiver))
}

fn write_one(sender: &OwnedFd, number: u8) {
    let bytes = vec![number; 100 + usize::from(number)];
    assert_eq!(write(sender, &bytes).unwrap(), bytes.len());
}

fn read_one(receiver: &OwnedFd) {
    assert!(rustix::io::read(receiver, &mut [0; 4096]).unwrap() >= 100);
}

fn read_in_two(
    receiver: &impl AsRawFd,
    number: impl Fn(&PacketRecord) -> u8,
    between: impl FnOnce(),
) -> (Vec<u8>, u32) {
    let mut object = Object::open_with_ring(RING_BYTES).unwrap();
    let mut nested = Nested::open(&mut object, true, RING_BYTES).unwrap();
    let fd = receiver.as_raw_fd() as u32;
    let request = DumpRequest {
        tid: rustix::thread::gettid().as_raw_nonzero().get() as u32,
        first_fd: fd,
        last_fd: fd,
        queues: 1 << queue::RECEIVE | 1 << queue::PIPE | 1 << queue::RETRANSMIT,
        last_packet: u32::MAX,
        payload: u32::MAX,
        packets: 5,
        ..DumpRequest::default()
    };
    let mut iterator = nested.begin(&mut object, request).unwrap().unwrap();
    let error = iterator.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let mut records = Vec::new();
    nested.drain(&mut records);
    between();
    nested.read_to_end(&mut iterator, &mut records).unwrap();

    let (mut numbers, mut bits) = (Vec::new(), 0);
    for record in Records::new(&records) {
        match record.unwrap() {
            Record::Packet(packet) => numbers.push(number(&packet)),
            Record::QueueEnd(end) => bits = end.bits,
            _ => {}
        }
    }
    (numbers, bits)
}

#[test]
fn a_queue_that_stays_as_it_is_is_whole_over_several_runs() {
    if left_out("a_queue_that_stays_as_it_is_is_whole_over_several_runs") {
        return;
    }
    assert_eq!(read(|_, _| {}), ((0..MESSAGES).collect(), 0));
}

/// In the place of the next packet is another one, which the list leads to and back from.
#[test]
fn a_gap_in_a_queue_is_marked() {
    if left_out("a_gap_in_a_queue_is_marked") {
        return;
    }
    let (numbers, bits) = read(|sender, receiver| {
        (0..2).for_each(|_| take(receiver));
        (0..2).for_each(|more| put(sender, MESSAGES + more));
    });
    assert_eq!(numbers[..7], [0, 1, 2, 3, 4, 7, 8]);
    assert_ne!(bits & end_bits::TORN, 0);
}

/// A pipe's packets keep their places while those in front of them are taken.
#[test]
fn a_pipe_whose_front_is_taken_is_read_on_from_where_it_was() {
    if left_out("a_pipe_whose_front_is_taken_is_read_on_from_where_it_was") {
        return;
    }
    assert_eq!(read_pipe(|_, _| {}), ((0..MESSAGES).collect(), 0));
    let (numbers, bits) = read_pipe(|_, receiver| (0..3).for_each(|_| read_one(receiver)));
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
    assert_eq!(bits & end_bits::CUT, 0);
}

#[test]
fn a_gap_in_a_pipe_is_marked() {
    if left_out("a_gap_in_a_pipe_is_marked") {
        return;
    }
    let (numbers, bits) = read_pipe(|sender, receiver| {
        (0..7).for_each(|_| read_one(receiver));
        (0..7).for_each(|more| write_one(sender, MESSAGES + more));
    });
    assert_eq!(numbers, [0, 1, 2, 3, 4].into_iter().chain(7..MESSAGES).collect::<Vec<_>>());
    assert_ne!(bits & end_bits::TORN, 0);
}

/// All its buffers are used again: each has another packet.
#[test]
fn a_pipe_that_has_gone_round_is_at_its_end() {
    if left_out("a_pipe_that_has_gone_round_is_at_its_end") {
        return;
    }
    let (numbers, bits) = read_pipe(|sender, receiver| {
        for more in 0..MESSAGES.next_power_of_two() {
            read_one(receiver);
            write_one(sender, MESSAGES + more);
        }
    });
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert_ne!(bits & end_bits::TORN, 0);
}

/// Bytes that are added to each message to TCP, so that no two of them fit a segment: when it
/// sends again, it puts together what does.
const SEGMENT: i32 = 700;

/// A connection whose other end is deaf until a filter is taken away from it, with as many messages
/// that are not acknowledged as fit the first congestion window.
fn unacknowledged(messages: u8) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    set_option(&listener, libc::IPPROTO_TCP, libc::TCP_MAXSEG, &(SEGMENT + 100));
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let mut filter = libc::sock_filter { code: libc::BPF_RET as u16, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &mut filter };
    set_option(&server, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program);
    client.set_nodelay(true).unwrap();
    for number in 0..messages {
        client.write_all(&vec![number; SEGMENT as usize - usize::from(number)]).unwrap();
    }
    (client, server)
}

fn set_option<T>(socket: &impl AsRawFd, level: i32, name: i32, value: &T) {
    let (pointer, len) = (std::ptr::from_ref(value).cast(), size_of::<T>() as libc::socklen_t);
    // SAFETY: the value, and what it points to, outlives the call.
    let ret = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, pointer, len) };
    assert_eq!(ret, 0, "{}", io::Error::last_os_error());
}

#[test]
fn what_is_acknowledged_between_two_runs_is_marked() {
    if left_out("what_is_acknowledged_between_two_runs_is_marked") {
        return;
    }
    let number = |packet: &PacketRecord| u8::try_from(SEGMENT as u32 - packet.len).unwrap();
    let (client, _server) = unacknowledged(8);
    let (numbers, bits) = read_in_two(&client, number, || {});
    assert_eq!((numbers, bits), ((0..8).collect(), 0));

    let (client, server) = unacknowledged(8);
    let (numbers, bits) = read_in_two(&client, number, || {
        set_option(&server, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0);
        let mut left = 1;
        while left > 0 {
            // SAFETY: the request writes one number.
            let ret = unsafe { libc::ioctl(client.as_raw_fd(), libc::TIOCOUTQ, &raw mut left) };
            assert_eq!(ret, 0);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert_ne!(bits & end_bits::TORN, 0);
}

/// What is asked of a dump of one file of a thread with all that is received.
fn received(tid: u32, fd: u32) -> DumpRequest {
    DumpRequest {
        tid,
        first_fd: fd,
        last_fd: fd,
        queues: 1 << queue::RECEIVE,
        last_packet: u32::MAX,
        payload: u32::MAX,
        packets: RUN_PACKETS,
        ..DumpRequest::default()
    }
}

/// The smallest ring that there may be, and several times what it holds.
const SMALL_RING: u32 = (2 * RING_UNIT).next_power_of_two();
const LONG: usize = 8_000;
const LONG_MESSAGES: u8 = 80;

fn long_messages() -> (OwnedFd, OwnedFd) {
    let (family, sort) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let (sender, receiver) = socketpair(family, sort, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&sender, 4 << 20).unwrap();
    for number in 0..LONG_MESSAGES {
        send(&sender, &[number; LONG], SendFlags::empty()).unwrap();
    }
    (sender, receiver)
}

/// Lets the program run once; whether there is more to come.
fn goes_on(iterator: &mut File) -> bool {
    match iterator.read(&mut [0; 8]) {
        Ok(0) => false,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
        other => panic!("{other:?}"),
    }
}

/// How many bytes of each message came, and the last record where it came.
fn lengths(records: &[u8]) -> (Vec<usize>, Option<EndRecord>) {
    let (mut lengths, mut end) = (vec![0; usize::from(LONG_MESSAGES)], None);
    for record in Records::new(records) {
        match record.unwrap() {
            Record::Chunk(_, bytes) => lengths[usize::from(bytes[0])] += bytes.len(),
            Record::End(record) => end = Some(record),
            _ => {}
        }
    }
    (lengths, end)
}

/// Between two runs nothing is held, and nothing is lost: the ring keeps what was written until
/// somebody comes for it, and the next run waits for that.
#[test]
fn a_reader_that_is_slow_loses_nothing() {
    if left_out("a_reader_that_is_slow_loses_nothing") {
        return;
    }
    let (_sender, receiver) = long_messages();
    let mut object = Object::open_with_ring(SMALL_RING).unwrap();
    let mut nested = Nested::open(&mut object, true, SMALL_RING).unwrap();
    let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    let request = received(tid, receiver.as_raw_fd() as u32);
    let mut iterator = nested.begin(&mut object, request).unwrap().unwrap();
    let (mut records, mut runs) = (Vec::new(), 0);
    while goes_on(&mut iterator) {
        std::thread::sleep(Duration::from_millis(10));
        nested.drain(&mut records);
        runs += 1;
    }
    nested.drain(&mut records);
    assert!(runs >= LONG * usize::from(LONG_MESSAGES) / SMALL_RING as usize, "{runs} runs");
    let (lengths, end) = lengths(&records);
    assert_eq!(lengths, [LONG; LONG_MESSAGES as usize]);
    assert_eq!(end.map(|end| end.lost), Some(0));
}

/// No reader of ours does so; one that did would be told.
#[test]
fn what_finds_no_room_in_a_ring_that_nobody_empties_is_counted() {
    if left_out("what_finds_no_room_in_a_ring_that_nobody_empties_is_counted") {
        return;
    }
    let (_sender, receiver) = long_messages();
    let mut object = Object::open_with_ring(SMALL_RING).unwrap();
    let mut nested = Nested::open(&mut object, true, SMALL_RING).unwrap();
    let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    let fd = receiver.as_raw_fd() as u32;
    let mut iterator = nested.begin(&mut object, received(tid, fd)).unwrap().unwrap();
    while goes_on(&mut iterator) {}
    let mut records = Vec::new();
    nested.drain(&mut records);
    let (got, end) = lengths(&records);
    assert!(got.iter().sum::<usize>() < LONG * usize::from(LONG_MESSAGES), "{got:?}");
    // The record that would have said how many was among them, or it says so.
    assert!(end.is_none_or(|end| end.lost > 0), "{end:?}");
    // The next dump begins with an empty ring, and has everything.
    records.clear();
    assert!(nested.run(&mut object, received(tid, fd), &mut records).unwrap().whole);
    let (got, end) = lengths(&records);
    assert_eq!(got, [LONG; LONG_MESSAGES as usize]);
    assert_eq!(end.map(|end| end.lost), Some(0));
}

/// Its files are gone with it: what was read until then is no whole dump.
#[test]
fn a_process_that_ends_between_two_runs_is_not_whole() {
    if left_out("a_process_that_ends_between_two_runs_is_not_whole") {
        return;
    }
    let (_sender, receiver) = long_messages();
    let mut object = Object::open_with_ring(SMALL_RING).unwrap();
    let mut nested = Nested::open(&mut object, true, SMALL_RING).unwrap();
    // Its standard input is the socket.
    let mut child = Command::new("sleep").arg("1000").stdin(receiver).spawn().unwrap();
    let mut iterator = nested.begin(&mut object, received(child.id(), 0)).unwrap().unwrap();
    let error = iterator.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let mut records = Vec::new();
    assert!(!nested.drain(&mut records));
    child.kill().unwrap();
    child.wait().unwrap();
    let done = nested.read_to_end(&mut iterator, &mut records).unwrap();
    assert!(!done.whole);
    let (got, end) = lengths(&records);
    assert!(got[0] > 0 && got[usize::from(LONG_MESSAGES) - 1] == 0, "{got:?}");
    assert_eq!(end, None);
}

/// The files of a dump, and what is said at the end of each descriptor's.
fn ends(records: &[u8]) -> (Vec<u32>, Vec<(u32, u32)>) {
    let (mut files, mut ends) = (Vec::new(), Vec::new());
    for record in Records::new(records) {
        match record.unwrap() {
            Record::File(file, _) => files.push(file.fd),
            Record::FileEnd(end) => ends.push((end.fd, end.bits)),
            _ => {}
        }
    }
    (files, ends)
}

/// The file that is being read is ended, and the next one begun: it was open all the time.
#[test]
fn a_descriptor_that_is_closed_between_two_runs_takes_no_other_with_it() {
    if left_out("a_descriptor_that_is_closed_between_two_runs_takes_no_other_with_it") {
        return;
    }
    let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    for with_another in [true, false] {
        let (_sender, receiver) = long_messages();
        // Where nobody else's are.
        let read = rustix::io::fcntl_dupfd_cloexec(&receiver, 800).unwrap();
        let next = rustix::io::fcntl_dupfd_cloexec(&read, 801).unwrap();
        let (fd, next_fd) = (read.as_raw_fd() as u32, next.as_raw_fd() as u32);
        let last_fd = if with_another { next_fd } else { fd };
        let mut object = Object::open_with_ring(SMALL_RING).unwrap();
        let mut nested = Nested::open(&mut object, true, SMALL_RING).unwrap();
        let request = DumpRequest { last_fd, ..received(tid, fd) };
        let mut iterator = nested.begin(&mut object, request).unwrap().unwrap();
        assert!(goes_on(&mut iterator));
        let mut records = Vec::new();
        nested.drain(&mut records);
        drop(read);
        let done = nested.read_to_end(&mut iterator, &mut records).unwrap();
        assert!(done.whole);
        let (mut files, mut told) = (vec![fd], vec![(fd, end_bits::TORN)]);
        if with_another {
            files.push(next_fd);
            told.push((next_fd, 0));
        }
        assert_eq!(ends(&records), (files, told));
    }
}
