//! A socket: its record is put together in several parts, and then sent.

use crib_common::record::UnixRecord;

use super::file::part;
use super::send;
use crate::emit;
use crate::file::Part;
use crate::queues::{Owner, Sort};
use crate::read::{Kptr, Raw};
use crate::{socket, tcp, transport};

/// The socket that is being told of, and what kind it is.
#[inline(always)]
fn current() -> Option<(Kptr<Raw>, Sort)> {
    let dump = emit::dump()?;
    let pointer = Kptr::to(dump.progress.sk)?;
    Some((pointer, Sort::from_number(dump.progress.sort)))
}

/// Begins the record of the socket behind a file whose record was sent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_socket(file: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(frame) = emit::frame() else { return 0 };
    let Some(pointer) = Kptr::<Raw>::to(file) else { return 0 };
    dump.progress.sk = 0;
    if part(dump, frame) != Part::Socket {
        return 0;
    }
    let Some(owner) = Owner::of(pointer, Part::Socket) else { return 0 };
    dump.progress.sk = owner.pointer.address();
    dump.progress.sort = owner.sort as u32;
    socket::fill_state(&mut frame.socket, owner.pointer);
    0
}

/// Its addresses.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_addresses() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if let Some((sk, _)) = current() {
        socket::addresses(&mut frame.socket, sk);
    }
    0
}

/// What TCP has received.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_tcp_received() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if let Some((sk, Sort::Tcp | Sort::TcpListener)) = current() {
        transport::fill_tcp_received(&mut frame.socket, sk);
    }
    0
}

/// What TCP has to send.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_tcp_sent() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if let Some((sk, Sort::Tcp | Sort::TcpListener)) = current() {
        transport::fill_tcp_sent::<_, true>(&mut frame.socket, sk);
    }
    0
}

/// What waits in UDP.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_udp_queues() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if let Some((sk, Sort::Udp)) = current() {
        transport::fill_udp::<_, true>(&mut frame.socket, sk);
    }
    0
}

/// What waits in a unix socket.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_unix_queues() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if let Some((sk, Sort::Unix | Sort::UnixListener)) = current() {
        transport::fill_unix::<_, true>(&mut frame.socket, sk);
    }
    0
}

/// What waits in any other.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_other_queues() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if let Some((sk, Sort::Socket | Sort::Mptcp | Sort::MptcpListener)) = current() {
        transport::fill_other::<_, true>(&mut frame.socket, sk);
    }
    0
}

/// Sends it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_socket_end() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if current().is_some() {
        send(&frame.socket);
    }
    0
}

/// The names of a unix socket and its peer.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_unix() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    if let Some((sk, Sort::Unix | Sort::UnixListener)) = current() {
        socket::fill_unix(&mut frame.unix, sk);
        let unix: &UnixRecord = &frame.unix;
        if (unix.local_len | unix.remote_len) != 0 {
            send(unix);
        }
    }
    0
}

/// What TCP knows of the connection.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_tcp() -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    if let Some((sk, Sort::Tcp)) = current() {
        tcp::fill(&mut dump.tcp, sk);
        send(&dump.tcp);
    }
    0
}
