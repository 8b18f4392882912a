//! One open file of a task: what the table shows of it.

use aya_ebpf::helpers::generated::{bpf_d_path, bpf_snprintf};
use crib_common::limits::{OPS_FUNCTIONS, OPS_SYMBOL_BYTES, PATH_BYTES};
use crib_common::offsets::ABSENT;
use crib_common::record::{FileRecord, OpsRecord, RecordHeader, file_bits, file_known, kind};

use crate::read::{Access, Kptr, Raw, Typed, Value, offset};
use crate::task::Ids;
use crate::task_file::file_ops_type;

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

/// Whose file it is, and under which descriptor.
#[derive(Clone, Copy)]
pub struct Place {
    /// The thread.
    pub ids: Ids,
    /// The descriptor; [`Place::IN_FLIGHT`] for none.
    pub fd: u32,
    /// The address of the `struct files_struct`, 0 where there is none.
    pub table: u64,
    /// Whether exec closes the descriptor.
    pub close_on_exec: Value<bool>,
    /// References on the file that are the reader's own.
    pub own_references: i64,
}

impl Place {
    /// In place of the descriptor of a file in flight.
    pub const IN_FLIGHT: u32 = u32::MAX;

    /// The place of a file that an iterator over a task's files holds.
    #[inline(always)]
    pub fn of_held(task: Kptr<Typed>, ids: Ids, fd: u32) -> Self {
        let table = task.follow(offset!(task_files));
        let close_on_exec = match table.and_then(|table| table.follow(offset!(files_fdt))) {
            Some(fdt) => close_on_exec(fdt, fd),
            None => Value::unknown(),
        };
        let table = table.map_or(0, Kptr::address);
        Self { ids, fd, table, close_on_exec, own_references: 1 }
    }
}

/// Fills in `record` from a file, all but what [`fill_entry`] does.
#[inline(always)]
pub fn fill<A: Access>(record: &mut FileRecord, place: Place, file: Kptr<A>) {
    let mut known = 0;
    let mut bits = 0;
    record.header = RecordHeader::of::<FileRecord>(kind::FILE, 0);
    record.file = file.address();
    record.fd = place.fd;
    record.tgid = place.ids.tgid;
    record.tid = place.ids.tid;
    record.table = place.table;
    record.f_mode = file.get(offset!(file_mode)).note(&mut known, file_known::MODE);
    record.f_flags = file.get(offset!(file_flags)).note(&mut known, file_known::FLAGS);
    record.pos = file.get(offset!(file_pos)).note(&mut known, file_known::POS);
    record.ops = file_ops_type(file).note(&mut known, file_known::OPS);
    record.refs = references(file, place.own_references).note(&mut known, file_known::REFS);
    record.path_len = 0;
    record.parent = 0;
    record.mount = 0;

    if place.close_on_exec.note(&mut known, file_known::CLOEXEC) {
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

    record.known = known;
    record.bits = bits;
}

/// Fills in what a file's directory entry says of it.
#[inline(always)]
pub fn fill_entry<A: Access>(record: &mut FileRecord, file: Kptr<A>) {
    record.mount = file.get(offset!(file_path_mnt)).or_zero();
    if let Some(dentry) = file.follow(offset!(file_path_dentry)) {
        let hashed = dentry.get::<u64>(offset!(dentry_hash_pprev));
        let parent = dentry.get::<u64>(offset!(dentry_parent));
        // d_unlinked(): not in the hash, and not the root of its tree.
        let unhashed = hashed.with(parent, |at, parent| at == 0 && parent != dentry.address());
        if unhashed.note(&mut record.known, file_known::UNHASHED) {
            record.bits |= file_bits::UNHASHED;
        }
        record.parent = parent.or_zero();
    }
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
    part_of(record, || is_named(record.path_len as u32, path, b"anon_inode:[eventpoll]"))
}

/// Which part a file has; `names` are those of its path, as a dump reads them.
#[inline(always)]
pub fn part_by_names(record: &FileRecord, len: u32, names: &[u8]) -> Part {
    part_of(record, || is_named(len, names, b"\x0b[eventpoll]"))
}

/// An anonymous inode is an epoll instance's by its name, since the address of `eventpoll_fops`
/// is not in every kernel's symbols.
#[inline(always)]
fn part_of(record: &FileRecord, is_epoll: impl FnOnce() -> bool) -> Part {
    match record.i_mode & S_IFMT {
        S_IFSOCK if record.magic == SOCKFS_MAGIC => Part::Socket,
        S_IFIFO => Part::Pipe,
        _ if record.magic == ANON_INODE_FS_MAGIC && is_epoll() => Part::Epoll,
        _ => Part::Nothing,
    }
}

/// Whether the first `len` bytes of `path` are this name.
#[inline(always)]
fn is_named<const N: usize>(len: u32, path: &[u8], name: &[u8; N]) -> bool {
    let Some(path) = path.first_chunk::<N>() else { return false };
    let mut same = len == N as u32;
    let mut at = 0;
    while at < N {
        same &= path[at] == name[at];
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

/// Whether a file is a namespace's (nsfs).
#[inline(always)]
pub fn is_namespace(record: &FileRecord) -> bool {
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    record.magic == NSFS_MAGIC
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

/// The references on a file, without the reader's own.
#[inline(always)]
fn references<A: Access>(file: Kptr<A>, own: i64) -> Value<i64> {
    // file_ref_t counts from 0 for one reference (include/linux/file_ref.h).
    let count = if offset!(file_ref) != ABSENT {
        file.get::<i64>(offset!(file_ref)).map(|count| count + 1)
    } else {
        file.get::<i64>(offset!(file_count))
    };
    count.map(|count| count - own)
}

/// Whether exec closes a descriptor: its bit in the table's bitmap.
#[inline(always)]
pub fn close_on_exec<A: Access>(fdt: Kptr<A>, fd: u32) -> Value<bool> {
    let words = fdt.get::<u64>(offset!(fdtable_close_on_exec)).or_zero();
    // The table may have been replaced by a smaller one since the iterator looked.
    let max_fds: u32 = fdt.get(offset!(fdtable_max_fds)).or_zero();
    if words == 0 || fd >= max_fds {
        return Value::unknown();
    }
    let Some(byte) = Kptr::<Raw>::to(words + u64::from(fd / 8)) else { return Value::unknown() };
    byte.get::<u8>(0).map(|byte| byte >> (fd % 8) & 1 != 0)
}

/// What `%pS` says of file operations and each of their functions, a line each.
#[unsafe(no_mangle)]
static OPS_FORMAT: [u8; 4 * (1 + OPS_FUNCTIONS) + 1] =
    *b"%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n\0";

/// Fills in a record with file operations: their functions, those first that name a kind of file
/// best, and where `SYMBOLS` (Linux 5.13), what the kernel calls them.
#[inline(always)]
pub fn operations<const SYMBOLS: bool>(record: &mut OpsRecord, ops: u64) {
    record.header = RecordHeader::of::<OpsRecord>(kind::OPS, 0);
    record.ops = ops;
    record.functions = [0; OPS_FUNCTIONS];
    record.symbol_bytes = 0;
    record.reserved = 0;
    if let Some(fops) = Kptr::<Raw>::to(ops) {
        let function = |offset| fops.get::<u64>(offset).or_zero();
        record.functions = [
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
        ];
    }
    if SYMBOLS {
        const ADDRESSES: u32 = 8 * (1 + OPS_FUNCTIONS as u32);
        // SAFETY: the text has so many bytes; the format is NUL-ended, in .rodata, which is
        // frozen before programs are loaded; the operations' address and those of their
        // functions follow one another, and are not changed.
        record.symbol_bytes = unsafe {
            bpf_snprintf(
                record.symbols.as_mut_ptr().cast(),
                OPS_SYMBOL_BYTES as u32,
                OPS_FORMAT.as_ptr().cast(),
                (&raw const record.ops).cast_mut(),
                ADDRESSES,
            )
        } as i32;
    }
}

/// Whether a file is a socket or a pipe, from the file alone.
#[inline(always)]
pub fn queue_part<A: Access>(file: Kptr<A>) -> Part {
    let Some(inode) = file.follow(offset!(file_inode)) else { return Part::Nothing };
    let mode = u32::from(inode.get::<u16>(offset!(inode_mode)).or_zero());
    let magic = match inode.follow(offset!(inode_sb)) {
        Some(sb) => sb.get::<u64>(offset!(super_magic)).or_zero(),
        None => 0,
    };
    match mode & S_IFMT {
        S_IFSOCK if magic == SOCKFS_MAGIC => Part::Socket,
        S_IFIFO => Part::Pipe,
        _ => Part::Nothing,
    }
}
