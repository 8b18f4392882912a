//! Programs that leak, and healthy ones that look as if they did.

use std::ffi::c_long;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Map;

use crate::holder::Holder;
use crate::modes;
use crate::sys::{self, generated::Generated};

/// What a program does from one turn to the next; it keeps what it opens.
type Turn = Box<dyn FnMut(u64, &mut Open) -> io::Result<()> + Send>;

/// What a program has open.
#[derive(Default)]
struct Open {
    /// What it never closes.
    leaked: Vec<OwnedFd>,
    /// What it closes later: the first first.
    kept: std::collections::VecDeque<OwnedFd>,
}

/// Turns a second.
const TURNS: u32 = 40;

/// Opens a socket for good. It makes the system call itself, so that it is the caller that a
/// stack shows.
#[inline(never)]
fn leak_a_socket() -> io::Result<OwnedFd> {
    // SAFETY: socket takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens a file for good, through functions of others.
#[inline(never)]
fn leak_a_file(path: &Path) -> io::Result<OwnedFd> {
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(path)?;
    Ok(file.into())
}

/// The same for code that was made at run time: the socket's descriptor, or -1.
extern "C" fn leak_for_generated_code() -> c_long {
    // What is done with the result keeps the call from being a jump.
    std::hint::black_box(leak_a_socket()).map_or(-1, |fd| fd.into_raw_fd().into())
}

/// Opens a socket that is closed later.
#[inline(never)]
fn use_a_socket() -> io::Result<OwnedFd> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.into())
}

/// Opens a socket for good, by one of 2^13 ways through two functions that call one another.
#[inline(never)]
fn leak_by_the_left(way: u64, depth: u32) -> io::Result<OwnedFd> {
    // What is done with the result keeps the call from being a jump.
    std::hint::black_box(leak_by(way, depth))
}

/// The same, from another place in the code.
#[inline(never)]
fn leak_by_the_right(way: u64, depth: u32) -> io::Result<OwnedFd> {
    std::hint::black_box(leak_by(std::hint::black_box(way), depth))
}

#[inline(never)]
fn leak_by(way: u64, depth: u32) -> io::Result<OwnedFd> {
    match depth {
        0 => leak_a_socket(),
        _ if way >> (depth - 1) & 1 == 0 => std::hint::black_box(leak_by_the_left(way, depth - 1)),
        _ => std::hint::black_box(leak_by_the_right(way, depth - 1)),
    }
}

fn program(name: &str, dir: &Path, limit: u64) -> io::Result<Turn> {
    let dir = dir.to_owned();
    // Some are for other things.
    let most = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(64).min(12_000);
    Ok(match name {
        // One socket a turn.
        "socket" => Box::new(|_, open| {
            open.leaked.push(leak_a_socket()?);
            Ok(())
        }),
        // One socket a turn, opened by code that was made at run time.
        "generated" => {
            let opens = Generated::calling(leak_for_generated_code, "generated_function")?;
            Box::new(move |_, open| {
                open.leaked.push(opens.call()?);
                Ok(())
            })
        }
        // Forty sockets a turn, each opened by a stack of its own.
        "stacks" => Box::new(move |turn, open| {
            for number in turn * 40..turn * 40 + 40 {
                if open.leaked.len() < most {
                    open.leaked.push(leak_by(number, 13)?);
                }
            }
            Ok(())
        }),
        // One file a turn, each with a name of its own.
        "file" => Box::new(move |turn, open| {
            open.leaked.push(leak_a_file(&dir.join(format!("log-{turn}.txt")))?);
            Ok(())
        }),
        // One socket a turn, each connected to another host.
        "hosts" => Box::new(|turn, open| {
            let host = std::net::Ipv4Addr::from_bits(0x7f01_0000 + turn as u32);
            let socket = UdpSocket::from(leak_a_socket()?);
            socket.connect((host, 5353))?;
            open.leaked.push(socket.into());
            Ok(())
        }),
        // One file a turn, each in a directory of its own, without a number in its name.
        "directories" => Box::new(move |turn, open| {
            let letter = |at: u32| char::from(b'g' + (turn / 16_u64.pow(at) % 16) as u8);
            let directory = dir.join((0..4).map(letter).collect::<String>());
            std::fs::create_dir(&directory)?;
            open.leaked.push(leak_a_file(&directory.join("data"))?);
            Ok(())
        }),
        // One connection a turn, of which the client has closed its end.
        "accepted" => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            Box::new(move |_, open| {
                let client = TcpStream::connect(listener.local_addr()?)?;
                open.leaked.push(listener.accept()?.0.into());
                drop(client);
                Ok(())
            })
        }
        // One socket each fourth turn, among four a turn that live for a few turns.
        "among" => Box::new(|turn, open| {
            if turn % 4 == 0 {
                open.leaked.push(leak_a_socket()?);
            }
            for _ in 0..4 {
                open.kept.push_back(use_a_socket()?);
            }
            open.kept.drain(..open.kept.len().saturating_sub(12));
            Ok(())
        }),
        // Four sockets a turn that live for a few turns.
        "churn" => Box::new(|_, open| {
            for _ in 0..4 {
                open.kept.push_back(use_a_socket()?);
            }
            open.kept.drain(..open.kept.len().saturating_sub(12));
            Ok(())
        }),
        // As many sockets as there is use for, within the first second and a half.
        "pool" => Box::new(|turn, open| {
            if turn < 60 {
                open.leaked.push(leak_a_socket()?);
            }
            Ok(())
        }),
        // Two hundred at once.
        "burst" => Box::new(|turn, open| {
            if turn == 20 {
                (0..200).try_for_each(|_| leak_a_socket().map(|fd| open.leaked.push(fd)))?;
            }
            Ok(())
        }),
        // Up and down with the load, a second and a half each way.
        "swing" => Box::new(|turn, open| {
            if turn / 60 % 2 == 0 {
                open.kept.push_back(use_a_socket()?);
            } else {
                open.kept.pop_front();
            }
            Ok(())
        }),
        // One socket a turn until it becomes another program, with the same code at other addresses.
        "socket-exec" => Box::new(move |turn, open| match turn {
            200 => {
                std::fs::remove_dir_all(&dir)?;
                Err(Command::new("/proc/self/exe").args(["leaks", "socket-exec"]).exec())
            }
            _ => {
                open.leaked.push(leak_a_socket()?);
                Ok(())
            }
        }),
        // Becomes another program, which makes a directory of the same name, and so on.
        "exec" => Box::new(move |turn, _| match turn {
            60 => {
                std::fs::remove_dir_all(&dir)?;
                Err(Command::new("/proc/self/exe").args(["leaks", "exec"]).exec())
            }
            _ => Ok(()),
        }),
        _ => return Err(io::Error::other(format!("there is no program {name:?}"))),
    })
}

/// Leaks sockets in a process whose first thread has ended.
pub fn leaderless() -> io::Result<()> {
    thread::spawn(|| {
        let code = match run("socket") {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("workload: {error}");
                1
            }
        };
        std::process::exit(code);
    });
    sys::end_this_thread()
}

/// Runs a program until it is told to end; then it says how many files it has leaked.
pub fn run(name: &str) -> io::Result<()> {
    let limit = sys::raise_fd_limit()?;
    let holder = Holder::new()?;
    let mut turn = program(name, holder.dir(), limit)?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let began = Instant::now();
    let running = thread::spawn(move || -> io::Result<usize> {
        let mut open = Open::default();
        let mut number = 0;
        while !told.load(Ordering::Acquire) {
            turn(number, &mut open)?;
            number += 1;
            // By the clock, not by the time between two turns: late ones are made up for.
            let due = Duration::from_secs(number) / TURNS;
            thread::sleep(due.saturating_sub(began.elapsed()));
        }
        Ok(open.leaked.len())
    });
    modes::announce(holder.report()?)?;
    modes::wait_for_eof()?;
    stop.store(true, Ordering::Release);
    let leaked = running.join().map_err(|_| io::Error::other("the program panicked"))??;
    let mut report = Map::new();
    report.insert("leaked".into(), leaked.into());
    modes::announce(report)
}
