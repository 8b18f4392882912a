//! Hand-made dumps for tests: queues of each shape that the views tell apart, and a source that
//! answers from them as the kernel's does.

use std::sync::Arc;
use std::time::Duration;

use super::*;

/// The files of [`sample::reading`], and a UDP socket 10, with what is queued in them.
pub(crate) fn files() -> Vec<File> {
    let mut files = sample::files();
    let udp = File { fd: Some(10), ino: 1241.into(), ..udp(&files[3]) };
    files.push(udp);
    for file in &mut files {
        file.id = Some(FileId::new(1000 + u64::from(file.fd.unwrap_or_default())));
    }
    files[1].pipe.as_mut().unwrap().queues = Some(vec![pipe_queue()]);
    let tcp = files[3].socket.as_mut().unwrap();
    tcp.tcp = Some(Box::new(self::tcp()));
    tcp.queues = Some(tcp_queues());
    let deepest = in_flight(3, vec![]);
    let flight = vec![files[0].clone(), in_flight(1, vec![in_flight(2, vec![deepest])])];
    files[4].socket.as_mut().unwrap().queues = Some(unix_queues(flight));
    files[5].socket.as_mut().unwrap().queues = Some(vec![netlink_queue()]);
    files[7].watched_by = Some(Arc::default());
    files[7].epoll.as_mut().unwrap().watches[0].file = Some(FileId::new(1005));
    files[7].epoll.as_mut().unwrap().watches.extend([
        Watch { fd: 3, events: 5, data: 3, ready: Some(true), file: Some(FileId::new(1003)) },
        Watch { fd: 44, events: 1, data: u64::MAX, ready: None, file: Some(FileId::new(1)) },
    ]);
    files
}

/// The table of these files: without what only a dump reads.
pub(crate) fn reading() -> FilesReading {
    let mut files = files();
    for file in &mut files {
        if let Some(socket) = &mut file.socket {
            (socket.queues, socket.tcp) = (None, None);
        }
        if let Some(pipe) = &mut file.pipe {
            pipe.queues = None;
        }
    }
    FilesReading { files: files.into_iter().map(Arc::new).collect(), ..sample::reading() }
}

/// What the kernel would answer.
pub(crate) fn dump(request: &Dump) -> Result<DumpReading, ReadError> {
    answer(&files(), request)
}

/// What the kernel would answer if these were the open files.
pub(crate) fn answer(files: &[File], request: &Dump) -> Result<DumpReading, ReadError> {
    let DumpFiles::One { fd, tid, hops } = &request.files else { panic!("one file is asked for") };
    let gone = || ReadError::NoFile { pid: request.pid, fd: *fd };
    let mut file =
        files.iter().find(|file| file.fd == Some(*fd) && file.tid == *tid).ok_or_else(gone)?;
    for hop in hops {
        let queues = file.queues().unwrap_or_default();
        let queue = queues.iter().find(|queue| queue.name == hop.queue);
        let packet = queue.and_then(|queue| queue.packets.get(hop.packet as usize));
        file = packet.and_then(|packet| packet.files.get(hop.file as usize)).ok_or_else(gone)?;
    }
    let mut file = file.clone();
    let lists = [
        file.socket.as_mut().and_then(|socket| socket.queues.as_mut()),
        file.pipe.as_mut().and_then(|pipe| pipe.queues.as_mut()),
    ];
    for queues in lists.into_iter().flatten() {
        queues.retain(|queue| request.queues.contains(&queue.name));
        queues.iter_mut().for_each(|queue| narrow(queue, request));
    }
    Ok(DumpReading {
        time: sample::time() + Duration::from_secs(3),
        process: sample::process(),
        files: vec![file],
        complete: true,
        runs: 1,
    })
}

fn narrow(queue: &mut Queue, request: &Dump) {
    for (index, packet) in (0..).zip(&mut queue.packets) {
        packet.index = index;
    }
    let all = queue.packets.len();
    queue.packets.retain(|packet| request.packets.contains(&packet.index));
    queue.complete &= queue.packets.len() == all;
    for packet in &mut queue.packets {
        packet.payload.truncate(request.payload as usize);
        let end = packet.payload.len();
        packet.gaps.retain(|gap| gap.start < end);
        packet.gaps.iter_mut().for_each(|gap| gap.end = gap.end.min(end));
    }
}

/// A queue with these packets.
pub(crate) fn queue(name: QueueName, packets: Vec<Packet>) -> Queue {
    let sum = |value: fn(&Packet) -> Option<u32>| packets.iter().filter_map(value).map(u64::from);
    Queue {
        name,
        messages: Some(packets.len() as u64),
        payload: Some(sum(|packet| packet.len).sum()),
        memory: Some(sum(|packet| packet.truesize).sum()),
        torn: false,
        complete: true,
        packets,
    }
}

/// A packet of `id` with this payload.
pub(crate) fn packet(id: u64, payload: &[u8]) -> Packet {
    let len = payload.len() as u32;
    Packet {
        index: 0,
        len: Some(len),
        truesize: Some(768 + len),
        time: None,
        from: None,
        seq: None,
        end_seq: None,
        tcp_flags: None,
        parts: Some(Parts { linear: len, paged: 0, frags: 0 }),
        consumed: 0,
        files: vec![],
        file_count: Some(0),
        ethertype: None,
        headers: vec![],
        captured: len,
        payload: payload.into(),
        unreadable: 0,
        gaps: vec![],
        torn: false,
        id: PacketId(id),
    }
}

fn tcp() -> Tcp {
    Tcp {
        snd_una: Some(4_294_967_000),
        snd_nxt: Some(104),
        rcv_nxt: Some(77_000),
        snd_wnd: Some(65_536),
        rcv_wnd: Some(131_072),
        snd_cwnd: Some(10),
        snd_ssthresh: None,
        srtt: Some(Duration::from_micros(1_250)),
        rttvar: Some(Duration::from_micros(400)),
        rto: Some(Duration::from_millis(204)),
        mss: Some(1448),
        timer: Some(TcpTimer::Retransmit),
        timer_in: Some(Duration::from_millis(120)),
        retransmits: Some(2),
        total_retransmits: Some(5),
        backoff: Some(2),
        probes: Some(0),
        last_ack: Some(Duration::from_millis(320)),
    }
}

fn tcp_queues() -> Vec<Queue> {
    let segment = |id, payload: &[u8], seq: u32, flags| Packet {
        seq: Some(seq),
        end_seq: Some(seq.wrapping_add(payload.len() as u32)),
        tcp_flags: Some(TcpFlags(flags)),
        time: Some(sample::time()),
        headers: tcp_headers(seq),
        ethertype: Some(0x0800),
        ..packet(id, payload)
    };
    let request = b"GET /index.html HTTP/1.1\r\nHost: caf\xc3\xa9.example\r\n\r\n\x1b[2J\x00\xff";
    let mut paged = segment(2, &[0xab; 4000], 70_100, 0x10);
    paged.parts = Some(Parts { linear: 0, paged: 4000, frags: 1 });
    paged.payload[16..48].fill(0);
    paged.gaps.push(16..48);
    paged.unreadable = 32;
    paged.captured = 4000 - 32;
    let mut torn = queue(QueueName::OutOfOrder, vec![segment(5, b"later", 90_000, 0x10)]);
    torn.torn = true;
    let mut unfinished = queue(QueueName::Backlog, vec![]);
    (unfinished.messages, unfinished.complete, unfinished.memory) = (Some(3), false, None);
    vec![
        queue(QueueName::Receive, vec![segment(1, request, 70_000, 0x18), paged]),
        queue(QueueName::Write, vec![]),
        queue(QueueName::Retransmit, vec![segment(4, b"HTTP/1.1 200 OK", 4_294_967_000, 0x19)]),
        torn,
        queue(QueueName::Error, vec![]),
        unfinished,
    ]
}

/// The IPv4 and TCP headers of a segment to port 80.
fn tcp_headers(seq: u32) -> Vec<u8> {
    let mut bytes = vec![
        0x45, 0, 0, 60, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, //
        0x12, 0x67, 0, 80,
    ];
    bytes.extend(seq.to_be_bytes());
    bytes.extend([0, 0, 0, 9, 0x80, 0x18, 2, 0, 0, 0, 0, 0]);
    bytes.extend([1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 3]);
    bytes
}

fn udp(tcp: &File) -> File {
    let mut file = tcp.clone();
    let socket = file.socket.as_mut().unwrap();
    socket.kind = Some(SocketType(libc::SOCK_DGRAM as u16));
    socket.protocol = Some(Protocol { family: Family::INET, number: 17 });
    (socket.state, socket.remote) = (Some(State::Unconnected), Some("".into()));
    (socket.local, socket.drops) = (Some("127.0.0.1:5353".into()), Some(7));
    let datagram = |id, payload: &[u8]| Packet {
        from: Some("127.0.0.1:4711".into()),
        time: Some(sample::time()),
        headers: vec![
            0x45, 0, 0, 34, 0, 1, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, //
            0x12, 0x67, 0x14, 0xe9, 0, 14, 0xfe, 0x21,
        ],
        ethertype: Some(0x0800),
        ..packet(id, payload)
    };
    socket.queues = Some(vec![
        queue(QueueName::Receive, vec![datagram(31, b"query 1"), datagram(32, b"")]),
        queue(QueueName::Reader, vec![]),
        queue(QueueName::Error, vec![]),
    ]);
    file
}

fn unix_queues(flight: Vec<File>) -> Vec<Queue> {
    let mut sent = packet(11, b"take these");
    (sent.from, sent.consumed) = (Some("@hostile\x1b[31m".into()), 4);
    (sent.file_count, sent.files) = (Some(5), flight);
    let plain = Packet { from: Some("".into()), ..packet(12, b"nothing but text\n") };
    vec![queue(QueueName::Receive, vec![sent, plain]), queue(QueueName::Accept, vec![])]
}

/// A unix socket in flight whose own queue holds a message with `files`.
fn in_flight(depth: u64, files: Vec<File>) -> File {
    let mut file = sample::files().swap_remove(4);
    (file.fd, file.cloexec) = (None, None);
    (file.id, file.ino) = (Some(FileId::new(2000 + depth)), (5000 + depth).into());
    file.path = Some(format!("socket:[{}]", 5000 + depth).into());
    let mut message = packet(20 + depth, format!("at depth {depth}").as_bytes());
    message.file_count = Some(1);
    message.files = if depth == 3 { vec![sample::files().swap_remove(2)] } else { files };
    let socket = file.socket.as_mut().unwrap();
    socket.queues = Some(vec![queue(QueueName::Receive, vec![message])]);
    file
}

fn netlink_queue() -> Queue {
    // A link that went away (RTM_DELLINK) and the end of a list (NLMSG_DONE).
    let mut payload = Vec::new();
    for (kind, flags, body) in [(17u16, 2u16, &[0u8; 16][..]), (3, 2, &[0; 4])] {
        payload.extend((16 + body.len() as u32).to_ne_bytes());
        payload.extend(kind.to_ne_bytes());
        payload.extend(flags.to_ne_bytes());
        payload.extend(99u32.to_ne_bytes());
        payload.extend(4242u32.to_ne_bytes());
        payload.extend(body);
    }
    queue(QueueName::Receive, vec![packet(41, &payload)])
}

fn pipe_queue() -> Queue {
    let buffer = Packet { truesize: None, parts: None, file_count: None, ..packet(51, b"hello") };
    Queue { memory: None, ..queue(QueueName::Pipe, vec![buffer]) }
}
