//! What /proc says about a process's files: the truth that crib-top's answers are held to.

use std::collections::BTreeMap;
use std::fs;
use std::os::linux::fs::MetadataExt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crib_tui::model::escape;

/// One descriptor, from /proc/PID/fd and fdinfo.
#[derive(Debug)]
pub struct Truth {
    /// The link's text; none where it is longer than the kernel tells.
    pub link: Option<String>,
    /// `pos:` of fdinfo.
    pub pos: i64,
    /// `flags:` of fdinfo, O_CLOEXEC included.
    pub flags: u32,
    /// Type and permission bits.
    pub mode: u32,
    /// st_dev as `major:minor`.
    pub dev: String,
    /// st_rdev as `major:minor`, for devices.
    pub rdev: Option<String>,
    /// st_ino.
    pub ino: u64,
    /// st_size.
    pub size: u64,
}

const O_CLOEXEC: u32 = 0o2_000_000;

/// The flags' names, bit by bit, from open(2) and asm-generic/fcntl.h; a name that contains
/// another's bits stands before it.
const FLAG_NAMES: &[(u32, &str)] = &[
    (0o100, "O_CREAT"),
    (0o200, "O_EXCL"),
    (0o400, "O_NOCTTY"),
    (0o1000, "O_TRUNC"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o4_010_000, "O_SYNC"),
    (0o10_000, "O_DSYNC"),
    (0o20_000, "O_ASYNC"),
    (0o40_000, "O_DIRECT"),
    (0o100_000, "O_LARGEFILE"),
    (0o20_200_000, "O_TMPFILE"),
    (0o200_000, "O_DIRECTORY"),
    (0o400_000, "O_NOFOLLOW"),
    (0o1_000_000, "O_NOATIME"),
    (0o10_000_000, "O_PATH"),
];

impl Truth {
    /// The flags' names without close-on-exec, the access mode first.
    pub fn flag_names(&self) -> Vec<&'static str> {
        let access = ["O_RDONLY", "O_WRONLY", "O_RDWR"].get((self.flags & 3) as usize);
        let mut names: Vec<&str> = access.copied().into_iter().collect();
        let mut rest = self.flags & !3;
        for &(bits, name) in FLAG_NAMES {
            if rest & bits == bits {
                rest &= !bits;
                names.push(name);
            }
        }
        names
    }

    /// Whether exec closes it.
    pub fn cloexec(&self) -> bool {
        self.flags & O_CLOEXEC != 0
    }

    /// The interface's word for the access mode.
    pub fn access(&self) -> &'static str {
        const O_PATH: u32 = 0o10_000_000;
        match self.flags & 3 {
            _ if self.flags & O_PATH != 0 => "-",
            0 => "r",
            1 => "w",
            2 => "rw",
            _ => "-",
        }
    }
}

/// Every descriptor of a process's common table.
pub fn of_process(pid: u32) -> BTreeMap<u64, Truth> {
    of_dir(&PathBuf::from(format!("/proc/{pid}")))
}

/// Every descriptor in the table of one thread.
pub fn of_thread(pid: u32, tid: u64) -> BTreeMap<u64, Truth> {
    of_dir(&PathBuf::from(format!("/proc/{pid}/task/{tid}")))
}

/// How many descriptors a process has, by the quickest way.
pub fn count(pid: u32) -> u64 {
    let dir = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there");
    dir.count() as u64
}

fn of_dir(proc: &Path) -> BTreeMap<u64, Truth> {
    let entries = fs::read_dir(proc.join("fd")).expect("the process is there");
    entries
        .map(|entry| {
            let name = entry.expect("the directory can be read").file_name();
            let fd = name.to_str().and_then(|name| name.parse().ok()).expect("a number");
            (fd, of_fd(proc, fd))
        })
        .collect()
}

fn of_fd(proc: &Path, fd: u64) -> Truth {
    let path = proc.join("fd").join(fd.to_string());
    let link = match fs::read_link(&path) {
        Ok(link) => Some(escape(&link.into_os_string().into_vec())),
        Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => None,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    // Through the link, to the very file that is open.
    let stat = fs::metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let fdinfo = fs::read(proc.join("fdinfo").join(fd.to_string())).expect("fdinfo can be read");
    let fdinfo = String::from_utf8_lossy(&fdinfo);
    let field = |name: &str| {
        let line = fdinfo.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim).unwrap_or_else(|| panic!("no {name} in {fdinfo}"))
    };
    let device = |dev: u64| format!("{}:{}", libc::major(dev), libc::minor(dev));
    let is_device = matches!(stat.st_mode() & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK);
    Truth {
        link,
        pos: field("pos:").parse().expect("pos is a number"),
        flags: u32::from_str_radix(field("flags:"), 8).expect("flags are octal"),
        mode: stat.st_mode(),
        dev: device(stat.st_dev()),
        rdev: is_device.then(|| device(stat.st_rdev())),
        ino: stat.st_ino(),
        size: stat.st_size(),
    }
}
