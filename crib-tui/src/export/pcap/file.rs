//! The capture file itself, which holds other people's data.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Creates a file that only its owner can read, or empties one that is the user's own.
///
/// In a directory that is open to everyone, someone may have put a link or a pipe in its place:
/// neither is followed.
///
/// # Errors
/// Those of open(2), and where what is there is not a regular file of the user's own.
pub fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // Without waiting for a pipe's reader.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => io::Error::other("it is a symbolic link; name its target"),
            _ => error,
        })?;
    let metadata = file.metadata()?;
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_file() || !own || metadata.nlink() != 1 {
        return Err(io::Error::other(
            "what is there is not a regular file of your own; name another one",
        ));
    }
    file.set_len(0)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_the_owners_alone_and_an_own_one_is_emptied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.pcapng");
        create(&path).unwrap().write_all(b"a long text").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        create(&path).unwrap().write_all(b"short").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
    }

    #[test]
    fn no_link_pipe_or_directory_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name| directory.path().join(name);
        std::fs::write(at("target"), "precious").unwrap();
        symlink(at("target"), at("soft")).unwrap();
        std::fs::hard_link(at("target"), at("hard")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), mode).unwrap();
        for name in ["soft", "hard", "pipe", "."] {
            let error = create(&at(name)).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{name}: {error}");
        }
        assert_eq!(std::fs::read(at("target")).unwrap(), b"precious");
        assert!(create(&at("soft")).unwrap_err().to_string().contains("symbolic link"));
    }
}
