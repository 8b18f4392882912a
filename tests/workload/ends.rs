//! Two processes with the two ends of files of each kind that has ends, and with files that they
//! share. The first one tells of its own, and who is at the other end.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::holder::Holder;
use crate::modes::{announce, wait_for_eof};
use crate::sys;

/// One of the files, before the second process is there.
struct End {
    kind: &'static str,
    label: &'static str,
    /// What the first process keeps.
    own: OwnedFd,
    /// What the second one gets, under the same number; the first one closes it.
    theirs: OwnedFd,
    /// What waits for the second process.
    sent: u64,
}

/// Has files, starts the other process, and tells what each of them has.
pub fn run() -> io::Result<()> {
    let mut holder = Holder::new()?;
    let mut ends = Vec::new();
    let mut end = |kind, label, (own, theirs): (OwnedFd, OwnedFd), sent: &[u8]| {
        if !sent.is_empty() {
            sys::write(own.as_fd(), sent)?;
        }
        ends.push(End { kind, label, own, theirs, sent: sent.len() as u64 });
        io::Result::Ok(())
    };
    let (own, theirs) = UnixStream::pair()?;
    end("socket", "unix-pair", (own.into(), theirs.into()), b"abc")?;
    end("socket", "unix-path", unix_by_path(&holder)?, b"to the server")?;
    end("socket", "tcp4", tcp(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)?, b"four")?;
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(listener) => {
            end("socket", "tcp6", tcp(listener)?, b"sixsix")?;
            end("socket", "tcp-mapped", tcp_mapped()?, b"mapped")?;
        }
        Err(error) => {
            holder.skip("tcp6", &error);
            holder.skip("tcp-mapped", &error);
        }
    }
    let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
    end("pipe", "pipe", (write, read), b"hello")?;
    end("fifo", "fifo", fifo(&holder)?, b"first")?;

    // Shared: both processes keep them.
    let eventfd = sys::eventfd(0, libc::EFD_CLOEXEC)?;
    let file = sys::open(&holder.dir().join("shared"), libc::O_RDWR | libc::O_CREAT)?;
    let (lone, lone_too) = (sys::memfd(c"alone")?, sys::memfd(c"twice")?);
    let twice = sys::dup(lone_too.as_fd())?;
    let passed = sys::memfd(c"passed")?;
    let (channel, theirs) = UnixStream::pair()?;
    sys::send_files(channel.as_fd(), b"x", &[passed.as_fd()])?;

    let inherited = ends.iter().map(|end| end.theirs.as_fd());
    for fd in inherited.chain([eventfd.as_fd(), file.as_fd(), theirs.as_fd()]) {
        sys::fcntl(fd, libc::F_SETFD, 0)?;
    }
    for fd in [&lone, &lone_too, &twice, &passed] {
        sys::fcntl(fd.as_fd(), libc::F_SETFD, libc::FD_CLOEXEC)?;
    }
    let mut other = Command::new(std::env::current_exe()?)
        .args(["ends-child", &theirs.as_raw_fd().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    drop(theirs);
    let mut line = String::new();
    let stdout = other.stdout.as_mut().ok_or_else(|| io::Error::other("no standard output"))?;
    BufReader::new(stdout).read_line(&mut line)?;
    let told: Value = serde_json::from_str(&line)?;
    let pid = other.id();
    let held_by = |pid: u32, fd: RawFd| json!({ "pid": pid, "comm": comm(pid), "fd": fd });
    let here = |fd: BorrowedFd<'_>| held_by(std::process::id(), fd.as_raw_fd());
    let there = |fd: RawFd| held_by(pid, fd);

    for End { kind, label, own, theirs, sent } in ends {
        let mut peer = there(theirs.as_raw_fd());
        let holders = json!([here(own.as_fd())]);
        let mut expect = json!({ "refs": 1, "holders": holders, "holder_count": 1 });
        if kind == "socket" {
            let ino = sys::stat(theirs.as_fd())?.st_ino;
            let first = json!({ "pid": pid, "fd": theirs.as_raw_fd(), "ino": ino });
            peer["mode"] = "rw".into();
            expect["socket"] = json!({ "peer": first, "peers": [peer] });
        } else {
            peer["mode"] = "r".into();
            expect["pipe"] = json!({ "bytes": sent, "peers": [peer] });
        }
        holder.add(kind, label, own, expect);
    }
    let mut peer = there(eventfd.as_raw_fd());
    peer["mode"] = "rw".into();
    let holders = |own: BorrowedFd<'_>, other: Value| json!({ "refs": 2, "holders": [here(own), other], "holder_count": 2 });
    let mut expect = holders(eventfd.as_fd(), there(eventfd.as_raw_fd()));
    expect["eventfd"] = json!({ "peers": [peer] });
    holder.add("eventfd", "eventfd", eventfd, expect);
    let expect = holders(file.as_fd(), there(file.as_raw_fd()));
    holder.add("regular", "shared", file, expect);
    let alone = json!({ "holders": [here(lone.as_fd())], "holder_count": 1 });
    holder.add("memfd", "alone", lone, alone);
    let expect = holders(lone_too.as_fd(), here(twice.as_fd()));
    holder.add("memfd", "dup", lone_too, expect.clone());
    holder.add("memfd", "dup-2", twice, expect);
    let fd = told["passed"].as_i64().and_then(|fd| RawFd::try_from(fd).ok());
    let fd = fd.ok_or_else(|| io::Error::other(format!("the child said {line:?}")))?;
    let expect = holders(passed.as_fd(), there(fd));
    holder.add("memfd", "passed", passed, expect);

    let mut report = holder.report()?;
    report.insert("other".into(), pid.into());
    announce(report)?;
    wait_for_eof()?;
    drop(other.stdin.take());
    other.wait().map(drop)
}

/// The other process: takes the file that comes through the socket `channel`, and holds what it
/// was given.
pub fn child(channel: RawFd) -> io::Result<()> {
    let channel = sys::inherited(channel);
    sys::poll(channel, libc::POLLIN, -1)?;
    let received = sys::message::receive(channel, 0, 16)?;
    let files = received.map(|received| received.files).unwrap_or_default();
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", json!({ "passed": files.first().map(AsRawFd::as_raw_fd) }))?;
    stdout.flush()?;
    wait_for_eof()
}

fn comm(pid: u32) -> String {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    comm.trim_end_matches('\n').to_owned()
}

fn unix_by_path(holder: &Holder) -> io::Result<(OwnedFd, OwnedFd)> {
    let path = holder.dir().join("ends");
    let listener = UnixListener::bind(&path)?;
    let client = UnixStream::connect(&path)?;
    let (server, _) = listener.accept()?;
    Ok((client.into(), server.into()))
}

fn tcp(listener: TcpListener) -> io::Result<(OwnedFd, OwnedFd)> {
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    Ok((client.into(), server.into()))
}

/// A client of IPv4, and a server that takes both.
fn tcp_mapped() -> io::Result<(OwnedFd, OwnedFd)> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))?;
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, listener.local_addr()?.port()))?;
    let (server, _) = listener.accept()?;
    Ok((client.into(), server.into()))
}

fn fifo(holder: &Holder) -> io::Result<(OwnedFd, OwnedFd)> {
    let path = holder.dir().join("fifo");
    sys::mkfifo(&path)?;
    let read = sys::open(&path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC)?;
    let write = sys::open(&path, libc::O_WRONLY | libc::O_CLOEXEC)?;
    Ok((write, read))
}
