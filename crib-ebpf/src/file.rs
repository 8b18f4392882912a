//! One open file of a task: what the table shows of it.

use aya_ebpf::helpers::generated::bpf_d_path;
use crib_common::limits::{OPS_FUNCTIONS, PATH_BYTES};
use crib_common::record::{FileRecord, OpsRecord, RecordHeader, file_bits, file_known, kind};

use crate::read::{Access, Kptr, Raw, Typed, offset};

/// inode(7).
const S_IFMT: u32 = 0o170_000;
const S_IFIFO: u32 = 0o010_000;
const S_IFSOCK: u32 = 0o140_000;
/// include/uapi/linux/magic.h
const SOCKFS_MAGIC: u64 = 0x534f_434b;
const PIPEFS_MAGIC: u64 = 0x5049_5045;
/// `SB_KERNMOUNT`, include/linux/fs.h.
const SB_KERNMOUNT: u64 = 1 << 22;

/// The read value if there is one, else 0, with its bit set in `known` if there is one.
macro_rules! note {
    ($known:expr, $bit:expr, $value:expr) => {
        match $value {
            Some(value) => {
                $known |= $bit;
                value
            }
            None => Default::default(),
        }
    };
}
pub(crate) use note;

/// Fills in `record` from a file. References are counted without the one that the iterator
/// holds on a typed file.
#[inline(always)]
pub fn fill<A: Access>(record: &mut FileRecord, task: Kptr<Typed>, fd: u32, file: Kptr<A>) {
    let mut known = 0;
    let mut bits = 0;
    record.header = RecordHeader::of::<FileRecord>(kind::FILE, 0);
    record.file = file.address();
    record.fd = fd;
    record.tgid = task.get(offset!(task_tgid)).unwrap_or(0);
    record.tid = task.get(offset!(task_pid)).unwrap_or(0);
    record.f_mode = note!(known, file_known::MODE, file.get(offset!(file_mode)));
    record.f_flags = note!(known, file_known::FLAGS, file.get(offset!(file_flags)));
    record.pos = note!(known, file_known::POS, file.get(offset!(file_pos)));
    record.ops = note!(known, file_known::OPS, file.get(offset!(file_op)));
    record.refs = note!(known, file_known::REFS, references(file));
    record.path_len = 0;

    let table = task.follow(offset!(task_files));
    record.table = table.map_or(0, Kptr::address);
    let cloexec = table.and_then(|table| close_on_exec(table, fd));
    if let Some(cloexec) = cloexec {
        known |= file_known::CLOEXEC;
        if cloexec {
            bits |= file_bits::CLOEXEC;
        }
    }

    if let Some(inode) = file.follow(offset!(file_inode)) {
        record.i_mode =
            u32::from(note!(known, file_known::I_MODE, inode.get::<u16>(offset!(inode_mode))));
        record.ino = note!(known, file_known::INO, inode.get(offset!(inode_ino)));
        record.size = note!(known, file_known::SIZE, inode.get(offset!(inode_size)));
        record.nlink = note!(known, file_known::NLINK, inode.get(offset!(inode_nlink)));
        record.rdev = note!(known, file_known::RDEV, inode.get(offset!(inode_rdev)));
        if let Some(sb) = inode.follow(offset!(inode_sb)) {
            record.dev = note!(known, file_known::DEV, sb.get(offset!(super_dev)));
            record.magic = note!(known, file_known::MAGIC, sb.get(offset!(super_magic)));
            let flags: u64 = note!(known, file_known::INTERNAL, sb.get(offset!(super_flags)));
            if flags & SB_KERNMOUNT != 0 {
                bits |= file_bits::INTERNAL;
            }
        }
    }

    if let Some(dentry) = file.follow(offset!(file_path_dentry))
        && let Some(hashed) = dentry.get::<u64>(offset!(dentry_hash_pprev))
        && let Some(parent) = dentry.get::<u64>(offset!(dentry_parent))
    {
        known |= file_known::UNHASHED;
        // d_unlinked(): not in the hash, and not the root of its tree.
        if hashed == 0 && parent != dentry.address() {
            bits |= file_bits::UNHASHED;
        }
    }
    record.known = known;
    record.bits = bits;
}

/// The parts of a file that have a record of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A socket of sockfs; not the name of one in a file system, opened with O_PATH.
    Socket,
    /// A pipe or FIFO.
    Pipe,
    /// None.
    Nothing,
}

/// Which part a file has.
#[inline(always)]
pub fn part(record: &FileRecord) -> Part {
    match record.i_mode & S_IFMT {
        S_IFSOCK if record.magic == SOCKFS_MAGIC => Part::Socket,
        S_IFIFO => Part::Pipe,
        _ => Part::Nothing,
    }
}

/// Whether the path says more than `socket:[inode]` or `pipe:[inode]`, which user space can
/// put together itself.
#[inline(always)]
pub fn has_path(record: &FileRecord) -> bool {
    record.magic != SOCKFS_MAGIC && record.magic != PIPEFS_MAGIC
}

/// The path of a file that the iterator holds, into `path`; its bytes without the final NUL,
/// or the helper's error.
#[inline(always)]
pub fn path(file: Kptr<Typed>, path: *mut u8) -> i32 {
    let Some(f_path) = file.member(offset!(file_path)) else { return 0 };
    // SAFETY: `struct path` of a file with a reference held, as the helper wants it; the buffer
    // has PATH_BYTES.
    let len =
        unsafe { bpf_d_path(f_path.as_ptr().cast_mut().cast(), path.cast(), PATH_BYTES as u32) }
            as i32;
    if len > 0 { len - 1 } else { len }
}

/// The references on a file, without the iterator's own.
#[inline(always)]
fn references<A: Access>(file: Kptr<A>) -> Option<i64> {
    match file.get::<i64>(offset!(file_ref)) {
        // file_ref_t counts from 0 for one reference (include/linux/file_ref.h), so the
        // iterator's own is already left out.
        Some(less_one) => Some(less_one),
        None => file.get::<i64>(offset!(file_count)).map(|count| count - 1),
    }
}

/// Whether exec closes a descriptor: its bit in the table's bitmap.
#[inline(always)]
fn close_on_exec(table: Kptr<Typed>, fd: u32) -> Option<bool> {
    let fdt = table.follow(offset!(files_fdt))?;
    // The table may have been replaced by a smaller one since the iterator looked.
    if fd >= fdt.get::<u32>(offset!(fdtable_max_fds))? {
        return None;
    }
    let words = Kptr::<Raw>::to(fdt.get(offset!(fdtable_close_on_exec))?)?;
    let byte: u8 = Kptr::<Raw>::to(words.address() + u64::from(fd / 8))?.get(0)?;
    Some(byte >> (fd % 8) & 1 != 0)
}

/// The functions of file operations, those first that name a kind of file best.
#[inline(always)]
pub fn operations(ops: u64) -> OpsRecord {
    let mut functions = [0; OPS_FUNCTIONS];
    if let Some(fops) = Kptr::<Raw>::to(ops) {
        let function = |offset| fops.get::<u64>(offset).unwrap_or(0);
        functions = [
            function(offset!(fops_release)),
            function(offset!(fops_open)),
            function(offset!(fops_read_iter)),
            function(offset!(fops_read)),
            function(offset!(fops_poll)),
            function(offset!(fops_write_iter)),
            function(offset!(fops_write)),
            function(offset!(fops_ioctl)),
            function(offset!(fops_iterate)),
            function(offset!(fops_fdinfo)),
            function(offset!(fops_mmap)),
            function(offset!(fops_llseek)),
        ];
    }
    OpsRecord { header: RecordHeader::of::<OpsRecord>(kind::OPS, 0), ops, functions }
}
