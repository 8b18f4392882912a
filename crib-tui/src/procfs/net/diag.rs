//! What /proc/PID/net leaves out, asked of the kernel over sock_diag(7): buffers, a listener's
//! queue, unix sockets' peers and bytes.
//!
//! Needs no privilege and answers for our own network namespace only.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::ByIno;
use super::message::{Attributes, Messages, u32_at};
use crate::model::{Accept, Family, Peer, Queued, Shutdown, Socket, State, Text};

/// SOCK_DIAG_BY_FAMILY (include/uapi/linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
/// NLM_F_REQUEST | NLM_F_DUMP (include/uapi/linux/netlink.h).
const DUMP: u16 = 0x301;

/// Every state of a socket that has a file: not TIME-WAIT (6) nor NEW-SYN-RECV (12).
const STATES: u32 = 0xfff & !(1 << 6);

// include/uapi/linux/inet_diag.h
const INET_DIAG_SKMEMINFO: u16 = 7;
const INET_DIAG_SHUTDOWN: u16 = 8;
/// `struct inet_diag_sockid`.
const SOCKID_BYTES: usize = 48;

// include/uapi/linux/unix_diag.h
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_MEMINFO: u16 = 5;
const UNIX_DIAG_SHUTDOWN: u16 = 6;
/// UDIAG_SHOW_NAME, _PEER, _RQLEN and _MEMINFO.
const UNIX_SHOW: u32 = 0x01 | 0x04 | 0x10 | 0x20;

/// Adds what the kernel tells to the sockets that are known, unix sockets and others. What it
/// refuses to tell stays unknown.
pub fn refine(others: &mut ByIno, unix_sockets: &mut ByIno) {
    for family in [libc::AF_INET, libc::AF_INET6] {
        for protocol in [libc::IPPROTO_TCP, libc::IPPROTO_UDP] {
            let request = inet_request(family as u8, protocol as u8);
            let _ = dump(&request, &mut |message| {
                inet(message, others);
            });
        }
    }
    let _ = dump(&unix_request(), &mut |message| {
        unix(message, unix_sockets);
    });
}

/// `struct inet_diag_req_v2`.
fn inet_request(family: u8, protocol: u8) -> Vec<u8> {
    let mut request = vec![family, protocol, 1 << (INET_DIAG_SKMEMINFO - 1), 0];
    request.extend(STATES.to_ne_bytes());
    request.extend([0; SOCKID_BYTES]);
    request
}

/// `struct unix_diag_req`.
fn unix_request() -> Vec<u8> {
    let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
    // States, inode (any), what to show, cookie (any).
    for word in [u32::MAX, 0, UNIX_SHOW, u32::MAX, u32::MAX] {
        request.extend(word.to_ne_bytes());
    }
    request
}

/// Sends a request and hands over the body of each message of the answer.
fn dump(request: &[u8], each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let socket: OwnedFd = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&socket, &Messages::request(BY_FAMILY, DUMP, request), SendFlags::empty())?;
    // The kernel fills at most 32 KiB at a time (netlink_dump).
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (len, _) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut messages = Messages::new(&buffer[..len]);
        for (kind, body) in messages.by_ref() {
            if kind == BY_FAMILY {
                each(body);
            }
        }
        if messages.ended() || len == 0 {
            return Ok(());
        }
    }
}

/// A socket that is known, if it is of this family; one without a file has the number 0.
fn find(sockets: &mut ByIno, ino: u32, family: Family) -> Option<&mut Socket> {
    let socket = sockets.get_mut(&u64::from(ino)).filter(|_| ino != 0)?.as_mut()?;
    (socket.family == Some(family)).then_some(socket)
}

/// `struct sk_meminfo` by its indices (include/uapi/linux/sock_diag.h): SK_MEMINFO_*.
struct MemInfo {
    rmem_alloc: u64,
    rcvbuf: u32,
    sndbuf: u32,
    wmem_queued: u64,
    drops: Option<u64>,
}

impl MemInfo {
    fn parse(words: &[u8]) -> Option<Self> {
        let word = |index: usize| u32_at(words, 4 * index);
        Some(Self {
            rmem_alloc: word(0)?.into(),
            rcvbuf: word(1)?,
            sndbuf: word(3)?,
            wmem_queued: word(5)?.into(),
            drops: word(8).map(u64::from),
        })
    }
}

/// Reads `struct inet_diag_msg` and its attributes.
fn inet(message: &[u8], sockets: &mut ByIno) -> Option<()> {
    const FIXED: usize = 4 + SOCKID_BYTES + 20;
    let (&family, &state) = (message.first()?, message.get(1)?);
    let word = |index: usize| u32_at(message, 4 + SOCKID_BYTES + 4 * index);
    let (rqueue, wqueue, ino) = (word(1)?, word(2)?, word(4)?);
    let attributes = Attributes::new(message.get(FIXED..)?);
    let socket = find(sockets, ino, Family(family.into()))?;
    let tcp = socket.protocol.is_some_and(|protocol| protocol.number == 6);
    if tcp && State::Tcp(state) == State::LISTEN {
        socket.accept = Some(Accept { pending: rqueue, max: wqueue });
    }
    for (kind, value) in attributes {
        match kind {
            INET_DIAG_SKMEMINFO => {
                let Some(memory) = MemInfo::parse(value) else { continue };
                buffers(socket, &memory);
                // A datagram socket's table has told its memory already.
                if tcp {
                    set_memory(&mut socket.recv, memory.rmem_alloc);
                    set_memory(&mut socket.send, memory.wmem_queued);
                }
            }
            INET_DIAG_SHUTDOWN => {
                socket.shutdown = value.first().map(|&bits| Shutdown::from_kernel(bits))
            }
            _ => {}
        }
    }
    Some(())
}

fn buffers(socket: &mut Socket, memory: &MemInfo) {
    socket.rcvbuf = Some(memory.rcvbuf);
    socket.sndbuf = Some(memory.sndbuf);
    socket.drops = socket.drops.or(memory.drops);
}

fn set_memory(queued: &mut Option<Queued>, memory: u64) {
    queued.get_or_insert_default().memory = Some(memory);
}

/// Reads `struct unix_diag_msg` and its attributes.
fn unix(message: &[u8], sockets: &mut ByIno) -> Option<()> {
    const FIXED: usize = 16;
    let (&kind, &state, ino) = (message.get(1)?, message.get(2)?, u32_at(message, 4)?);
    let attributes = Attributes::new(message.get(FIXED..)?);
    let socket = find(sockets, ino, Family::UNIX)?;
    for (attribute, value) in attributes {
        match attribute {
            // The name as it is, where the table has `@` for each NUL.
            UNIX_DIAG_NAME => socket.local = Some(Text::of_unix_name(value)),
            UNIX_DIAG_PEER => {
                let ino = u32_at(value, 0).filter(|&ino| ino != 0).map(u64::from);
                socket.peer = ino.map(|ino| Peer { pid: None, fd: None, ino: Some(ino) });
            }
            UNIX_DIAG_RQLEN => {
                let (Some(receive), Some(send)) = (u32_at(value, 0), u32_at(value, 4)) else {
                    continue;
                };
                unix_queues(socket, state, i32::from(kind), receive, send);
            }
            UNIX_DIAG_MEMINFO => {
                if let Some(memory) = MemInfo::parse(value) {
                    buffers(socket, &memory);
                }
            }
            UNIX_DIAG_SHUTDOWN => {
                socket.shutdown = value.first().map(|&bits| Shutdown::from_kernel(bits))
            }
            _ => {}
        }
    }
    Some(())
}

/// A listener's numbers are those of its queue of connections (net/unix/diag.c,
/// `sk_diag_show_rqlen`); another socket's are the bytes to read and the memory of what it sent.
fn unix_queues(socket: &mut Socket, state: u8, kind: i32, receive: u32, send: u32) {
    if State::Tcp(state) == State::LISTEN {
        socket.accept = Some(Accept { pending: receive, max: send });
        let nothing = Queued { messages: Some(0), payload: Some(0), memory: Some(0) };
        (socket.recv, socket.send) = (Some(nothing), Some(nothing));
        return;
    }
    // Of datagrams it tells the first one's bytes, or 0 for none and for one without bytes.
    if matches!(kind, libc::SOCK_STREAM | libc::SOCK_SEQPACKET) {
        let payload = Some(receive.into());
        socket.recv = Some(Queued { payload, ..Queued::default() });
    }
    socket.send = Some(super::charged(send.into()));
}

#[cfg(test)]
mod tests {
    use super::super::{of_protocol, unknown};
    use super::*;
    use crate::model::SocketType;
    use proptest::prelude::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut attribute = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        attribute.extend(kind.to_ne_bytes());
        attribute.extend(value);
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    }

    const MEMORY: [u32; 9] = [768, 131_072, 1, 16_384, 3, 2_304, 5, 0, 7];

    fn inet_message(state: u8, ino: u32) -> Vec<u8> {
        let mut message = vec![libc::AF_INET as u8, state, 0, 0];
        message.extend([0; SOCKID_BYTES]);
        message.extend(words(&[0, 3, 128, 0, ino]));
        message.extend(attribute(INET_DIAG_SHUTDOWN, &[2]));
        message.extend(attribute(INET_DIAG_SKMEMINFO, &words(&MEMORY)));
        message
    }

    fn tcp() -> Socket {
        of_protocol(Family::INET, Some(SocketType(1)), Some(6))
    }

    fn unix_message(kind: i32, state: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = vec![libc::AF_UNIX as u8, kind as u8, state, 0];
        message.extend(words(&[17, 0, 0]));
        message.extend(attributes.iter().flat_map(|(kind, value)| attribute(*kind, value)));
        message
    }

    /// What reading a message makes of the socket with the inode number 17.
    fn after(socket: Socket, read: fn(&[u8], &mut ByIno) -> Option<()>, message: &[u8]) -> Socket {
        let mut sockets = ByIno::from([(17, Some(socket))]);
        read(message, &mut sockets);
        sockets.remove(&17).unwrap().unwrap()
    }

    #[test]
    fn a_listener_has_its_queue_and_buffers() {
        let socket = after(tcp(), inet, &inet_message(10, 17));
        assert_eq!(socket.accept, Some(Accept { pending: 3, max: 128 }));
        assert_eq!((socket.rcvbuf, socket.sndbuf), (Some(131_072), Some(16_384)));
        assert_eq!(socket.drops, Some(7));
        assert_eq!(socket.shutdown, Some(Shutdown::Write));
        assert_eq!(socket.recv.unwrap().memory, Some(768));
        assert_eq!(socket.send.unwrap().memory, Some(2_304));
    }

    #[test]
    fn a_connection_has_no_accept_queue() {
        assert_eq!(after(tcp(), inet, &inet_message(1, 17)).accept, None);
    }

    #[test]
    fn a_message_about_another_socket_changes_nothing() {
        assert_eq!(after(unknown(), inet, &inet_message(10, 17)), unknown());
        assert_eq!(after(tcp(), inet, &inet_message(10, 18)), tcp());
    }

    #[test]
    fn a_unix_stream_has_name_peer_and_bytes() {
        let attributes: [(u16, &[u8]); 5] = [
            (UNIX_DIAG_NAME, b"\0a\0b"),
            (UNIX_DIAG_PEER, &words(&[18])),
            (UNIX_DIAG_RQLEN, &words(&[13, 832])),
            (UNIX_DIAG_MEMINFO, &words(&MEMORY)),
            (UNIX_DIAG_SHUTDOWN, &[0]),
        ];
        let message = unix_message(libc::SOCK_STREAM, 1, &attributes);
        let socket = after(of_protocol(Family::UNIX, Some(SocketType(1)), None), unix, &message);
        assert_eq!(socket.local, Some(Text::from("@a\0b")));
        assert_eq!(socket.peer.unwrap().ino, Some(18));
        assert_eq!(socket.recv, Some(Queued { payload: Some(13), ..Queued::default() }));
        assert_eq!(socket.send, Some(Queued { memory: Some(832), ..Queued::default() }));
        assert_eq!(socket.shutdown, Some(Shutdown::None));
        assert_eq!(socket.rcvbuf, Some(131_072));
    }

    #[test]
    fn of_unix_datagrams_the_bytes_are_not_known() {
        let message = unix_message(libc::SOCK_DGRAM, 7, &[(UNIX_DIAG_RQLEN, &words(&[13, 0]))]);
        let socket = after(of_protocol(Family::UNIX, Some(SocketType(2)), None), unix, &message);
        assert_eq!(socket.recv, None);
        assert_eq!(socket.send.unwrap().payload, Some(0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            after(tcp(), inet, &bytes);
            after(of_protocol(Family::UNIX, None, None), unix, &bytes);
        }
    }
}
