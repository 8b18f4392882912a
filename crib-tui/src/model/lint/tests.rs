//! Each lint both ways, by hand-made files; tests/lints.rs does it with real ones.

use super::*;
use crate::model::{
    Accept, Family, Kind, OpenFlags, OtherEnd, Peer, Protocol, Queued, Shutdown, Socket,
    SocketType, State, sample,
};

/// The sample's TCP connection, changed.
fn tcp(change: impl FnOnce(&mut Socket)) -> File {
    let mut file = sample::files().remove(3);
    let socket = file.socket.as_mut().unwrap();
    socket.recv = queued(0, 0);
    change(socket);
    file
}

/// The sample's unix socket, connected, changed.
fn unix(change: impl FnOnce(&mut Socket)) -> File {
    let mut file = sample::files().remove(4);
    let socket = file.socket.as_mut().unwrap();
    socket.accept = None;
    change(socket);
    file
}

fn udp(change: impl FnOnce(&mut Socket)) -> File {
    tcp(|socket| {
        socket.kind = Some(SocketType(libc::SOCK_DGRAM as u16));
        socket.protocol = Some(Protocol { family: Family::INET, number: 17 });
        change(socket);
    })
}

fn queued(messages: u64, payload: u64) -> Option<Queued> {
    Some(Queued { messages: Some(messages), payload: Some(payload), memory: None })
}

/// A day after the first reading.
const NOW: Duration = Duration::from_secs(86_400);

fn ago(seconds: u64) -> Duration {
    NOW - Duration::from_secs(seconds)
}

/// The names of what is found.
fn found(file: &File, given: Given<'_>) -> Vec<&'static str> {
    let given = Given { now: Some(NOW), ..given };
    let process = sample::process();
    let subject = Subject { process: &process, file, given };
    let names: Vec<_> = subject.found().iter().map(Lint::name).collect();
    // What is told is what is found.
    let told: Vec<_> = subject.findings().iter().map(|finding| finding.lint.name()).collect();
    assert_eq!(names, told);
    names
}

fn plain(file: &File) -> Vec<&'static str> {
    found(file, Given::default())
}

fn timed(file: &File, timing: Timing) -> Vec<&'static str> {
    found(file, Given { timing: Some(&timing), ..Given::default() })
}

fn known(file: &File, tcp: Tcp) -> Vec<&'static str> {
    found(file, Given { tcp: Some(&tcp), ..Given::default() })
}

const NOTHING: [&str; 0] = [];

#[test]
fn names_are_unique_and_kebab_case_and_every_lint_explains_itself() {
    for lint in Lint::ALL {
        assert_eq!(Lint::from_name(lint.name()), Some(lint));
        assert!(lint.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        assert!(!lint.summary().is_empty() && !lint.means().is_empty());
        assert!(LintSet::ALL.has(lint) && !LintSet::ALL.without(lint).has(lint));
    }
    assert_eq!(LintSet::ALL.iter().count(), Lint::ALL.len());
    assert!(LintSet::NONE.is_empty());
}

#[test]
fn every_lint_has_its_rule_in_the_documentation() {
    let text = include_str!("../../../../docs/lints.md");
    for lint in Lint::ALL {
        assert!(text.contains(&format!("| `{}` |", lint.name())), "{}", lint.name());
    }
}

#[test]
fn nothing_is_found_in_an_unknown_file_whatever_else_is_known() {
    let timing = Timing {
        recv: Some(ago(60)),
        send: Some(ago(60)),
        close_wait: Some(ago(60)),
        drops: Some(Drops { count: 5, since: ago(60), last: ago(0) }),
        lost_peer: true,
    };
    let tcp = Tcp { snd_wnd: Some(0), retransmits: Some(9), ..Tcp::default() };
    let given = Given { timing: Some(&timing), tcp: Some(&tcp), ..Given::default() };
    assert_eq!(found(&File::unknown(Some(3)), given), NOTHING);
}

#[test]
fn close_wait_for_long() {
    let wait = |unread| {
        tcp(|socket| (socket.state, socket.recv) = (Some(State::CLOSE_WAIT), queued(1, unread)))
    };
    let lasts = |seconds| Timing { close_wait: Some(ago(seconds)), ..Timing::default() };
    assert_eq!(timed(&wait(0), lasts(5)), ["close-wait"]);
    assert_eq!(timed(&wait(0), lasts(4)), NOTHING);
    assert_eq!(timed(&wait(7), lasts(5)), ["close-wait-unread"]);
    assert_eq!(plain(&wait(7)), NOTHING, "one reading knows no time");
    // But TCP may.
    let quiet = |seconds| Tcp { last_ack: Some(Duration::from_secs(seconds)), ..Tcp::default() };
    assert_eq!(known(&wait(7), quiet(5)), ["close-wait-unread"]);
    assert_eq!(known(&wait(7), quiet(4)), NOTHING);
    assert_eq!(known(&tcp(|_| {}), quiet(60)), NOTHING, "it is not closed");
    assert!(needs_details(&wait(0)));
    // It is still being answered.
    let mut answering = wait(0);
    answering.socket.as_mut().unwrap().send = queued(1, 5);
    assert_eq!(timed(&answering, lasts(60)), NOTHING);
    // Or was a moment ago, and is between two answers.
    let given = |seconds| {
        let (tcp, timing) = (quiet(seconds), lasts(60));
        found(&wait(0), Given { tcp: Some(&tcp), timing: Some(&timing), ..Given::default() })
    };
    assert_eq!(given(4), NOTHING);
    assert_eq!(given(5), ["close-wait"]);
    // Whether something is unread is not known.
    let mut unknown = wait(0);
    unknown.socket.as_mut().unwrap().recv = None;
    assert_eq!(timed(&unknown, lasts(60)), NOTHING);
}

#[test]
fn a_connection_that_is_over_and_held() {
    let closed = |remote: &str| {
        tcp(|socket| {
            (socket.state, socket.remote) = (Some(State::Tcp(7)), Some(remote.into()));
        })
    };
    assert_eq!(plain(&closed("127.0.0.1:4711")), ["tcp-closed-held"]);
    // What a program was told of, and what it was not, is in CLOSE with the same address.
    let seen = |error| {
        let mut file = closed("127.0.0.1:4711");
        file.socket.as_mut().unwrap().error = error;
        let process = sample::process();
        let given = Given { wanted: LintSet::NONE.with(Lint::TcpClosedHeld), ..Given::default() };
        Subject { process: &process, file: &file, given }.findings().remove(0).seen
    };
    for unknown in [None, Some(0), Some(libc::ETIMEDOUT)] {
        let seen = seen(unknown.map(|error| error as u32));
        let either = "in CLOSE, it was connected, or tried to connect, to 127.0.0.1:4711";
        assert!(seen.starts_with(either), "{seen}");
    }
    let refused = seen(Some(libc::ECONNREFUSED as u32));
    assert!(refused.starts_with("in CLOSE, it tried to connect to 127.0.0.1:4711,"), "{refused}");
    let reset = seen(Some(libc::ECONNRESET as u32));
    assert!(reset.starts_with("in CLOSE, it was connected to 127.0.0.1:4711,"), "{reset}");
    // Not connected yet, or in vain, and told so by connect(2).
    assert_eq!(plain(&closed("")), NOTHING);
    assert_eq!(plain(&closed("127.0.0.1:0")), NOTHING);
    assert_eq!(plain(&tcp(|_| {})), NOTHING);
    let unconnected = udp(|socket| socket.state = Some(State::Unconnected));
    assert_eq!(plain(&unconnected), NOTHING);
}

#[test]
fn a_window_of_zero_with_something_to_send() {
    let sending = tcp(|socket| socket.send = queued(1, 5));
    let window = |bytes| Tcp { snd_wnd: bytes, ..Tcp::default() };
    assert_eq!(known(&sending, window(Some(0))), ["zero-window"]);
    assert_eq!(known(&sending, window(Some(1))), NOTHING);
    assert_eq!(known(&sending, window(None)), NOTHING);
    assert_eq!(known(&tcp(|_| {}), window(Some(0))), NOTHING, "nothing is to be sent");
    // As it is in a dump.
    let mut dumped = sending;
    dumped.socket.as_mut().unwrap().tcp = Some(Box::new(window(Some(0))));
    assert_eq!(plain(&dumped), ["zero-window"]);
}

#[test]
fn two_retransmissions_in_a_row() {
    let sending = tcp(|socket| socket.send = queued(1, 5));
    let times = |times| Tcp { retransmits: times, ..Tcp::default() };
    assert_eq!(known(&sending, times(Some(2))), ["retransmitting"]);
    assert_eq!(known(&sending, times(Some(1))), NOTHING);
    assert_eq!(known(&sending, times(None)), NOTHING);
    let connecting = tcp(|socket| socket.state = Some(State::Tcp(2)));
    assert_eq!(known(&connecting, times(Some(3))), ["retransmitting"]);
    assert!(needs_details(&sending) && needs_details(&connecting));
    assert!(!needs_details(&tcp(|_| {})) && !needs_details(&unix(|s| s.send = queued(1, 5))));
}

#[test]
fn a_send_queue_that_does_not_shrink() {
    let sending = unix(|socket| socket.send = queued(1, 5));
    let lasts = |seconds| Timing { send: Some(ago(seconds)), ..Timing::default() };
    assert_eq!(timed(&sending, lasts(5)), ["send-stuck"]);
    assert_eq!(timed(&sending, lasts(4)), NOTHING);
    assert_eq!(plain(&sending), NOTHING);
}

#[test]
fn a_pending_error() {
    let error = |error| tcp(|socket| socket.error = error);
    assert_eq!(plain(&error(Some(104))), ["socket-error"]);
    assert_eq!(plain(&error(Some(0))), NOTHING);
    assert_eq!(plain(&error(None)), NOTHING);
}

#[test]
fn unread_data_that_nothing_polls() {
    let lasts = |seconds| Timing { recv: Some(ago(seconds)), ..Timing::default() };
    let watched = |by: Option<&[u32]>| {
        let mut pipe = sample::files().remove(1);
        pipe.watched_by = by.map(|fds| std::sync::Arc::new(fds.to_vec()));
        pipe
    };
    assert_eq!(timed(&watched(Some(&[])), lasts(5)), ["unread-unpolled"]);
    assert_eq!(timed(&watched(Some(&[])), lasts(4)), NOTHING);
    assert_eq!(timed(&watched(Some(&[7])), lasts(60)), NOTHING);
    assert_eq!(timed(&watched(None), lasts(60)), NOTHING, "who watches it is not known");
    let timing = lasts(60);
    let elsewhere = Given { timing: Some(&timing), watched_by: Some(&[]), ..Given::default() };
    assert_eq!(found(&watched(None), elsewhere), ["unread-unpolled"]);
}

#[test]
fn an_accept_queue_that_is_full_or_nearly() {
    let listener = |pending, max| {
        tcp(|socket| {
            socket.state = Some(State::LISTEN);
            socket.accept = Some(Accept { pending, max });
        })
    };
    for (pending, max) in [(8, 10), (10, 10), (11, 10), (1, 0), (1, 1), (u32::MAX, u32::MAX)] {
        assert_eq!(plain(&listener(pending, max)), ["accept-full"], "{pending} of {max}");
    }
    for (pending, max) in [(7, 10), (0, 0), (0, 128)] {
        assert_eq!(plain(&listener(pending, max)), NOTHING, "{pending} of {max}");
    }
}

#[test]
fn drops_that_go_on() {
    let timing = |last| Timing {
        drops: Some(Drops { count: 3, since: ago(30), last: ago(last) }),
        ..Timing::default()
    };
    assert_eq!(timed(&udp(|_| {}), timing(10)), ["udp-drops"]);
    assert_eq!(timed(&udp(|_| {}), timing(11)), NOTHING, "it was long ago");
    assert_eq!(timed(&tcp(|_| {}), timing(0)), NOTHING);
    let before = udp(|socket| socket.drops = Some(9));
    assert_eq!(plain(&before), NOTHING, "when they were dropped is not known");
}

#[test]
fn a_peer_that_is_gone() {
    let with = |other_end| unix(|socket| (socket.peer, socket.other_end) = (None, Some(other_end)));
    assert_eq!(plain(&with(OtherEnd::Closed)), ["peer-gone"]);
    // Whatever else may be seen of it.
    let lost = Timing { lost_peer: true, ..Timing::default() };
    for other_end in [OtherEnd::NotAccepted, OtherEnd::Nobody, OtherEnd::Open] {
        let mut file = with(other_end);
        file.socket.as_mut().unwrap().shutdown = Some(Shutdown::Both);
        assert_eq!(timed(&file, lost), NOTHING, "{other_end:?}");
    }
}

/// As over /proc, where neither one that was closed nor one that nobody has accepted has an inode.
#[test]
fn a_peer_of_which_nothing_is_told_was_seen_before() {
    let with = |kind: i32, shutdown, ino: Option<u64>| {
        unix(|socket| {
            socket.kind = Some(SocketType(kind as u16));
            (socket.shutdown, socket.other_end) = (shutdown, None);
            socket.peer = ino.map(|ino| Peer { pid: None, fd: None, ino: Some(ino) });
        })
    };
    let lost = Timing { lost_peer: true, ..Timing::default() };
    let closed = with(libc::SOCK_STREAM, Some(Shutdown::Both), None);
    assert_eq!(timed(&closed, lost), ["peer-gone"]);
    assert_eq!(plain(&closed), NOTHING, "it may wait to be accepted");
    let there = with(libc::SOCK_STREAM, Some(Shutdown::Both), Some(7));
    assert_eq!(timed(&there, lost), NOTHING, "it is shut down, and there");
    for shutdown in [Some(Shutdown::None), None] {
        assert_eq!(timed(&with(libc::SOCK_STREAM, shutdown, None), lost), NOTHING);
    }
    let datagram = with(libc::SOCK_DGRAM, Some(Shutdown::Both), None);
    assert_eq!(timed(&datagram, lost), NOTHING, "it may be connected to nobody any more");
}

#[test]
fn files_in_flight_that_nobody_takes() {
    let holds = |files| unix(|socket| (socket.inflight_files, socket.recv) = (files, queued(1, 1)));
    let lasts = |seconds| Timing { recv: Some(ago(seconds)), ..Timing::default() };
    assert_eq!(timed(&holds(Some(2)), lasts(5)), ["files-in-flight"]);
    assert_eq!(timed(&holds(Some(2)), lasts(4)), NOTHING);
    assert_eq!(timed(&holds(Some(0)), lasts(60)), NOTHING);
    assert_eq!(timed(&holds(None), lasts(60)), NOTHING);
}

#[test]
fn a_deleted_file_that_takes_space() {
    let file = |change: fn(&mut File)| {
        let mut file = sample::files().remove(2);
        change(&mut file);
        file
    };
    assert_eq!(plain(&file(|_| {})), ["deleted-open"]);
    assert_eq!(plain(&file(|file| file.deleted = Some(false))), NOTHING);
    assert_eq!(plain(&file(|file| file.size = 0.into())), NOTHING);
    assert_eq!(plain(&file(|file| file.kind = Kind::Memfd)), NOTHING);
    let temporary = |file: &mut File| file.flags = Some(OpenFlags(libc::O_TMPFILE as u32));
    assert_eq!(plain(&file(temporary)), NOTHING, "it never had a name");
}

#[test]
fn a_descriptor_that_came_over_exec_and_is_not_used() {
    let file = |change: fn(&mut File)| {
        let mut file = sample::files().remove(0);
        (file.fd, file.cloexec) = (Some(7), Some(false));
        change(&mut file);
        file
    };
    let parent =
        |seconds| Inherited { pid: 17, comm: "init".into(), unused: Duration::from_secs(seconds) };
    let found = |file: &File, parent: &Inherited| {
        found(file, Given { inherited: Some(parent), ..Given::default() })
    };
    assert_eq!(found(&file(|_| {}), &parent(5)), ["inherited-fd"]);
    assert_eq!(found(&file(|_| {}), &parent(4)), NOTHING);
    assert_eq!(plain(&file(|_| {})), NOTHING, "no parent is known to hold it");
    assert_eq!(found(&file(|file| file.fd = Some(2)), &parent(60)), NOTHING);
    assert_eq!(found(&file(|file| file.cloexec = Some(true)), &parent(60)), NOTHING);
    let watched = file(|file| file.watched_by = Some(std::sync::Arc::new(vec![4])));
    assert_eq!(found(&watched, &parent(60)), NOTHING);
}

#[test]
fn a_count_near_the_limit() {
    let found = |count, limit| {
        let process = Process { fd_limit: limit, ..sample::process() };
        of_process(&process, count, LintSet::ALL).len()
    };
    assert_eq!([found(820, Some(1024)), found(1024, Some(1024)), found(5, Some(0))], [1; 3]);
    assert_eq!([found(819, Some(1024)), found(1 << 20, None)], [0; 2]);
    assert!(of_process(&sample::process(), 1024, LintSet::NONE).is_empty());
}

#[test]
fn a_lint_that_is_not_wanted_finds_nothing() {
    let error = tcp(|socket| socket.error = Some(104));
    let wanted = LintSet::ALL.without(Lint::SocketError);
    assert_eq!(found(&error, Given { wanted, ..Given::default() }), NOTHING);
}

#[test]
fn every_finding_says_what_was_seen_what_it_means_and_what_to_look_at() {
    let timing = Timing {
        recv: Some(ago(61)),
        send: Some(ago(3_700)),
        close_wait: Some(ago(12)),
        drops: Some(Drops { count: 5, since: ago(30), last: ago(2) }),
        lost_peer: true,
    };
    let details = Tcp {
        snd_wnd: Some(0),
        backoff: Some(3),
        retransmits: Some(4),
        total_retransmits: Some(12),
        ..Tcp::default()
    };
    let parent = Inherited { pid: 17, comm: "we\x1bird".into(), unused: Duration::from_secs(9) };
    let mut files = vec![
        tcp(|socket| (socket.state, socket.recv) = (Some(State::CLOSE_WAIT), queued(0, 0))),
        tcp(|socket| {
            (socket.state, socket.recv) = (Some(State::CLOSE_WAIT), queued(1, 1));
            socket.send = queued(2, 9);
        }),
        tcp(|socket| {
            (socket.state, socket.error) = (Some(State::Tcp(7)), Some(104));
            socket.recv = queued(2, 9);
        }),
        udp(|socket| socket.drops = Some(9)),
        unix(|socket| {
            (socket.peer, socket.other_end) = (None, Some(OtherEnd::Closed));
            (socket.inflight_files, socket.recv) = (Some(1), queued(1, 1));
        }),
        tcp(|socket| {
            socket.state = Some(State::LISTEN);
            socket.accept = Some(Accept { pending: 129, max: 128 });
        }),
        sample::files().remove(2),
        sample::files().remove(1),
    ];
    for file in &mut files {
        (file.cloexec, file.watched_by) = (Some(false), Some(Default::default()));
    }
    let process = Process { fd_limit: Some(10), ..sample::process() };
    let mut text = String::new();
    let mut told = LintSet::NONE;
    let findings = files.iter().flat_map(|file| {
        let given = Given {
            now: Some(NOW),
            timing: Some(&timing),
            tcp: Some(&details),
            inherited: Some(&parent),
            ..Given::default()
        };
        Subject { process: &process, file, given }.findings()
    });
    for finding in findings.chain(of_process(&process, 9, LintSet::ALL)) {
        if !told.has(finding.lint) || finding.seen.contains("buffer") {
            told = told.with(finding.lint);
            let Finding { lint, seen, means, look } = finding;
            text += &format!(
                "{}\n  seen     {seen}\n  means    {means}\n  look at  {look}\n",
                lint.name()
            );
        }
    }
    assert_eq!(told, LintSet::ALL);
    insta::assert_snapshot!(text);
}
