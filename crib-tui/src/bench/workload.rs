//! The processes that are looked into: children of ours, which hold files or sockets until
//! nobody is left who wants them.
//!
//! Each is this same executable, started with [`MARK`] and told by its arguments what to hold.
//! It waits for the end of its standard input, which comes when the benchmark ends, however it
//! ends, and then removes what it has made. It is in a process group of its own, so that Ctrl-C
//! reaches the benchmark and not the one that has to clean up.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Instant;

use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::BenchError;
use crate::privileges;

/// The first argument of such a process. No command, flag or process is called that.
pub const MARK: &str = "//bench-workload";

/// Descriptors that a process needs besides those that it holds for us.
pub const SPARE: u64 = 16;

/// What to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Regular files, each with a path of its own.
    Files {
        /// How many.
        fds: u32,
    },
    /// Unix sockets with packets in their receive queues.
    Sockets {
        /// How many.
        sockets: u32,
        /// Packets in each.
        packets: u32,
        /// Bytes of each packet.
        bytes: u32,
    },
    /// Nothing: it opens files when it is told to.
    Nothing,
}

impl Held {
    fn name(self) -> &'static str {
        match self {
            Self::Files { .. } => "files",
            Self::Sockets { .. } => "sockets",
            Self::Nothing => "nothing",
        }
    }

    fn numbers(self) -> Vec<u32> {
        match self {
            Self::Files { fds } => vec![fds],
            Self::Sockets { sockets, packets, bytes } => vec![sockets, packets, bytes],
            Self::Nothing => Vec::new(),
        }
    }

    fn from_arguments(name: &str, numbers: &[u32]) -> Option<Self> {
        match (name, numbers) {
            ("files", &[fds]) => Some(Self::Files { fds }),
            ("sockets", &[sockets, packets, bytes]) => {
                Some(Self::Sockets { sockets, packets, bytes })
            }
            ("nothing", []) => Some(Self::Nothing),
            _ => None,
        }
    }
}

/// The most descriptors that a process may have open (RLIMIT_NOFILE, the hard limit).
pub fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// A process that holds what it was told to, until this is dropped.
pub struct Workload {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    directory: PathBuf,
    fds: u64,
    /// Whether it has made the directory, which was not there before.
    has_made: bool,
}

impl Workload {
    /// Starts one, and waits until it holds everything.
    ///
    /// # Errors
    /// [`BenchError::Workload`] with what it says.
    pub fn start(held: Held) -> Result<Self, BenchError> {
        let failed = |why: String| BenchError::Workload { what: held.name(), why };
        let parts = (std::env::current_exe(), std::env::temp_dir().canonicalize());
        let (program, temporary) = match parts {
            (Ok(program), Ok(temporary)) => (program, temporary),
            (Err(error), _) | (_, Err(error)) => return Err(failed(error.to_string())),
        };
        let own = std::process::id();
        let directory = temporary.join(format!("crib-top-bench-{own}-{}", held.name()));
        let mut child = Command::new(program)
            .args([MARK, held.name()])
            .arg(&directory)
            .args(held.numbers().iter().map(u32::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        let mut workload = Self { child, stdin, stdout, directory, fds: 0, has_made: false };
        let line = workload.line().map_err(|error| failed(error.to_string()))?;
        match line.trim_end().split_once(' ') {
            Some(("holds", fds)) => {
                workload.fds = fds.parse().map_err(|_| failed(line.clone()))?;
                workload.has_made = matches!(held, Held::Files { .. });
                Ok(workload)
            }
            Some(("failed", why)) => Err(failed(why.to_owned())),
            _ => Err(failed("the process that should hold them has ended".to_owned())),
        }
    }

    /// The next line that it says; empty when it has ended.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_line(&mut line)?;
        }
        Ok(line)
    }

    /// Has one that holds nothing open a file and close it, so many times: how many nanoseconds
    /// that took by its own clock, and the number of the descriptor.
    ///
    /// # Errors
    /// [`BenchError::Workload`] when it does not answer.
    pub fn open(&mut self, times: u32) -> Result<(u64, u32), BenchError> {
        let failed = |why: String| BenchError::Workload { what: "openings", why };
        if let Some(stdin) = &mut self.stdin {
            writeln!(stdin, "{times}").map_err(|error| failed(error.to_string()))?;
        }
        let line = self.line().map_err(|error| failed(error.to_string()))?;
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("took"), Some(time), Some(fd)) => time.parse().ok().zip(fd.parse().ok()),
            _ => None,
        }
        .ok_or_else(|| failed(format!("it said {line:?}")))
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Every descriptor that it has open.
    pub fn fds(&self) -> u64 {
        self.fds
    }

    /// What the path of each of its files begins with.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let ended = self.child.wait().is_ok_and(|status| status.success());
        // It has cleaned up itself, unless somebody has ended it.
        if !ended && self.has_made {
            // Nobody is left to hear that there was nothing to clean up.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Is the workload if these arguments, without the program's name, say so.
pub fn run_if_asked(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.next()? != MARK {
        return None;
    }
    // It is not this process that reads.
    let _ = privileges::keep(privileges::FORCING);
    let name = arguments.next().unwrap_or_default();
    let directory = PathBuf::from(arguments.next().unwrap_or_default());
    let numbers: Option<Vec<u32>> =
        arguments.map(|argument| argument.to_str()?.parse().ok()).collect();
    let held =
        Held::from_arguments(name.to_str().unwrap_or_default(), &numbers.unwrap_or_default());
    let Some(held) = held else { return Some(ExitCode::from(2)) };
    let result = hold(held, &directory);
    if let Err(error) = &result {
        say(&format!("failed {error}"));
    }
    Some(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// When nobody listens any more, there is nowhere to say so.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Holds it until standard input ends.
fn hold(held: Held, directory: &Path) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    match held {
        Held::Files { fds } => {
            let made = Made::new(directory)?;
            wait(&files(&made, fds)?)
        }
        Held::Sockets { sockets, packets, bytes } => wait(&queues(sockets, packets, bytes)?),
        Held::Nothing => open_when_told(),
    }
}

/// Opens a file and closes it as often as each line of standard input says.
fn open_when_told() -> io::Result<()> {
    say("holds 0");
    for line in io::stdin().lock().lines() {
        let times: u32 = line?.trim().parse().map_err(io::Error::other)?;
        let (start, mut fd) = (Instant::now(), 0);
        for _ in 0..times {
            fd = File::open("/dev/null")?.as_raw_fd();
        }
        say(&format!("took {} {fd}", start.elapsed().as_nanos()));
    }
    Ok(())
}

/// Waits, with what is held.
fn wait<T>(held: &[T]) -> io::Result<()> {
    // One of those that are listed is the list itself.
    let fds = fs::read_dir("/proc/self/fd")?.count().saturating_sub(1);
    say(&format!("holds {fds}"));
    io::stdin().lock().read_to_end(&mut Vec::new())?;
    std::hint::black_box(held);
    Ok(())
}

/// A directory that was not there before, and goes with all that is in it.
struct Made<'a>(&'a Path);

impl<'a> Made<'a> {
    fn new(directory: &'a Path) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        // Nobody is left to hear that it is gone.
        let _ = fs::remove_dir_all(self.0);
    }
}

fn files(Made(directory): &Made<'_>, fds: u32) -> io::Result<Vec<File>> {
    (0..fds).map(|number| File::create_new(directory.join(format!("file-{number:06}")))).collect()
}

/// Pairs of sockets that have sent to one another; of an odd number the last one's peer is closed.
fn queues(sockets: u32, packets: u32, bytes: u32) -> io::Result<Vec<UnixDatagram>> {
    let mut held = Vec::new();
    while held.len() < sockets as usize {
        let (one, other) = UnixDatagram::pair()?;
        // What each sends waits in the other.
        send(&other, packets, bytes)?;
        if held.len() + 1 < sockets as usize {
            send(&one, packets, bytes)?;
            held.push(other);
        }
        held.push(one);
    }
    Ok(held)
}

fn send(sender: &UnixDatagram, packets: u32, bytes: u32) -> io::Result<()> {
    // What is charged for a packet is less than twice its size and 2 KiB.
    let memory = packets as usize * (2 * bytes as usize + 2048);
    if sockopt::set_socket_send_buffer_size_force(sender, memory).is_err() {
        // The system's limit holds for us.
        sockopt::set_socket_send_buffer_size(sender, memory)?;
    }
    sender.set_nonblocking(true)?;
    for packet in 0..packets {
        sender.send(&vec![packet as u8; bytes as usize]).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::other(format!(
                "only {packet} packets of {bytes} bytes fit a socket (net.core.wmem_max)"
            )),
            _ => error,
        })?;
    }
    Ok(())
}
