use std::time::{Duration, SystemTime};

use crib_common::dump::{
    ChunkRecord, EndRecord, FileEndRecord, HeadersRecord, NameRecord, PacketEndRecord,
    PacketRecord, PathRecord, QueueEndRecord, QueueRecord, end_bits, packet_known, queue,
};
use crib_common::record::{
    FileRecord, PipeRecord, SocketRecord, WatchEntry, file_known, pipe_known, socket_known,
    watch_known,
};
use etherparse::PacketBuilder;
use zerocopy::FromZeros;

use super::*;
use crate::decode::Record;
use crate::model::{Dump, Kind, Packet, Queue, QueueName, Text};

const SOCKFS: u64 = 0x534f_434b;
const ANON: u64 = 0x0904_1934;

fn assemble(records: Vec<Record<'_>>, request: &Dump) -> Dumped {
    dump(records.into_iter().map(Ok), |_| None, &IdKey::default(), request).unwrap()
}

fn everything(records: Vec<Record<'_>>) -> Dumped {
    assemble(records, &Dump::everything(1))
}

fn file_record(fd: u32, magic: u64) -> FileRecord {
    let mut record = FileRecord::new_zeroed();
    record.fd = fd;
    record.file = 0x1000 + u64::from(fd);
    record.magic = magic;
    record.ino = 77;
    record.known = file_known::MAGIC | file_known::INO | file_known::CLOEXEC;
    record
}

fn file<'a>(fd: u32, magic: u64) -> Record<'a> {
    Record::File(file_record(fd, magic), b"")
}

fn path(names: &[u8]) -> Record<'_> {
    let mut record = PathRecord::new_zeroed();
    record.whole = 1;
    Record::Path(record, names)
}

fn socket<'a>(family: i32, kind: i32) -> Record<'a> {
    let mut record = SocketRecord::new_zeroed();
    record.known = socket_known::FAMILY | socket_known::TYPE;
    (record.family, record.sock_type) = (family as u16, kind as u16);
    Record::Socket(record)
}

fn queue<'a>(queue: u32, len: u32) -> Record<'a> {
    Record::Queue(QueueRecord { queue, len, ..FromZeros::new_zeroed() })
}

fn packet_record(index: u32, len: u32) -> PacketRecord {
    PacketRecord {
        index,
        len,
        known: packet_known::LEN | packet_known::TRUESIZE,
        ..FromZeros::new_zeroed()
    }
}

fn packet<'a>(index: u32, len: u32) -> Record<'a> {
    Record::Packet(packet_record(index, len))
}

fn chunk(offset: u32, bytes: &[u8]) -> Record<'_> {
    let len = bytes.len() as u32;
    Record::Chunk(ChunkRecord { offset, len, captured: 1, ..FromZeros::new_zeroed() }, bytes)
}

fn unreadable<'a>(offset: u32, len: u32) -> Record<'a> {
    Record::Chunk(ChunkRecord { offset, len, ..FromZeros::new_zeroed() }, b"")
}

fn packet_end<'a>(index: u32, bits: u32) -> Record<'a> {
    Record::PacketEnd(PacketEndRecord { index, bits, ..FromZeros::new_zeroed() })
}

fn queue_end<'a>(packets: u32, bits: u32) -> Record<'a> {
    let sums = QueueEndRecord { payload: 13, memory: 1664, ..FromZeros::new_zeroed() };
    Record::QueueEnd(QueueEndRecord { packets, bits, ..sums })
}

fn file_end<'a>(fd: u32, bits: u32) -> Record<'a> {
    Record::FileEnd(FileEndRecord { fd, bits, ..FromZeros::new_zeroed() })
}

fn end<'a>() -> Record<'a> {
    Record::End(EndRecord { files: 1, runs: 2, ..FromZeros::new_zeroed() })
}

/// A unix socket with these records in its receive queue.
fn received(records: Vec<Record<'_>>) -> Queue {
    let head = [file(3, SOCKFS), socket(libc::AF_UNIX, libc::SOCK_DGRAM), queue(0, 2)];
    let dumped = everything(head.into_iter().chain(records).collect());
    dumped.files[0].socket.as_ref().unwrap().queues.as_ref().unwrap()[0].clone()
}

fn only_packet(records: Vec<Record<'_>>) -> Packet {
    let queue = received(records);
    assert_eq!(queue.packets.len(), 1);
    queue.packets[0].clone()
}

#[test]
fn a_dump_nests_files_queues_packets_and_bytes() {
    let dumped = everything(vec![
        file(3, SOCKFS),
        socket(libc::AF_UNIX, libc::SOCK_STREAM),
        queue(queue::RECEIVE, 2),
        packet(0, 5),
        chunk(0, b"he"),
        chunk(2, b"llo"),
        packet_end(0, 0),
        packet(1, 8),
        chunk(0, b"12345678"),
        packet_end(1, 0),
        queue_end(2, 0),
        queue(queue::WRITE, 0),
        Record::QueueEnd(QueueEndRecord::new_zeroed()),
        file_end(3, 0),
        file(4, 0xef53),
        path(b"\x01b\x01a"),
        file_end(4, 0),
        end(),
    ]);
    assert!(dumped.ended && dumped.changed.is_empty());
    assert_eq!((dumped.files.len(), dumped.runs), (2, 2));
    let [first, second] = &dumped.files[..] else { panic!() };
    assert_eq!(first.path, Some("socket:[77]".into()));
    assert_eq!(second.path, Some("/a/b".into()));
    let queues = first.socket.as_ref().unwrap().queues.as_ref().unwrap();
    let names: Vec<_> = queues.iter().map(|queue| queue.name).collect();
    assert_eq!(names, [QueueName::Receive, QueueName::Write]);
    let receive = &queues[0];
    assert_eq!(
        (receive.messages, receive.payload, receive.memory),
        (Some(2), Some(13), Some(1664))
    );
    assert!(receive.complete && !receive.torn);
    assert_eq!(receive.packets[0].payload, b"hello");
    assert_eq!((receive.packets[1].captured, receive.packets[1].torn), (8, false));
    assert!(queues[1].complete && queues[1].packets.is_empty());
}

#[test]
fn a_queue_says_how_far_it_was_read() {
    let of = |bits| received(vec![packet(0, 1), packet_end(0, 0), queue_end(1, bits)]);
    let whole = of(0);
    assert_eq!((whole.messages, whole.complete, whole.torn), (Some(1), true, false));
    let torn = of(end_bits::TORN);
    assert_eq!((torn.messages, torn.complete, torn.torn), (Some(2), false, true));
    assert_eq!((torn.payload, torn.memory), (None, None));
    let cut = of(end_bits::CUT);
    assert_eq!((cut.messages, cut.complete, cut.torn), (Some(2), false, false));

    let asked = received(vec![packet(3, 1), packet_end(3, 0), queue_end(9, end_bits::ASKED)]);
    assert_eq!((asked.messages, asked.complete, asked.payload), (Some(9), false, Some(13)));
    let open = received(vec![packet(0, 1)]);
    assert_eq!((open.messages, open.complete, open.packets[0].torn), (Some(2), false, true));
}

#[test]
fn a_queue_that_was_read_again_replaces_the_torn_one() {
    let queue = received(vec![
        packet(0, 1),
        packet_end(0, 0),
        queue_end(1, end_bits::TORN),
        queue(0, 0),
        queue_end(0, 0),
    ]);
    assert!(queue.packets.is_empty() && !queue.torn);
}

/// recv(2) puts what UDP has received into its reader's queue, all at once.
#[test]
fn what_went_from_one_queue_to_the_next_meanwhile_tears_both() {
    let torn = |first: u64, second: u64| -> Vec<bool> {
        let message = |address| Record::Packet(PacketRecord { address, ..packet_record(0, 5) });
        let dumped = everything(vec![
            file(3, SOCKFS),
            socket(libc::AF_INET, libc::SOCK_DGRAM),
            queue(queue::RECEIVE, 1),
            message(first),
            packet_end(0, 0),
            queue_end(1, 0),
            queue(queue::READER, 1),
            message(second),
            packet_end(0, 0),
            queue_end(1, 0),
            file_end(3, 0),
            end(),
        ]);
        let queues = dumped.files[0].socket.as_ref().unwrap().queues.as_ref().unwrap();
        queues.iter().map(|queue| queue.torn).collect()
    };
    assert_eq!(torn(7, 8), [false, false]);
    assert_eq!(torn(7, 7), [true, true]);
}

#[test]
fn what_could_not_be_read_is_zeros_and_a_gap() {
    let packet = only_packet(vec![
        packet(0, 12),
        chunk(0, b"abc"),
        unreadable(3, 4),
        unreadable(7, 1),
        chunk(8, b"xyz"),
        packet_end(0, 0),
    ]);
    assert_eq!(packet.payload, b"abc\0\0\0\0\0xyz");
    assert_eq!((packet.captured, packet.unreadable), (6, 5));
    assert_eq!(packet.gaps.first(), Some(&(3..8)));
    assert!(!packet.torn);
}

#[test]
fn a_chunk_out_of_place_tears_the_packet_and_takes_no_room() {
    for bad in [chunk(0, b"abcd"), unreadable(u32::MAX, u32::MAX), unreadable(2, 3), chunk(1, b"")]
    {
        let packet = only_packet(vec![packet(0, 4), chunk(0, b"xx"), bad, packet_end(0, 0)]);
        assert!(packet.torn);
        assert_eq!(packet.payload, b"xx");
    }
    // Without a length the payload that was asked for is the limit.
    let mut record = packet_record(0, 0);
    record.known = 0;
    let packet = only_packet(vec![Record::Packet(record), unreadable(0, 4097), packet_end(0, 0)]);
    assert_eq!((packet.len, packet.torn, packet.payload.len()), (None, true, 0));
}

#[test]
fn files_in_flight_have_no_descriptor_and_lie_deeper() {
    let inner = file_record(u32::MAX, SOCKFS);
    let packet = only_packet(vec![
        packet(0, 1),
        Record::Flight(file_record(u32::MAX, 0xef53)),
        path(b"\x01x"),
        Record::Flight(inner),
        socket(libc::AF_UNIX, libc::SOCK_STREAM),
        chunk(0, b"a"),
        packet_end(0, end_bits::TORN),
    ]);
    assert!(packet.torn);
    let [plain, socket] = &packet.files[..] else { panic!("{:?}", packet.files) };
    assert_eq!((plain.fd, plain.cloexec, &plain.path), (None, None, &Some("/x".into())));
    let inner = socket.socket.as_ref().unwrap();
    assert!(inner.deeper && inner.queues.is_none());
}

#[test]
fn a_changed_descriptor_is_reported_and_a_missing_end_is_seen() {
    let dumped = everything(vec![file(3, SOCKFS), file_end(3, end_bits::TORN), file(4, SOCKFS)]);
    assert_eq!((dumped.changed, dumped.ended, dumped.files.len()), (vec![3], false, 2));
}

#[test]
fn threads_that_share_a_table_are_dumped_once_and_a_tables_thread_is_told() {
    let of = |table, tid| {
        let mut record = file_record(3, SOCKFS);
        (record.table, record.tid) = (table, tid);
        Record::File(record, b"")
    };
    let dumped = everything(vec![of(1, 10), of(1, 11), of(2, 12), of(2, 13)]);
    let tids: Vec<_> = dumped.files.iter().map(|file| file.tid).collect();
    assert_eq!(tids, [None, Some(12)]);
    let files = crate::model::DumpFiles::One { fd: 3, tid: Some(12), hops: Vec::new() };
    let dumped = assemble(vec![of(2, 12)], &Dump { files, ..Dump::everything(10) });
    assert_eq!(dumped.files[0].tid, Some(12));
}

fn from(family: i32, from: &[u8], port: u16) -> Option<Text> {
    let mut record = packet_record(0, 0);
    record.known |= packet_known::FROM;
    (record.from_family, record.from_port) = (family as u16, port);
    record.from[..from.len()].copy_from_slice(from);
    only_packet(vec![Record::Packet(record), packet_end(0, 0)]).from
}

#[test]
fn a_sender_is_told_by_its_record() {
    assert_eq!(from(libc::AF_INET, &[1, 2, 3, 4], 5), Some("1.2.3.4:5".into()));
    let mut localhost = [0; 16];
    localhost[15] = 1;
    assert_eq!(from(libc::AF_INET6, &localhost, 5), Some("[::1]:5".into()));
    assert_eq!(from(libc::AF_NETLINK, &0_u32.to_ne_bytes(), 0), Some("0".into()));
    assert_eq!(from(libc::AF_PACKET, &2_u32.to_ne_bytes(), 1), Some("if2".into()));
    assert_eq!(from(libc::AF_UNIX, b"", 0), None, "without its name");

    let unix = |name: &[u8], len| {
        let mut record = NameRecord::new_zeroed();
        record.len = len;
        record.name[..name.len()].copy_from_slice(name);
        only_packet(vec![packet(0, 0), Record::Name(record), packet_end(0, 0)]).from
    };
    assert_eq!(unix(b"", 0), Some("".into()));
    assert_eq!(unix(b"\0x", 2), Some("@x".into()));
    assert_eq!(unix(b"/run/a\0", 7), Some("/run/a".into()));
    assert_eq!(unix(b"", u32::MAX), None);
}

/// The sender of a packet whose headers are those of `bytes` without the last `payload`.
fn from_headers(family: i32, kind: i32, bytes: &[u8], payload: usize) -> Option<Text> {
    let mut headers = HeadersRecord::new_zeroed();
    let len = bytes.len() - payload;
    headers.len = len as u32;
    headers.bytes[..len].copy_from_slice(&bytes[..len]);
    let dumped = everything(vec![
        file(3, SOCKFS),
        socket(family, kind),
        queue(0, 1),
        packet(0, payload as u32),
        Record::Headers(headers),
        chunk(0, &bytes[len..]),
        packet_end(0, 0),
    ]);
    let queues = dumped.files[0].socket.as_ref().unwrap().queues.as_ref();
    queues.unwrap()[0].packets[0].from.clone()
}

#[test]
fn a_datagrams_sender_is_told_by_its_headers() {
    let write = |builder: etherparse::PacketBuilderStep<etherparse::UdpHeader>| {
        let mut bytes = Vec::new();
        builder.write(&mut bytes, b"hello").unwrap();
        bytes
    };
    let four = write(PacketBuilder::ipv4([127, 0, 0, 1], [127, 0, 0, 2], 9).udp(5353, 80));
    let six = write(PacketBuilder::ipv6([7; 16], [0; 16], 9).udp(5353, 80));
    let dgram = libc::SOCK_DGRAM;
    assert_eq!(from_headers(libc::AF_INET, dgram, &four, 5), Some("127.0.0.1:5353".into()));
    assert_eq!(
        from_headers(libc::AF_INET6, dgram, &six, 5),
        Some("[707:707:707:707:707:707:707:707]:5353".into())
    );
    let raw = libc::SOCK_RAW;
    assert_eq!(from_headers(libc::AF_INET, raw, &four, four.len()), Some("127.0.0.1".into()));
    assert_eq!(from_headers(libc::AF_UNIX, dgram, &four, 5), None);

    let mut tcp = Vec::new();
    let builder = PacketBuilder::ipv4([1; 4], [2; 4], 9).tcp(1, 2, 3, 4);
    builder.write(&mut tcp, b"x").unwrap();
    assert_eq!(from_headers(libc::AF_INET, libc::SOCK_STREAM, &tcp, 1), None);
}

#[test]
fn a_pipes_buffer_without_bytes_has_just_been_read() {
    let of = |len| {
        let mut pipe = PipeRecord::new_zeroed();
        pipe.known = pipe_known::BUFFERS;
        let queue = queue(crib_common::dump::queue::PIPE, 1);
        let records = [file(3, 0), Record::Pipe(pipe), queue, packet(0, len), packet_end(0, 0)];
        let dumped = everything(records.into());
        let queues = dumped.files[0].pipe.as_ref().unwrap().queues.as_ref().unwrap();
        queues[0].packets[0].torn
    };
    assert!(of(0));
    assert!(!of(1));
}

#[test]
fn a_packets_identity_outlives_its_partial_reading() {
    let key = IdKey::default();
    let of = |address, len, consumed| {
        let record = PacketRecord { address, consumed, ..packet_record(0, len) };
        super::packet::packet(&record, &key).id
    };
    assert_eq!(of(1, 10, 0), of(1, 6, 4));
    assert_ne!(of(1, 10, 0), of(2, 10, 0));
    assert_ne!(of(1, 10, 0), of(1, 11, 0));
    let mut record = packet_record(0, 0);
    (record.known, record.time) = (packet_known::TIME, 1_500_000_000);
    let time = super::packet::packet(&record, &key).time;
    assert_eq!(time, Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)));
    record.time = -1;
    assert_eq!(super::packet::packet(&record, &key).time, None);
}

#[test]
fn a_file_knows_which_epolls_watch_it() {
    let epoll = |fd, whole| {
        let known = watch_known::FD | watch_known::EVENTS | watch_known::DATA;
        let entry = WatchEntry { file: 0x1003, fd: 3, known, ..FromZeros::new_zeroed() };
        [file(fd, ANON), path(b"\x0b[eventpoll]"), Record::Watches(vec![entry], whole)]
    };
    let watched = |whole, request: &Dump| {
        let mut records = vec![file(3, SOCKFS), file(4, SOCKFS)];
        records.extend(epoll(5, true));
        records.extend(epoll(6, whole));
        let dumped = assemble(records, request);
        assert_eq!(dumped.files[2].kind, Kind::Eventpoll);
        let [first, second, ..] = &dumped.files[..] else { panic!() };
        [first, second].map(|file| file.watched_by.as_deref().cloned())
    };
    let all = Dump::everything(1);
    assert_eq!(watched(true, &all), [Some(vec![5, 6]), Some(vec![])]);
    assert_eq!(watched(false, &all), [Some(vec![5, 6]), None]);
    assert_eq!(watched(true, &Dump::file(1, 3)), [None, None], "the others were not read");
}

#[test]
fn who_watches_a_file_is_unknown_beside_an_epoll_whose_list_is() {
    let watched = |names: &[u8]| {
        let mut records = vec![file(3, SOCKFS), file(4, ANON)];
        if !names.is_empty() {
            records.push(path(names));
        }
        let dumped = assemble(records, &Dump::everything(1));
        dumped.files[0].watched_by.as_deref().cloned()
    };
    assert_eq!(watched(b"\x0b[eventpoll]"), None);
    assert_eq!(watched(b""), None, "it could be one");
    assert_eq!(watched(b"\x09[eventfd]"), Some(vec![]));
}
