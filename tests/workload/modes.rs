//! What the workload can be, other than a holder of chosen kinds.

use std::ffi::{CStr, CString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::holder::Holder;
use crate::kinds::{Constructor, KINDS};
use crate::queues::{LARGE as LARGE_QUEUES, QUEUES};
use crate::sys;

/// Prints the one line that says that everything is there.
pub fn announce(report: Map<String, Value>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", Value::Object(report))?;
    stdout.flush()
}

/// Waits until whoever started this closes its standard input.
pub fn wait_for_eof() -> io::Result<()> {
    io::stdin().lock().read_to_end(&mut Vec::new()).map(drop)
}

fn announce_and_wait(holder: &Holder) -> io::Result<()> {
    announce(holder.report()?)?;
    wait_for_eof()
}

fn construct(holder: &mut Holder, table: &[(&str, Constructor)], names: &[&str]) {
    for (label, construct) in table {
        if names.contains(label)
            && let Err(error) = construct(holder)
        {
            holder.skip(label, &error);
        }
    }
}

/// Holds files of the given kinds, in the table's order.
pub fn kinds(names: &[&str]) -> io::Result<()> {
    let mut holder = Holder::new()?;
    construct(&mut holder, KINDS, names);
    announce_and_wait(&holder)
}

/// Holds files whose queues are known byte by byte; when told to end, it takes everything out
/// and tells in a second line what came.
pub fn queues(names: &[&str]) -> io::Result<()> {
    let mut holder = Holder::new()?;
    construct(&mut holder, QUEUES, names);
    construct(&mut holder, LARGE_QUEUES, names);
    announce_and_wait(&holder)?;
    let mut report = Map::new();
    report.insert("drained".into(), holder.drain());
    announce(report)
}

/// Holds `count` files, each with a path of its own.
pub fn fds(count: usize) -> io::Result<()> {
    sys::raise_fd_limit()?;
    let mut holder = Holder::new()?;
    for n in 0..count {
        let path = holder.dir().join(format!("file-{n:06}"));
        let fd = sys::open(&path, libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC)?;
        holder.add("regular", format!("file-{n:06}"), fd, json!({ "size": 0 }));
    }
    announce_and_wait(&holder)
}

/// Of so many descriptors in a row each thousandth is of a file of its own, whose name is the
/// number; the others are of /dev/null where the number is even, and of /dev/zero.
pub fn million(count: usize) -> io::Result<()> {
    /// Below it are those that were inherited.
    const FIRST: usize = 1000;
    sys::set_fd_limits((FIRST + count + 10) as u64)?;
    let holder = Holder::new()?;
    let shared = [std::fs::File::open("/dev/null")?, std::fs::File::open("/dev/zero")?];
    for number in FIRST..FIRST + count {
        let own;
        let file = if number.is_multiple_of(1000) {
            let path = holder.dir().join(number.to_string());
            own = sys::open(&path, libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC)?;
            own.as_fd()
        } else {
            shared[number % 2].as_fd()
        };
        // The lowest that is free from there on; it stays open until the process ends.
        let fd = sys::fcntl(file, libc::F_DUPFD_CLOEXEC, number as i32)?;
        if fd as usize != number {
            return Err(io::Error::other(format!("descriptor {number} is taken")));
        }
    }
    let mut report = holder.report()?;
    report.insert("first".into(), FIRST.into());
    announce(report)?;
    wait_for_eof()
}

/// A thread with a descriptor table of its own, one that shares the process's, and a file
/// that only the one or the other table has.
pub fn threads() -> io::Result<()> {
    let mut holder = Holder::new()?;
    let common = sys::memfd(c"in both tables")?;
    holder.add("memfd", "in-both-tables", common, json!({ "refs": 2 }));
    let (tell, told) = mpsc::channel();
    let apart = thread::spawn(move || -> io::Result<()> {
        sys::unshare_files()?;
        let own: OwnedFd = sys::memfd(c"in the thread's table")?;
        let report = json!({ "tid": sys::gettid(), "fd": own.as_raw_fd() });
        tell.send(report).map_err(io::Error::other)?;
        loop {
            thread::park();
        }
    });
    let shares = thread::spawn(|| {
        loop {
            thread::park();
        }
    });
    let Ok(thread) = told.recv() else {
        // It ended before it could tell: its result says why.
        return apart.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")));
    };
    let own = sys::memfd(c"in the process's table")?;
    holder.add("memfd", "in-the-process's-table", own, json!({ "refs": 1 }));
    let mut report = holder.report()?;
    report.insert("thread".into(), thread);
    announce(report)?;
    wait_for_eof()?;
    drop(holder);
    // The other two threads never end by themselves.
    drop((apart, shares));
    std::process::exit(0);
}

/// Clears the screen, rings, turns text around by each sort of character that does (U+202E, U+200F,
/// U+061C, U+2067), parts lines (U+2028), and is no UTF-8.
const HOSTILE: &[u8] =
    b"\x1b[2J\x1b]0;owned\x07\n\r\xff\xc2\x9b31m\xe2\x80\xae\xe2\x80\x8f\xd8\x9c\
    \xe2\x81\xa7\xe2\x80\xa8\x7f x (deleted)";

/// Names that would harm a terminal, in every place where a process can choose one.
pub fn hostile() -> io::Result<()> {
    let mut holder = Holder::new()?;
    sys::set_comm(c"\x1b[2Jx\ny\xff\x9b;\"")?;
    let dir = sys::open(holder.dir(), libc::O_PATH | libc::O_DIRECTORY)?;
    let name = CString::new(HOSTILE)?;

    let create = libc::O_RDWR | libc::O_CREAT;
    let file = sys::openat(dir.as_fd(), &name, create)?;
    holder.add("regular", "hostile-file", file, json!({ "deleted": false }));
    let memfd = sys::memfd(&name)?;
    holder.add("memfd", "hostile-memfd", memfd, json!({}));
    deep_file(&mut holder, dir)?;

    let path = holder.dir().join(std::ffi::OsStr::from_bytes(&HOSTILE[..20]));
    let listener = UnixListener::bind(path)?;
    holder.add("socket", "hostile-path-socket", listener, json!({}));
    let mut name = HOSTILE[..20].to_vec();
    name.extend_from_slice(b"\0\0");
    name.extend_from_slice(std::process::id().to_string().as_bytes());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    // A message of the same kind, from one that is called so.
    let receiver = UnixDatagram::bind(holder.dir().join("mail"))?;
    socket.send_to(HOSTILE, holder.dir().join("mail"))?;
    holder.add("socket", "hostile-abstract-socket", socket, json!({}));
    holder.add("socket", "hostile-message", receiver, json!({}));
    announce_and_wait(&holder)
}

/// A file whose path is about 8,000 bytes long: more than any call takes or gives.
fn deep_file(holder: &mut Holder, top: OwnedFd) -> io::Result<()> {
    let name = CString::new([b'd'; 200])?;
    let name: &CStr = &name;
    let mut dir = top;
    let mut path = holder.dir().display().to_string();
    for _ in 0..40 {
        sys::mkdirat(dir.as_fd(), name)?;
        dir = sys::openat(dir.as_fd(), name, libc::O_PATH | libc::O_DIRECTORY)?;
        path = format!("{path}/{}", "d".repeat(200));
    }
    path.push_str("/deep");
    let file = sys::openat(dir.as_fd(), c"deep", libc::O_RDWR | libc::O_CREAT)?;
    holder.add("regular", "hostile-deep-file", file, json!({ "path": path }));
    Ok(())
}

/// Has a child that has ended and that nobody waits for.
pub fn zombie() -> io::Result<()> {
    let holder = Holder::new()?;
    let mut child = Command::new("/proc/self/exe")
        .args(["exit-after", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let stat = format!("/proc/{}/stat", child.id());
    // comm may hold anything but ends with the last parenthesis; the state follows (proc(5)).
    while !std::fs::read_to_string(&stat)?.rsplit(") ").next().is_some_and(|s| s.starts_with('Z')) {
        thread::sleep(Duration::from_millis(5));
    }
    let mut report = holder.report()?;
    report.insert("zombie".into(), child.id().into());
    announce(report)?;
    wait_for_eof()?;
    child.wait().map(drop)
}

/// Ends by itself.
pub fn exit_after(time: Duration) -> io::Result<()> {
    let holder = Holder::new()?;
    announce(holder.report()?)?;
    thread::sleep(time);
    Ok(())
}
