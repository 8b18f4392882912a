//! Which paths user space has been told already, so that a steady reading need not make them
//! again: that, and the look at each file's name, is most of what a file costs.
//!
//! A file's path stays what it was as long as its descriptor stands for the same file, inode and
//! directory entry, and neither the entry nor a directory above it is renamed or moved. A rename,
//! like an unlink, sets the inode's change time on the file systems listed here; on others the
//! path is told every time. Of the files in one directory one is told in each reading, by which
//! user space sees that the directory is called something else now.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap};
use crib_common::limits::{TOLD_DIRECTORIES, TOLD_FILES};
use crib_common::record::{FileRecord, Request, file_known};

use crate::read::{Access, Kptr, offset};

/// `super_block.s_magic` of file systems that note a rename in the inode's change time, as
/// vfs_rename's callers do since POSIX allows it: ext4, XFS, Btrfs, F2FS, tmpfs
/// (include/uapi/linux/magic.h).
const EXT4_SUPER_MAGIC: u64 = 0xef53;
const XFS_SUPER_MAGIC: u64 = 0x5846_5342;
const BTRFS_SUPER_MAGIC: u64 = 0x9123_683e;
const F2FS_SUPER_MAGIC: u64 = 0xf2f5_2010;
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Seconds after a change from which on another one has another time: times of change are as
/// coarse as the timer's tick, and the clock is read before the file is.
const SETTLED: i64 = 2;

/// What a told path belongs to.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    file: u64,
    inode: u64,
    dentry: u64,
    directory: Directory,
    changed: i64,
    changed_nanoseconds: u32,
    session: u32,
}

/// A directory, as it is reached through a mount.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
struct Directory {
    dentry: u64,
    mount: u64,
}

#[map]
static TOLD: Array<Told> = Array::with_max_entries(TOLD_FILES, 0);

/// The directories of which a file was told, with the reading in which.
#[map]
static DIRECTORIES: HashMap<Directory, u32> = HashMap::with_max_entries(TOLD_DIRECTORIES, 0);

/// A file whose path could be left out.
#[derive(Clone, Copy)]
pub struct Subject {
    file: u64,
    inode: u64,
    dentry: u64,
    mount: u64,
    changed: i64,
    changed_nanoseconds: u32,
    fd: u32,
}

impl Subject {
    /// The file that was filled in; none where its path has to be told every time.
    #[inline(always)]
    pub fn of<A: Access>(record: &FileRecord, file: Kptr<A>, request: &Request) -> Option<Self> {
        let notes_renames = matches!(
            record.magic,
            EXT4_SUPER_MAGIC | XFS_SUPER_MAGIC | BTRFS_SUPER_MAGIC | F2FS_SUPER_MAGIC | TMPFS_MAGIC
        );
        if request.session == 0 || !notes_renames || record.known & file_known::MAGIC == 0 {
            return None;
        }
        let inode = file.follow(offset!(file_inode))?;
        let changed: i64 = inode.get(offset!(inode_ctime_sec)).ok()?;
        if changed.wrapping_add(SETTLED) > request.now {
            return None;
        }
        Some(Self {
            file: file.address(),
            inode: inode.address(),
            dentry: file.get(offset!(file_path_dentry)).ok()?,
            mount: file.get(offset!(file_path_mnt)).ok()?,
            changed,
            changed_nanoseconds: inode.get(offset!(inode_ctime_nsec)).ok()?,
            fd: record.fd,
        })
    }

    /// Whether the path was told, and that of some file in the same directory in this reading.
    #[inline(always)]
    pub fn is_told(&self, request: &Request) -> bool {
        let Some(told) = TOLD.get(self.fd) else { return false };
        told.session == request.session
            && told.file == self.file
            && told.inode == self.inode
            && told.dentry == self.dentry
            && told.directory.mount == self.mount
            && told.changed == self.changed
            && told.changed_nanoseconds == self.changed_nanoseconds
            // SAFETY: the value is a number that is replaced as a whole.
            && unsafe { DIRECTORIES.get(told.directory) }.is_some_and(|at| *at == request.reading)
    }

    /// Whether a path may be left out later that is told now; `parent` is the directory entry
    /// that the file's own is in. A root of a tree is in its own, whose path is no directory's.
    #[inline(always)]
    pub fn is_in(&self, parent: u64) -> bool {
        parent != 0 && parent != self.dentry && self.fd < TOLD_FILES
    }

    /// Notes that the path was told of the file in this directory.
    #[inline(always)]
    pub fn note(&self, parent: u64, request: &Request) {
        let Some(told) = TOLD.get_ptr_mut(self.fd) else { return };
        let directory = Directory { dentry: parent, mount: self.mount };
        // Where there is no more room, all paths of the directory are told.
        let _ = DIRECTORIES.insert(directory, request.reading, 0);
        // SAFETY: the value is plain data, and a loaded object is used by one reader at a time.
        unsafe {
            (*told).file = self.file;
            (*told).inode = self.inode;
            (*told).dentry = self.dentry;
            (*told).directory = directory;
            (*told).changed = self.changed;
            (*told).changed_nanoseconds = self.changed_nanoseconds;
            (*told).session = request.session;
        }
    }
}
