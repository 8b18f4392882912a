//! Files as a process sees them, from its root directory on, and those that it has mapped.
//!
//! The process may have put anything in their place: nothing is opened for reading before it is
//! known to be a regular file, since to open a FIFO may wait for ever, and to open a device may do
//! something. What is opened then is the very file that was looked at.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};

use super::Mapping;

/// Opens a regular file by its path from a process's root directory on. Links lead no further
/// than that, and the file itself is none.
///
/// # Errors
/// The kernel's, ENOSYS before Linux 5.6 among them; and where it is no regular file.
pub fn file_in_root(pid: u32, path: &str) -> io::Result<File> {
    let look = OFlags::PATH | OFlags::CLOEXEC;
    let root = open(format!("/proc/{pid}/root"), look | OFlags::DIRECTORY, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    regular(&openat2(root, path, look | OFlags::NOFOLLOW, Mode::empty(), resolve)?)
}

/// Opens the file that is mapped there in a process, also where it is in another mount namespace
/// or was deleted; none where that is no regular file, or may not be read.
pub fn mapped_file(pid: u32, mapping: &Mapping) -> Option<File> {
    let Mapping { start, end, ref path, .. } = *mapping;
    let path = path.as_bytes();
    if !path.starts_with(b"/") {
        return None;
    }
    let mapped = regular_file(Path::new(&format!("/proc/{pid}/map_files/{start:x}-{end:x}")));
    mapped.or_else(|_| file_in_root(pid, str::from_utf8(path).unwrap_or_default())).ok()
}

/// Opens a regular file.
///
/// # Errors
/// The kernel's, and where it is none.
pub fn regular_file(path: &Path) -> io::Result<File> {
    regular(&rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens for reading what was only looked at until now.
fn regular(found: &OwnedFd) -> io::Result<File> {
    if FileType::from_raw_mode(fstat(found)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file"));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(format!("/proc/self/fd/{}", found.as_raw_fd()), flags, Mode::empty())?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mknodat;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_are_opened() {
        let pid = std::process::id();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("file"), "text").unwrap();
        // To open this one would wait for ever.
        mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        symlink(path("file"), path("link")).unwrap();
        let mut text = String::new();
        file_in_root(pid, &path("file")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        for other in [path("fifo"), path("link"), path("none"), "/dev/null".into(), "/".into()] {
            assert!(file_in_root(pid, &other).is_err(), "{other}");
        }
        assert!(regular_file(Path::new(&path("fifo"))).is_err());
        // Each process has a root directory; there is no such process.
        assert!(file_in_root(0, &path("file")).is_err());
    }
}
