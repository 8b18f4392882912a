//! One descriptor: its link, what the link leads to, and its fdinfo.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::AsFd;
use std::sync::LazyLock;

use rustix::fs::{AtFlags, CWD, MemfdFlags, Statx, StatxFlags};

use super::dir::ProcDir;
use super::fdinfo::{self, FdInfo};
use super::process::Stat;
use super::{link, net};
use crate::model::{Device, Epoll, Evidence, File, FileId, Kind, Pipe, Text};

/// How often a descriptor is read again that was closed and opened anew between two looks.
const TRIES: usize = 8;

/// NSFS_MAGIC (include/uapi/linux/magic.h).
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// What became of reading one descriptor.
#[derive(Debug)]
pub enum Outcome {
    /// It was read.
    Read(Box<File>),
    /// It was closed in the meantime.
    Closed,
    /// It is open, and what stands behind it may not be seen.
    Refused,
}

/// A table of descriptors: a directory, and where in it the descriptors and their infos are.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The process's directory.
    pub dir: &'a ProcDir,
    /// The thread whose own table it is; none for the process's.
    pub tid: Option<u32>,
    /// The thread through whose directory it is read, where that is not the process's leader.
    pub through: Option<u32>,
}

impl Table<'_> {
    fn name(&self, name: &str) -> String {
        match self.through {
            Some(tid) => format!("task/{tid}/{name}"),
            None => name.to_owned(),
        }
    }

    /// The open descriptors, in ascending order.
    ///
    /// # Errors
    /// As [`ProcDir::numbers`].
    pub fn descriptors(&self) -> io::Result<Vec<u32>> {
        self.dir.numbers(&self.name("fd"))
    }

    /// Whether the thread through which it is read still has it.
    pub fn is_alive(&self) -> bool {
        let stat = self.dir.read(&self.name("stat")).ok().and_then(|text| Stat::parse(&text));
        stat.is_some_and(|stat| !stat.exiting)
    }

    /// The text of a descriptor's link.
    ///
    /// # Errors
    /// As [`ProcDir::link`].
    pub fn link(&self, fd: u32) -> io::Result<Vec<u8>> {
        self.dir.link(&format!("{}/{fd}", self.name("fd")))
    }

    /// Reads one descriptor. A socket's queues and addresses are not looked up here.
    pub fn read(&self, fd: u32) -> Outcome {
        let name = format!("{}/{fd}", self.name("fd"));
        let info = format!("{}/{fd}", self.name("fdinfo"));
        for _ in 0..TRIES {
            let before = match self.dir.link(&name) {
                Ok(text) => Some(text),
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENOENT | libc::ESRCH) => return Outcome::Closed,
                    // A path longer than a page: the file is there, its name can't be had.
                    Some(libc::ENAMETOOLONG) => None,
                    _ => return Outcome::Refused,
                },
            };
            let stat = self.dir.stat(&name).ok();
            let info = self.dir.read(&info).ok().map(|text| fdinfo::parse(&text));
            let evidence = stat.map(|stat| self.look_around(&name, before.as_deref(), &stat));
            // Each look was at whatever file had the number then; they are of one file if the
            // name is still the same and inode numbers agree.
            let same_ino = match (&stat, info.as_ref().and_then(|info| info.ino)) {
                (Some(stat), Some(ino)) => stat.stx_ino == ino,
                _ => true,
            };
            if same_ino && self.dir.link(&name).ok() == before {
                let file = self.assemble(fd, before, stat.zip(evidence), info);
                return Outcome::Read(Box::new(file));
            }
        }
        // Reopened faster than it can be read: it is there, and nothing is sure.
        Outcome::Read(Box::new(File { tid: self.tid, ..File::unknown(Some(fd)) }))
    }

    /// Finds out what neither the link's text nor the attributes say.
    fn look_around(&self, name: &str, text: Option<&[u8]>, stat: &Statx) -> Around {
        let text = text.unwrap_or_default();
        let dev = device(stat);
        Around {
            magic: self.magic(name, text, dev),
            internal: text.starts_with(b"/memfd:").then(|| is_memfd_device(dev)).flatten(),
            deleted: self.deleted(text, stat),
            protocol: link::socket_ino(text).and_then(|_| net::by_name(&self.dir.path(name))),
        }
    }

    /// The file system's magic number, asked only of the kernel's own file systems: one on a
    /// dead server would not answer, and tells nothing that matters here.
    fn magic(&self, name: &str, text: &[u8], dev: Device) -> Option<u64> {
        static NSFS: LazyLock<Option<Device>> = LazyLock::new(|| {
            let stat = attributes("/proc/self/ns/mnt", AtFlags::empty()).ok()?;
            Some(device(&stat))
        });
        if Some(dev) == *NSFS {
            // A namespace under a name (ip-netns(8)) has that name as its path.
            return Some(NSFS_MAGIC);
        }
        let internal = !link::is_path(text) && !text.starts_with(b"socket:[");
        let dmabuf = text.starts_with(b"/dmabuf:");
        if !internal && !dmabuf {
            return None;
        }
        let statfs = rustix::fs::statfs(self.dir.path(name)).ok()?;
        Some(statfs.f_type as u64)
    }

    /// Whether a " (deleted)" at the text's end is the kernel's own. It is not if a file of that
    /// whole name is this very file.
    fn deleted(&self, text: &[u8], stat: &Statx) -> bool {
        if link::without_deleted(text).is_none() || !link::is_path(text) {
            return false;
        }
        if stat.stx_nlink == 0 {
            return true;
        }
        let mut in_its_root = self.dir.path("root").into_bytes();
        in_its_root.extend(text);
        let is_it = |path: &[u8]| {
            attributes(path, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|other| other.stx_ino == stat.stx_ino && device(&other) == device(stat))
        };
        !is_it(text) && !is_it(&in_its_root)
    }

    fn assemble(
        &self,
        fd: u32,
        text: Option<Vec<u8>>,
        stat: Option<(Statx, Around)>,
        info: Option<FdInfo>,
    ) -> File {
        let mut file = File { tid: self.tid, ..File::unknown(Some(fd)) };
        let deleted = stat.as_ref().map(|(_, around)| around.deleted);
        let path = match (text.as_deref(), deleted) {
            (Some(text), Some(true)) => link::without_deleted(text),
            (Some(text), None) if link::without_deleted(text).is_some() => None,
            (text, _) => text,
        };
        if let Some((stat, around)) = &stat {
            file.kind = Kind::classify(&Evidence {
                i_mode: Some(u32::from(stat.stx_mode)),
                s_magic: around.magic,
                internal_mount: around.internal,
                path,
                ops: None,
            });
            file.dev = Some(device(stat));
            file.ino = stat.stx_ino.into();
            file.size = i64::try_from(stat.stx_size).ok().into();
            if matches!(file.kind, Kind::Char | Kind::Block) {
                file.rdev = Some(Device::new(stat.stx_rdev_major, stat.stx_rdev_minor));
            }
        }
        file.deleted = text.as_ref().and(deleted);
        file.path = path.map(Text::from);
        let info = info.unwrap_or_default();
        file.mode = info.flags.map(fdinfo::access_mode);
        file.flags = info.flags;
        file.cloexec = info.cloexec;
        file.pos = info.pos.into();
        file.id = identity(&file, info.eventfd_id);
        // A pipe's or socket's name in the file system, opened with O_PATH, is not one itself.
        let opened = file.flags.is_some_and(|flags| flags.0 as i32 & libc::O_PATH == 0);
        match file.kind {
            Kind::Eventpoll if info.flags.is_some() => {
                file.epoll = Some(Box::new(Epoll { watches: info.watches, complete: true }));
            }
            Kind::Pipe | Kind::Fifo if opened => file.pipe = Some(Box::new(UNKNOWN_PIPE)),
            Kind::Socket if text.as_deref().is_some_and(|text| !link::is_path(text)) => {
                let mut socket =
                    stat.and_then(|(_, around)| around.protocol).unwrap_or_else(net::unknown);
                socket.inflight_files = info.scm_fds;
                file.socket = Some(Box::new(socket));
            }
            _ => {}
        }
        file
    }
}

/// What was found out about a file besides its link, attributes and fdinfo.
struct Around {
    magic: Option<u64>,
    internal: Option<bool>,
    deleted: bool,
    protocol: Option<crate::model::Socket>,
}

const UNKNOWN_PIPE: Pipe = Pipe {
    bytes: None,
    buffers: None,
    slots: None,
    readers: None,
    writers: None,
    queues: None,
    peers: None,
};

fn device(stat: &Statx) -> Device {
    Device::new(stat.stx_dev_major, stat.stx_dev_minor)
}

fn attributes<P: rustix::path::Arg>(path: P, flags: AtFlags) -> io::Result<Statx> {
    let flags = flags | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    Ok(rustix::fs::statx(CWD, path, flags, StatxFlags::BASIC_STATS)?)
}

/// Whether it is the device of one of the kernel's own mounts that memfds live on: the one of
/// tmpfs, or of hugetlbfs, one for each size of page.
fn is_memfd_device(dev: Device) -> Option<bool> {
    static DEVICES: LazyLock<Vec<Device>> = LazyLock::new(|| {
        let huge = MemfdFlags::HUGETLB;
        let sizes = [
            MemfdFlags::empty(),
            huge,
            huge | MemfdFlags::HUGE_64KB,
            huge | MemfdFlags::HUGE_2MB,
            huge | MemfdFlags::HUGE_1GB,
        ];
        sizes
            .into_iter()
            .filter_map(|flags| {
                let own = rustix::fs::memfd_create("crib-top", flags | MemfdFlags::CLOEXEC).ok()?;
                let stat = rustix::fs::fstat(own.as_fd()).ok()?;
                Some(Device::from_stat(stat.st_dev))
            })
            .collect()
    });
    if DEVICES.contains(&dev) {
        return Some(true);
    }
    (!DEVICES.is_empty()).then_some(false)
}

/// What stays the same for as long as this file is open. Not its path, which rename changes,
/// nor its flags, which fcntl does.
fn identity(file: &File, eventfd_id: Option<u64>) -> Option<FileId> {
    let mut hasher = DefaultHasher::new();
    (file.dev?, file.ino.get()?, file.kind, file.mode, eventfd_id).hash(&mut hasher);
    Some(FileId::new(hasher.finish()))
}
