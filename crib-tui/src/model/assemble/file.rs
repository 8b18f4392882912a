//! One open file out of its record.

use std::sync::Arc;

use crib_common::record::{
    FileRecord, PipeRecord, WatchEntry, file_bits, file_known, pipe_known, watch_known,
};

use super::{IdKey, path};
use crate::model::{AccessMode, Device, Epoll, Evidence, File, Kind, OpenFlags, Pipe, Text, Watch};

/// `super_block.s_magic` of sockfs and pipefs (include/uapi/linux/magic.h).
pub(super) const SOCKFS_MAGIC: u64 = 0x534f_434b;
const PIPEFS_MAGIC: u64 = 0x5049_5045;
/// FMODE_READ and FMODE_WRITE (include/linux/fs.h).
const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 2;
/// What `d_path` appends to the path of a file whose name is gone.
const DELETED: &[u8] = b" (deleted)";
/// In place of the descriptor of a file in flight.
const NO_FD: u32 = u32::MAX;

/// What is known of a file's path.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    /// What `bpf_d_path` says, empty for nothing.
    Told(&'a [u8]),
    /// What was told of the same file before.
    Kept(&'a File),
    /// Its names from the last to the first, where all of them are known.
    Walked(Option<&'a [u8]>),
}

/// The file that a record tells of.
pub(super) fn file(
    record: &FileRecord,
    name: Name<'_>,
    tid: Option<u32>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
) -> File {
    let has = |bit| record.known & bit != 0;
    let bit = |known, bit| has(known).then_some(record.bits & bit != 0);
    let ops = has(file_known::OPS).then(|| ops_name(record.ops)).flatten();
    let magic = has(file_known::MAGIC).then_some(record.magic);
    let internal_mount = bit(file_known::INTERNAL, file_bits::INTERNAL);
    let i_mode = has(file_known::I_MODE).then_some(record.i_mode);
    let ino = has(file_known::INO).then_some(record.ino);

    let (path, deleted) = match (magic, ino) {
        (Some(SOCKFS_MAGIC), Some(ino)) => (Some(format!("socket:[{ino}]").into()), Some(false)),
        (Some(PIPEFS_MAGIC), Some(ino)) => (Some(format!("pipe:[{ino}]").into()), Some(false)),
        _ => match name {
            Name::Told(path) => {
                let (path, deleted) = deleted_apart(path, record);
                (path.map(Text::from), deleted)
            }
            Name::Kept(file) => (file.path.clone(), file.deleted),
            Name::Walked(names) => (path::walked(magic, ino, names), deleted(record)),
        },
    };
    let fd = (record.fd != NO_FD).then_some(record.fd);
    let evidence = Evidence {
        i_mode,
        s_magic: magic,
        internal_mount,
        path: path.as_ref().map(Text::as_bytes),
        ops: ops.as_deref(),
    };
    let kind = Kind::classify(&evidence);
    File {
        fd,
        kind,
        ops,
        mode: has(file_known::MODE).then_some(AccessMode {
            read: record.f_mode & FMODE_READ != 0,
            write: record.f_mode & FMODE_WRITE != 0,
        }),
        flags: has(file_known::FLAGS).then_some(OpenFlags(record.f_flags)),
        // A property of the descriptor, which a file in flight has none of.
        cloexec: bit(file_known::CLOEXEC, file_bits::CLOEXEC).filter(|_| fd.is_some()),
        pos: has(file_known::POS).then_some(record.pos).into(),
        path,
        deleted,
        dev: has(file_known::DEV).then(|| Device::from_kernel(record.dev)),
        rdev: (has(file_known::RDEV) && matches!(kind, Kind::Char | Kind::Block))
            .then(|| Device::from_kernel(record.rdev)),
        ino: ino.into(),
        size: has(file_known::SIZE).then_some(record.size).into(),
        refs: has(file_known::REFS).then(|| u32::try_from(record.refs).ok()).flatten(),
        tid,
        socket: None,
        pipe: None,
        epoll: None,
        watched_by: None,
        id: Some(key.file(record.file)),
        ends: None,
    }
}

/// Whether a file, whose inode is the record's, has the name that is told with that.
pub(super) fn is_named(file: &File, record: &FileRecord, path: &[u8]) -> bool {
    // The names of sockets and pipes follow from their inodes.
    if matches!(record.magic, SOCKFS_MAGIC | PIPEFS_MAGIC) {
        return true;
    }
    let known = file.path.as_ref().map(Text::as_bytes);
    (known, file.deleted) == deleted_apart(path, record)
}

/// The path without what `d_path` appends, and whether the file's name is gone.
///
/// A name may end in " (deleted)" by itself. The kernel appends it to a dentry that is not in
/// the hash (`d_unlinked`), and to the names of memfds and their like, which live on a mount of
/// the kernel's own and have no link (`simple_dname`).
fn deleted_apart<'a>(path: &'a [u8], record: &FileRecord) -> (Option<&'a [u8]>, Option<bool>) {
    let unhashed = unhashed(record);
    if path.is_empty() {
        return (None, unhashed);
    }
    match path.strip_suffix(DELETED) {
        Some(name) if deleted(record) == Some(true) => (Some(name), Some(true)),
        _ => (Some(path), unhashed),
    }
}

/// Whether a file's name is gone, where nothing is appended to its path.
fn deleted(record: &FileRecord) -> Option<bool> {
    if is_nameless(record) { Some(true) } else { unhashed(record) }
}

fn unhashed(record: &FileRecord) -> Option<bool> {
    let known = record.known & file_known::UNHASHED != 0;
    known.then_some(record.bits & file_bits::UNHASHED != 0)
}

/// Memfds and their like.
fn is_nameless(record: &FileRecord) -> bool {
    let needed = file_known::INTERNAL | file_known::NLINK;
    record.known & needed == needed && record.bits & file_bits::INTERNAL != 0 && record.nlink == 0
}

/// The pipe that a record tells of.
pub(super) fn pipe(record: &PipeRecord) -> Pipe {
    let has = |bit| record.known & bit != 0;
    Pipe {
        bytes: has(pipe_known::BYTES).then_some(record.bytes),
        buffers: has(pipe_known::BUFFERS).then_some(record.buffers),
        slots: has(pipe_known::SLOTS).then_some(record.slots),
        readers: has(pipe_known::READERS).then_some(record.readers),
        writers: has(pipe_known::WRITERS).then_some(record.writers),
        queues: None,
        peers: None,
    }
}

/// What an epoll instance watches.
pub(super) fn epoll(entries: &[WatchEntry], whole: bool, key: &IdKey) -> Epoll {
    let watch = |entry: &WatchEntry| {
        let needed = watch_known::FD | watch_known::EVENTS | watch_known::DATA;
        (entry.known & needed == needed).then_some(Watch {
            fd: entry.fd,
            events: entry.events,
            data: entry.data,
            ready: (entry.known & watch_known::READY != 0).then_some(entry.ready != 0),
            file: (entry.file != 0).then(|| key.file(entry.file)),
        })
    };
    let watches: Vec<_> = entries.iter().filter_map(watch).collect();
    let complete = whole && watches.len() == entries.len();
    Epoll { watches, complete }
}
