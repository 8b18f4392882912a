//! A socket and its addresses out of their records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crib_common::record::{SocketRecord, UnixRecord, peer, socket_known};

use super::known;
use crate::model::{
    Accept, Family, OtherEnd, Peer, Protocol, Queued, Shutdown, Socket, SocketType, State, Text,
};

/// The socket that a record tells of; a unix socket's names come in a record of their own.
pub(super) fn socket(record: &SocketRecord) -> Socket {
    let has = record.known;
    let family = known(has, socket_known::FAMILY, Family(record.family));
    let queued = |messages, payload, memory, (m, p, y)| Queued {
        messages: known(has, m, u64::from(messages)),
        payload: known(has, p, payload),
        memory: known(has, y, memory),
    };
    let protocol = match family {
        // Unix sockets have none.
        None | Some(Family::UNIX) => None,
        Some(Family::PACKET) => known(has, socket_known::LOCAL_PORT, record.local_port),
        Some(_) => known(has, socket_known::PROTOCOL, record.protocol),
    };
    let other_end = known(has, socket_known::PEER_INO, other_end(record.peer_ino));
    Socket {
        family,
        kind: known(has, socket_known::TYPE, SocketType(record.sock_type)),
        protocol: family.zip(protocol).map(|(family, number)| Protocol { family, number }),
        state: known(has, socket_known::STATE, state(record)),
        local: address(record, Side::Local),
        remote: address(record, Side::Remote),
        recv: Some(queued(
            record.recv_messages,
            record.recv_payload,
            record.recv_memory,
            (socket_known::RECV_MESSAGES, socket_known::RECV_PAYLOAD, socket_known::RECV_MEMORY),
        )),
        send: Some(queued(
            record.send_messages,
            record.send_payload,
            record.send_memory,
            (socket_known::SEND_MESSAGES, socket_known::SEND_PAYLOAD, socket_known::SEND_MEMORY),
        )),
        accept: known(
            has,
            socket_known::ACCEPT,
            Accept { pending: record.accept_pending, max: record.accept_max },
        ),
        rcvbuf: known(has, socket_known::RCVBUF, record.rcvbuf),
        sndbuf: known(has, socket_known::SNDBUF, record.sndbuf),
        drops: known(has, socket_known::DROPS, u64::from(record.drops)),
        error: known(has, socket_known::ERROR, record.error),
        shutdown: known(has, socket_known::SHUTDOWN, Shutdown::from_kernel(record.shutdown)),
        peer: (other_end == Some(OtherEnd::Open)).then_some(Peer {
            pid: None,
            fd: None,
            ino: Some(record.peer_ino),
        }),
        other_end,
        inflight_files: Socket::in_flight(
            family,
            known(has, socket_known::INFLIGHT, u64::from(record.inflight)),
        ),
        netns: known(has, socket_known::NETNS, record.netns),
        peers: None,
        tcp: None,
        queues: None,
        deeper: false,
    }
}

fn other_end(peer_ino: u64) -> OtherEnd {
    match peer_ino {
        peer::NOBODY => OtherEnd::Nobody,
        peer::CLOSED => OtherEnd::Closed,
        peer::NOT_ACCEPTED => OtherEnd::NotAccepted,
        _ => OtherEnd::Open,
    }
}

/// Gives a unix socket its names.
pub(super) fn add_names(socket: &mut Socket, record: &UnixRecord) {
    socket.local = unix_name(record.local_len, &record.local);
    socket.remote = unix_name(record.remote_len, &record.remote);
}

/// The state by the protocol's own words: CLOSE means an end only where there are connections.
fn state(record: &SocketRecord) -> State {
    const IPPROTO_TCP: u16 = 6;
    const IPPROTO_MPTCP: u16 = 262;
    let inet = matches!(Family(record.family), Family::INET | Family::INET6);
    let tcp = inet && matches!(record.protocol, IPPROTO_TCP | IPPROTO_MPTCP);
    match State::Tcp(record.state) {
        State::Tcp(0) => State::Unconnected,
        State::CLOSE if !tcp => State::Unconnected,
        state => state,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Local,
    Remote,
}

/// An address as text, "" for none; unix names come in a record of their own.
fn address(record: &SocketRecord, side: Side) -> Option<Text> {
    let has = |bit| record.known & bit != 0;
    let (bytes, port, has_address, has_port) = match side {
        Side::Local => (
            &record.local,
            record.local_port,
            has(socket_known::LOCAL),
            has(socket_known::LOCAL_PORT),
        ),
        Side::Remote => (
            &record.remote,
            record.remote_port,
            has(socket_known::REMOTE),
            has(socket_known::REMOTE_PORT),
        ),
    };
    let word = |at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&bytes[at..at + 4]);
        u32::from_ne_bytes(word)
    };
    let text = match Family(record.family) {
        Family::UNIX => return Some(Text::default()),
        _ if !has_address && Family(record.family) == Family::PACKET && side == Side::Remote => {
            String::new()
        }
        _ if !has_address => return None,
        Family::INET => {
            let mut octets = [0; 4];
            octets.copy_from_slice(&bytes[..4]);
            inet(Ipv4Addr::from(octets).into(), record, port, has_port)?
        }
        Family::INET6 => inet(Ipv6Addr::from(*bytes).into(), record, port, has_port)?,
        Family::NETLINK if side == Side::Remote && word(0) == 0 && word(4) == 0 => String::new(),
        Family::NETLINK => word(0).to_string(),
        Family::PACKET if word(0) == 0 => String::new(),
        Family::PACKET => format!("if{}", word(0)),
        Family::VSOCK => vsock(word(0), word(4)),
        _ => return None,
    };
    Some(text.into())
}

/// `address:port`; the address alone where the protocol has no ports; "" for none at all.
fn inet(address: IpAddr, record: &SocketRecord, port: u16, has_port: bool) -> Option<String> {
    const SOCK_RAW: u16 = libc::SOCK_RAW as u16;
    if record.sock_type == SOCK_RAW {
        let named = !address.is_unspecified();
        return Some(if named { address.to_string() } else { String::new() });
    }
    if !has_port {
        return None;
    }
    Some(match address {
        address if address.is_unspecified() && port == 0 => String::new(),
        address => SocketAddr::new(address, port).to_string(),
    })
}

/// `cid:port`, `*` for any (vsock(7)); "" where both are any.
pub(super) fn vsock(cid: u32, port: u32) -> String {
    let part = |value: u32| if value == u32::MAX { "*".to_owned() } else { value.to_string() };
    if cid == u32::MAX && port == u32::MAX {
        return String::new();
    }
    format!("{}:{}", part(cid), part(port))
}

/// A unix socket's name: its path, or `@` and the rest of an abstract one (unix(7)).
pub(super) fn unix_name(len: u32, bytes: &[u8]) -> Option<Text> {
    bytes.get(..usize::try_from(len).ok()?).map(Text::of_unix_name)
}
