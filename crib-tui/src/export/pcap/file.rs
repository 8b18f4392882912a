//! The capture file itself, which holds other people's data: it is written beside its place and
//! put there when it is whole.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, readlinkat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::privileges::{WRITING, raised};

/// Symbolic links on the way to one file at most, as many as the kernel follows.
const LINKS: u32 = 40;
/// Names that are tried for the file before it is whole.
const NAMES: u32 = 100;

/// A file that only its owner can read, on its way: dropped before its end, it is gone.
#[derive(Debug)]
pub struct NewFile {
    directory: OwnedFd,
    name: OsString,
    /// Its name until it is whole.
    unfinished: Option<OsString>,
    file: File,
}

/// Creates a file, which takes its name, and the place of a file of the user's own that has it,
/// with [`NewFile::finish`].
///
/// In a directory that is open to everyone, someone may have put a link or a pipe in its place or
/// on the way there: nothing of the kind is followed or written to.
///
/// # Errors
/// Those of open(2), and where what is there is not a regular file of the user's own.
pub fn create(path: &Path) -> io::Result<NewFile> {
    raised(WRITING, || {
        let name = path.file_name().ok_or_else(|| io::Error::other("it is a directory"))?;
        let directory = directory(path.parent().unwrap_or(Path::new("")))?;
        check(&directory, name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        for number in 0..NAMES {
            let mut unfinished = OsString::from(".");
            unfinished.push(name);
            unfinished.push(format!(".{}-{number}", std::process::id()));
            let mode = Mode::RUSR | Mode::WUSR;
            match openat(&directory, &unfinished, flags | OFlags::CLOEXEC, mode) {
                Ok(file) => {
                    let (name, file) = (name.to_owned(), File::from(file));
                    return Ok(NewFile { directory, name, unfinished: Some(unfinished), file });
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    })
}

impl NewFile {
    /// Puts it in its place.
    ///
    /// # Errors
    /// What only shows now: not all of it could be stored, or something else has taken its place.
    pub fn finish(mut self) -> io::Result<()> {
        // Some file systems find room, or their server, only then.
        self.file.sync_data()?;
        let Some(unfinished) = self.unfinished.take() else { return Ok(()) };
        let put = raised(WRITING, || {
            check(&self.directory, &self.name)?;
            renameat(&self.directory, &unfinished, &self.directory, &self.name)
                .map_err(io::Error::from)
        });
        if put.is_err() {
            self.unfinished = Some(unfinished);
        }
        put
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(name) = &self.unfinished {
            // Half a file is of no use; that it could not be removed changes nothing.
            let _ = raised(WRITING, || unlinkat(&self.directory, name, AtFlags::empty()));
        }
    }
}

/// What has the name must be a file that is the user's to replace.
fn check(directory: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let found = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Symlink => Err(io::Error::other("it is a symbolic link; name its target")),
        FileType::RegularFile if found.st_uid == geteuid().as_raw() && found.st_nlink == 1 => {
            Ok(())
        }
        _ => Err(io::Error::other(
            "what is there is not a regular file of your own; name another one",
        )),
    }
}

/// Opens a directory; on the way there, only root's and the user's own links are followed.
fn directory(path: &Path) -> io::Result<OwnedFd> {
    let open = |at: BorrowedFd<'_>, name: &Path, flags| {
        openat(at, name, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty())
    };
    let mut at = open(CWD, Path::new("."), OFlags::DIRECTORY)?;
    let mut rest: VecDeque<PathBuf> = parts(path);
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part.has_root() {
            at = open(CWD, &part, OFlags::DIRECTORY)?;
            continue;
        }
        let next = open(at.as_fd(), &part, OFlags::NOFOLLOW)?;
        let found = fstat(&next)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP.into());
        }
        if ![0, geteuid().as_raw()].contains(&found.st_uid) {
            return Err(io::Error::other(format!(
                "a symbolic link of uid {} leads there; name its target",
                found.st_uid
            )));
        }
        let target = readlinkat(&next, "", Vec::new())?.into_bytes();
        for part in parts(Path::new(&OsString::from_vec(target))).into_iter().rev() {
            rest.push_front(part);
        }
    }
    Ok(at)
}

/// The parts of a path; the first is the root where it is absolute.
fn parts(path: &Path) -> VecDeque<PathBuf> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    fn write(path: &Path, text: &str) -> io::Result<()> {
        let mut file = create(path)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_the_owners_alone_and_replaces_an_own_one_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.pcapng");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write(&path, "a long text").unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

        let mut unfinished = create(&path).unwrap();
        unfinished.write_all(b"half").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a long text");
        assert_eq!(names(directory.path()).len(), 2);
        drop(unfinished);
        assert_eq!(names(directory.path()), ["x.pcapng"]);

        write(&path, "short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(mode(), 0o600);
        assert_eq!(names(directory.path()), ["x.pcapng"]);
    }

    #[test]
    fn no_link_pipe_or_directory_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name| directory.path().join(name);
        fs::write(at("target"), "precious").unwrap();
        symlink(at("target"), at("soft")).unwrap();
        fs::hard_link(at("target"), at("hard")).unwrap();
        rustix::fs::mkfifoat(CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        for name in ["soft", "hard", "pipe", ".", "..", ""] {
            let error = write(&at(name), "x").unwrap_err().to_string();
            assert!(!error.contains('\n'), "{name}: {error}");
        }
        assert_eq!(fs::read(at("target")).unwrap(), b"precious");
        assert_eq!(names(directory.path()), ["hard", "pipe", "soft", "target"]);
        assert!(create(&at("soft")).unwrap_err().to_string().contains("symbolic link"));
    }

    #[test]
    fn a_link_that_is_planted_meanwhile_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name| directory.path().join(name);
        fs::write(at("target"), "precious").unwrap();
        let mut file = create(&at("x")).unwrap();
        file.write_all(b"secret").unwrap();
        symlink(at("target"), at("x")).unwrap();
        assert!(file.finish().is_err());
        assert_eq!(fs::read(at("target")).unwrap(), b"precious");
        assert_eq!(names(directory.path()), ["target", "x"]);
    }

    #[test]
    fn own_links_lead_to_a_directory_and_others_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name| directory.path().join(name);
        fs::create_dir(at("real")).unwrap();
        symlink("real", at("relative")).unwrap();
        symlink(at("relative"), at("absolute")).unwrap();
        symlink("circle", at("circle")).unwrap();
        write(&at("relative/one"), "1").unwrap();
        write(&at("absolute/../real/./two"), "2").unwrap();
        assert_eq!(names(&at("real")), ["one", "two"]);
        assert!(write(&at("circle/x"), "x").is_err());
        assert!(write(&at("nowhere/x"), "x").is_err());
        assert!(write(&at("real/one/x"), "x").is_err());
        if lchown(at("relative"), Some(65534), None).is_ok() {
            for name in ["relative/x", "absolute/x"] {
                let error = write(&at(name), "x").unwrap_err().to_string();
                assert!(error.contains("a symbolic link of uid 65534"), "{error}");
            }
        }
        assert_eq!(names(&at("real")), ["one", "two"]);
    }
}
