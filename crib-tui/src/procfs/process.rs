//! One process's header: /proc/PID/{stat,status,limits,cmdline} (proc(5)).

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::dir::ProcDir;
use super::parse::{self, decimal, lines, words};
use crate::model::{Process, ProcessState, Text, escape};

// include/linux/sched.h
/// It is ending: it gives up its descriptor table next.
const PF_EXITING: u64 = 0x4;
/// A thread of the kernel's own.
const PF_KTHREAD: u64 = 0x0020_0000;

/// Bytes of a command line that are read; more of it says nothing to a person.
const CMDLINE_BYTES: u64 = 64 * 1024;

/// What is used of /proc/PID/stat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The command's name, byte for byte.
    pub comm: Text,
    /// Whether it has a user-space side that is alive.
    pub state: ProcessState,
    /// Whether this very thread has ended or is about to; it then has no descriptor table.
    pub exiting: bool,
    /// Threads, an ended leader among them.
    pub threads: u64,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The process that it is a child of; 0 for none that can be seen.
    pub parent: u32,
}

impl Stat {
    /// Reads `PID (comm) S ...`. The name is not escaped and may hold anything, parentheses and
    /// new lines too: it ends at the last parenthesis.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|&byte| byte == b'(')?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        let comm = text.get(open + 1..close)?;
        let rest: Vec<&[u8]> = words(text.get(close + 1..)?.trim_ascii()).collect();
        // Fields are numbered from 1 in proc_pid_stat(5); the state is the third.
        let field = |number: usize| rest.get(number - 3).copied();
        let threads = field(20).and_then(decimal)?;
        let flags: u64 = field(9).and_then(decimal)?;
        let exiting = flags & PF_EXITING != 0 || matches!(field(3)?, b"Z" | b"X" | b"x");
        let state = if flags & PF_KTHREAD != 0 {
            ProcessState::KernelThread
        } else if exiting && threads <= 1 {
            // A leader that ends before its threads does not end its process.
            ProcessState::Zombie
        } else {
            ProcessState::Alive
        };
        Some(Self {
            comm: comm.into(),
            state,
            exiting,
            threads,
            start_ticks: field(22).and_then(decimal)?,
            parent: field(4).and_then(decimal)?,
        })
    }

    /// Reads the stat file of the process (or thread) whose directory this is.
    ///
    /// # Errors
    /// As [`ProcDir::read`]; InvalidData when it is not what proc_pid_stat(5) describes.
    pub fn read(dir: &ProcDir) -> io::Result<Self> {
        let text = dir.read("stat")?;
        Self::parse(&text).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "its stat file is not as proc(5) says")
        })
    }
}

/// The numbers of proc_pid_status(5) that are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The process that a thread belongs to; the same id for a process.
    pub tgid: Option<u32>,
    /// The real user id.
    pub uid: Option<u32>,
}

impl Status {
    /// Reads /proc/PID/status. The kernel escapes the name in it, so no name looks like a line.
    pub fn parse(text: &[u8]) -> Self {
        let first = |name| words(parse::field(text, name)?).next().and_then(decimal);
        Self { tgid: first("Tgid"), uid: first("Uid") }
    }
}

/// Whether /proc/self/status has one id of ours alone: after that by which it was opened follow
/// those in the pid namespaces below, down to our own. Kernels without such namespaces have no
/// such line.
pub fn has_one_id(status: &[u8]) -> bool {
    parse::field(status, "NSpid").is_none_or(|ids| words(ids).count() == 1)
}

/// The soft limit on descriptors in /proc/PID/limits; none for "unlimited".
pub fn fd_limit(limits: &[u8]) -> Option<u64> {
    let line = lines(limits).find_map(|line| line.strip_prefix(b"Max open files"))?;
    words(line).next().and_then(decimal)
}

/// A command line as /proc/PID/cmdline has it, arguments joined by spaces.
pub fn joined(cmdline: &[u8]) -> Text {
    let end = cmdline.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    cmdline[..end]
        .iter()
        .map(|&byte| if byte == 0 { b' ' } else { byte })
        .collect::<Vec<_>>()
        .into()
}

/// Reads the header of the process whose directory this is.
///
/// # Errors
/// As [`Stat::read`]. The other files only leave their fields unknown.
pub fn read(dir: &ProcDir, pid: u32) -> io::Result<Process> {
    let other_mounts = other_mounts(dir);
    Ok(Process { other_mounts, ..with_stat(dir, pid, Stat::read(dir)?) })
}

/// As [`read`], of a process whose stat file was read, for a list: what only its own screens say
/// is left out.
pub fn with_stat(dir: &ProcDir, pid: u32, stat: Stat) -> Process {
    let status = dir.read("status").map(|text| Status::parse(&text)).unwrap_or_default();
    let cmdline = match stat.state {
        ProcessState::Alive => dir.read_start("cmdline", CMDLINE_BYTES).unwrap_or_default(),
        // They have no memory, and so no arguments.
        _ => Vec::new(),
    };
    let uid = status.uid.filter(|&uid| is_mapped(uid));
    Process {
        pid,
        comm: stat.comm,
        uid,
        user: uid.and_then(user_name),
        fd_limit: dir.read("limits").ok().and_then(|text| fd_limit(&text)),
        other_mounts: None,
        cmdline: joined(&cmdline),
        start_ticks: stat.start_ticks,
        state: stat.state,
    }
}

/// Whether a uid is one of our user namespace. Whoever has none there is told to have the overflow
/// uid (user_namespaces(7), "Unmapped user and group IDs"); that is nobody's where it is not
/// mapped itself.
fn is_mapped(uid: u32) -> bool {
    static UNMAPPED: LazyLock<Option<u32>> = LazyLock::new(|| {
        let overflow = std::fs::read("/proc/sys/kernel/overflowuid").ok()?;
        let overflow = decimal::<u32>(overflow.trim_ascii())?;
        let map = std::fs::read("/proc/self/uid_map").ok()?;
        (!has_uid(&map, overflow)).then_some(overflow)
    });
    *UNMAPPED != Some(uid)
}

/// Whether a uid_map has this uid on the inside: each line has the first one inside, the first one
/// outside, and how many there are.
fn has_uid(map: &[u8], uid: u32) -> bool {
    lines(map).any(|line| {
        let mut numbers = words(line).map(decimal::<u32>);
        let (first, count) = (numbers.next().flatten(), numbers.nth(1).flatten());
        let distance = first.and_then(|first| uid.checked_sub(first));
        distance.zip(count).is_some_and(|(distance, count)| distance < count)
    })
}

/// Whether the process is in another mount namespace than this one is (mount_namespaces(7)).
fn other_mounts(dir: &ProcDir) -> Option<bool> {
    static OWN: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
        let own = std::fs::read_link("/proc/self/ns/mnt").ok()?;
        Some(own.into_os_string().into_vec())
    });
    Some(dir.link("ns/mnt").ok()? != *OWN.as_ref()?)
}

/// The name of a user, escaped; asked of the system once for each uid, since it may have to
/// ask a directory server.
pub fn user_name(uid: u32) -> Option<String> {
    static NAMES: Mutex<Option<HashMap<u32, Option<String>>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names
        .get_or_insert_default()
        .entry(uid)
        .or_insert_with(|| Some(escape(uzers::get_user_by_uid(uid)?.name().as_bytes())))
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// A line of Linux 6.18 with another name.
    fn stat_of(comm: &[u8], state: &str, flags: u64, threads: u64) -> Vec<u8> {
        let mut line = b"17 (".to_vec();
        line.extend(comm);
        line.extend(
            format!(
                ") {state} 1 17 17 0 -1 {flags} 34122 7950934 0 998 126 640 22228 5410 20 0 \
                 {threads} 0 4711 44838912 3502 18446744073709551615 1 1 0 0 0 0 0 4096 1256 0 0 \
                 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
            )
            .bytes(),
        );
        line
    }

    #[rstest]
    #[case(b"cat")]
    #[case(b"")]
    #[case(b"a) R 1 (b")]
    #[case(b"x\n2 (y) Z 0")]
    #[case(b"\x1b[31m\xff)")]
    fn a_name_may_hold_anything(#[case] comm: &[u8]) {
        let stat = Stat::parse(&stat_of(comm, "S", 4_194_560, 13)).unwrap();
        assert_eq!(stat.comm.as_bytes(), comm);
        assert_eq!(stat.state, ProcessState::Alive);
        assert_eq!(stat.threads, 13);
        assert!(!stat.exiting);
        assert_eq!(stat.start_ticks, 4711);
    }

    #[test]
    fn zombies_and_kernel_threads_are_told_apart() {
        let state = |state, flags, threads| {
            Stat::parse(&stat_of(b"x", state, flags, threads)).unwrap().state
        };
        assert_eq!(state("Z", 0x40_0004, 1), ProcessState::Zombie);
        assert_eq!(state("Z", 0x40_0004, 2), ProcessState::Alive);
        // On its way there: its descriptors are gone already.
        assert_eq!(state("R", 0x40_0004, 1), ProcessState::Zombie);
        assert_eq!(state("I", 0x0420_8060, 1), ProcessState::KernelThread);
    }

    #[test]
    fn a_text_that_is_no_stat_line_is_none() {
        for text in [&b""[..], b"1 (x", b"1 (x)", b")(", b"1 (x) S 1 2 3"] {
            assert_eq!(Stat::parse(text), None);
        }
    }

    #[test]
    fn status_gives_the_real_user_and_the_process() {
        let text = b"Name:\tx\\nUid:\\t9\nUmask:\t0022\nTgid:\t17\nPid:\t18\nUid:\t1000\t0\t0\t0\n";
        assert_eq!(Status::parse(text), Status { tgid: Some(17), uid: Some(1000) });
        assert_eq!(Status::parse(b""), Status::default());
    }

    #[test]
    fn the_soft_limit_is_the_first_number() {
        let limits = |value| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max open files            {value:<20} 524288               files     \n"
            )
        };
        assert_eq!(fd_limit(limits("1024").as_bytes()), Some(1024));
        assert_eq!(fd_limit(limits("unlimited").as_bytes()), None);
        assert_eq!(fd_limit(b""), None);
    }

    #[test]
    fn ids_in_two_namespaces_are_told_from_one() {
        assert!(has_one_id(b"Name:\tx\nNSpid:\t17\nVmPeak:\t1 kB\n"));
        assert!(!has_one_id(b"Name:\tx\nNSpid:\t17\t2\nVmPeak:\t1 kB\n"));
        assert!(has_one_id(b"Name:\tx\n"));
    }

    #[test]
    fn a_map_says_which_users_there_are() {
        let all = b"         0          0 4294967295\n";
        assert!(has_uid(all, 65534) && has_uid(all, 0));
        let some = b"         0       1000          1\n         1     100000      65533\n";
        assert!(has_uid(some, 0) && has_uid(some, 65533) && !has_uid(some, 65534));
        assert!(!has_uid(b"", 0));
    }

    #[test]
    fn arguments_are_joined() {
        assert_eq!(joined(b"a\0b c\0\0d\0\0\0"), Text::from("a b c  d"));
        assert_eq!(joined(b""), Text::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            Stat::parse(&bytes);
            Status::parse(&bytes);
            fd_limit(&bytes);
            joined(&bytes);
        }

        #[test]
        fn every_name_comes_back(comm: Vec<u8>) {
            let stat = Stat::parse(&stat_of(&comm, "R", 0, 1)).unwrap();
            prop_assert_eq!(stat.comm.as_bytes(), &comm[..]);
        }
    }
}
