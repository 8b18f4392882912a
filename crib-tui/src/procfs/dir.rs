//! One process's directory in /proc, held open.
//!
//! An open directory stays bound to the very process: after that ended it answers ESRCH or
//! ENOENT, even when its pid was given to another process. So nothing read through it can
//! mix two processes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Statx, StatxFlags};

use super::parse;

/// Bytes that hold most files of a process whole.
const READ_BYTES: usize = 4096;

/// A process's (or thread's) directory in /proc.
#[derive(Debug)]
pub struct ProcDir {
    dir: OwnedFd,
}

impl ProcDir {
    /// Opens /proc/`pid`; a thread's id works as well.
    ///
    /// # Errors
    /// ENOENT when there is no such process, or when /proc hides it (proc(5), hidepid).
    pub fn open(pid: u32) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { dir: rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty())? })
    }

    /// The whole of a file in it.
    ///
    /// # Errors
    /// The kernel's: ESRCH or ENOENT once the process is gone, EACCES without permission.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.read_start(name, u64::MAX)
    }

    /// The first `limit` bytes of a file in it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_start(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.dir, name, flags, Mode::empty())?);
        // With room for most files, and through `take`, which does not ask for size and position
        // first: /proc knows neither, and each call counts where there are many processes.
        let mut bytes = Vec::with_capacity(READ_BYTES);
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The numbers that are names in a directory in it, in ascending order.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn numbers(&self, name: &str) -> io::Result<Vec<u32>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&self.dir, name, flags, Mode::empty())?;
        let mut numbers = Vec::new();
        for entry in Dir::new(dir)? {
            numbers.extend(parse::decimal::<u32>(entry?.file_name().to_bytes()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The text of a link in it, byte for byte.
    ///
    /// # Errors
    /// As [`Self::read`]; ENAMETOOLONG where the kernel can't fit a path into one page.
    pub fn link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.dir, name, Vec::new())?.into_bytes())
    }

    /// The attributes of what a link in it leads to, as the kernel has them: a dead file server
    /// is not asked, it would not answer.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn stat(&self, name: &str) -> io::Result<Statx> {
        let flags = AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
        Ok(rustix::fs::statx(&self.dir, name, flags, StatxFlags::BASIC_STATS)?)
    }

    /// A path to a name in it, for calls that take nothing else.
    pub fn path(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.dir.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn it_reads_files_links_and_numbers() {
        let own = ProcDir::open(std::process::id()).unwrap();
        assert!(own.read("stat").unwrap().starts_with(std::process::id().to_string().as_bytes()));
        assert_eq!(own.read_start("stat", 1).unwrap().len(), 1);
        assert!(own.numbers("fd").unwrap().is_sorted());
        assert!(own.link("exe").unwrap().starts_with(b"/"));
        assert_eq!(own.link("no-such-link").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn it_stays_with_a_process_that_is_gone() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let dir = ProcDir::open(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let error = dir.read("stat").unwrap_err().raw_os_error();
        assert!(matches!(error, Some(libc::ESRCH | libc::ENOENT)), "{error:?}");
    }
}
