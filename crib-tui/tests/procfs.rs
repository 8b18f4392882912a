//! What /proc tells of a process that is this one, or a child that does what a test needs.

mod silent;

use std::fs::{self, File as StdFile};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crib_tui::model::{
    Device, File, Kind, Process, ProcessState, Queued, ReadError, Shutdown, Source, State, Text,
    Watch,
};
use crib_tui::procfs;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{CWD, FileType, MemfdFlags, Mode, OFlags, inotify, memfd_create, mknodat};
use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink};

fn own() -> u32 {
    std::process::id()
}

/// Reads the rows of this process; rows of other tests are among them.
fn rows() -> Vec<File> {
    let reading = procfs::files(own()).unwrap();
    assert_eq!(reading.source, Source::Procfs);
    assert!(reading.files.is_sorted_by_key(|file| (file.tid, file.fd)));
    reading.files.into_iter().map(std::sync::Arc::unwrap_or_clone).collect()
}

fn row_of(rows: &[File], fd: &impl AsRawFd) -> File {
    let fd = fd.as_raw_fd() as u32;
    let mut found = rows.iter().filter(|file| file.fd == Some(fd) && file.tid.is_none());
    let row = found.next().unwrap_or_else(|| panic!("no row for descriptor {fd}"));
    assert!(found.next().is_none(), "two rows for descriptor {fd}");
    row.clone()
}

fn row(fd: &impl AsRawFd) -> File {
    row_of(&rows(), fd)
}

/// The link as /proc has it must be what the row says, put together again.
fn assert_link(row: &File) {
    let link = fs::read_link(format!("/proc/self/fd/{}", row.fd.unwrap())).unwrap();
    let mut expected = row.path.as_ref().unwrap().as_bytes().to_vec();
    if row.deleted.unwrap() {
        expected.extend(b" (deleted)");
    }
    assert_eq!(Text::from(link.into_os_string().into_encoded_bytes()), Text::from(expected));
}

/// This thread's id.
fn own_tid() -> u32 {
    let link = fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// A socket that children do not inherit.
fn new_socket(family: AddressFamily, kind: SocketType) -> OwnedFd {
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap()
}

/// A child that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_regular_file_has_all_its_fields() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b\n\u{1b}[31m");
    let mut file = StdFile::options().append(true).create(true).open(&path).unwrap();
    file.write_all(b"hello").unwrap();
    let row = row(&file);
    let stat = rustix::fs::fstat(&file).unwrap();
    assert_eq!(row.kind, Kind::Regular);
    assert_eq!(row.mode.unwrap().name(), "w");
    let names: Vec<_> = row.flags.unwrap().names().collect();
    assert!(names.starts_with(&["O_WRONLY", "O_APPEND"]), "{names:?}");
    assert_eq!(row.cloexec, Some(true));
    assert_eq!(row.pos, 5.into());
    assert_eq!(row.size, 5.into());
    assert_eq!(row.ino.get(), Some(stat.st_ino));
    assert_eq!(row.dev, Some(Device::from_stat(stat.st_dev)));
    assert_eq!(row.deleted, Some(false));
    assert_eq!(row.path, Some(Text::from(path.into_os_string().into_encoded_bytes())));
    assert_eq!((row.refs, row.ops.as_deref(), row.rdev), (None, None, None));
}

#[test]
fn a_deleted_file_is_told_from_one_named_so() {
    let dir = tempfile::tempdir().unwrap();
    let create = |name: &str| {
        let path = dir.path().join(name);
        (StdFile::create(&path).unwrap(), path)
    };
    let (gone, gone_path) = create("gone");
    fs::remove_file(&gone_path).unwrap();
    let (named_so, _) = create("kept (deleted)");
    let (both, both_path) = create("both (deleted)");
    fs::remove_file(&both_path).unwrap();
    let (linked, linked_path) = create("linked");
    fs::hard_link(&linked_path, dir.path().join("other name")).unwrap();
    fs::remove_file(&linked_path).unwrap();
    // The name that the kernel's mark makes of it belongs to another file.
    let (_decoy, _) = create("linked (deleted)");

    let rows = rows();
    for (file, deleted, name) in [
        (&gone, true, "gone"),
        (&named_so, false, "kept (deleted)"),
        (&both, true, "both (deleted)"),
        (&linked, true, "linked"),
    ] {
        let row = row_of(&rows, file);
        assert_eq!(row.deleted, Some(deleted), "{name}");
        let path = row.path.as_ref().unwrap();
        assert!(path.as_bytes().ends_with(name.as_bytes()), "{path}");
        assert_link(&row);
    }
}

#[test]
fn a_path_longer_than_a_page_is_unknown_and_its_row_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let name = "d".repeat(250);
    let mut at: OwnedFd = StdFile::open(dir.path()).unwrap().into();
    for _ in 0..20 {
        rustix::fs::mkdirat(&at, &name, Mode::RWXU).unwrap();
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        at = rustix::fs::openat(&at, &name, flags, Mode::empty()).unwrap();
    }
    let row = row(&at);
    assert_eq!(row.kind, Kind::Directory);
    assert_eq!((row.path, row.deleted), (None, None));
}

#[test]
fn each_kind_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let symlink = dir.path().join("symlink");
    std::os::unix::fs::symlink("nowhere", &symlink).unwrap();
    let named_memfd = dir.path().join("memfd:x");
    let open = |path: &std::path::Path, flags| {
        rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::RWXU).unwrap()
    };
    let (pipe, _writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let timer = rustix::time::timerfd_create(
        rustix::time::TimerfdClockId::Monotonic,
        rustix::time::TimerfdFlags::CLOEXEC,
    );
    let own_pid = rustix::process::getpid();
    let expected: Vec<(Kind, OwnedFd)> = vec![
        (Kind::Directory, open(dir.path(), OFlags::DIRECTORY)),
        (Kind::Regular, open(&named_memfd, OFlags::CREATE | OFlags::RDWR)),
        (Kind::Char, open("/dev/null".as_ref(), OFlags::RDWR)),
        (Kind::Fifo, open(&fifo, OFlags::RDWR)),
        (Kind::Symlink, open(&symlink, OFlags::PATH | OFlags::NOFOLLOW)),
        (Kind::Namespace, open("/proc/self/ns/net".as_ref(), OFlags::RDONLY)),
        (Kind::Pipe, pipe),
        (Kind::Memfd, memfd_create("x (deleted)", MemfdFlags::CLOEXEC).unwrap()),
        (Kind::Eventfd, eventfd(0, EventfdFlags::CLOEXEC).unwrap()),
        (Kind::Eventpoll, epoll::create(epoll::CreateFlags::CLOEXEC).unwrap()),
        (Kind::Timerfd, timer.unwrap()),
        (Kind::Inotify, inotify::init(inotify::CreateFlags::CLOEXEC).unwrap()),
        (
            Kind::Pidfd,
            rustix::process::pidfd_open(own_pid, rustix::process::PidfdFlags::empty()).unwrap(),
        ),
        (Kind::Socket, UdpSocket::bind("127.0.0.1:0").unwrap().into()),
    ];
    let rows = rows();
    for (kind, fd) in &expected {
        let row = row_of(&rows, fd);
        assert_eq!(row.kind, *kind, "{row:?}");
        assert_link(&row);
        assert_eq!(row.socket.is_some(), *kind == Kind::Socket);
        assert_eq!(row.pipe.is_some(), matches!(kind, Kind::Pipe | Kind::Fifo));
        assert_eq!(row.epoll.is_some(), *kind == Kind::Eventpoll);
        assert_eq!(row.rdev, (*kind == Kind::Char).then_some(Device::new(1, 3)));
        assert!(row.id.is_some());
    }
    let symlink = row_of(&rows, &expected[4].1);
    assert_eq!(symlink.mode.unwrap().name(), "-");
}

#[test]
fn an_epoll_instance_tells_what_it_watches() {
    let watched = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let instance = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let events = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&instance, &watched, epoll::EventData::new_u64(0x1234_5678_9abc), events).unwrap();
    let watches = row(&instance).epoll.unwrap().watches;
    let fd = watched.as_raw_fd() as u32;
    // The kernel itself adds what is always reported (fs/eventpoll.c, `do_epoll_ctl`).
    let events = 0x8000_0001 | 0x18;
    assert_eq!(watches, [Watch { fd, events, data: 0x1234_5678_9abc, ready: None, file: None }]);
}

#[test]
fn a_tcp_connection_has_both_ends_and_its_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"hello, world\n").unwrap();
    // With the first byte read the rest has arrived: it was one segment.
    server.read_exact(&mut [0]).unwrap();

    let _waiting = TcpStream::connect(address).unwrap();
    let listening = *row(&listener).socket.unwrap();
    assert_eq!(listening.state, Some(State::LISTEN));
    assert_eq!(listening.local, Some(address.to_string().into()));
    assert_eq!(listening.remote, Some(Text::default()));
    assert_eq!(listening.accept.unwrap().pending, 1);
    assert!(listening.accept.unwrap().max > 1);
    let connected = *row(&server).socket.unwrap();
    assert_eq!(connected.family.unwrap().name(), "inet");
    assert_eq!(connected.kind.unwrap().name(), "stream");
    assert_eq!(connected.protocol.unwrap().name(), "tcp");
    assert_eq!(connected.state, Some(State::ESTABLISHED));
    assert_eq!(connected.remote, Some(client.local_addr().unwrap().to_string().into()));
    assert_eq!(connected.recv.unwrap().payload, Some(12));
    assert!(connected.recv.unwrap().memory.unwrap() > 12);
    let rcvbuf = rustix::net::sockopt::socket_recv_buffer_size(&server).unwrap();
    assert_eq!(connected.rcvbuf, Some(rcvbuf as u32));
    let netns = fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(format!("net:[{}]", connected.netns.unwrap()), netns.to_str().unwrap());

    // The FIN that follows is no payload.
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let closing = loop {
        let socket = *row(&server).socket.unwrap();
        if socket.state != Some(State::ESTABLISHED) {
            break socket;
        }
    };
    assert_eq!(closing.state.unwrap().name(), "CLOSE-WAIT");
    assert_eq!(closing.recv.unwrap().payload, Some(12));
}

#[test]
fn a_udp_queue_is_memory_and_only_an_empty_one_has_known_bytes() {
    let receiver = UdpSocket::bind("[::1]:0").unwrap();
    let address = receiver.local_addr().unwrap();
    let empty = row(&receiver).socket.unwrap();
    assert_eq!(empty.recv, Some(Queued { messages: Some(0), payload: Some(0), memory: Some(0) }));
    assert_eq!(empty.state, Some(State::Unconnected));
    assert_eq!(empty.local, Some(address.to_string().into()));
    UdpSocket::bind("[::1]:0").unwrap().send_to(b"hello", address).unwrap();
    let full = row(&receiver).socket.unwrap().recv.unwrap();
    assert!(full.memory.unwrap() > 5, "{full:?}");
    assert_eq!((full.messages, full.payload), (None, None));
}

#[test]
fn unix_sockets_have_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b\nc");
    let listener = UnixListener::bind(&path).unwrap();
    let name = format!("crib-top\0test-{}", own());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let datagram = UnixDatagram::bind_addr(&address).unwrap();
    let (one, mut other) = UnixStream::pair().unwrap();
    other.write_all(b"hello, world\n").unwrap();

    let rows = rows();
    let socket = |fd: &dyn AsRawFd| *row_of(&rows, &fd.as_raw_fd()).socket.unwrap();
    let listening = socket(&listener);
    assert_eq!(listening.state, Some(State::LISTEN));
    assert_eq!(listening.local, Some(Text::from(path.into_os_string().into_encoded_bytes())));
    let bound = socket(&datagram);
    assert_eq!(bound.local, Some(format!("@{name}").into()));
    assert_eq!(bound.kind.unwrap().name(), "dgram");
    assert_eq!(bound.state, Some(State::Unconnected));
    let unnamed = socket(&one);
    assert_eq!(unnamed.local, Some(Text::default()));
    assert_eq!(unnamed.state, Some(State::ESTABLISHED));
    assert_eq!(unnamed.family.unwrap().name(), "unix");
    assert_eq!(unnamed.recv.unwrap().payload, Some(13));
    assert_eq!(unnamed.peer.unwrap().ino, row_of(&rows, &other).ino.get());
    assert_eq!(unnamed.shutdown, Some(Shutdown::None));
    assert_eq!(socket(&other).send.unwrap().payload, None);
    assert!(socket(&other).send.unwrap().memory.unwrap() > 13);
    // std listens with a backlog of 128 or the most there may be.
    assert!(listening.accept.unwrap().max > 0);
}

#[test]
fn a_socket_that_no_table_has_still_tells_its_protocol() {
    let unbound = new_socket(AddressFamily::INET6, SocketType::STREAM);
    let socket = row(&unbound).socket.unwrap();
    assert_eq!(socket.family.unwrap().name(), "inet6");
    assert_eq!(socket.protocol.unwrap().name(), "tcp");
    assert_eq!((socket.state, socket.local, socket.recv), (None, None, None));
}

/// The table of unix sockets has names as they are, whoever gave them.
#[test]
fn the_name_of_a_unix_socket_makes_no_other_socket_look_like_one() {
    let unbound = new_socket(AddressFamily::INET, SocketType::STREAM);
    let ino = fs::metadata(format!("/proc/self/fd/{}", unbound.as_raw_fd())).unwrap().ino();
    let name = format!("x\nffff: 00000002 00000000 00010000 0001 01 {ino} /run/evil.sock");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _hostile = UnixDatagram::bind_addr(&address).unwrap();
    let socket = row(&unbound).socket.unwrap();
    assert_eq!(socket.family.unwrap().name(), "inet");
    assert_eq!((socket.state, socket.local), (None, None));
}

#[test]
fn a_netlink_socket_has_protocol_and_port() {
    let socket = new_socket(AddressFamily::NETLINK, SocketType::RAW);
    rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, 0)).unwrap();
    let row = row(&socket).socket.unwrap();
    assert_eq!(row.protocol.unwrap().name(), "route");
    assert!(!row.local.unwrap().is_empty());
    assert_eq!(row.drops, Some(0));
}

#[test]
fn a_thread_with_a_table_of_its_own_has_rows_of_its_own() {
    let (told, tell) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
        let file = StdFile::open("/dev/zero").unwrap();
        let tid = own_tid();
        told.send((tid, file.as_raw_fd() as u32)).unwrap();
        wait.recv().unwrap();
    });
    let (tid, fd) = tell.recv().unwrap();
    let reading = procfs::files(own()).unwrap();
    done.send(()).unwrap();
    thread.join().unwrap();
    assert!(reading.complete);
    let mut found = reading.files.iter().filter(|file| file.tid == Some(tid));
    let row = found.find(|file| file.fd == Some(fd)).unwrap();
    assert_eq!(row.path, Some(Text::from("/dev/zero")));
    assert!(reading.files.iter().any(|file| file.tid.is_none()));
}

#[test]
fn a_process_that_is_not_there_is_said_not_to_be() {
    for pid in [0, i32::MAX as u32, u32::MAX] {
        let error = procfs::files(pid).unwrap_err();
        assert!(matches!(error, ReadError::NoProcess(named) if named == pid), "{error}");
        assert!(matches!(procfs::process(pid), Err(ReadError::NoProcess(_))));
    }
}

/// What an unprivileged user is told of a process of another one.
fn assert_refused(pid: u32) {
    let error = procfs::files(pid).unwrap_err();
    assert!(matches!(error, ReadError::Missing { .. }), "{error:?}");
    let message = error.to_string();
    let uid = rustix::process::geteuid().as_raw();
    assert!(message.contains(&format!("may not be read by uid {uid}; run as root: sudo ")));
    assert!(!message.contains('\n'));
    let reading = procfs::processes().unwrap();
    let (process, totals) = reading.processes.iter().find(|(p, _)| p.pid == pid).unwrap();
    assert!(process.start_ticks > 0);
    // The kernel may tell how many there are, not which.
    assert!(totals.is_none_or(|totals| totals.fd_count > 0 && totals.sockets.is_none()));
}

#[test]
fn the_files_of_another_user_are_refused_with_a_remedy() {
    const TARGET: &str = "CRIB_TOP_TEST_TARGET";
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        let target = std::env::var(TARGET).map_or(1, |pid| pid.parse().unwrap());
        return assert_refused(target);
    }
    // Root is never refused: this very test once more, as someone else, from where they may
    // run it.
    let dir = tempfile::tempdir().unwrap();
    let everyone = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path(), everyone).unwrap();
    let program = dir.path().join("procfs");
    // By another process: while one of ours has it open for writing, a test that forks at that
    // moment hands on the descriptor, and the program is busy (ETXTBSY).
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let output = Command::new(program)
        .args(["--exact", "the_files_of_another_user_are_refused_with_a_remedy"])
        .env(TARGET, own().to_string())
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

#[test]
fn a_program_on_a_server_that_is_gone_is_known_without_asking_it() {
    let Some(server) = silent::Silent::mount(fs::read("/bin/cat").unwrap()) else {
        let test = "a_program_on_a_server_that_is_gone_is_known_without_asking_it";
        writeln!(std::io::stderr(), "SKIPPED {test}: no FUSE file system can be mounted").unwrap();
        return;
    };
    let mut cat = Command::new(server.file());
    let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // What it needs of its program it has read when it has done its work once.
    let mut answer = [0; 6];
    cat.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
    cat.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
    server.fall_silent();
    let (told, answers) = std::sync::mpsc::channel();
    let pid = cat.id();
    std::thread::spawn(move || told.send(procfs::another_program(pid, own())));
    let answer = answers.recv_timeout(std::time::Duration::from_secs(20));
    cat.kill().unwrap();
    drop(server);
    cat.wait().unwrap();
    assert_eq!(answer, Ok(true));
}

#[test]
fn a_thread_is_told_from_a_process() {
    let (told, tell) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        told.send(own_tid()).unwrap();
        wait.recv().unwrap();
    });
    let named = tell.recv().unwrap();
    let error = procfs::process(named).unwrap_err();
    done.send(()).unwrap();
    thread.join().unwrap();
    assert!(
        matches!(error, ReadError::Thread { tid, pid } if tid == named && pid == own()),
        "{error}"
    );
}

#[test]
fn a_zombie_has_no_files_and_is_said_to_be_one() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    let reading = loop {
        match procfs::files(pid) {
            Ok(reading) if reading.process.state == ProcessState::Zombie => break reading,
            // It has not ended yet, or ended just now.
            Ok(_) | Err(ReadError::Ended { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    };
    child.wait().unwrap();
    assert_eq!(reading.files, []);
    assert!(reading.complete);
    assert!(matches!(procfs::files(pid), Err(ReadError::NoProcess(_))));
}

#[test]
fn a_process_that_ends_midway_is_not_shown_half() {
    for _ in 0..20 {
        let mut command = Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = child.id();
        let whole = procfs::files(pid).unwrap().files.len();
        child.kill().unwrap();
        loop {
            match procfs::files(pid) {
                Ok(reading) if reading.process.state == ProcessState::Zombie => break,
                Ok(reading) => assert_eq!(reading.files.len(), whole),
                Err(error) => assert!(matches!(error, ReadError::Ended { .. }), "{error}"),
            }
        }
        child.wait().unwrap();
    }
}

#[test]
fn a_header_has_name_user_limit_and_command() {
    let child =
        Command::new("cat").arg("-").arg("a\n b").stdin(Stdio::piped()).spawn().map(Ended).unwrap();
    let process = loop {
        // Until exec it has the name of this program.
        let process = procfs::process(child.0.id()).unwrap();
        if process.comm == Text::from("cat") && !process.cmdline.is_empty() {
            break process;
        }
    };
    assert_eq!(process.cmdline, Text::from("cat - a\n b"));
    assert_eq!(process.uid, Some(rustix::process::getuid().as_raw()));
    assert!(process.start_ticks > 0);
    assert_eq!(process.state, ProcessState::Alive);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    assert_eq!(process.fd_limit, limit);
    assert_eq!(process.other_mounts, Some(false));
    // Lists leave that out, of which nobody asks them.
    let process = Process { other_mounts: None, ..process };
    let listed = procfs::process_list().unwrap();
    assert_eq!(listed.iter().find(|other| other.pid == process.pid), Some(&process));
}

#[test]
fn the_sweep_counts_files_and_sockets() {
    let (one, _other) = UnixStream::pair().unwrap();
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(OwnedFd::from(one));
    let mut child = command.spawn().map(Ended).unwrap();
    // Once it answers, it has opened all that it ever opens.
    child.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    child.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let pid = child.0.id();
    let reading = procfs::processes().unwrap();
    let totals = reading.processes.into_iter().find(|(process, _)| process.pid == pid);
    let totals = totals.unwrap().1.unwrap();
    // This program's parent may have left it files to inherit.
    let links: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap())
        .collect();
    let sockets = links.iter().filter(|link| link.to_string_lossy().starts_with("socket:["));
    assert_eq!(totals.fd_count, links.len() as u64);
    assert_eq!(totals.sockets, Some(sockets.count() as u64));
    // Nobody has written to the socket, nor has it: not unknown, nothing.
    assert_eq!((totals.recv_payload, totals.send_payload), (Some(0), Some(0)));
    let files = procfs::files(pid).unwrap().files;
    assert_eq!(files.len(), links.len());
    assert!(files[2].socket.is_some());
    assert!(files.iter().all(|file| file.cloexec == Some(false)));
}

#[test]
fn identity_outlives_a_new_name_and_not_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let file = StdFile::create(&path).unwrap();
    let before = row(&file);
    fs::rename(&path, dir.path().join("y")).unwrap();
    let after = row(&file);
    assert_ne!(before.path, after.path);
    assert_eq!(before.key(), after.key());
    let other = StdFile::create(&path).unwrap();
    assert_ne!(row(&other).id, after.id);
}
