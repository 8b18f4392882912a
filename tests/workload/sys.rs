//! System calls that std has no function for, behind safe functions: here and below is all of
//! the workload's unsafe code.

pub mod away;
pub mod generated;
pub mod message;
pub mod net;
mod sockets;

pub use sockets::*;

use std::ffi::{CStr, CString, c_int, c_long, c_ulong};
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::ptr;

/// Turns the usual "-1 and errno" into a result.
fn check(ret: c_long) -> io::Result<c_long> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// Takes ownership of the descriptor that a system call has just returned.
fn owned(ret: impl Into<c_long>) -> io::Result<OwnedFd> {
    let fd = check(ret.into())? as c_int;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn c_string(path: &Path) -> io::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from)
}

/// Ends the calling thread and nothing else, be it the first one: the process goes on with the others.
pub fn end_this_thread() -> ! {
    loop {
        // SAFETY: it takes no pointers, and what the thread has on its stack is never looked at
        // again: none has borrowed it.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

/// open(2), with the flags as they are: no O_CLOEXEC is added, and O_PATH alone is possible.
pub fn open(path: &Path, flags: c_int) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    owned(unsafe { libc::open(path.as_ptr(), flags, 0o600) })
}

/// openat(2) below `dir`.
pub fn openat(dir: BorrowedFd<'_>, name: &CStr, flags: c_int) -> io::Result<OwnedFd> {
    // SAFETY: `name` is a C string that outlives the call.
    owned(unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags, 0o600) })
}

/// mkdirat(2) below `dir`.
pub fn mkdirat(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` is a C string that outlives the call.
    check(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), 0o700) }.into()).map(drop)
}

/// mkfifo(3).
pub fn mkfifo(path: &Path) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }.into()).map(drop)
}

/// mknod(2) of a block device.
pub fn mknod_block(path: &Path, major: u32, minor: u32) -> io::Result<()> {
    let path = c_string(path)?;
    let dev = libc::makedev(major, minor);
    // SAFETY: `path` is a C string that outlives the call.
    check(unsafe { libc::mknod(path.as_ptr(), libc::S_IFBLK | 0o600, dev) }.into()).map(drop)
}

/// dup(2) without close-on-exec, which std always sets.
pub fn dup(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::dup(fd.as_raw_fd()) })
}

/// fcntl(2) with a number as its argument.
pub fn fcntl(fd: BorrowedFd<'_>, command: c_int, argument: c_int) -> io::Result<c_int> {
    // SAFETY: the commands used here take a number, no pointer.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), command, argument) }.into()).map(|r| r as c_int)
}

/// pipe2(2): the reading and the writing end.
pub fn pipe(flags: c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: `ends` has room for two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) }.into())?;
    Ok((owned(ends[0])?, owned(ends[1])?))
}

/// write(2), which may write less than asked for.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of `bytes`.
    let ret = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    check(ret as c_long).map(|n| n as usize)
}

/// An ioctl(2) that fills in an int, such as FIONREAD.
pub fn ioctl_int(fd: BorrowedFd<'_>, request: libc::Ioctl) -> io::Result<c_int> {
    let mut value: c_int = 0;
    // SAFETY: the requests used here write one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, &mut value) }.into())?;
    Ok(value)
}

/// posix_openpt(3) and the slave's path. The slave is unlocked.
pub fn open_pty() -> io::Result<(OwnedFd, CString)> {
    // SAFETY: no memory is involved.
    let master = owned(unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY) })?;
    // SAFETY: no memory is involved.
    check(unsafe { libc::unlockpt(master.as_raw_fd()) }.into())?;
    let mut name = [0; 64];
    // SAFETY: the pointer and the length are those of `name`, which ptsname_r ends with a NUL.
    let ret = unsafe { libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()) };
    if ret != 0 {
        return Err(io::Error::from_raw_os_error(ret));
    }
    // SAFETY: ptsname_r succeeded, so `name` holds a C string.
    let slave = unsafe { CStr::from_ptr(name.as_ptr()) }.to_owned();
    Ok((master, slave))
}

/// A private, read-only mapping of a file's first page, which lasts until the process ends.
pub fn map_first_page(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the kernel chooses the address; the mapping is never touched.
    let address = unsafe {
        libc::mmap(ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_PRIVATE, fd.as_raw_fd(), 0)
    };
    if address == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// epoll_create1(2).
pub fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// epoll_ctl(2), EPOLL_CTL_ADD.
pub fn epoll_add(
    epoll: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    events: u32,
    data: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: data };
    let (epoll, target) = (epoll.as_raw_fd(), target.as_raw_fd());
    // SAFETY: `event` outlives the call, which only reads it.
    check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, target, &mut event) }.into())
        .map(drop)
}

/// eventfd(2).
pub fn eventfd(count: u32, flags: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::eventfd(count, flags) })
}

/// timerfd_create(2), armed to fire in `seconds`.
pub fn timerfd(seconds: i64) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = owned(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) })?;
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let timer = libc::itimerspec {
        it_interval: zero,
        it_value: libc::timespec { tv_sec: seconds, tv_nsec: 0 },
    };
    // SAFETY: `timer` outlives the call; the old value isn't asked for.
    check(unsafe { libc::timerfd_settime(fd.as_raw_fd(), 0, &timer, ptr::null_mut()) }.into())?;
    Ok(fd)
}

/// signalfd(2) for one signal.
pub fn signalfd(signal: c_int) -> io::Result<OwnedFd> {
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set in before it is used.
    let mask = unsafe {
        libc::sigemptyset(mask.as_mut_ptr());
        libc::sigaddset(mask.as_mut_ptr(), signal);
        mask.assume_init()
    };
    // SAFETY: `mask` outlives the call.
    owned(unsafe { libc::signalfd(-1, &mask, libc::SFD_NONBLOCK) })
}

/// inotify_init1(2) with one watch on `path`.
pub fn inotify(path: &Path) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) })?;
    let path = c_string(path)?;
    let (raw, mask) = (fd.as_raw_fd(), libc::IN_DELETE_SELF);
    // SAFETY: `path` is a C string that outlives the call.
    check(unsafe { libc::inotify_add_watch(raw, path.as_ptr(), mask) }.into())?;
    Ok(fd)
}

/// fanotify_init(2).
pub fn fanotify() -> io::Result<OwnedFd> {
    let flags = libc::FAN_CLASS_NOTIF | libc::FAN_CLOEXEC;
    // SAFETY: no memory is involved.
    owned(unsafe { libc::fanotify_init(flags, libc::O_RDONLY as u32) })
}

/// pidfd_open(2).
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) })
}

/// memfd_create(2).
pub fn memfd(name: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: `name` is a C string that outlives the call.
    owned(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_ALLOW_SEALING) })
}

/// io_uring_setup(2) with room for four entries.
pub fn io_uring() -> io::Result<OwnedFd> {
    let mut params = [0u32; 30]; // struct io_uring_params is 120 bytes
    // SAFETY: `params` is as large as the structure that the kernel reads and writes.
    owned(unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_mut_ptr()) })
}

/// userfaultfd(2).
pub fn userfaultfd() -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK) })
}

/// perf_event_open(2) of the software clock on this process, not enabled.
pub fn perf_event() -> io::Result<OwnedFd> {
    // struct perf_event_attr, PERF_ATTR_SIZE_VER0: type, size, config, ..., flags, ...
    let mut attr = [0u64; 8];
    attr[0] = 1 | (64 << 32); // PERF_TYPE_SOFTWARE, size 64
    attr[1] = 0; // PERF_COUNT_SW_CPU_CLOCK
    attr[5] = 1; // disabled
    // SAFETY: `attr` is as long as its size field says.
    owned(unsafe { libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), 0, -1, -1, 0) })
}

/// fsopen(2).
pub fn fsopen(fs: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: `fs` is a C string that outlives the call.
    owned(unsafe {
        libc::syscall(libc::SYS_fsopen, fs.as_ptr(), 1 /* FSOPEN_CLOEXEC */)
    })
}

/// landlock_create_ruleset(2) that handles writing to files; nothing is restricted by it.
pub fn landlock_ruleset() -> io::Result<OwnedFd> {
    let attr: u64 = 1 << 1; // handled_access_fs: LANDLOCK_ACCESS_FS_WRITE_FILE
    // SAFETY: `attr` is the first member of the structure, which the given size cuts off there.
    owned(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &attr, size_of::<u64>(), 0 as c_ulong)
    })
}

/// A DMA buffer of one page out of a sealed memfd (UDMABUF_CREATE).
pub fn udmabuf(device: BorrowedFd<'_>, memfd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    /// `struct udmabuf_create` (include/uapi/linux/udmabuf.h).
    #[repr(C)]
    struct Create {
        memfd: u32,
        flags: u32,
        offset: u64,
        size: u64,
    }
    const UDMABUF_CREATE: libc::Ioctl = 0x4018_7542; // _IOW('u', 0x42, struct udmabuf_create)
    let create = Create { memfd: memfd.as_raw_fd() as u32, flags: 1, offset: 0, size: 4096 };
    // SAFETY: `create` is what this request reads.
    owned(unsafe { libc::ioctl(device.as_raw_fd(), UDMABUF_CREATE, &create) })
}

/// A DMA buffer of one page from a dma-buf heap (DMA_HEAP_IOCTL_ALLOC).
pub fn dma_heap(heap: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    /// `struct dma_heap_allocation_data` (include/uapi/linux/dma-heap.h).
    #[repr(C)]
    struct Allocation {
        len: u64,
        fd: u32,
        fd_flags: u32,
        heap_flags: u64,
    }
    const ALLOC: libc::Ioctl = 0xc018_4800; // _IOWR('H', 0, struct dma_heap_allocation_data)
    let mut data = Allocation { len: 4096, fd: 0, fd_flags: libc::O_RDWR as u32, heap_flags: 0 };
    // SAFETY: `data` is what this request reads and writes.
    check(unsafe { libc::ioctl(heap.as_raw_fd(), ALLOC, &mut data) }.into())?;
    owned(data.fd as c_int)
}

/// The raw bpf(2) call that answers with a descriptor; `attr` is `union bpf_attr`, zero-padded.
pub fn bpf(command: c_int, attr: &mut [u64; 18]) -> io::Result<OwnedFd> {
    lift_memory_limit();
    // SAFETY: the pointer and the size are those of `attr`; the pointers in it, if any, are to
    // memory that the caller keeps alive for the call.
    owned(unsafe {
        libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), size_of::<[u64; 18]>())
    })
}

/// PR_SET_NAME: the calling thread's name, of which the kernel takes 15 bytes.
pub fn set_comm(name: &CStr) -> io::Result<()> {
    // SAFETY: `name` is a C string that outlives the call.
    check(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) }.into()).map(drop)
}

/// Gives the calling thread a descriptor table of its own (unshare(2), CLONE_FILES).
pub fn unshare_files() -> io::Result<()> {
    // SAFETY: no memory is involved; other threads keep their table.
    check(unsafe { libc::unshare(libc::CLONE_FILES) }.into()).map(drop)
}

/// gettid(2).
pub fn gettid() -> u32 {
    // SAFETY: can't fail and involves no memory.
    unsafe { libc::gettid() as u32 }
}

/// Raises the soft limit on descriptors to the hard one and returns it.
pub fn raise_fd_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }.into())?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }.into())?;
    Ok(limit.rlim_cur)
}

/// Sets both limits on descriptors, the hard one too where that is lower.
pub fn set_fd_limits(count: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }.into())?;
    limit.rlim_cur = count;
    limit.rlim_max = limit.rlim_max.max(count);
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }.into()).map(drop)
}

/// Sets the soft limit on descriptors.
pub fn set_fd_limit(soft: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }.into())?;
    limit.rlim_cur = soft.min(limit.rlim_max);
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }.into()).map(drop)
}

/// Lifts the limit on locked memory, as which that of BPF counts before Linux 5.11; without the
/// right to, nothing happens.
fn lift_memory_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) };
}

/// read(2) of one byte from a descriptor that was inherited, and that nothing here owns.
pub fn read_inherited(fd: c_int) -> io::Result<usize> {
    let mut byte = 0u8;
    // SAFETY: `byte` has room for the one byte that is asked for.
    let ret = unsafe { libc::read(fd, ptr::from_mut(&mut byte).cast(), 1) };
    check(ret as c_long).map(|n| n as usize)
}

/// fstat(2).
pub fn stat(fd: impl AsFd) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the kernel fills `stat` in when it returns 0, and only then is it used.
    unsafe {
        check(libc::fstat(fd.as_fd().as_raw_fd(), stat.as_mut_ptr()).into())?;
        Ok(stat.assume_init())
    }
}

/// A descriptor that was inherited under a number that whoever started this told.
pub fn inherited(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it is open before anything else is, and nobody closes it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
