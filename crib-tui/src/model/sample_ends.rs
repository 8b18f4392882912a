//! Hand-made descriptors of several processes for tests: the other ends of the sample's files,
//! and who shares them.

use std::sync::Arc;

use super::*;

/// The sample's files with queues, as process 4242 has them, and those of a client and of a
/// child. The unix socket is connected to the client's, the pipe is written by the child, the TCP
/// connection's other end is elsewhere.
pub(crate) fn held() -> Vec<Held> {
    let mut files = sample_queues::files();
    let socket = files[4].socket.as_mut().unwrap();
    socket.recv = Some(Queued { messages: Some(2), payload: Some(13), memory: Some(1664) });
    socket.send = Some(Queued { messages: Some(1), payload: Some(4096), memory: Some(4864) });
    let own = files.iter().map(|file| held_by(4242, "server", file.clone()));
    let mut held: Vec<Held> = own.collect();
    let mut peer = File { fd: Some(7), id: Some(FileId::new(7)), ..files[4].clone() };
    peer.ino = 1236.into();
    let socket = peer.socket.as_mut().unwrap();
    std::mem::swap(&mut socket.recv, &mut socket.send);
    socket.peer = Some(Peer { pid: None, fd: None, ino: Some(1235) });
    held.push(held_by(4711, "cl\x1bient", peer));
    let writer = File {
        fd: Some(1),
        id: Some(FileId::new(8)),
        mode: Some(AccessMode { read: false, write: true }),
        ..files[1].clone()
    };
    held.push(held_by(4300, "child", writer));
    for fd in [0, 4] {
        held.push(held_by(4300, "child", files[fd].clone()));
    }
    held
}

fn held_by(pid: u32, comm: &str, file: File) -> Held {
    Held { pid, comm: comm.into(), file: Arc::new(file) }
}
