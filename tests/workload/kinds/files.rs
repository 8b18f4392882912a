//! Files that live in file systems: regular files, directories, symbolic links, devices.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink as make_symlink;
use std::path::Path;

use serde_json::json;

use crate::holder::Holder;
use crate::sys;

const CONTENT: &[u8] = b"what a file holds\n";

/// A new file with [`CONTENT`], opened with just these flags.
fn file(holder: &Holder, name: &str, flags: i32) -> io::Result<fs::File> {
    let path = holder.dir().join(name);
    fs::write(&path, CONTENT)?;
    Ok(sys::open(&path, flags)?.into())
}

/// Opened three ways: to read and write, to read, to write; only the first closes on exec.
pub fn regular(holder: &mut Holder) -> io::Result<()> {
    let mut both = file(holder, "read-write", libc::O_RDWR | libc::O_CLOEXEC)?;
    both.seek(SeekFrom::Start(5))?;
    let path = holder.dir().join("read-write").display().to_string();
    holder.add(
        "regular",
        "regular",
        both,
        json!({ "mode": "rw", "pos": 5, "size": CONTENT.len(), "cloexec": true, "path": path,
                "deleted": false, "flags": ["O_RDWR", "O_LARGEFILE"], "rdev": null,
                "socket": null, "pipe": null, "epoll": null, "tid": null }),
    );
    let read = file(holder, "read", libc::O_RDONLY)?;
    holder.add("regular", "regular-read", read, json!({ "mode": "r", "cloexec": false }));
    let write = file(holder, "write", libc::O_WRONLY | libc::O_TRUNC | libc::O_SYNC)?;
    holder.add("regular", "regular-write", write, json!({ "mode": "w", "size": 0 }));
    Ok(())
}

/// O_APPEND moves the position to the end of what was written.
pub fn append(holder: &mut Holder) -> io::Result<()> {
    let mut file = file(holder, "append", libc::O_WRONLY | libc::O_APPEND)?;
    file.write_all(b"and more")?;
    let end = CONTENT.len() + 8;
    let flags = ["O_WRONLY", "O_APPEND", "O_LARGEFILE"];
    let expect = json!({ "mode": "w", "pos": end, "size": end, "flags": flags });
    holder.add("regular", "regular-append", file, expect);
    Ok(())
}

/// O_DIRECT, which tmpfs refused before Linux 6.6.
pub fn direct(holder: &mut Holder) -> io::Result<()> {
    let file = file(holder, "direct", libc::O_RDONLY | libc::O_DIRECT)?;
    let expect = json!({ "mode": "r", "flags": ["O_RDONLY", "O_DIRECT", "O_LARGEFILE"] });
    holder.add("regular", "regular-direct", file, expect);
    Ok(())
}

/// O_TMPFILE: a file that never had a name.
pub fn tmpfile(holder: &mut Holder) -> io::Result<()> {
    let file = sys::open(holder.dir(), libc::O_RDWR | libc::O_TMPFILE)?;
    sys::write(file.as_fd(), b"nameless")?;
    let expect = json!({ "mode": "rw", "pos": 8, "size": 8, "deleted": true });
    holder.add("regular", "regular-tmpfile", file, expect);
    Ok(())
}

/// A file whose name is gone.
pub fn deleted(holder: &mut Holder) -> io::Result<()> {
    let file = file(holder, "gone", libc::O_RDONLY)?;
    let path = holder.dir().join("gone");
    fs::remove_file(&path)?;
    let expect = json!({ "deleted": true, "path": path.display().to_string() });
    holder.add("regular", "regular-deleted", file, expect);
    Ok(())
}

/// Names that end as /proc marks deleted files: one there, one gone.
pub fn named_deleted(holder: &mut Holder) -> io::Result<()> {
    for (label, name) in [
        ("regular-named-deleted", "x (deleted)"),
        ("regular-named-deleted-and-deleted", "y (deleted)"),
    ] {
        let file = file(holder, name, libc::O_RDONLY)?;
        let path = holder.dir().join(name);
        let gone = label.ends_with("and-deleted");
        if gone {
            fs::remove_file(&path)?;
        }
        let expect = json!({ "deleted": gone, "path": path.display().to_string() });
        holder.add("regular", label, file, expect);
    }
    Ok(())
}

/// One open file under two descriptors: they share flags and position, not close-on-exec.
pub fn duplicated(holder: &mut Holder) -> io::Result<()> {
    let mut first = file(holder, "dup", libc::O_RDONLY | libc::O_CLOEXEC)?;
    first.seek(SeekFrom::Start(3))?;
    let second = sys::dup(first.as_fd())?;
    let expect = |cloexec| json!({ "pos": 3, "refs": 2, "cloexec": cloexec });
    holder.add("regular", "regular-dup", first, expect(true));
    holder.add("regular", "regular-dup-twin", second, expect(false));
    Ok(())
}

/// A mapping holds a reference of its own on the open file.
pub fn mapped(holder: &mut Holder) -> io::Result<()> {
    let file = file(holder, "mapped", libc::O_RDONLY)?;
    sys::map_first_page(file.as_fd())?;
    holder.add("regular", "regular-mapped", file, json!({ "refs": 2 }));
    Ok(())
}

/// Size and position beyond 32 bits.
pub fn sparse(holder: &mut Holder) -> io::Result<()> {
    const LARGE: u64 = 5 << 32;
    let mut file = file(holder, "sparse", libc::O_RDWR | libc::O_NOATIME)?;
    file.set_len(LARGE)?;
    file.seek(SeekFrom::Start(LARGE - 1))?;
    holder.add("regular", "regular-sparse", file, json!({ "pos": LARGE - 1, "size": LARGE }));
    Ok(())
}

/// O_PATH: neither readable nor writable.
pub fn path_only(holder: &mut Holder) -> io::Result<()> {
    let file = file(holder, "path", libc::O_PATH)?;
    let expect = json!({ "mode": "-", "flags": ["O_RDONLY", "O_PATH"] });
    holder.add("regular", "regular-path", file, expect);
    Ok(())
}

/// A directory, open to be listed.
pub fn directory(holder: &mut Holder) -> io::Result<()> {
    let dir = sys::open(holder.dir(), libc::O_RDONLY | libc::O_DIRECTORY)?;
    let path = holder.dir().display().to_string();
    holder.add("directory", "directory", dir, json!({ "mode": "r", "path": path }));
    Ok(())
}

/// A symbolic link itself, which only O_PATH can open.
pub fn symlink(holder: &mut Holder) -> io::Result<()> {
    let path = holder.dir().join("link");
    make_symlink("where it points", &path)?;
    let file = sys::open(&path, libc::O_PATH | libc::O_NOFOLLOW)?;
    let expect = json!({ "mode": "-", "size": 15, "path": path.display().to_string() });
    holder.add("symlink", "symlink", file, expect);
    Ok(())
}

/// A device without state.
pub fn null(holder: &mut Holder) -> io::Result<()> {
    let file = sys::open(Path::new("/dev/null"), libc::O_WRONLY)?;
    let expect = json!({ "mode": "w", "path": "/dev/null", "rdev": "1:3" });
    holder.add("char", "char-null", file, expect);
    Ok(())
}

/// Both ends of a pseudo-terminal.
pub fn pty(holder: &mut Holder) -> io::Result<()> {
    let (master, name) = sys::open_pty()?;
    let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
    let slave = sys::open(path, libc::O_RDWR | libc::O_NOCTTY)?;
    holder.add("char", "char-pty-master", master, json!({ "mode": "rw", "rdev": "5:2" }));
    holder.add("char", "char-pty-slave", slave, json!({ "mode": "rw" }));
    Ok(())
}

/// A block device's node. It need not have a driver, since O_PATH doesn't ask it.
pub fn block(holder: &mut Holder) -> io::Result<()> {
    let path = holder.dir().join("block");
    sys::mknod_block(&path, 7, 0)?;
    let file = sys::open(&path, libc::O_PATH)?;
    holder.add("block", "block-path", file, json!({ "mode": "-", "rdev": "7:0" }));
    if let Ok(file) = sys::open(&path, libc::O_RDONLY | libc::O_NONBLOCK) {
        holder.add("block", "block-open", file, json!({ "mode": "r", "rdev": "7:0" }));
    }
    Ok(())
}
