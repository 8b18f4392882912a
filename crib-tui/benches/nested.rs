//! What is queued, read with every byte: one socket with 200 packets, in a process with few
//! files and in one with 19,600; and 1,000 sockets with 10 packets each. All of 1 KB. Needs the
//! privileges that BPF needs.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use crib_tui::kernel::{Reader, Wanted};
use crib_tui::model::Dump;
use criterion::{Criterion, criterion_group, criterion_main};
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const FILES: usize = 19_600;
const SOCKETS: usize = 1_000;
const PACKETS: usize = 10;
const BYTES: usize = 1_024;
/// As much as they need, whatever the system's limit.
const BUFFER: usize = 4 << 20;

/// A UDP socket in whose queue 200 datagrams wait.
fn full_socket() -> std::net::UdpSocket {
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    set_socket_recv_buffer_size_force(&receiver, BUFFER).expect("run as root");
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let to = receiver.local_addr().expect("it is bound");
    for number in 0..200_u8 {
        sender.send_to(&[number; BYTES], to).expect("there is room in the queue");
    }
    receiver
}

/// Pairs of unix sockets with some datagrams under way from one to the other.
fn full_pairs() -> Vec<(UnixDatagram, UnixDatagram)> {
    let pair = |_| {
        let (sender, receiver) = UnixDatagram::pair()?;
        set_socket_send_buffer_size_force(&sender, BUFFER)?;
        (0..PACKETS).try_for_each(|number| sender.send(&[number as u8; BYTES]).map(drop))?;
        Ok((sender, receiver))
    };
    (0..SOCKETS)
        .map(pair)
        .collect::<std::io::Result<_>>()
        .expect("RLIMIT_NOFILE must allow 20,000 open files, net.unix.max_dgram_qlen 10 messages")
}

fn one_socket(criterion: &mut Criterion) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).expect("the soft limit may be raised to the hard one");
    let mut reader =
        Reader::open(Wanted::Dumps).expect("run as root: `crib-top doctor` says what is missing");
    let socket = full_socket();
    let request = Dump::file(std::process::id(), socket.as_raw_fd() as u32);
    let mut bench = |name: &str| {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let reading = reader.dump(&request).expect("the socket is there");
                let queues = reading.files[0].socket.as_ref().and_then(|s| s.queues.as_ref());
                assert_eq!(queues.expect("a socket has queues")[0].packets.len(), 200);
                reading
            });
        });
    };
    bench("200 packets of one socket, few files");
    let null = || File::open("/dev/null").expect("RLIMIT_NOFILE must allow 20,000 open files");
    let held: Vec<File> = (0..FILES).map(|_| null()).collect();
    bench("200 packets of one socket, 19,600 files");
    drop(held);
}

fn many_sockets(criterion: &mut Criterion) {
    let mut reader =
        Reader::open(Wanted::Dumps).expect("run as root: `crib-top doctor` says what is missing");
    let held = full_pairs();
    let request = Dump::everything(std::process::id());
    let mut group = criterion.benchmark_group("1,000 sockets with 10 packets each");
    group.sample_size(20);
    group.bench_function("one nested dump", |bencher| {
        bencher.iter(|| {
            let reading = reader.dump(&request).expect("the process is there");
            let queues =
                reading.files.iter().filter_map(|file| file.socket.as_ref()?.queues.as_ref());
            let packets: usize = queues.flatten().map(|queue| queue.packets.len()).sum();
            assert_eq!(packets, SOCKETS * PACKETS);
            reading
        });
    });
    group.finish();
    drop(held);
}

criterion_group!(benches, one_socket, many_sockets);
criterion_main!(benches);
