//! The one raw bpf(2) call: an iterator's link with a filter, which aya can't make.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

// enum bpf_cmd and enum bpf_attach_type, include/uapi/linux/bpf.h
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ITER_CREATE: libc::c_long = 33;
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_attr` as BPF_LINK_CREATE takes it, without uninitialised padding.
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    reserved: u32,
}

/// `union bpf_iter_link_info` with its `task` member.
#[repr(C)]
#[derive(Default)]
struct TaskFilter {
    tid: u32,
    pid: u32,
    pid_fd: u32,
    reserved: u32,
}

/// `union bpf_attr` as BPF_ITER_CREATE takes it.
#[repr(C)]
#[derive(Default)]
struct IterCreate {
    link_fd: u32,
    flags: u32,
}

/// An iterator program that is attached: it can be read any number of times.
#[derive(Debug)]
pub struct IterLink(OwnedFd);

/// Which tasks an iterator shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// Those of a process (Linux 6.1).
    Process(u32),
    /// One thread (Linux 6.1; accepted and ignored before).
    Thread(u32),
}

impl IterLink {
    /// Attaches an iterator program.
    ///
    /// # Errors
    /// `ESRCH` when there is no such process, `E2BIG` or `EINVAL` from a kernel that can't
    /// filter, `EPERM` without privileges.
    pub fn create(program: BorrowedFd<'_>, scope: Scope) -> io::Result<Self> {
        // The member `pid` means the whole process.
        let filter = match scope {
            Scope::All => TaskFilter::default(),
            Scope::Process(pid) => TaskFilter { pid, ..TaskFilter::default() },
            Scope::Thread(tid) => TaskFilter { tid, ..TaskFilter::default() },
        };
        let mut attr = LinkCreate {
            prog_fd: program.as_raw_fd() as u32,
            attach_type: BPF_TRACE_ITER,
            ..LinkCreate::default()
        };
        if scope != Scope::All {
            attr.iter_info = (&raw const filter) as u64;
            attr.iter_info_len = size_of::<TaskFilter>() as u32;
        }
        // SAFETY: the attribute has the layout that the command takes, and the filter that it
        // points to is alive.
        unsafe { bpf(BPF_LINK_CREATE, &attr) }.map(Self)
    }

    /// Begins an iteration: the file's reads run the program.
    ///
    /// # Errors
    /// As the kernel says; `ENOMEM` where it has no memory for the iteration.
    pub fn iterate(&self) -> io::Result<File> {
        let attr = IterCreate { link_fd: self.0.as_raw_fd() as u32, flags: 0 };
        // SAFETY: the attribute has the layout that the command takes.
        unsafe { bpf(BPF_ITER_CREATE, &attr) }.map(File::from)
    }
}

/// bpf(2) for commands that return a descriptor.
///
/// # Safety
/// `attr` must be what `command` takes, and what it points to alive and readable.
unsafe fn bpf<T>(command: libc::c_long, attr: &T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's; the kernel reads `size_of::<T>()` bytes at most.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: these commands return a new descriptor that nobody else owns; descriptors fit.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
