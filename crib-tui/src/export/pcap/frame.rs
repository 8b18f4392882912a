//! A packet as the frames that a capture file holds.

use pcap_file::DataLink;

use super::inet;
use crate::model::{Family, File, Packet, QueueName, Socket, SocketType};

const ETHERNET_HEADER: usize = 14;

/// What stands for a packet, or a part of it, in a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// What its bytes begin with.
    pub(super) link: DataLink,
    /// Its bytes, as far as they were read.
    pub(super) bytes: Vec<u8>,
    /// How many there would be.
    pub(super) original_len: u32,
    /// Whether crib-top made the headers in it.
    pub(super) made: bool,
}

impl Frame {
    /// A packet behind some bytes.
    pub(super) fn behind(link: DataLink, head: &[u8], packet: &Packet) -> Self {
        Self {
            link,
            bytes: [head, &packet.payload].concat(),
            original_len: original_len(packet).saturating_add(head.len() as u32),
            made: false,
        }
    }

    /// Whether the checksum in it is not complete.
    pub(super) fn is_unchecked(&self) -> bool {
        let start = match self.link {
            DataLink::RAW => 0,
            DataLink::ETHERNET => ETHERNET_HEADER,
            _ => return false,
        };
        !self.made && self.bytes.get(start..).is_some_and(inet::is_unchecked)
    }
}

/// How long the packet is, whether its bytes were asked for or not.
pub(super) fn original_len(packet: &Packet) -> u32 {
    let read = u32::try_from(packet.payload.len()).unwrap_or(u32::MAX);
    packet.len.map_or(read, |len| len.max(read))
}

/// The frames of a packet: one, but for TCP packets longer than IP allows.
pub(super) fn frames(file: &File, queue: QueueName, packet: &Packet) -> Vec<Frame> {
    let Some(socket) = &file.socket else { return vec![data(packet)] };
    match socket.family {
        Some(Family::INET | Family::INET6) => {
            inet::frames(socket, queue, packet).unwrap_or_else(|| vec![data(packet)])
        }
        Some(Family::NETLINK) => vec![netlink(socket, queue, packet)],
        Some(Family::PACKET) => vec![device(socket, queue, packet)],
        _ => vec![data(packet)],
    }
}

/// Bytes without a protocol, in the way of Wireshark's exported packets: tags in network byte
/// order that name the dissector (epan/exported_pdu.h).
fn data(packet: &Packet) -> Frame {
    const DISSECTOR_NAME: [u8; 2] = [0, 12];
    const END: [u8; 4] = [0; 4];
    let head = [&DISSECTOR_NAME[..], &[0, 4], b"data", &END].concat();
    Frame::behind(DataLink::WIRESHARK_UPPER_PDU, &head, packet)
}

/// A netlink message behind the header of LINKTYPE_NETLINK.
fn netlink(socket: &Socket, queue: QueueName, packet: &Packet) -> Frame {
    // PACKET_USER and PACKET_KERNEL (include/uapi/linux/if_packet.h), ARPHRD_NETLINK.
    let direction = if queue.is_outgoing() { 7 } else { 6 };
    let protocol = socket.protocol.map_or(0, |protocol| protocol.number);
    Frame::behind(DataLink::NETLINK, &cooked(direction, 824, protocol), packet)
}

/// What a packet socket got from a device.
fn device(socket: &Socket, queue: QueueName, packet: &Packet) -> Frame {
    const VLAN: [u8; 2] = [0x81, 0];
    let ethertype = packet.ethertype.map(u16::to_be_bytes);
    if socket.kind == Some(SocketType(libc::SOCK_DGRAM as u16)) {
        // PACKET_OUTGOING and PACKET_HOST, ARPHRD_ETHER.
        let direction = if queue.is_outgoing() { 4 } else { 0 };
        let head = cooked(direction, 1, packet.ethertype.unwrap_or(0));
        return Frame::behind(DataLink::LINUX_SLL, &head, packet);
    }
    let first = packet.payload.first().map(|byte| byte >> 4);
    let of_header = packet.payload.get(ETHERNET_HEADER - 2..ETHERNET_HEADER);
    let ethernet = of_header.is_some_and(|found| {
        // Below 1536 it is a length (IEEE 802.3).
        ethertype.is_none_or(|known| found == known) || found == VLAN || found[0] < 6
    });
    let ip = matches!((ethertype, first), (Some([8, 0]), Some(4)) | (Some([0x86, 0xdd]), Some(6)));
    match (ethernet, ip) {
        (true, _) => Frame::behind(DataLink::ETHERNET, &[], packet),
        (false, true) => Frame::behind(DataLink::RAW, &[], packet),
        (false, false) => data(packet),
    }
}

/// A header of LINKTYPE_LINUX_SLL, without an address.
fn cooked(direction: u8, device: u16, protocol: u16) -> [u8; 16] {
    let mut head = [0; 16];
    head[1] = direction;
    head[2..4].copy_from_slice(&device.to_be_bytes());
    head[14..].copy_from_slice(&protocol.to_be_bytes());
    head
}
