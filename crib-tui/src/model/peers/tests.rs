use std::sync::Arc;

use proptest::prelude::*;

use super::text::push_list;
use super::*;
use crate::model::{
    Device, Family, FileId, OtherEnd, Peer, Pipe, Protocol, Queued, Shutdown, Socket, SocketType,
    Source, State, sample,
};

fn held(pid: u32, fd: u32, id: u64, file: File) -> Held {
    let file = File { fd: Some(fd), id: Some(FileId::new(id)), ..file };
    Held { pid, comm: format!("p{pid}").as_str().into(), file: Arc::new(file) }
}

fn sweep(held: Vec<Held>) -> Sweep {
    Sweep::new(Source::Bpf, sample::time(), true, held)
}

fn plain(kind: Kind) -> File {
    let mode = Some(AccessMode { read: true, write: true });
    File { kind, mode, dev: Some(Device::new(0, 8)), ino: 5.into(), ..File::unknown(None) }
}

fn pipe(ino: u64, mode: &str, ends: (u32, u32)) -> File {
    let pipe = Pipe {
        bytes: Some(0),
        buffers: Some(0),
        slots: Some(16),
        readers: Some(ends.0),
        writers: Some(ends.1),
        queues: None,
        peers: None,
    };
    let mode = AccessMode { read: mode.contains('r'), write: mode.contains('w') };
    let opened = mode.read || mode.write;
    File {
        mode: Some(mode),
        ino: ino.into(),
        pipe: opened.then(|| Box::new(pipe)),
        ..plain(Kind::Pipe)
    }
}

fn socket(ino: u64, socket: Socket) -> File {
    File { ino: ino.into(), socket: Some(Box::new(socket)), ..plain(Kind::Socket) }
}

fn bare(family: Family, kind: i32, state: State) -> Socket {
    Socket {
        family: Some(family),
        kind: Some(SocketType(kind as u16)),
        protocol: None,
        state: Some(state),
        local: Some("".into()),
        remote: Some("".into()),
        recv: Some(Queued::default()),
        send: Some(Queued::default()),
        accept: None,
        rcvbuf: None,
        sndbuf: None,
        drops: None,
        error: None,
        shutdown: Some(Shutdown::None),
        peer: None,
        other_end: None,
        inflight_files: None,
        netns: Some(1),
        peers: None,
        tcp: None,
        queues: None,
        deeper: false,
    }
}

fn unix(ino: u64, peer: Option<u64>) -> File {
    let peer = peer.map(|ino| Peer { pid: None, fd: None, ino: Some(ino) });
    socket(ino, Socket { peer, ..bare(Family::UNIX, libc::SOCK_STREAM, State::ESTABLISHED) })
}

fn tcp(ino: u64, local: &str, remote: &str, netns: u64) -> File {
    let family = if local.starts_with('[') { Family::INET6 } else { Family::INET };
    let number = libc::IPPROTO_TCP as u16;
    socket(
        ino,
        Socket {
            protocol: Some(Protocol { family, number }),
            local: Some(local.into()),
            remote: Some(remote.into()),
            netns: Some(netns),
            ..bare(family, libc::SOCK_STREAM, State::ESTABLISHED)
        },
    )
}

/// The ends of the file that `pid` has under `fd`.
fn ends(sweep: &Sweep, pid: u32, fd: u32) -> Ends {
    let file = Arc::clone(&sweep.at(pid, None, Some(fd)).unwrap().file);
    sweep.ends(pid, &file)
}

fn names(held: &[Held]) -> Vec<String> {
    held.iter().map(Held::to_string).collect()
}

/// Who has the other end, or why nobody has.
fn peers(sweep: &Sweep, pid: u32, fd: u32) -> Vec<String> {
    match &*ends(sweep, pid, fd).peers {
        Peers::Found(listed) => {
            assert_eq!(listed.all, listed.held.len());
            names(&listed.held)
        }
        Peers::Absent(reason) => vec![format!("{reason:?}")],
    }
}

#[test]
fn one_open_file_is_held_by_everyone_who_has_it() {
    let file = || plain(Kind::Regular);
    let sweep = sweep(vec![
        held(20, 3, 1, file()),
        held(10, 7, 1, file()),
        held(10, 3, 1, file()),
        held(10, 4, 2, file()),
    ]);
    let ends = ends(&sweep, 10, 7);
    let holders = ends.holders.as_ref().unwrap();
    assert_eq!(names(&holders.held), ["10/p10 fd 3", "10/p10 fd 7", "20/p20 fd 3"]);
    assert_eq!((holders.all, holders.more()), (3, 0));
    let others: Vec<_> = ends.others((10, None, Some(7))).unwrap().map(Held::to_string).collect();
    assert_eq!(others, ["10/p10 fd 3", "20/p20 fd 3"]);
    assert_eq!(peers(&sweep, 10, 4), ["Kind(Regular)"], "the same inode is not the same file");
}

/// While a sweep goes on one is closed, and its memory is another one's.
#[test]
fn an_identity_that_was_used_again_is_another_file() {
    let regular = |ino: u64| File { ino: ino.into(), ..plain(Kind::Regular) };
    let sweep = sweep(vec![held(1, 3, 7, regular(100)), held(2, 3, 7, regular(200))]);
    assert_eq!(names(&ends(&sweep, 1, 3).holders.unwrap().held), ["1/p1 fd 3"]);
}

#[test]
fn a_long_list_is_cut_and_counted() {
    let file = || plain(Kind::Memfd);
    let all = u32::try_from(LISTED).unwrap() + 20;
    let sweep = sweep((0..all).map(|fd| held(10, fd, 1, file())).collect());
    let ends = ends(&sweep, 10, 0);
    let holders = ends.holders.as_ref().unwrap();
    assert_eq!((holders.held.len(), holders.all, holders.more()), (LISTED, LISTED + 20, 20));
    let mut text = String::new();
    push_list(&mut text, ends.others((10, None, Some(0))).unwrap(), holders.all - 1);
    let more = LISTED + 15;
    assert_eq!(text, format!("10/p10 fd 1, 10/p10 fd 2, 10/p10 fd 3, 10/p10 fd 4, +{more} more"));
}

#[test]
fn a_pipes_other_end_is_who_does_the_other_thing() {
    let sweep = sweep(vec![
        held(10, 3, 1, pipe(5, "r", (1, 2))),
        held(10, 4, 2, pipe(5, "w", (1, 2))),
        held(20, 4, 2, pipe(5, "w", (1, 2))),
        // Another opening of the same end, through /proc/PID/fd.
        held(30, 9, 3, pipe(5, "w", (1, 2))),
        held(40, 5, 4, pipe(6, "r", (1, 1))),
        // With O_PATH it is no end.
        held(50, 5, 5, pipe(5, "-", (1, 2))),
    ]);
    assert_eq!(peers(&sweep, 10, 3), ["10/p10 fd 4", "20/p20 fd 4", "30/p30 fd 9"]);
    assert_eq!(peers(&sweep, 20, 4), ["10/p10 fd 3"]);
    assert_eq!(peers(&sweep, 40, 5), ["InNoTable"]);
    assert_eq!(peers(&sweep, 50, 5), ["PathOnly"]);
    // Another process goes before the own one.
    let ends = ends(&sweep, 10, 3);
    assert_eq!(ends.peers.first_but(10).unwrap().pid, 20);
    assert_eq!(ends.peers.first_but(20).unwrap().pid, 10);
}

#[test]
fn a_pipe_says_who_is_gone() {
    let sweep = sweep(vec![
        held(10, 3, 1, pipe(5, "r", (1, 0))),
        held(10, 4, 2, pipe(6, "w", (0, 1))),
        held(10, 5, 3, pipe(7, "rw", (1, 1))),
        held(10, 6, 4, pipe(8, "rw", (2, 2))),
        held(20, 6, 5, pipe(8, "rw", (2, 2))),
    ]);
    assert_eq!(peers(&sweep, 10, 3), ["NoWriter"]);
    assert_eq!(peers(&sweep, 10, 4), ["NoReader"]);
    assert_eq!(peers(&sweep, 10, 5), ["Alone"]);
    assert_eq!(peers(&sweep, 10, 6), ["20/p20 fd 6"]);
}

#[test]
fn a_unix_sockets_peer_is_known_by_its_inode() {
    let closed = Socket {
        shutdown: Some(Shutdown::Both),
        ..bare(Family::UNIX, libc::SOCK_STREAM, State::ESTABLISHED)
    };
    let ends_in = |other_end| socket(110, Socket { other_end: Some(other_end), ..closed.clone() });
    let listening = bare(Family::UNIX, libc::SOCK_STREAM, State::LISTEN);
    let unconnected = bare(Family::UNIX, libc::SOCK_DGRAM, State::Unconnected);
    let sweep = sweep(vec![
        held(10, 3, 1, unix(100, Some(101))),
        held(20, 4, 2, unix(101, Some(100))),
        held(21, 4, 2, unix(101, Some(100))),
        held(10, 5, 3, unix(102, None)),
        held(10, 6, 4, socket(103, closed.clone())),
        held(10, 7, 5, socket(104, listening)),
        held(10, 8, 6, socket(105, unconnected.clone())),
        // A datagram socket that two others send to.
        held(30, 3, 7, socket(106, unconnected)),
        held(31, 3, 8, unix(107, Some(106))),
        held(32, 3, 9, unix(108, Some(106))),
        held(10, 9, 10, unix(109, Some(999))),
        // What bpf tells, whatever else there is to see.
        held(40, 3, 11, ends_in(OtherEnd::Closed)),
        held(40, 4, 12, ends_in(OtherEnd::NotAccepted)),
        held(40, 5, 13, ends_in(OtherEnd::Nobody)),
        held(40, 6, 14, ends_in(OtherEnd::Open)),
    ]);
    assert_eq!(peers(&sweep, 10, 3), ["20/p20 fd 4", "21/p21 fd 4"]);
    assert_eq!(peers(&sweep, 21, 4), ["10/p10 fd 3"]);
    assert_eq!(peers(&sweep, 10, 5), ["NoFile"]);
    assert_eq!(peers(&sweep, 10, 6), ["Closed"]);
    assert_eq!(peers(&sweep, 10, 7), ["Listens"]);
    assert_eq!(peers(&sweep, 10, 8), ["Unconnected"]);
    assert_eq!(peers(&sweep, 30, 3), ["31/p31 fd 3", "32/p32 fd 3"]);
    assert_eq!(peers(&sweep, 31, 3), ["30/p30 fd 3"]);
    assert_eq!(peers(&sweep, 10, 9), ["InNoTable"]);
    assert_eq!(peers(&sweep, 40, 3), ["Closed"]);
    assert_eq!(peers(&sweep, 40, 4), ["NotAccepted"]);
    assert_eq!(peers(&sweep, 40, 5), ["Unconnected"]);
    assert_eq!(peers(&sweep, 40, 6), ["InNoTable"]);
}

#[test]
fn a_connections_other_end_has_its_addresses_the_other_way_round() {
    let sweep = sweep(vec![
        held(10, 3, 1, tcp(1, "127.0.0.1:80", "127.0.0.1:4711", 7)),
        held(20, 4, 2, tcp(2, "127.0.0.1:4711", "127.0.0.1:80", 7)),
        // The same addresses in another namespace are others.
        held(30, 4, 3, tcp(3, "127.0.0.1:4711", "127.0.0.1:80", 8)),
        held(10, 5, 4, tcp(4, "[::1]:80", "[::1]:4711", 7)),
        held(20, 5, 5, tcp(5, "[::1]:4711", "[::1]:80", 7)),
        // A server for both sorts of addresses, and a client of one.
        held(10, 6, 6, tcp(6, "[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:99", 7)),
        held(20, 6, 7, tcp(7, "127.0.0.1:99", "127.0.0.1:80", 7)),
        // Connected to itself.
        held(10, 7, 8, tcp(8, "127.0.0.1:5000", "127.0.0.1:5000", 7)),
        held(10, 8, 9, tcp(9, "10.0.0.1:5000", "10.0.0.2:80", 7)),
        held(10, 9, 10, tcp(10, "10.0.0.1:5001", "10.0.0.1:80", 7)),
        held(10, 10, 11, tcp(11, "0.0.0.0:80", "", 7)),
        // From a container to its host.
        held(10, 11, 12, tcp(12, "172.17.0.1:80", "172.17.0.2:5000", 7)),
        held(50, 3, 13, tcp(13, "172.17.0.2:5000", "172.17.0.1:80", 9)),
    ]);
    assert_eq!(peers(&sweep, 10, 3), ["20/p20 fd 4"]);
    assert_eq!(peers(&sweep, 30, 4), ["Nowhere"]);
    assert_eq!(peers(&sweep, 20, 5), ["10/p10 fd 5"]);
    assert_eq!(peers(&sweep, 10, 6), ["20/p20 fd 6"]);
    assert_eq!(peers(&sweep, 20, 6), ["10/p10 fd 6"]);
    assert_eq!(peers(&sweep, 10, 7), ["10/p10 fd 7"]);
    assert_eq!(peers(&sweep, 10, 8), ["Elsewhere"]);
    assert_eq!(peers(&sweep, 10, 9), ["Nowhere"]);
    assert_eq!(peers(&sweep, 10, 10), ["Unconnected"]);
    let other = Absent::OtherNamespace { pid: 50, fd: Some(3), netns: 9 };
    assert_eq!(peers(&sweep, 10, 11), [format!("{other:?}")]);
    assert_eq!(
        other.to_string(),
        "no process holds the other end in this network namespace; fd 3 of process 50, in \
         namespace 9, has the addresses the other way round and may be it"
    );
}

/// Where each is looked for among all, this takes minutes.
#[test]
fn very_many_descriptors_of_one_eventfd_are_told_at_once() {
    const FDS: u32 = 100_000;
    let held = (0..FDS).map(|fd| held(10, fd, 1, plain(Kind::Eventfd)));
    let sweep = sweep(held.collect());
    let start = std::time::Instant::now();
    for Held { file, .. } in sweep.held() {
        let ends = sweep.ends(10, file);
        let Peers::Found(peers) = &*ends.peers else { panic!("{ends:?}") };
        assert_eq!((peers.all, peers.held.len()), (FDS as usize - 1, LISTED));
        assert!(peers.held.iter().all(|other| other.file.fd != file.fd));
        assert_eq!(ends.holders.unwrap().all, FDS as usize);
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn an_eventfds_other_end_is_whoever_else_holds_it() {
    let eventfd = || plain(Kind::Eventfd);
    let sweep = sweep(vec![
        held(10, 3, 1, eventfd()),
        held(20, 3, 1, eventfd()),
        held(30, 3, 2, eventfd()),
    ]);
    assert_eq!(peers(&sweep, 10, 3), ["20/p20 fd 3"]);
    assert_eq!(peers(&sweep, 20, 3), ["10/p10 fd 3"]);
    assert_eq!(peers(&sweep, 30, 3), ["Unshared"]);
}

#[test]
fn where_not_everyone_was_looked_at_it_may_be_one_of_those() {
    let held = vec![
        held(10, 3, 1, plain(Kind::Eventfd)),
        held(10, 4, 2, pipe(5, "r", (1, 0))),
        held(10, 5, 3, tcp(3, "10.0.0.1:5000", "10.0.0.2:80", 7)),
    ];
    let sweep = Sweep::new(Source::Procfs, sample::time(), false, held);
    assert_eq!(peers(&sweep, 10, 3), ["Unreadable"]);
    assert_eq!(peers(&sweep, 10, 4), ["NoWriter"]);
    assert_eq!(peers(&sweep, 10, 5), ["Unreadable"]);
}

#[test]
fn a_descriptor_that_stands_for_another_file_by_now_is_not_taken_for_it() {
    let sweep =
        sweep(vec![held(10, 3, 2, plain(Kind::Regular)), held(20, 3, 1, plain(Kind::Fifo))]);
    let asked = File { fd: Some(3), id: Some(FileId::new(1)), ..plain(Kind::Fifo) };
    let ends = sweep.ends(10, &asked);
    assert_eq!(names(&ends.holders.unwrap().held), ["20/p20 fd 3"]);
}

#[test]
fn documents_say_who() {
    let sweep = sweep(vec![
        held(10, 3, 1, plain(Kind::Eventfd)),
        held(20, 3, 1, plain(Kind::Eventfd)),
        held(10, 4, 2, pipe(5, "r", (1, 1))),
        held(20, 5, 3, pipe(5, "w", (1, 1))),
    ]);
    let value = |ends: Ends| serde_json::to_value(ends).unwrap();
    let holders = serde_json::json!([
        { "pid": 10, "comm": "p10", "fd": 3 },
        { "pid": 20, "comm": "p20", "fd": 3 },
    ]);
    let eventfd = serde_json::json!({
        "holders": holders,
        "holder_count": 2,
        "eventfd": { "peers": [{ "pid": 20, "comm": "p20", "fd": 3, "mode": "rw" }] },
    });
    assert_eq!(value(ends(&sweep, 10, 3)), eventfd);
    let pipe = ends(&sweep, 10, 4);
    let peers = serde_json::json!([{ "pid": 20, "comm": "p20", "fd": 5, "mode": "w" }]);
    assert_eq!(serde_json::to_value(&*pipe.peers).unwrap(), peers);
    assert_eq!(value(pipe).as_object().unwrap().len(), 2);
}

/// Any file that has ends, out of so few different ones that many belong together.
fn any_file() -> impl Strategy<Value = File> {
    let mode = prop_oneof![Just("r"), Just("w"), Just("rw"), Just("-")];
    let address = || (0_u16..3).prop_map(|port| port + 1);
    prop_oneof![
        (0_u64..3, mode).prop_map(|(ino, mode)| pipe(ino, mode, (1, 1))),
        (0_u64..4, prop::option::of(0_u64..4)).prop_map(|(ino, peer)| unix(ino, peer)),
        (address(), address(), 0_u64..2, any::<bool>()).prop_map(
            |(local, remote, netns, mapped)| {
                let address = |port| match mapped {
                    true => format!("[::ffff:127.0.0.1]:{port}"),
                    false => format!("127.0.0.1:{port}"),
                };
                tcp(9, &address(local), &address(remote), netns)
            }
        ),
        Just(plain(Kind::Eventfd)),
        Just(plain(Kind::Regular)),
    ]
}

/// Descriptors of some processes: which file each stands for.
fn any_world() -> impl Strategy<Value = Vec<Held>> {
    let files = prop::collection::vec(any_file(), 1..8);
    let descriptors =
        prop::collection::vec((0_u32..4, 0_u32..6, any::<prop::sample::Index>()), 1..16);
    (files, descriptors).prop_map(|(files, descriptors)| {
        let held = descriptors.iter().map(|(pid, fd, at)| {
            let at = at.index(files.len());
            held(*pid, *fd, at as u64, files[at].clone())
        });
        let mut held: Vec<_> = held.collect();
        held.sort_by_key(Held::place);
        held.dedup_by_key(|held| held.place());
        held
    })
}

proptest! {
    #[test]
    fn whoever_is_at_the_other_end_has_this_one_at_its_other_end(world in any_world()) {
        let sweep = sweep(world);
        for held in sweep.held() {
            for peer in sweep.ends(held.pid, &held.file).peers.held() {
                let back = sweep.ends(peer.pid, &peer.file);
                prop_assert!(
                    back.peers.held().iter().any(|held_back| held_back.place() == held.place()),
                    "{held} -> {peer}"
                );
            }
        }
    }

    #[test]
    fn who_holds_a_file_is_the_same_whoever_is_asked(world in any_world()) {
        let sweep = sweep(world);
        for held in sweep.held() {
            let ends = sweep.ends(held.pid, &held.file);
            let holders = ends.holders.unwrap();
            prop_assert!(holders.held.iter().any(|other| other.place() == held.place()));
            for other in &holders.held {
                let theirs = sweep.ends(other.pid, &other.file).holders;
                prop_assert_eq!(theirs.as_ref(), Some(&holders));
            }
        }
    }

    /// What a search passes over is in no answer.
    #[test]
    fn a_search_leaves_out_nothing_that_matters(world in any_world()) {
        let all = sweep(world.clone());
        for held in &world {
            let search = Search::of([&*held.file]);
            let wanted = world.iter().filter(|other| search.wants(&other.file)).cloned();
            let some = sweep(wanted.collect());
            prop_assert_eq!(
                some.ends(held.pid, &held.file), all.ends(held.pid, &held.file)
            );
            for other in world.iter().filter(|other| search.wants(&other.file)) {
                let file = &other.file;
                let inode = file.dev.zip(file.ino.get());
                prop_assert!(search.may_want(file.id, file.kind == Kind::Socket, inode));
            }
        }
    }
}
