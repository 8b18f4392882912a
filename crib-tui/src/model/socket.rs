//! A socket: who it talks to, in which state, and how much waits in it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{Peers, Queue, Tcp, Text};

/// A socket behind an open file (`struct sock`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Socket {
    /// Address family, AF_*.
    pub family: Option<Family>,
    /// SOCK_*.
    #[serde(rename = "type")]
    pub kind: Option<SocketType>,
    /// The protocol within the family.
    pub protocol: Option<Protocol>,
    /// The connection's state.
    pub state: Option<State>,
    /// Its own address, "" where it has none.
    pub local: Option<Text>,
    /// The address it is connected to, "" where it is not.
    pub remote: Option<Text>,
    /// What waits for this socket's reader.
    #[serde(serialize_with = "queued")]
    pub recv: Option<Queued>,
    /// What was sent and not yet taken: by the other end's kernel for TCP, by its reader for
    /// unix sockets.
    #[serde(serialize_with = "queued")]
    pub send: Option<Queued>,
    /// A listener's queue of connections; none for other sockets.
    pub accept: Option<Accept>,
    /// Receive buffer in bytes (SO_RCVBUF).
    pub rcvbuf: Option<u32>,
    /// Send buffer in bytes (SO_SNDBUF).
    pub sndbuf: Option<u32>,
    /// Messages dropped for want of room since it was opened (`sk_drops`).
    pub drops: Option<u64>,
    /// Pending error, an errno(3) value, 0 for none (SO_ERROR, which would clear it).
    pub error: Option<u32>,
    /// Which directions were shut down.
    pub shutdown: Option<Shutdown>,
    /// Who holds the other end, where that is known.
    pub peer: Option<Peer>,
    /// What is at a unix socket's other end, where the source tells; that of `bpf` does.
    #[serde(skip)]
    pub other_end: Option<OtherEnd>,
    /// Files in flight in its receive queue (SCM_RIGHTS): none in any but a unix socket's.
    pub inflight_files: Option<u64>,
    /// The inode number of its network namespace.
    pub netns: Option<u64>,
    /// All who hold the other end; only a sweep over all processes tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Arc<Peers>>,
    /// What TCP knows of the connection; only a dump reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Box<Tcp>>,
    /// Its queues; only a dump reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<Queue>>,
    /// It is a socket in flight, and its queues were not looked into here: it lies too deep, or is in
    /// flight elsewhere too, and was looked into there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deeper: bool,
}

impl Socket {
    /// How many files are in flight to a socket of this family, in which so many were counted: only
    /// unix sockets carry any (unix(7)).
    pub fn in_flight(family: Option<Family>, counted: Option<u64>) -> Option<u64> {
        match family {
            None | Some(Family::UNIX) => counted,
            Some(_) => Some(0),
        }
    }
}

/// One shape, whether it is known or not.
fn queued<S: Serializer>(queued: &Option<Queued>, serializer: S) -> Result<S::Ok, S::Error> {
    queued.unwrap_or_default().serialize(serializer)
}

/// What is queued in one direction of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queued {
    /// Messages, each an skb.
    pub messages: Option<u64>,
    /// Bytes that a reader would get.
    pub payload: Option<u64>,
    /// Bytes of memory charged for them (truesize).
    pub memory: Option<u64>,
}

/// A listener's queue of connections that wait for accept(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Accept {
    /// Connections that wait.
    pub pending: u32,
    /// How many may: the backlog of listen(2), after the kernel's own limit.
    pub max: u32,
}

/// The process and file at a socket's other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// A process that holds it.
    pub pid: Option<u32>,
    /// The descriptor under which it does.
    pub fd: Option<u32>,
    /// The inode number of the peer socket.
    pub ino: Option<u64>,
}

/// What is at the other end of a unix socket (`unix_sock.peer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherEnd {
    /// Nothing: it is not connected.
    Nobody,
    /// A socket that a process may have open.
    Open,
    /// One that waits to be accepted (accept(2)).
    NotAccepted,
    /// One that was closed.
    Closed,
}

impl OtherEnd {
    /// That in a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::Open => "open",
            Self::NotAccepted => "not accepted yet",
            Self::Closed => "closed",
        }
    }
}

/// Which directions of a socket were shut down (shutdown(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Shutdown {
    None,
    Read,
    Write,
    Both,
}

impl Shutdown {
    /// The name that it has in the table and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
            Self::Both => "both",
        }
    }

    /// From `sk_shutdown`: bit 0 is RCV_SHUTDOWN, bit 1 SEND_SHUTDOWN.
    pub fn from_kernel(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Read,
            2 => Self::Write,
            _ => Self::Both,
        }
    }
}

/// An address family (AF_*, include/linux/socket.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family(pub u16);

impl Family {
    /// AF_UNIX.
    pub const UNIX: Self = Self(libc::AF_UNIX as u16);
    /// AF_INET.
    pub const INET: Self = Self(libc::AF_INET as u16);
    /// AF_INET6.
    pub const INET6: Self = Self(libc::AF_INET6 as u16);
    /// AF_NETLINK.
    pub const NETLINK: Self = Self(libc::AF_NETLINK as u16);
    /// AF_PACKET.
    pub const PACKET: Self = Self(libc::AF_PACKET as u16);
    /// AF_VSOCK.
    pub const VSOCK: Self = Self(libc::AF_VSOCK as u16);

    /// The name without `AF_` in lower case; the bare number of a family that has no name here.
    pub fn name(self) -> Cow<'static, str> {
        let known = match i32::from(self.0) {
            libc::AF_UNIX => "unix",
            libc::AF_INET => "inet",
            libc::AF_AX25 => "ax25",
            libc::AF_IPX => "ipx",
            libc::AF_APPLETALK => "appletalk",
            libc::AF_NETROM => "netrom",
            libc::AF_X25 => "x25",
            libc::AF_INET6 => "inet6",
            libc::AF_ROSE => "rose",
            libc::AF_KEY => "key",
            libc::AF_NETLINK => "netlink",
            libc::AF_PACKET => "packet",
            libc::AF_RDS => "rds",
            libc::AF_PPPOX => "pppox",
            libc::AF_LLC => "llc",
            libc::AF_IB => "ib",
            libc::AF_MPLS => "mpls",
            libc::AF_CAN => "can",
            libc::AF_TIPC => "tipc",
            libc::AF_BLUETOOTH => "bluetooth",
            libc::AF_IUCV => "iucv",
            libc::AF_RXRPC => "rxrpc",
            libc::AF_PHONET => "phonet",
            libc::AF_IEEE802154 => "ieee802154",
            libc::AF_ALG => "alg",
            libc::AF_NFC => "nfc",
            libc::AF_VSOCK => "vsock",
            41 => "kcm",
            42 => "qipcrtr",
            43 => "smc",
            libc::AF_XDP => "xdp",
            45 => "mctp",
            other => return Cow::Owned(other.to_string()),
        };
        Cow::Borrowed(known)
    }
}

impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// A socket type (SOCK_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketType(pub u16);

impl SocketType {
    /// The name without `SOCK_` in lower case; the bare number of an unknown one.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match i32::from(self.0) {
            libc::SOCK_STREAM => "stream",
            libc::SOCK_DGRAM => "dgram",
            libc::SOCK_RAW => "raw",
            libc::SOCK_RDM => "rdm",
            libc::SOCK_SEQPACKET => "seqpacket",
            libc::SOCK_DCCP => "dccp",
            10 => "packet", // SOCK_PACKET, deprecated
            other => return Cow::Owned(other.to_string()),
        })
    }
}

impl Serialize for SocketType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// A protocol: its number means something only together with family and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol {
    /// The family that gives the number its meaning.
    pub family: Family,
    /// `sk_protocol`.
    pub number: u16,
}

impl Protocol {
    /// The protocol's name in lower case, its number where it has none here.
    pub fn name(self) -> Cow<'static, str> {
        let known = match self.family {
            Family::INET | Family::INET6 => inet_protocol(self.number),
            Family::NETLINK => netlink_protocol(self.number),
            Family::PACKET => ether_type(self.number),
            _ => None,
        };
        known.map_or_else(|| Cow::Owned(self.number.to_string()), Cow::Borrowed)
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// IPPROTO_* (include/uapi/linux/in.h).
fn inet_protocol(number: u16) -> Option<&'static str> {
    Some(match number {
        0 => "ip",
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        89 => "ospf",
        115 => "l2tp",
        132 => "sctp",
        136 => "udplite",
        255 => "raw",
        256 => "smc",
        262 => "mptcp",
        _ => return None,
    })
}

/// NETLINK_* (include/uapi/linux/netlink.h).
fn netlink_protocol(number: u16) -> Option<&'static str> {
    Some(match number {
        0 => "route",
        2 => "usersock",
        3 => "firewall",
        4 => "sock_diag",
        5 => "nflog",
        6 => "xfrm",
        7 => "selinux",
        8 => "iscsi",
        9 => "audit",
        10 => "fib_lookup",
        11 => "connector",
        12 => "netfilter",
        13 => "ip6_fw",
        14 => "dnrtmsg",
        15 => "kobject_uevent",
        16 => "generic",
        18 => "scsitransport",
        19 => "ecryptfs",
        20 => "rdma",
        21 => "crypto",
        22 => "smc",
        _ => return None,
    })
}

/// ETH_P_* (include/uapi/linux/if_ether.h), in host byte order.
fn ether_type(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0003 => "all",
        0x0004 => "802.2",
        0x0800 => "ip",
        0x0806 => "arp",
        0x8035 => "rarp",
        0x8100 => "802.1q",
        0x86dd => "ipv6",
        0x8863 => "pppoe_disc",
        0x8864 => "pppoe",
        0x888e => "pae",
        0x88cc => "lldp",
        _ => return None,
    })
}

/// The state of a socket, by the words that ss(8) and RFC 9293 use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A TCP-like state: the value of `sk_state` (include/net/tcp_states.h).
    Tcp(u8),
    /// Neither connected nor listening, on a socket that has no connection states of TCP:
    /// what the kernel calls CLOSE there is no end of anything.
    Unconnected,
}

impl State {
    /// TCP_ESTABLISHED.
    pub const ESTABLISHED: Self = Self::Tcp(1);
    /// TCP_SYN_SENT.
    pub const SYN_SENT: Self = Self::Tcp(2);
    /// TCP_SYN_RECV.
    pub const SYN_RECV: Self = Self::Tcp(3);
    /// TCP_FIN_WAIT1.
    pub const FIN_WAIT_1: Self = Self::Tcp(4);
    /// TCP_FIN_WAIT2.
    pub const FIN_WAIT_2: Self = Self::Tcp(5);
    /// TCP_CLOSE.
    pub const CLOSE: Self = Self::Tcp(7);
    /// TCP_CLOSE_WAIT: the other end has closed, this one has not.
    pub const CLOSE_WAIT: Self = Self::Tcp(8);
    /// TCP_LAST_ACK.
    pub const LAST_ACK: Self = Self::Tcp(9);
    /// TCP_LISTEN.
    pub const LISTEN: Self = Self::Tcp(10);
    /// TCP_CLOSING.
    pub const CLOSING: Self = Self::Tcp(11);

    /// The state's name; `?` and its number where it has none.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Unconnected => "UNCONN",
            Self::ESTABLISHED => "ESTABLISHED",
            Self::SYN_SENT => "SYN-SENT",
            Self::SYN_RECV => "SYN-RECV",
            Self::FIN_WAIT_1 => "FIN-WAIT-1",
            Self::FIN_WAIT_2 => "FIN-WAIT-2",
            Self::Tcp(6) => "TIME-WAIT",
            Self::CLOSE => "CLOSE",
            Self::CLOSE_WAIT => "CLOSE-WAIT",
            Self::LAST_ACK => "LAST-ACK",
            Self::LISTEN => "LISTEN",
            Self::CLOSING => "CLOSING",
            Self::Tcp(12) => "NEW-SYN-RECV",
            Self::Tcp(13) => "BOUND-INACTIVE",
            Self::Tcp(other) => return Cow::Owned(format!("?{other}")),
        })
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}
