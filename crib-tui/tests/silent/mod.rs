//! A file system with one file, whose server can be made to answer no more: as one on a machine that
//! went away.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

// enum fuse_opcode in include/uapi/linux/fuse.h
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// `struct fuse_in_header`.
const HEADER_BYTES: usize = 40;
/// The node of the root; that of the file is the next one.
const ROOT: u64 = 1;

/// The file system, mounted as long as this lives.
pub struct Silent {
    dir: tempfile::TempDir,
    is_silent: Arc<AtomicBool>,
}

impl Silent {
    /// Mounts one whose file, of whatever name, has these bytes and may be run. None where that
    /// can't be done here.
    pub fn mount(content: Vec<u8>) -> Option<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").ok()?;
        let dir = tempfile::tempdir().unwrap();
        let fd = device.as_raw_fd();
        let options = format!("fd={fd},rootmode=40000,user_id=0,group_id=0");
        let options = std::ffi::CString::new(options).unwrap();
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("none", dir.path(), "fuse", flags, options.as_c_str()).ok()?;
        let is_silent = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_silent);
        thread::spawn(move || serve(device, &content, &told));
        Some(Self { dir, is_silent })
    }

    /// Where the file is.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("program")
    }

    /// Answers no more.
    pub fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // By force: whoever waits for an answer is told that there is none, and the server ends.
        let _ = unmount(self.dir.path(), UnmountFlags::FORCE | UnmountFlags::DETACH);
    }
}

/// Answers until the file system is gone.
fn serve(mut device: File, content: &[u8], is_silent: &AtomicBool) {
    let mut request = vec![0; 1 << 20];
    while let Ok(len) = device.read(&mut request) {
        let request = &request[..len];
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().unwrap());
        let (opcode, unique, node) = (word(4), long(8), long(16));
        let body = match opcode {
            FORGET | BATCH_FORGET | INTERRUPT => continue,
            _ if is_silent.load(Ordering::SeqCst) => continue,
            INIT => Ok(init()),
            // Found, and to be asked for anew each time.
            LOOKUP => Ok([words(&[ROOT + 1, 0, 0, 0, 0]), attributes(ROOT + 1, content)].concat()),
            GETATTR => Ok([words(&[0, 0]), attributes(node, content)].concat()),
            OPEN => Ok(words(&[0, 0])),
            READ => {
                let (from, bytes) = (long(HEADER_BYTES + 8) as usize, word(HEADER_BYTES + 16));
                let rest = content.get(from..).unwrap_or_default();
                Ok(rest[..rest.len().min(bytes as usize)].to_vec())
            }
            FLUSH | RELEASE => Ok(Vec::new()),
            _ => Err(libc::ENOSYS),
        };
        let error = body.as_ref().err().map_or(0, |error| -error);
        let body = body.unwrap_or_default();
        let mut answer = (body.len() as u32 + 16).to_ne_bytes().to_vec();
        answer.extend(error.to_ne_bytes());
        answer.extend(unique.to_ne_bytes());
        answer.extend(body);
        // What was interrupted has nobody who waits for it.
        let _ = device.write(&answer);
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `struct fuse_init_out` of version 7.31.
fn init() -> Vec<u8> {
    let words = [7u32, 31, 0, 0, 0, 1 << 17, 1];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.resize(64, 0);
    bytes
}

/// `struct fuse_attr`.
fn attributes(node: u64, content: &[u8]) -> Vec<u8> {
    let (mode, size) = match node {
        ROOT => (libc::S_IFDIR | 0o755, 0),
        _ => (libc::S_IFREG | 0o755, content.len() as u64),
    };
    let mut bytes = words(&[node, size, size.div_ceil(512), 0, 0, 0]);
    // Nanoseconds, mode, links, owner and group, device, block size, flags.
    let rest = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    bytes.extend(rest.iter().flat_map(|word: &u32| word.to_ne_bytes()));
    bytes
}
