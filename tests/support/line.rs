//! A terminal that can go away, as a connection that breaks off: crib-top in it, and what of it
//! is in the kernel.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::terminal::PATIENCE;

/// Whose terminal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// crib-top's own session's: the kernel sends it SIGHUP when the terminal goes away.
    Itself,
    /// Nobody's: only reading and writing tell that it went away.
    Nobody,
}

/// A crib-top in a terminal of which nobody but this holds the other end.
pub struct Line {
    master: File,
    child: Child,
    screen: vt100::Parser,
}

impl Line {
    /// Starts it with these arguments.
    pub fn start(owner: Owner, arguments: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        unlockpt(&master).expect("it is ours");
        let (ws_row, ws_col) = (40, 120);
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("it has a size");
        let end = File::from(ioctl_tiocgptpeer(&master, flags).expect("its other end"));
        let path = super::crib_top_path();
        let mut command = match owner {
            Owner::Nobody => Command::new(path),
            Owner::Itself => {
                // setsid(1) becomes crib-top: it is not the first of its group.
                let mut command = Command::new("setsid");
                command.arg("-c").arg(path);
                command
            }
        };
        let io = || Stdio::from(end.try_clone().expect("a descriptor"));
        command.args(arguments).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.stdin(io()).stdout(io()).stderr(io());
        let child = command.spawn().expect("crib-top can be started");
        Self { master: master.into(), child, screen: vt100::Parser::new(rows(40), rows(120), 0) }
    }

    /// Waits for a text on the screen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        let tick = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        while !self.screen.screen().contents().contains(text) {
            let contents = self.screen.screen().contents();
            assert!(start.elapsed() < PATIENCE, "never saw {text:?}; the screen is:\n{contents}");
            let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
            poll(&mut fds, Some(&tick)).expect("it can be waited for");
            if fds[0].revents().contains(PollFlags::IN) {
                let mut buffer = [0; 4096];
                let read = self.master.read(&mut buffer).expect("crib-top has it open");
                self.screen.process(&buffer[..read]);
            }
        }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal can be written to");
    }

    /// The pid of crib-top.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The terminal goes away. Returns when crib-top has ended.
    #[track_caller]
    pub fn hang_up(self) -> ExitStatus {
        let Self { master, mut child, .. } = self;
        drop(master);
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("our own child") {
                return status;
            }
            if start.elapsed() > PATIENCE {
                child.kill().expect("our own child");
                panic!("it goes on without a terminal");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn rows(number: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(number).expect("there are some")
}

/// What a process holds in the BPF subsystem, by what it is and its id there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded(BTreeSet<(&'static str, u32)>);

impl Loaded {
    /// The programs, maps and links that a process has descriptors of; nothing of one that ended.
    pub fn by(pid: u32) -> Self {
        let mut loaded = BTreeSet::new();
        let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten();
        for entry in entries.flatten() {
            // One may be closed meanwhile.
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            for what in ["prog_id", "map_id", "link_id"] {
                let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
                loaded.extend(line.and_then(|id| Some((what, id.trim().parse().ok()?))));
            }
        }
        Self(loaded)
    }

    /// Whether there are some of each.
    pub fn is_complete(&self) -> bool {
        ["prog_id", "map_id", "link_id"].iter().all(|what| self.0.iter().any(|(of, _)| of == what))
    }

    /// How many programs there are.
    pub fn programs(&self) -> usize {
        self.0.iter().filter(|(what, _)| *what == "prog_id").count()
    }

    /// Those of them that are still there.
    fn left(&self) -> Vec<(&'static str, u32)> {
        let programs = aya::programs::loaded_programs().filter_map(Result::ok);
        let maps = aya::maps::loaded_maps().filter_map(Result::ok);
        let links = aya::programs::loaded_links().filter_map(Result::ok);
        let there = (programs.map(|program| ("prog_id", program.id())))
            .chain(maps.map(|map| ("map_id", map.id())))
            .chain(links.map(|link| ("link_id", link.id())));
        there.filter(|one| self.0.contains(one)).collect()
    }

    /// Waits until none is there any more: the kernel frees them a moment after their last user.
    #[track_caller]
    pub fn expect_gone(&self) {
        let start = Instant::now();
        while !self.left().is_empty() {
            assert!(start.elapsed() < PATIENCE, "left in the kernel: {:?}", self.left());
            thread::sleep(Duration::from_millis(50));
        }
    }
}
