//! What can be seen of this kernel and this user, without a judgement.
//!
//! Everything is read from files under [`Roots`], so that tests can show it other systems.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::names::{self, Named};
use crate::model::escape;

/// Where the kernel's file systems are mounted.
#[derive(Clone, Debug)]
pub struct Roots {
    /// /proc.
    pub proc: PathBuf,
    /// /sys.
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// The answer to a question about the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is proven.
    Yes,
    /// It is disproven.
    No,
    /// It can't be told, for this reason.
    Unknown(String),
}

impl Answer {
    fn is(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// What BTF is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Btf {
    /// It is there, and was looked through.
    Read(BtfNames),
    /// This kernel has none.
    Absent,
    /// The file system in which it would be is not mounted.
    NoSysfs,
    /// It could not be read or understood, for this reason.
    Unreadable(String),
}

/// The names that prove a kernel's abilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BtfNames {
    /// The iterators `task` and `task_file` (Linux 5.8): the kernel has each one's function.
    pub iterators: bool,
    /// `BPF_MAP_TYPE_RINGBUF` (Linux 5.8).
    pub ring_buffer: bool,
    /// `BPF_FUNC_loop` (Linux 5.17).
    pub bpf_loop: bool,
    /// `union bpf_iter_link_info` has a member `task` (Linux 6.1).
    pub link_filter: bool,
    /// `BPF_FUNC_d_path` (Linux 5.10; for iterators not before 5.12, which leaves no trace).
    pub d_path: bool,
    /// `struct bpf_map_memory` (until Linux 5.10): BPF's memory counts as locked memory.
    pub counts_memlock: bool,
}

impl BtfNames {
    fn find(btf: &[u8]) -> Option<Self> {
        const WANTED: [Named; 7] = [
            Named::Function("bpf_iter_task"),
            Named::Function("bpf_iter_task_file"),
            Named::Constant("BPF_MAP_TYPE_RINGBUF"),
            Named::Constant("BPF_FUNC_loop"),
            Named::Member("bpf_iter_link_info", "task"),
            Named::Constant("BPF_FUNC_d_path"),
            Named::Structure("bpf_map_memory"),
        ];
        let found: [bool; 7] = names::find(btf, &WANTED)?.try_into().ok()?;
        let [task, task_file, ring_buffer, bpf_loop, link_filter, d_path, counts_memlock] = found;
        let iterators = task && task_file;
        Some(Self { iterators, ring_buffer, bpf_loop, link_filter, d_path, counts_memlock })
    }
}

/// How much the kernel is locked against root (kernel_lockdown(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lockdown {
    /// Not at all.
    None,
    /// Against changing the kernel.
    Integrity,
    /// Against reading it, too.
    Confidentiality,
    /// securityfs, which shows it, is not mounted.
    NotMounted,
    /// It can't be told, for this reason.
    Unknown(String),
}

/// What the kernel's symbol table shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    /// Whether addresses are shown.
    pub addresses: Answer,
    /// Whether data is in it, not just functions: `socket_file_ops` is.
    pub data: Answer,
    /// kernel.kptr_restrict, where it can be read.
    pub kptr_restrict: Option<u32>,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The kernel's release, as uname(2) gives it.
    pub release: Option<String>,
    /// The effective user id.
    pub uid: Option<u32>,
    /// The effective capabilities, by their bits (capabilities(7)).
    pub capabilities: Option<u64>,
    /// Whether the user namespace is the initial one.
    pub initial_userns: Answer,
    /// Whether a seccomp filter is in force.
    pub seccomp: Answer,
    /// Whether the kernel has bpf(2).
    pub bpf: Answer,
    /// Whether BPF programs are compiled to machine code.
    pub jit: Answer,
    /// What BTF is there.
    pub btf: Btf,
    /// How much the kernel is locked.
    pub lockdown: Lockdown,
    /// What the symbol table shows; none where it was not looked at.
    pub symbols: Option<Symbols>,
    /// The soft limit on locked memory in bytes, none where there is none or it is not known.
    pub memlock: Option<u64>,
}

impl Facts {
    /// Looks at everything.
    pub fn gather(roots: &Roots) -> Self {
        Self { symbols: Some(symbols(&roots.proc)), ..Self::gather_required(roots) }
    }

    /// Looks at all but the symbols, which take the longest and which nothing fails without.
    pub fn gather_required(roots: &Roots) -> Self {
        let Roots { proc, sys } = roots;
        let status = fs::read_to_string(proc.join("self/status")).unwrap_or_default();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        Self {
            release: fs::read(proc.join("sys/kernel/osrelease"))
                .ok()
                .map(|release| escape(release.trim_ascii())),
            // Real, effective, saved, file system.
            uid: field("Uid").and_then(|ids| ids.split_ascii_whitespace().nth(1)?.parse().ok()),
            capabilities: field("CapEff").and_then(|mask| u64::from_str_radix(mask, 16).ok()),
            initial_userns: initial_userns(proc),
            seccomp: match field("Seccomp") {
                Some(mode) => Answer::is(mode != "0"),
                None => Answer::Unknown("/proc/self/status does not say".into()),
            },
            bpf: bpf(proc),
            jit: jit(proc),
            btf: btf(&sys.join("kernel/btf/vmlinux")),
            lockdown: lockdown(&sys.join("kernel/security")),
            symbols: None,
            memlock: fs::read_to_string(proc.join("self/limits")).ok().and_then(|limits| {
                let line = limits.lines().find_map(|l| l.strip_prefix("Max locked memory"))?;
                line.split_ascii_whitespace().next()?.parse().ok()
            }),
        }
    }
}

/// The initial user namespace has a fixed number: PROC_USER_INIT_INO (include/linux/proc_ns.h).
fn initial_userns(proc: &Path) -> Answer {
    const INITIAL: &str = "user:[4026531837]";
    match fs::read_link(proc.join("self/ns/user")) {
        Ok(link) => Answer::is(link.as_os_str() == INITIAL),
        // A kernel without user namespaces has just the one.
        Err(error) if error.kind() == io::ErrorKind::NotFound && proc.join("self/ns").is_dir() => {
            Answer::Yes
        }
        Err(error) => Answer::Unknown(format!("/proc/self/ns/user: {error}")),
    }
}

/// A kernel with CONFIG_BPF_SYSCALL has this setting, whatever its value.
fn bpf(proc: &Path) -> Answer {
    let settings = proc.join("sys/kernel");
    if settings.join("unprivileged_bpf_disabled").exists() {
        return Answer::Yes;
    }
    match settings.read_dir().map(|mut entries| entries.next().is_some()) {
        Ok(true) => Answer::No,
        _ => Answer::Unknown("/proc/sys/kernel can't be read".into()),
    }
}

fn jit(proc: &Path) -> Answer {
    match fs::read_to_string(proc.join("sys/net/core/bpf_jit_enable")) {
        Ok(value) => Answer::is(value.trim() != "0"),
        Err(error) => Answer::Unknown(format!("net.core.bpf_jit_enable: {error}")),
    }
}

fn btf(path: &Path) -> Btf {
    match fs::read(path) {
        Ok(data) => match BtfNames::find(&data) {
            Some(names) => Btf::Read(names),
            None => Btf::Unreadable("it is not valid BTF".into()),
        },
        // Without sysfs nothing is said about the kernel.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if kernel_dir_of(path).is_dir() {
                Btf::Absent
            } else {
                Btf::NoSysfs
            }
        }
        Err(error) => Btf::Unreadable(error.to_string()),
    }
}

/// /sys/kernel of /sys/kernel/btf/vmlinux.
fn kernel_dir_of(path: &Path) -> &Path {
    path.ancestors().nth(2).unwrap_or(path)
}

fn lockdown(securityfs: &Path) -> Lockdown {
    let file = securityfs.join("lockdown");
    match fs::read_to_string(&file) {
        // The mode in force stands in brackets.
        Ok(modes) => match modes.split(['[', ']']).nth(1) {
            Some("none") => Lockdown::None,
            Some("integrity") => Lockdown::Integrity,
            Some("confidentiality") => Lockdown::Confidentiality,
            _ => Lockdown::Unknown(format!("it says {}", escape(modes.trim().as_bytes()))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match securityfs.read_dir().map(|mut entries| entries.next().is_some()) {
                // securityfs is there, and this kernel has nothing to lock it with.
                Ok(true) => Lockdown::None,
                Ok(false) => Lockdown::NotMounted,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Lockdown::Unknown("there is no /sys/kernel/security".into())
                }
                Err(error) => Lockdown::Unknown(error.to_string()),
            }
        }
        Err(error) => Lockdown::Unknown(error.to_string()),
    }
}

fn symbols(proc: &Path) -> Symbols {
    let kptr_restrict = fs::read_to_string(proc.join("sys/kernel/kptr_restrict"))
        .ok()
        .and_then(|value| value.trim().parse().ok());
    let (addresses, data) = match File::open(proc.join("kallsyms")) {
        Ok(file) => scan_symbols(BufReader::new(file)).unwrap_or_else(|error| {
            let reason = Answer::Unknown(format!("/proc/kallsyms: {error}"));
            (reason.clone(), reason)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Answer::No, Answer::No),
        Err(error) => {
            let reason = Answer::Unknown(format!("/proc/kallsyms: {error}"));
            (reason.clone(), reason)
        }
    };
    Symbols { addresses, data, kptr_restrict }
}

/// Reads `ffffffff81000000 T _text` lines until both questions are answered.
fn scan_symbols(mut file: impl BufRead) -> io::Result<(Answer, Answer)> {
    let mut addresses = false;
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        let mut words = line.trim_ascii_end().split(|&byte| byte == b' ');
        let address = words.next().unwrap_or_default();
        // Symbols of per-CPU variables really have the address 0 or close to it.
        addresses |= address.iter().any(|&digit| digit != b'0');
        if words.nth(1) == Some(b"socket_file_ops") {
            return Ok((Answer::is(addresses), Answer::Yes));
        }
        line.clear();
    }
    Ok((Answer::is(addresses), Answer::No))
}
