//! The wire records of a process that doesn't exist, for measuring what becomes of them: as
//! many files as are wanted, of three kinds, with a path or address each.

pub mod refresh;

use crib_common::record::{
    FileRecord, PipeRecord, RecordHeader, SocketRecord, file_known, kind, pipe_known, socket_known,
};
use zerocopy::{FromZeros, Immutable, IntoBytes};

const SOCKFS: u64 = 0x534f_434b;
const PIPEFS: u64 = 0x5049_5045;
const EXT4: u64 = 0xef53;

/// What the process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Regular files only.
    Files,
    /// Every eighth one is a TCP connection, every sixteenth a pipe.
    Mixed,
}

/// What the kernel would write of `count` files. In each round, something has changed of every
/// hundredth.
pub fn records(world: World, count: u32, round: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for fd in 0..count {
        let moved = u64::from(if fd % 100 == 0 { round } else { 0 });
        match (world, fd % 16) {
            (World::Mixed, 0 | 8) => {
                push(&mut bytes, &file(fd, SOCKFS, libc::S_IFSOCK | 0o777), b"");
                push(&mut bytes, &connection(fd, moved), b"");
            }
            (World::Mixed, 4) => {
                push(&mut bytes, &file(fd, PIPEFS, libc::S_IFIFO | 0o600), b"");
                push(&mut bytes, &pipe(moved), b"");
            }
            _ => {
                let mut file = file(fd, EXT4, libc::S_IFREG | 0o644);
                file.pos = moved as i64 * 4096;
                file.size = 1 << 20;
                push(&mut bytes, &file, format!("/var/lib/server/segment-{fd:07}.log").as_bytes());
            }
        }
    }
    bytes
}

fn file(fd: u32, magic: u64, i_mode: u32) -> FileRecord {
    FileRecord {
        header: RecordHeader::of::<FileRecord>(kind::FILE, 0),
        file: 0xffff_8880_0000_0000 + u64::from(fd) * 256,
        table: 0xffff_8880_0000_0040,
        ops: 0xffff_ffff_8200_0000,
        ino: 1_000_000 + u64::from(fd),
        magic,
        refs: 1,
        known: (file_known::INTERNAL << 1) - 1,
        tgid: 4242,
        tid: 4242,
        fd,
        f_mode: 3,
        f_flags: (libc::O_RDWR | libc::O_NONBLOCK) as u32,
        i_mode,
        dev: 259 << 20 | 2,
        nlink: 1,
        ..FileRecord::new_zeroed()
    }
}

fn connection(fd: u32, waiting: u64) -> SocketRecord {
    let [.., low, high] = fd.to_be_bytes();
    let mut remote = [0; 16];
    remote[..4].copy_from_slice(&[10, 0, low, high]);
    let mut local = [0; 16];
    local[..4].copy_from_slice(&[192, 0, 2, 1]);
    SocketRecord {
        header: RecordHeader::of::<SocketRecord>(kind::SOCKET, 0),
        known: ((socket_known::REMOTE_PORT << 1) - 1) & !socket_known::PEER_INO,
        netns: 4_026_531_840,
        recv_payload: waiting * 512,
        recv_memory: waiting * 832,
        recv_messages: waiting as u32,
        rcvbuf: 131_072,
        sndbuf: 2_626_560,
        family: libc::AF_INET as u16,
        sock_type: libc::SOCK_STREAM as u16,
        protocol: libc::IPPROTO_TCP as u16,
        state: 1,
        local_port: 443,
        remote_port: 40_000,
        local,
        remote,
        ..SocketRecord::new_zeroed()
    }
}

fn pipe(waiting: u64) -> PipeRecord {
    PipeRecord {
        header: RecordHeader::of::<PipeRecord>(kind::PIPE, 0),
        bytes: waiting,
        buffers: 1,
        slots: 16,
        readers: 1,
        writers: 1,
        known: (pipe_known::WRITERS << 1) - 1,
        reserved: 0,
    }
}

/// Appends a record and the path behind it, with both lengths set.
fn push<T: IntoBytes + Immutable>(bytes: &mut Vec<u8>, record: &T, path: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(record.as_bytes());
    bytes.extend_from_slice(path);
    let len = (bytes.len() - start) as u32;
    bytes[start + 4..start + 8].copy_from_slice(&len.to_ne_bytes());
    if !path.is_empty() {
        let place = start + std::mem::offset_of!(FileRecord, path_len);
        bytes[place..place + 4].copy_from_slice(&(path.len() as i32).to_ne_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(crib_common::record::ALIGN), 0);
}
