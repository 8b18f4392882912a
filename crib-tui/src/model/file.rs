//! One open file of a process, as its row in the table shows it.

use std::fmt::{self, Display};
use std::num::NonZeroU64;
use std::sync::Arc;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::{Ends, Epoll, Kind, Maybe, Pipe, Queue, Queued, Socket, Text};

/// One open file: a file descriptor and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// The descriptor's number; none for a file in flight in a message.
    pub fd: Option<u32>,
    /// What kind of file it is.
    pub kind: Kind,
    /// The name of the file operations, or of one of their functions.
    pub ops: Option<Arc<str>>,
    /// Whether it may be read and written.
    pub mode: Option<AccessMode>,
    /// The open(2) flags that are set (`file.f_flags`).
    pub flags: Option<OpenFlags>,
    /// Whether exec closes it; a property of the descriptor, not of the file.
    pub cloexec: Option<bool>,
    /// The file position in bytes.
    pub pos: Maybe<i64>,
    /// The path, without the " (deleted)" that /proc appends.
    pub path: Option<Text>,
    /// Whether its name is gone from the file system.
    pub deleted: Option<bool>,
    /// The device of the file system it is on (st_dev).
    pub dev: Option<Device>,
    /// The device that a char or block file stands for (st_rdev); none for other kinds.
    pub rdev: Option<Device>,
    /// The inode's number.
    pub ino: Maybe<u64>,
    /// Its size in bytes (`inode.i_size`).
    pub size: Maybe<i64>,
    /// References on the open file: descriptors made by dup and fork, mappings, messages in
    /// flight; without the one that the reading itself held.
    pub refs: Option<u32>,
    /// The thread whose own descriptor table it is in; none for the process's common table.
    pub tid: Option<u32>,
    /// What more there is to say of a socket.
    pub socket: Option<Box<Socket>>,
    /// What more there is to say of a pipe or FIFO.
    pub pipe: Option<Box<Pipe>>,
    /// What more there is to say of an epoll instance.
    pub epoll: Option<Box<Epoll>>,
    /// The descriptors of this process's epoll instances that watch it, shared by the files that
    /// nothing watches; none where that could not be learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_by: Option<Arc<Vec<u32>>>,
    /// Tells this open file from another one under the same number.
    #[serde(skip)]
    pub id: Option<FileId>,
    /// What a sweep over all processes tells of it; none where there was none.
    #[serde(flatten)]
    pub ends: Option<Arc<Ends>>,
}

impl File {
    /// A row of which nothing is known but its number.
    pub fn unknown(fd: Option<u32>) -> Self {
        Self {
            fd,
            kind: Kind::Unknown,
            ops: None,
            mode: None,
            flags: None,
            cloexec: None,
            pos: Maybe::UNKNOWN,
            path: None,
            deleted: None,
            dev: None,
            rdev: None,
            ino: Maybe::UNKNOWN,
            size: Maybe::UNKNOWN,
            refs: None,
            tid: None,
            socket: None,
            pipe: None,
            epoll: None,
            watched_by: None,
            id: None,
            ends: None,
        }
    }

    /// What waits in the two directions of a socket or pipe, received first.
    ///
    /// A pipe's bytes count as received at an end that can read, as sent at one that can only
    /// write; its messages are its buffers.
    pub fn queued(&self) -> (Option<Queued>, Option<Queued>) {
        match (&self.socket, &self.pipe) {
            (Some(socket), _) => (socket.recv, socket.send),
            (None, Some(pipe)) => {
                let messages = pipe.buffers.map(u64::from);
                let queued = Queued { messages, payload: pipe.bytes, memory: None };
                match self.mode {
                    Some(mode) if !mode.read => (None, Some(queued)),
                    _ => (Some(queued), None),
                }
            }
            (None, None) => (None, None),
        }
    }

    /// The queues of a socket or pipe, as far as a dump has read them.
    pub fn queues(&self) -> Option<&[Queue]> {
        let of_socket = self.socket.as_ref().and_then(|socket| socket.queues.as_deref());
        of_socket.or_else(|| self.pipe.as_ref().and_then(|pipe| pipe.queues.as_deref()))
    }

    /// Whether nothing has changed, in a later reading of the same file, that its use would change.
    pub fn is_untouched(&self, later: &Self) -> bool {
        (self.pos, self.size, self.queued()) == (later.pos, later.size, later.queued())
    }

    /// Whether another reading of what stands in its place can be of this very file. A file that
    /// was closed may leave its memory, and with that its identity, to the next that is opened,
    /// which has another inode all the same, where it is a socket or a pipe.
    pub fn may_be(&self, other: &Self) -> bool {
        let same_id = self.id.zip(other.id).is_none_or(|(mine, other)| mine == other);
        let inos = self.ino.get().zip(other.ino.get());
        same_id && inos.is_none_or(|(mine, other)| mine == other)
    }

    /// What is constant for as long as this very file stays open under this number: the key
    /// by which a selection, an age or a mark follows a row from one reading to the next.
    pub fn key(&self) -> FileKey {
        (self.tid, self.fd, self.id)
    }
}

/// Thread, descriptor and identity: what tells one file from the next under its number.
pub type FileKey = (Option<u32>, Option<u32>, Option<FileId>);

/// The identity of an open file: a keyed hash of the address of its `struct file`, or of
/// device and inode where the address is not known. Never an address itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(NonZeroU64);

impl FileId {
    /// Of a hash.
    pub fn new(hash: u64) -> Self {
        // An optional one has no room for all of them.
        Self(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MAX))
    }

    /// The hash.
    pub fn hash(self) -> u64 {
        self.0.get()
    }
}

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device(u32);

/// Bits of the kernel's own `dev_t` that are the minor number; the other 12 are the major one
/// (include/linux/kdev_t.h).
const MINOR_BITS: u32 = 20;

impl Device {
    /// From the kernel's own `dev_t`.
    pub fn from_kernel(dev: u32) -> Self {
        Self(dev)
    }

    /// From its two numbers, as stat(2) and statx(2) tell them of the kernel's.
    pub fn new(major: u32, minor: u32) -> Self {
        Self(major << MINOR_BITS | minor)
    }

    /// From the `dev_t` that stat(2) fills in.
    pub fn from_stat(dev: u64) -> Self {
        Self::new(libc::major(dev), libc::minor(dev))
    }

    /// Its major number.
    pub fn major(self) -> u32 {
        self.0 >> MINOR_BITS
    }

    /// Its minor number.
    pub fn minor(self) -> u32 {
        self.0 & ((1 << MINOR_BITS) - 1)
    }
}

impl Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major(), self.minor())
    }
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a file may be read and written (`file.f_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessMode {
    /// FMODE_READ.
    pub read: bool,
    /// FMODE_WRITE.
    pub write: bool,
}

impl AccessMode {
    /// `r`, `w`, `rw`, or `-` for a file that was opened with O_PATH.
    pub fn name(self) -> &'static str {
        match (self.read, self.write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "-",
        }
    }
}

impl Serialize for AccessMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The flags of open(2), as `file.f_flags` and the `flags:` line of fdinfo hold them.
///
/// Close-on-exec is not among them: it belongs to the descriptor ([`File::cloexec`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    /// FASYNC, which open(2) calls O_ASYNC.
    const NAMES: &'static [(i32, &'static str)] = &[
        (libc::O_CREAT, "O_CREAT"),
        (libc::O_EXCL, "O_EXCL"),
        (libc::O_NOCTTY, "O_NOCTTY"),
        (libc::O_TRUNC, "O_TRUNC"),
        (libc::O_APPEND, "O_APPEND"),
        (libc::O_NONBLOCK, "O_NONBLOCK"),
        // O_SYNC and O_TMPFILE contain the bits of O_DSYNC and O_DIRECTORY: they come first.
        (libc::O_SYNC, "O_SYNC"),
        (libc::O_DSYNC, "O_DSYNC"),
        (libc::O_ASYNC, "O_ASYNC"),
        (libc::O_DIRECT, "O_DIRECT"),
        // libc says 0 for it on 64-bit targets; the kernel's value (asm-generic/fcntl.h).
        (0o100_000, "O_LARGEFILE"),
        (libc::O_TMPFILE, "O_TMPFILE"),
        (libc::O_DIRECTORY, "O_DIRECTORY"),
        (libc::O_NOFOLLOW, "O_NOFOLLOW"),
        (libc::O_NOATIME, "O_NOATIME"),
        (libc::O_PATH, "O_PATH"),
    ];

    /// The names of the flags that are set, the access mode first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let access = match self.0 as i32 & libc::O_ACCMODE {
            libc::O_RDONLY => Some("O_RDONLY"),
            libc::O_WRONLY => Some("O_WRONLY"),
            libc::O_RDWR => Some("O_RDWR"),
            _ => None,
        };
        let mut rest = self.0 as i32 & !libc::O_ACCMODE;
        access.into_iter().chain(Self::NAMES.iter().filter_map(move |&(bits, name)| {
            let set = rest & bits == bits;
            if set {
                rest &= !bits;
            }
            set.then_some(name)
        }))
    }
}

impl Serialize for OpenFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for name in self.names() {
            list.serialize_element(name)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(flags: i32) -> Vec<&'static str> {
        OpenFlags(flags as u32).names().collect()
    }

    #[test]
    fn flags_are_named_as_in_open_2() {
        assert_eq!(names(libc::O_RDWR | libc::O_NONBLOCK), ["O_RDWR", "O_NONBLOCK"]);
        assert_eq!(names(libc::O_WRONLY | libc::O_SYNC), ["O_WRONLY", "O_SYNC"]);
        assert_eq!(names(libc::O_DSYNC), ["O_RDONLY", "O_DSYNC"]);
        assert_eq!(names(libc::O_RDWR | libc::O_TMPFILE), ["O_RDWR", "O_TMPFILE"]);
        assert_eq!(names(libc::O_DIRECTORY | libc::O_PATH), ["O_RDONLY", "O_DIRECTORY", "O_PATH"]);
    }

    #[test]
    fn a_device_is_its_two_numbers() {
        let dev = Device::new(259, 70_000);
        assert_eq!(Device::from_stat(libc::makedev(259, 70_000)), dev);
        assert_eq!(Device::from_kernel((259 << 20) | 70_000), dev);
        assert_eq!(dev.to_string(), "259:70000");
    }
}
