//! Capture files as tshark reads them: what it complains about, and what it finds in them.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crib_tui::export::pcap;
use crib_tui::model::{
    DumpReading, Family, File, Packet, PacketId, Pipe, Process, ProcessState, Protocol, Queue,
    QueueName, Socket, SocketType, TcpFlags,
};
use etherparse::PacketBuilder;

/// Whether tshark is there; in CI it must be.
fn has_tshark(test: &str) -> bool {
    let found = Command::new("tshark").arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "{test}: tshark is not installed");
    if !found {
        // Past the harness, which keeps what a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: tshark is not installed");
    }
    found
}

fn process() -> Process {
    Process {
        pid: 4242,
        comm: "ser\x1bver".into(),
        uid: Some(0),
        user: None,
        fd_limit: None,
        cmdline: "".into(),
        other_mounts: None,
        start_ticks: 0,
        state: ProcessState::Alive,
    }
}

/// 2026-11-23T18:40:00.123456789Z.
fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(1_795_459_200_123_456_789)
}

fn packet(payload: &[u8]) -> Packet {
    let len = payload.len() as u32;
    Packet {
        index: 0,
        len: Some(len),
        truesize: Some(832),
        time: Some(time()),
        from: None,
        seq: None,
        end_seq: None,
        tcp_flags: None,
        parts: None,
        consumed: 0,
        files: Vec::new(),
        file_count: None,
        ethertype: None,
        headers: Vec::new(),
        captured: len,
        payload: payload.into(),
        unreadable: 0,
        gaps: Vec::new(),
        torn: false,
        id: PacketId(0),
    }
}

fn queue(name: QueueName, packets: Vec<Packet>) -> Queue {
    Queue {
        name,
        messages: Some(packets.len() as u64),
        payload: None,
        memory: None,
        torn: false,
        complete: true,
        packets,
    }
}

fn socket(family: Family, kind: i32, protocol: u16, ends: [&str; 2], queues: Vec<Queue>) -> File {
    let socket = Socket {
        family: Some(family),
        kind: Some(SocketType(kind as u16)),
        protocol: Some(Protocol { family, number: protocol }),
        state: None,
        local: Some(ends[0].into()),
        remote: Some(ends[1].into()),
        recv: None,
        send: None,
        accept: None,
        rcvbuf: None,
        sndbuf: None,
        drops: None,
        error: None,
        shutdown: None,
        peer: None,
        other_end: None,
        inflight_files: None,
        netns: None,
        peers: None,
        tcp: None,
        queues: Some(queues),
        deeper: false,
    };
    File { socket: Some(Box::new(socket)), ..File::unknown(Some(3)) }
}

fn reading(files: Vec<File>) -> DumpReading {
    DumpReading { time: time(), process: process(), files, complete: true, runs: 1 }
}

/// The fields of each packet of a capture of these files, as tshark finds them with checksums
/// checked; it must have nothing to complain about.
fn tshark(files: Vec<File>, fields: &[&str]) -> Vec<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcapng");
    let mut file = pcap::create(&path).unwrap();
    pcap::write(&mut file, &reading(files)).unwrap();
    file.finish().unwrap();

    let checks = ["ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"];
    let mut command = Command::new("tshark");
    // Nothing of the user's own settings.
    command.env("XDG_CONFIG_HOME", directory.path()).env("HOME", directory.path());
    command.args(["-n", "-r"]).arg(&path);
    command.args(checks.iter().flat_map(|check| ["-o".to_owned(), format!("{check}:TRUE")]));
    command.args(["-T", "fields", "-E", "separator=|", "-e", "_ws.expert.severity"]);
    command.args(["-e", "_ws.expert.message", "-e", "_ws.malformed"]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let complaints: Vec<_> =
        errors.lines().filter(|line| !line.starts_with("Running as user")).collect();
    assert!(output.status.success() && complaints.is_empty(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let mut cells = line.split('|').map(str::to_owned);
            // A comment is a remark of its own, and the end of a stream is noted.
            let harmless = ["1048576", "2097152", "4194304"];
            let severities = cells.next().unwrap_or_default();
            let remarks = cells.next();
            let fine = severities.split(',').all(|severity| harmless.contains(&severity));
            assert!(fine, "{severities}: {remarks:?}");
            assert_eq!(cells.next().as_deref(), Some(""), "malformed: {line}");
            cells.collect()
        })
        .collect()
}

const COMMENT: &str = "frame.comment";

#[test]
fn headers_that_the_kernel_still_has_are_kept() {
    if !has_tshark("headers_that_the_kernel_still_has_are_kept") {
        return;
    }
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(4711, 9999);
    builder.write(&mut bytes, b"hello").unwrap();
    let headers = bytes[..bytes.len() - 5].to_vec();
    let ends = ["0.0.0.0:9999", ""];
    let received = Packet { headers, from: Some("10.0.0.1:4711".into()), ..packet(b"hello") };
    // Two packets that TCP has joined, behind the headers of the first.
    let joined = Packet { payload: b"hello, hello".into(), len: Some(12), ..received.clone() };
    let queues = vec![queue(QueueName::Receive, vec![received, joined])];
    let file = socket(Family::INET, libc::SOCK_DGRAM, 17, ends, queues);
    let fields = ["ip.src", "udp.srcport", "udp.dstport", "data.data", "frame.time_epoch", COMMENT];
    let rows = tshark(vec![file], &fields);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][..4], ["10.0.0.1", "4711", "9999", "68656c6c6f"]);
    assert_eq!(rows[0][4], "1795459200.123456789");
    assert!(rows[0][5].contains("ser\\x1bver (pid 4242), fd 3, receive queue"), "{}", rows[0][5]);
    assert!(!rows[0][5].contains("headers made"), "{}", rows[0][5]);
    assert!(!rows[0][5].contains("checksum"), "{}", rows[0][5]);
    assert!(rows[1][5].contains("headers made"), "{}", rows[1][5]);
    assert_eq!(rows[1][3], "68656c6c6f2c2068656c6c6f");
}

#[test]
fn headers_are_made_where_there_are_none() {
    if !has_tshark("headers_are_made_where_there_are_none") {
        return;
    }
    let sent = queue(QueueName::Write, vec![packet(b"question")]);
    let file = |family, ends| socket(family, libc::SOCK_DGRAM, 17, ends, vec![sent.clone()]);
    let four = file(Family::INET, ["127.0.0.1:4000", "127.0.0.2:5000"]);
    let six = file(Family::INET6, ["[::1]:4000", "[::1]:5000"]);
    let both = file(Family::INET6, ["[::ffff:127.0.0.1]:4000", "[::ffff:127.0.0.1]:5000"]);
    let cut = Packet { len: Some(20_000), ..packet(b"only the first") };
    let from = Packet { from: Some("[fe80::2]:4001".into()), ..packet(b"answer") };
    let queues = vec![queue(QueueName::Receive, vec![cut, from])];
    let received = socket(Family::INET6, libc::SOCK_DGRAM, 17, ["[::1]:4000", ""], queues);
    let fields = [
        "ip.src",
        "ipv6.src",
        "udp.srcport",
        "udp.dstport",
        "udp.checksum.status",
        "frame.len",
        "frame.cap_len",
        "frame.packet_flags_direction",
        "frame.interface_name",
        COMMENT,
    ];
    let rows = tshark(vec![four, six, both, received], &fields);
    let good = "1";
    assert_eq!(rows[0][..5], ["127.0.0.1", "", "4000", "5000", good]);
    assert_eq!(rows[0][7..9], ["0x00000002", "crib-top write"]);
    assert_eq!(rows[1][..5], ["", "::1", "4000", "5000", good]);
    assert_eq!(rows[2][..5], ["127.0.0.1", "", "4000", "5000", good], "IPv4 over an IPv6 socket");
    assert_eq!(rows[3][5..9], ["20048", "62", "0x00000001", "crib-top receive"]);
    assert_eq!(rows[4][1..5], ["fe80::2", "4001", "4000", good]);
    for row in &rows {
        assert!(row[9].contains("headers made by crib-top from the socket's addresses"), "{row:?}");
    }
    assert!(rows[3][9].contains("cut after 14 bytes of payload"), "{}", rows[3][9]);
}

#[test]
fn a_tcp_packet_longer_than_ip_allows_is_several_segments() {
    if !has_tshark("a_tcp_packet_longer_than_ip_allows_is_several_segments") {
        return;
    }
    let long: Vec<u8> = (0..150_000_u32).map(|at| at as u8).collect();
    let of = |seq, payload: &[u8], flags| Packet {
        seq: Some(seq),
        tcp_flags: Some(TcpFlags(flags)),
        ..packet(payload)
    };
    let next = 1000 + long.len() as u32;
    let packets = vec![of(1000, &long, 0x18), of(next, b"the end", 0x11)];
    let ends = ["127.0.0.1:80", "127.0.0.1:4711"];
    let queues = vec![queue(QueueName::Retransmit, packets)];
    let file = socket(Family::INET, libc::SOCK_STREAM, 6, ends, queues);
    let ends = ["[::1]:80", "[::1]:4711"];
    let torn = Packet { torn: true, gaps: vec![], unreadable: 2, ..of(7, b"\0\0abc", 0x18) };
    let queues = vec![queue(QueueName::OutOfOrder, vec![Packet { time: None, ..torn }])];
    let six = socket(Family::INET6, libc::SOCK_STREAM, 6, ends, queues);
    let fields =
        ["tcp.seq_raw", "tcp.len", "tcp.checksum.status", "tcp.flags.fin", "tcp.srcport", COMMENT];
    let rows = tshark(vec![file, six], &fields);
    let good = "1";
    let segment = 65_495;
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0][..5], ["1000", "65495", good, "0", "80"]);
    assert_eq!(rows[1][..3], [(1000 + segment).to_string(), segment.to_string(), good.into()]);
    assert_eq!(rows[2][1], (150_000 - 2 * segment).to_string());
    assert_eq!(rows[3][..4], [next.to_string(), "7".into(), good.into(), "1".into()]);
    assert!(rows[1][5].contains("part 2 of 3"), "{}", rows[1][5]);
    assert_eq!(rows[4][..5], ["7", "5", good, "0", "4711"]);
    for remark in ["torn", "2 bytes could not be read", "the time is that of the reading"] {
        assert!(rows[4][5].contains(remark), "{}", rows[4][5]);
    }
}

#[test]
fn what_has_no_ip_opens_too() {
    if !has_tshark("what_has_no_ip_opens_too") {
        return;
    }
    let received = |packet| vec![queue(QueueName::Receive, vec![packet])];
    let message =
        Packet { file_count: Some(2), from: Some("@spy\n".into()), ..packet(b"take this") };
    let unix = socket(Family::UNIX, libc::SOCK_DGRAM, 0, ["", ""], received(message));

    // NLMSG_DONE of 20 bytes.
    let mut done = Vec::new();
    for word in [20_u32, 3, 7, 4242, 0] {
        done.extend(word.to_ne_bytes());
    }
    let netlink = socket(Family::NETLINK, libc::SOCK_RAW, 0, ["4242", ""], received(packet(&done)));

    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([1, 2, 3, 4], [5, 6, 7, 8], 64);
    builder.udp(1000, 2000).write(&mut frame, b"x").unwrap();
    let from_device = |bytes: &[u8]| Packet { ethertype: Some(0x0800), ..packet(bytes) };
    let ends = ["if2", ""];
    let raw = socket(Family::PACKET, libc::SOCK_RAW, 3, ends, received(from_device(&frame)));
    let cooked = received(from_device(&frame[14..]));
    let cooked = socket(Family::PACKET, libc::SOCK_DGRAM, 3, ends, cooked);
    let ip = socket(Family::INET, libc::SOCK_RAW, 17, ["", ""], received(packet(&frame[14..])));

    let queues = Some(vec![queue(QueueName::Pipe, vec![packet(b"in a pipe")])]);
    let pipe = Pipe {
        bytes: None,
        buffers: None,
        slots: None,
        readers: None,
        writers: None,
        queues,
        peers: None,
    };
    let pipe = File { pipe: Some(Box::new(pipe)), ..File::unknown(Some(9)) };

    let waiting = vec![queue(QueueName::Accept, vec![packet(b"")])];
    let listener = socket(Family::INET, libc::SOCK_STREAM, 6, ["127.0.0.1:1", ""], waiting);

    let fields = ["frame.protocols", "data.data", "udp.dstport", "netlink.hdr_pid", COMMENT];
    let rows = tshark(vec![unix, netlink, raw, cooked, ip, pipe, listener], &fields);
    assert_eq!(rows.len(), 6, "connections that wait have no bytes");
    assert_eq!(rows[0][..2], ["exported_pdu:data", "74616b652074686973"]);
    assert!(rows[0][4].contains("from @spy\\x0a; 2 files in flight"), "{}", rows[0][4]);
    assert!(rows[1][0].starts_with("netlink"), "{}", rows[1][0]);
    assert_eq!(rows[1][3], "4242");
    for row in &rows[2..5] {
        assert_eq!(row[2], "2000", "{row:?}");
    }
    assert_eq!(rows[5][..2], ["exported_pdu:data", "696e20612070697065"]);
    assert!(rows[5][4].contains("fd 9, pipe queue"), "{}", rows[5][4]);
}
