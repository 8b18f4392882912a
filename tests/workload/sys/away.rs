//! Memory that stays away (userfaultfd(2)): whoever touches it waits, with all that it holds, and that
//! is how a system call is held up in the middle.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{check, owned};

/// One page that comes when this is dropped.
pub struct Away {
    gate: OwnedFd,
    page: Page,
}

/// A page of ours that nothing else uses.
#[derive(Clone, Copy)]
pub struct Page(usize);

const BYTES: usize = 4096;

// linux/userfaultfd.h
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;

impl Away {
    /// Makes one.
    pub fn new() -> io::Result<Self> {
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: the call takes flags alone.
        let gate = owned(unsafe { libc::syscall(libc::SYS_userfaultfd, flags) })?;
        let mut api = [UFFD_API, 0, 0];
        // SAFETY: the kernel reads and writes a `struct uffdio_api`, three words.
        check(unsafe { libc::ioctl(gate.as_raw_fd(), UFFDIO_API, &mut api) }.into())?;
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, wherever there is room.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), BYTES, access, kind, -1, 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mut register = [page as u64, BYTES as u64, UFFDIO_REGISTER_MODE_MISSING, 0];
        // SAFETY: the kernel reads and writes a `struct uffdio_register`, four words.
        check(unsafe { libc::ioctl(gate.as_raw_fd(), UFFDIO_REGISTER, &mut register) }.into())?;
        Ok(Self { gate, page: Page(page as usize) })
    }

    /// What it is that is away.
    pub fn page(&self) -> Page {
        self.page
    }

    /// Whether somebody waits for it.
    pub fn is_waited_for(&self) -> io::Result<bool> {
        use std::os::fd::AsFd;
        Ok(super::poll(self.gate.as_fd(), libc::POLLIN, 0)? & libc::POLLIN != 0)
    }
}

impl Page {
    /// read(2) into it; returns when it is there.
    pub fn read_from(self, fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
        let start = self.0 as *mut u8;
        // SAFETY: the page is mapped for good and nobody else's; the kernel writes into it.
        let len = check(unsafe { libc::read(fd.as_raw_fd(), start.cast(), BYTES) } as _)? as usize;
        // SAFETY: so many bytes of it were written.
        Ok(unsafe { std::slice::from_raw_parts(start, len) }.to_vec())
    }
}
