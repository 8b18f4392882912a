use std::os::fd::{AsRawFd, OwnedFd};

use crib_common::dump::{end_bits, queue};
use crib_common::limits::RING_BYTES;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, send, socketpair};

use super::super::object::tests::left_out;
use super::*;
use crate::decode::{Record, Records};

const MESSAGES: u8 = 20;

/// One message, told from all others.
fn put(sender: &OwnedFd, number: u8) {
    send(sender, &[number; 100], SendFlags::empty()).unwrap();
}

fn take(receiver: &OwnedFd) {
    recv(receiver, &mut [0; 100], RecvFlags::empty()).unwrap();
}

/// Reads a queue five packets a run, with `between` behind the first one; the first byte of each
/// packet, and what is true of the queue.
fn read(between: impl FnOnce(&OwnedFd, &OwnedFd)) -> (Vec<u8>, u32) {
    let (family, sort) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let (sender, receiver) = socketpair(family, sort, SocketFlags::CLOEXEC, None).unwrap();
    (0..MESSAGES).for_each(|number| put(&sender, number));

    let mut object = Object::open_with_ring(RING_BYTES).unwrap();
    let mut nested = Nested::open(&mut object, true, RING_BYTES).unwrap();
    let fd = receiver.as_raw_fd() as u32;
    let request = DumpRequest {
        tid: rustix::thread::gettid().as_raw_nonzero().get() as u32,
        first_fd: fd,
        last_fd: fd,
        queues: 1 << queue::RECEIVE,
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
    between(&sender, &receiver);
    nested.read_to_end(&mut iterator, &mut records).unwrap();

    let (mut numbers, mut bits) = (Vec::new(), 0);
    for record in Records::new(&records) {
        match record.unwrap() {
            Record::Chunk(_, bytes) => numbers.push(bytes[0]),
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
