use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;

use crib_common::limits::{RING_BYTES, RING_UNIT};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::super::Wanted;
use super::super::left_out;
use super::*;
use crate::model::Packet;

/// The smallest ring that there may be.
const SMALL_RING: u32 = (2 * RING_UNIT).next_power_of_two();

fn read(ring_bytes: u32, fd: BorrowedFd<'_>, payload: u32) -> (File, u32) {
    let mut reader = Reader::open_with_ring(Wanted::Dumps, ring_bytes).unwrap();
    let fd = fd.as_raw_fd() as u32;
    let request = Dump { payload, ..Dump::file(std::process::id(), fd) };
    let mut reading = reader.dump(&request).unwrap();
    (reading.files.remove(0), reading.runs)
}

fn received(file: &File) -> &Queue {
    let queues = file.socket.as_ref().and_then(|socket| socket.queues.as_ref()).unwrap();
    queues.iter().find(|queue| queue.name == QueueName::Receive).unwrap()
}

/// Bytes that are nowhere the same twice.
fn message(number: usize, len: usize) -> Vec<u8> {
    let mut word = number as u32 ^ 0x9e37_79b9;
    std::iter::repeat_with(|| {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        word as u8
    })
    .take(len)
    .collect()
}

#[test]
fn a_dump_is_the_same_whatever_the_ring_holds() {
    if left_out("a_dump_is_the_same_whatever_the_ring_holds") {
        return;
    }
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&sender, 4 << 20).unwrap();
    // Longer than the ring, shorter than a chunk, empty, and of several chunks.
    let lens = [150_000, 5, 0, 4096, 4097, 160_000, 1, 8192];
    let sent: Vec<Vec<u8>> = lens.into_iter().enumerate().map(|(n, len)| message(n, len)).collect();
    for message in &sent {
        sender.send(message).unwrap();
    }
    let (small, runs) = read(SMALL_RING, receiver.as_fd(), u32::MAX);
    assert!(runs > 2, "{runs} runs for more bytes than the ring holds");
    let (large, _) = read(RING_BYTES, receiver.as_fd(), u32::MAX);
    for file in [&small, &large] {
        let queue = received(file);
        assert!(queue.complete && !queue.torn);
        assert_eq!(queue.payload, Some(lens.iter().sum::<usize>() as u64));
        let got: Vec<&[u8]> = queue.packets.iter().map(|packet| &packet.payload[..]).collect();
        assert!(got == sent, "not the bytes that were sent");
        assert!(queue.packets.iter().all(|packet| !packet.torn && packet.unreadable == 0));
    }
    // Reading took nothing.
    let mut buffer = vec![0; 200_000];
    for message in &sent {
        let len = receiver.recv(&mut buffer).unwrap();
        assert!(buffer[..len] == message[..]);
    }
}

#[test]
fn what_payload_cuts_off_is_neither_captured_nor_unreadable() {
    if left_out("what_payload_cuts_off_is_neither_captured_nor_unreadable") {
        return;
    }
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    sender.send(&message(1, 5000)).unwrap();
    for payload in [0, 1, 64, 4096, 4999, 5000, 5001] {
        let (file, _) = read(RING_BYTES, receiver.as_fd(), payload);
        let packet: &Packet = &received(&file).packets[0];
        assert_eq!(packet.len, Some(5000));
        assert_eq!(packet.captured, payload.min(5000));
        assert_eq!(packet.unreadable, 0);
        assert!(packet.payload == message(1, 5000)[..payload.min(5000) as usize]);
        assert!(!packet.torn);
    }
}

#[test]
fn many_files_in_flight_are_told_across_runs() {
    if left_out("many_files_in_flight_are_told_across_runs") {
        return;
    }
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"in the pipe").unwrap();
    let files = vec![reader.as_fd(); 250];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(250))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
    sendmsg(&sender, &[std::io::IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
    let (file, _) = read(SMALL_RING, receiver.as_fd(), 16);
    let packet = &received(&file).packets[0];
    assert_eq!(packet.file_count, Some(250));
    assert_eq!(packet.files.len(), 250);
    let pipes = || packet.files.iter().map(|file| file.pipe.as_ref().unwrap());
    assert!(pipes().all(|pipe| pipe.bytes == Some(11)));
    // It is looked into where it is met first.
    let looked_into: Vec<_> = pipes().map(|pipe| pipe.queues.as_ref()).collect();
    assert_eq!(looked_into[0].unwrap()[0].packets[0].payload, b"in the pipe");
    assert!(looked_into[1..].iter().all(Option::is_none));
}
