//! An iterator program that is attached, for some tasks or for all: aya attaches them only for
//! all.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::sys::{self, TaskFilter};

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
            Scope::All => None,
            Scope::Process(pid) => Some(TaskFilter::process(pid)),
            Scope::Thread(tid) => Some(TaskFilter::thread(tid)),
        };
        sys::create_link(program, filter.as_ref()).map(Self)
    }

    /// Begins an iteration: the file's reads run the program.
    ///
    /// # Errors
    /// As the kernel says; `ENOMEM` where it has no memory for the iteration.
    pub fn iterate(&self) -> io::Result<File> {
        sys::create_iterator(self.0.as_fd())
    }
}
