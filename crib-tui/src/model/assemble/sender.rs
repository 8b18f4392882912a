//! Who sent a packet, as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crib_common::dump::{PacketRecord, packet_known};
use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

use super::socket::vsock;
use crate::model::{Family, Packet, Socket, SocketType, Text};

/// The sender that the packet's record names; a unix socket's comes in a record of its own.
pub(super) fn recorded(record: &PacketRecord) -> Option<Text> {
    if record.known & packet_known::FROM == 0 {
        return None;
    }
    let [a, b, c, d, e, f, g, h, ..] = record.from;
    let first = u32::from_ne_bytes([a, b, c, d]);
    let second = u32::from_ne_bytes([e, f, g, h]);
    let inet = |address: IpAddr| SocketAddr::new(address, record.from_port).to_string();
    Some(match Family(record.from_family) {
        Family::INET => inet(Ipv4Addr::new(a, b, c, d).into()).into(),
        Family::INET6 => inet(Ipv6Addr::from(record.from).into()).into(),
        Family::NETLINK => first.to_string().into(),
        Family::PACKET => format!("if{first}").into(),
        Family::VSOCK => vsock(first, second).into(),
        _ => return None,
    })
}

/// The sender of a datagram by its headers; none of a stream's packets, whose sender is the
/// socket's other end.
pub(super) fn by_headers(packet: &Packet, socket: &Socket) -> Option<Text> {
    let raw = socket.kind == Some(SocketType(libc::SOCK_RAW as u16));
    // A raw IPv4 socket's reader gets the header as a part of the payload (raw(7)).
    let headers = match socket.family? {
        Family::INET if raw && packet.headers.is_empty() => &packet.payload,
        Family::INET | Family::INET6 => &packet.headers,
        _ => return None,
    };
    let parsed = LaxSlicedPacket::from_ip(headers).ok()?;
    let address: IpAddr = match parsed.net? {
        LaxNetSlice::Ipv4(ip) => ip.header().source_addr().into(),
        LaxNetSlice::Ipv6(ip) => ip.header().source_addr().into(),
        LaxNetSlice::Arp(_) => return None,
    };
    match parsed.transport {
        Some(TransportSlice::Udp(udp)) if !raw => {
            Some(SocketAddr::new(address, udp.source_port()).to_string().into())
        }
        Some(TransportSlice::Tcp(_)) if !raw => None,
        Some(TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_)) => {
            Some(address.to_string().into())
        }
        _ => raw.then(|| address.to_string().into()),
    }
}
