//! A file's path, walked from name to name (`struct dentry`, `struct mount`), for files on which
//! no reference is held, of which `bpf_d_path` would not tell.
//!
//! The names go out as they are met, from the last to the first. The walk ends at the root of
//! the reader, as `d_path` does, or at the top of the file's own mount namespace. It takes no
//! lock: a rename meanwhile can mix an old name with a new one, as it can for any path that is
//! read before it is used.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use crib_common::dump::{PathRecord, kind};
use crib_common::limits::{PATH_BYTES, PATH_NAMES};
use crib_common::record::RecordHeader;

use crate::read::{Kptr, Raw, below, copy, offset};
use crate::repeat::{Step, repeat};

/// The longest name (NAME_MAX) and its byte of length, rounded up.
const NAME_ROOM: usize = 256;

/// A path as it goes out.
#[repr(C)]
pub struct Path {
    /// The record.
    pub record: PathRecord,
    /// Its names, which follow it.
    pub names: [u8; PATH_BYTES + NAME_ROOM],
    /// Where the walk is: kept in a map, see [`crate::rbtree::Walk`].
    mount: u64,
    dentry: u64,
}

impl Path {
    /// Bytes of the record with its names.
    #[inline(always)]
    pub fn size(&self) -> u32 {
        size_of::<PathRecord>() as u32 + below::<{ PATH_BYTES as u32 }>(self.record.len)
    }
}

/// Where the reader's own paths begin (`current->fs->root`), so that paths are those that it
/// would use.
#[derive(Clone, Copy)]
pub struct Root {
    /// `struct vfsmount`, 0 where it is not known.
    pub mount: u64,
    /// `struct dentry`.
    pub dentry: u64,
}

/// Fills in, as the only name, what sort of namespace a file of nsfs is (`ns_dname`).
#[inline(always)]
pub fn fill_namespace(path: &mut Path, file: Kptr<Raw>) {
    path.record.header = RecordHeader::of::<PathRecord>(kind::PATH, 0);
    path.record.len = 0;
    path.record.whole = 0;
    let name = file
        .follow(offset!(file_inode))
        .and_then(|inode| inode.follow(offset!(inode_private)))
        .and_then(|ns| ns.follow(offset!(ns_ops)))
        .and_then(|ops| ops.follow(offset!(ns_ops_name)));
    let Some(name) = name else { return };
    /// Longer than any of them.
    const ROOM: u32 = 32;
    // SAFETY: the array has far more room than that; the helper checks `name` itself.
    let len = unsafe {
        bpf_probe_read_kernel_str(
            path.names.as_mut_ptr().add(1).cast(),
            ROOM,
            name.as_ptr().cast_mut().cast(),
        )
    };
    // The NUL byte at the end is counted.
    if len > 1 && len < i64::from(ROOM) {
        path.names[0] = len as u8 - 1;
        path.record.len = len as u32;
        path.record.whole = 1;
        path.record.header.len += len as u32;
    }
}

/// Fills in the path of a file.
#[inline(always)]
pub fn fill(path: &mut Path, file: Kptr<Raw>, root: Root) {
    path.record.header = RecordHeader::of::<PathRecord>(kind::PATH, 0);
    path.record.len = 0;
    path.record.whole = 0;
    path.mount = file.get(offset!(file_path_mnt)).or_zero();
    path.dentry = file.get(offset!(file_path_dentry)).or_zero();
    // Each name, and each mount that is gone up from.
    repeat(PATH_NAMES, |_| up(path, root));
    path.record.header.len += below::<{ PATH_BYTES as u32 }>(path.record.len);
}

/// One step towards the root.
#[inline(always)]
fn up(path: &mut Path, root: Root) -> Step {
    let (Some(mount), Some(dentry)) = (Kptr::<Raw>::to(path.mount), Kptr::<Raw>::to(path.dentry))
    else {
        return Step::Break;
    };
    if path.dentry == root.dentry && path.mount == root.mount {
        path.record.whole = 1;
        return Step::Break;
    }
    let Some(parent) = dentry.get::<u64>(offset!(dentry_parent)).ok() else { return Step::Break };
    let top: u64 = mount.get(offset!(vfsmount_root)).or_zero();
    if path.dentry == top || parent == path.dentry {
        return leave_mount(path, mount, dentry, parent == path.dentry);
    }
    if !add_name(path, dentry) {
        return Step::Break;
    }
    path.dentry = parent;
    Step::Continue
}

/// On to where the mount is mounted; the end where it is the top one, or is not mounted.
#[inline(always)]
fn leave_mount(path: &mut Path, mnt: Kptr<Raw>, dentry: Kptr<Raw>, is_root: bool) -> Step {
    let mount = mnt.address().wrapping_sub(u64::from(offset!(mount_mnt)));
    let Some(mount) = Kptr::<Raw>::to(mount) else { return Step::Break };
    let Some(parent) = mount.get::<u64>(offset!(mount_parent)).ok() else { return Step::Break };
    if parent == 0 || parent == mount.address() {
        // The top. A file of no file system (anonymous inodes, pipes) has its name there.
        let named = is_root && path.record.len == 0;
        path.record.whole = u32::from(!named || add_name(path, dentry));
        return Step::Break;
    }
    let Some(at) = mount.get::<u64>(offset!(mount_mountpoint)).ok() else { return Step::Break };
    path.dentry = at;
    path.mount = parent.wrapping_add(u64::from(offset!(mount_mnt)));
    Step::Continue
}

/// Appends a name; false where it could not be read, or there is no more room.
#[inline(always)]
fn add_name(path: &mut Path, dentry: Kptr<Raw>) -> bool {
    let len: u32 = dentry.get(offset!(dentry_name_len)).or_zero();
    let Some(name) = Kptr::<Raw>::to(dentry.get(offset!(dentry_name)).or_zero()) else {
        return false;
    };
    let at = path.record.len;
    if len == 0 || len >= NAME_ROOM as u32 || at + len + 1 >= PATH_BYTES as u32 {
        return false;
    }
    let start = below::<{ PATH_BYTES as u32 }>(at) as usize;
    let names = path.names.as_mut_ptr();
    let len = below::<{ NAME_ROOM as u32 }>(len);
    // SAFETY: `start` is below PATH_BYTES and `len` below NAME_ROOM, of which the array has the
    // sum; the byte of length and the name take `len + 1` at most.
    let copied = unsafe {
        names.add(start).write(len as u8);
        copy(names.add(start + 1), len, name).is_known()
    };
    if copied {
        path.record.len = at + len + 1;
    }
    copied
}
