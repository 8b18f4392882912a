//! One open file of a task: what the table shows of it.

use aya_ebpf::helpers::generated::bpf_d_path;
use crib_common::limits::{OPS_FUNCTIONS, PATH_BYTES};
use crib_common::offsets::ABSENT;
use crib_common::record::{FileRecord, OpsRecord, RecordHeader, file_bits, file_known, kind};

use crate::read::{Access, Kptr, Raw, Typed, Value, offset};
use crate::task::Ids;

/// inode(7).
const S_IFMT: u32 = 0o170_000;
const S_IFIFO: u32 = 0o010_000;
const S_IFSOCK: u32 = 0o140_000;
/// include/uapi/linux/magic.h
const SOCKFS_MAGIC: u64 = 0x534f_434b;
const PIPEFS_MAGIC: u64 = 0x5049_5045;
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;
/// `SB_KERNMOUNT`, include/linux/fs.h.
const SB_KERNMOUNT: u64 = 1 << 22;

/// Fills in `record` from a file. References are counted without the one that the iterator
/// holds on a typed file.
#[inline(always)]
pub fn fill<A: Access>(
    record: &mut FileRecord,
    task: Kptr<Typed>,
    ids: Ids,
    fd: u32,
    file: Kptr<A>,
) {
    let mut known = 0;
    let mut bits = 0;
    record.header = RecordHeader::of::<FileRecord>(kind::FILE, 0);
    record.file = file.address();
    record.fd = fd;
    record.tgid = ids.tgid;
    record.tid = ids.tid;
    record.f_mode = file.get(offset!(file_mode)).note(&mut known, file_known::MODE);
    record.f_flags = file.get(offset!(file_flags)).note(&mut known, file_known::FLAGS);
    record.pos = file.get(offset!(file_pos)).note(&mut known, file_known::POS);
    record.ops = file.get(offset!(file_op)).note(&mut known, file_known::OPS);
    record.refs = references(file).note(&mut known, file_known::REFS);
    record.path_len = 0;

    let table = task.follow(offset!(task_files));
    record.table = table.map_or(0, Kptr::address);
    if let Some(table) = table
        && close_on_exec(table, fd).note(&mut known, file_known::CLOEXEC)
    {
        bits |= file_bits::CLOEXEC;
    }

    if let Some(inode) = file.follow(offset!(file_inode)) {
        record.i_mode =
            u32::from(inode.get::<u16>(offset!(inode_mode)).note(&mut known, file_known::I_MODE));
        record.ino = inode.get(offset!(inode_ino)).note(&mut known, file_known::INO);
        record.size = inode.get(offset!(inode_size)).note(&mut known, file_known::SIZE);
        record.nlink = inode.get(offset!(inode_nlink)).note(&mut known, file_known::NLINK);
        record.rdev = inode.get(offset!(inode_rdev)).note(&mut known, file_known::RDEV);
        if let Some(sb) = inode.follow(offset!(inode_sb)) {
            record.dev = sb.get(offset!(super_dev)).note(&mut known, file_known::DEV);
            record.magic = sb.get(offset!(super_magic)).note(&mut known, file_known::MAGIC);
            let flags: u64 = sb.get(offset!(super_flags)).note(&mut known, file_known::INTERNAL);
            if flags & SB_KERNMOUNT != 0 {
                bits |= file_bits::INTERNAL;
            }
        }
    }

    if let Some(dentry) = file.follow(offset!(file_path_dentry)) {
        let hashed = dentry.get::<u64>(offset!(dentry_hash_pprev));
        let parent = dentry.get::<u64>(offset!(dentry_parent));
        // d_unlinked(): not in the hash, and not the root of its tree.
        let unhashed = hashed.with(parent, |at, parent| at == 0 && parent != dentry.address());
        if unhashed.note(&mut known, file_known::UNHASHED) {
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
    /// An epoll instance.
    Epoll,
    /// None.
    Nothing,
}

/// Which part a file has; `path` is what was read of its path.
#[inline(always)]
pub fn part(record: &FileRecord, path: &[u8]) -> Part {
    match record.i_mode & S_IFMT {
        S_IFSOCK if record.magic == SOCKFS_MAGIC => Part::Socket,
        S_IFIFO => Part::Pipe,
        _ if record.magic == ANON_INODE_FS_MAGIC && is_epoll(record.path_len, path) => Part::Epoll,
        _ => Part::Nothing,
    }
}

/// Whether an anonymous inode is an epoll instance's: by its name, since the address of
/// `eventpoll_fops` is not in every kernel's symbols.
#[inline(always)]
fn is_epoll(path_len: i32, path: &[u8]) -> bool {
    const NAME: &[u8; 22] = b"anon_inode:[eventpoll]";
    if path_len != NAME.len() as i32 {
        return false;
    }
    let mut same = true;
    let mut at = 0;
    while at < NAME.len() {
        same &= path[at] == NAME[at];
        at += 1;
    }
    same
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
fn references<A: Access>(file: Kptr<A>) -> Value<i64> {
    // file_ref_t counts from 0 for one reference (include/linux/file_ref.h), so the iterator's
    // own is already left out.
    if offset!(file_ref) != ABSENT {
        return file.get(offset!(file_ref));
    }
    file.get::<i64>(offset!(file_count)).map(|count| count - 1)
}

/// Whether exec closes a descriptor: its bit in the table's bitmap.
#[inline(always)]
fn close_on_exec(table: Kptr<Typed>, fd: u32) -> Value<bool> {
    let Some(fdt) = table.follow(offset!(files_fdt)) else { return Value::unknown() };
    let words = fdt.get::<u64>(offset!(fdtable_close_on_exec)).or_zero();
    // The table may have been replaced by a smaller one since the iterator looked.
    let max_fds: u32 = fdt.get(offset!(fdtable_max_fds)).or_zero();
    if words == 0 || fd >= max_fds {
        return Value::unknown();
    }
    let Some(byte) = Kptr::<Raw>::to(words + u64::from(fd / 8)) else { return Value::unknown() };
    byte.get::<u8>(0).map(|byte| byte >> (fd % 8) & 1 != 0)
}

/// The functions of file operations, those first that name a kind of file best.
#[inline(always)]
pub fn operations(ops: u64) -> OpsRecord {
    let mut functions = [0; OPS_FUNCTIONS];
    if let Some(fops) = Kptr::<Raw>::to(ops) {
        let function = |offset| fops.get::<u64>(offset).or_zero();
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
