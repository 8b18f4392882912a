//! A hand-made dump for tests: the sample's files with something in their queues.

use std::time::Duration;

use super::*;

/// The server's files: packets in its pipe, its TCP socket and its unix socket.
pub(crate) fn reading() -> DumpReading {
    let mut files = sample::files();
    for file in &mut files {
        if let Some(socket) = &mut file.socket {
            socket.queues = Some(Vec::new());
        }
    }
    if let Some(pipe) = &mut files[1].pipe {
        pipe.queues = Some(vec![queue(QueueName::Pipe, vec![packet(0, b"hello")])]);
    }
    if let Some(socket) = &mut files[3].socket {
        socket.queues = Some(tcp());
    }
    if let Some(socket) = &mut files[4].socket {
        socket.queues = Some(unix());
    }
    let process = sample::process();
    DumpReading { time: sample::time(), process, files, complete: true, runs: 1 }
}

/// A packet with all its bytes.
pub(crate) fn packet(index: u32, payload: &[u8]) -> Packet {
    let len = payload.len() as u32;
    Packet {
        index,
        len: Some(len),
        truesize: Some(832),
        time: None,
        from: None,
        seq: None,
        end_seq: None,
        tcp_flags: None,
        parts: Some(Parts { linear: len, paged: 0, frags: 0 }),
        consumed: 0,
        files: Vec::new(),
        file_count: Some(0),
        ethertype: None,
        headers: Vec::new(),
        captured: len,
        payload: payload.into(),
        unreadable: 0,
        gaps: Vec::new(),
        torn: false,
        id: PacketId(index.into()),
    }
}

/// A queue with all its packets.
pub(crate) fn queue(name: QueueName, packets: Vec<Packet>) -> Queue {
    let sum = |of: fn(&Packet) -> Option<u32>| packets.iter().filter_map(of).map(u64::from).sum();
    Queue {
        name,
        messages: Some(packets.len() as u64),
        payload: Some(sum(|packet| packet.len)),
        memory: Some(sum(|packet| packet.truesize)),
        torn: false,
        complete: true,
        packets,
    }
}

/// Two packets received, the second only in part, and an empty and a torn queue.
fn tcp() -> Vec<Queue> {
    let of_tcp = |packet: Packet, seq| Packet {
        seq: Some(seq),
        end_seq: packet.len.map(|len| seq + len),
        tcp_flags: Some(TcpFlags(0x18)),
        file_count: None,
        ..packet
    };
    let first = of_tcp(packet(0, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 1000);
    let second = of_tcp(packet(1, b"abc\0\0\0xyz"), 1027);
    let second = Packet {
        len: Some(8164),
        captured: 6,
        unreadable: 3,
        gaps: std::iter::once(3..6).collect(),
        time: Some(sample::time() - Duration::from_secs(60)),
        ..second
    };
    let torn = Queue {
        messages: None,
        payload: None,
        memory: None,
        torn: true,
        complete: false,
        ..queue(QueueName::Retransmit, Vec::new())
    };
    vec![queue(QueueName::Receive, vec![first, second]), queue(QueueName::Write, Vec::new()), torn]
}

/// Messages with a hostile name and hostile bytes, the first with two of three files in flight,
/// of which one is a socket with a message of its own.
fn unix() -> Vec<Queue> {
    let mut files = sample::files();
    let plain = File { fd: None, cloexec: None, tid: None, ..files.swap_remove(2) };
    let mut inner = File { fd: None, cloexec: None, ..files.swap_remove(4) };
    if let Some(socket) = &mut inner.socket {
        socket.queues = Some(vec![queue(QueueName::Receive, vec![packet(0, b"deep")])]);
    }
    let first = Packet {
        from: Some("@spy\x1b[2J".into()),
        files: vec![plain, inner],
        file_count: Some(3),
        ..packet(0, b"take these\n\x1b[31m")
    };
    let second = Packet { from: Some("".into()), torn: true, ..packet(1, "caf\u{e9}".as_bytes()) };
    let cut = Queue { complete: false, ..queue(QueueName::Receive, vec![first, second]) };
    vec![Queue { messages: Some(100_000), payload: None, memory: None, ..cut }]
}
