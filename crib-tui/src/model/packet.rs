//! One packet in a queue: what is known of it, and its bytes.

use std::fmt::Write as _;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::{File, Text};

/// One packet (`struct sk_buff`), buffer of a pipe, or connection that waits for accept(2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Packet {
    /// Its place in the queue, from 0.
    pub index: u32,
    /// Bytes that a reader would get of it.
    pub len: Option<u32>,
    /// Bytes of memory charged for it.
    pub truesize: Option<u32>,
    /// When it was received, where the kernel keeps that.
    #[serde(serialize_with = "super::rfc3339_option")]
    pub time: Option<SystemTime>,
    /// Who sent it: of a datagram or a connection that waits; "" for one without a name.
    pub from: Option<Text>,
    /// TCP: sequence number of its first byte.
    pub seq: Option<u32>,
    /// TCP: sequence number behind its last byte, SYN and FIN counted.
    pub end_seq: Option<u32>,
    /// TCP: its flags.
    pub tcp_flags: Option<TcpFlags>,
    /// Bytes in the linear part, in page fragments and fragment lists, and how many fragments.
    pub parts: Option<Parts>,
    /// Bytes of it that its reader does not get from it, and are not in `len`: it has read them
    /// already, or TCP has received them twice, and they are in the packet before.
    pub consumed: u32,
    /// The files in flight in it (SCM_RIGHTS), without descriptors.
    pub files: Vec<File>,
    /// How many files are in flight in it, which may be more than were read.
    #[serde(skip)]
    pub file_count: Option<u32>,
    /// EtherType of what it was received as (`skb->protocol`), where it came through a device.
    #[serde(skip)]
    pub ethertype: Option<u16>,
    /// The protocol headers before the payload, from the network layer's on, where the kernel
    /// still has them; empty else.
    #[serde(serialize_with = "hex")]
    pub headers: Vec<u8>,
    /// Payload bytes that were read.
    pub captured: u32,
    /// The payload's bytes, 0 for those that could not be read.
    #[serde(serialize_with = "hex")]
    pub payload: Vec<u8>,
    /// Payload bytes that were asked for and could not be read.
    pub unreadable: u32,
    /// The ranges of `payload` that could not be read, in order.
    #[serde(skip)]
    pub gaps: Vec<std::ops::Range<usize>>,
    /// It changed while it was read: what is said of it may be mixed of two.
    pub torn: bool,
    /// Tells it from another packet in the same place.
    #[serde(skip)]
    pub id: PacketId,
}

impl Packet {
    /// What became of the bytes that are counted as `consumed`.
    pub fn consumption(&self) -> &'static str {
        // Only TCP's packets are numbered, and come twice.
        match self.seq {
            Some(_) => "read already, or received twice",
            None => "read already",
        }
    }
}

/// Where a packet's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Bytes in the linear part.
    pub linear: u32,
    /// Bytes in page fragments and fragment lists.
    pub paged: u32,
    /// Page fragments.
    pub frags: u32,
}

/// The identity of a packet: a keyed hash of its address and of what does not change in it.
/// Never an address itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub u64);

/// The flags of a TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    const NAMES: [(u8, &'static str); 8] = [
        (0x02, "SYN"),
        (0x01, "FIN"),
        (0x04, "RST"),
        (0x08, "PSH"),
        (0x10, "ACK"),
        (0x20, "URG"),
        (0x40, "ECE"),
        (0x80, "CWR"),
    ];

    /// The names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |&(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }
}

impl Serialize for TcpFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    serializer.serialize_str(&text)
}
