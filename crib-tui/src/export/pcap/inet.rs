//! IP packets: with the headers that they came with, else with headers made from the socket's
//! addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{IpNumber, PacketBuilder, PacketBuilderStep, TcpHeader};
use pcap_file::DataLink;

use super::frame::{Frame, original_len};
use crate::model::{Family, Packet, QueueName, Socket, SocketType, TcpFlags, Text};

/// The most that an IP packet can hold (RFC 791).
const IP_BYTES: usize = 65_535;
/// What is left of it behind the longer of the headers that are made here.
const SEGMENT_BYTES: usize = IP_BYTES - 40;
const HOPS: u8 = 64;
/// The largest window without scaling; the real one is not in a packet's own bytes.
const WINDOW: u16 = u16::MAX;

const IPPROTO_TCP: u16 = libc::IPPROTO_TCP as u16;
const IPPROTO_UDP: u16 = libc::IPPROTO_UDP as u16;
const IPPROTO_MPTCP: u16 = libc::IPPROTO_MPTCP as u16;

/// The frames of a packet of an inet or inet6 socket; none where it would have to be a packet
/// that IP does not allow.
pub(super) fn frames(socket: &Socket, queue: QueueName, packet: &Packet) -> Option<Vec<Frame>> {
    let whole = original_len(packet) as usize;
    // What was read of it already is missing: the headers would not fit what is left.
    let headers = !packet.headers.is_empty() && packet.consumed == 0;
    if headers && packet.headers.len() + whole <= IP_BYTES {
        return Some(vec![Frame::behind(DataLink::RAW, &packet.headers, packet)]);
    }
    let raw = socket.kind == Some(SocketType(libc::SOCK_RAW as u16));
    if raw && socket.family == Some(Family::INET) {
        // The IP header is a part of the payload (raw(7)).
        let ip = packet.payload.first().is_some_and(|byte| byte >> 4 == 4);
        return ip.then(|| vec![Frame::behind(DataLink::RAW, &[], packet)]);
    }
    let ends = Ends::of(socket, queue, packet);
    let protocol = socket.protocol?.number;
    match protocol {
        IPPROTO_TCP | IPPROTO_MPTCP => Some(segments(ends, packet)),
        IPPROTO_UDP if !raw => {
            let write = |payload: &[u8]| {
                let builder = ends.ip().udp(ends.source.port(), ends.destination.port());
                let mut bytes = Vec::with_capacity(builder.size(payload.len()));
                builder.write_to_vec(&mut bytes, payload).ok().map(|()| bytes)
            };
            Some(vec![made(packet, write)?])
        }
        _ => {
            let protocol = IpNumber(u8::try_from(protocol).ok()?);
            let write = |payload: &[u8]| {
                let mut bytes = Vec::new();
                ends.ip().write_to_vec(&mut bytes, protocol, payload).ok().map(|()| bytes)
            };
            Some(vec![made(packet, write)?])
        }
    }
}

/// A frame with the headers of the whole packet, cut to what was read of it.
fn made(packet: &Packet, write: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Frame> {
    let whole = original_len(packet) as usize;
    if whole > IP_BYTES {
        return None;
    }
    // Lengths and checksums are those of the whole, zeros where nothing is known.
    let mut payload = packet.payload.clone();
    payload.resize(whole, 0);
    let mut bytes = write(&payload)?;
    let original_len = bytes.len() as u32;
    bytes.truncate(bytes.len() - (whole - packet.payload.len()));
    Some(Frame { link: DataLink::RAW, bytes, original_len, made: true })
}

/// A TCP packet as segments that IP allows; those of which nothing was read are one, cut.
fn segments(ends: Ends, packet: &Packet) -> Vec<Frame> {
    let whole = original_len(packet) as usize;
    let first = packet.seq.unwrap_or(0).wrapping_add(packet.consumed);
    let flags = packet.tcp_flags.unwrap_or_default();
    let mut frames = Vec::new();
    let mut start = 0;
    loop {
        let len = (whole - start).min(SEGMENT_BYTES);
        let read = packet.payload.len().saturating_sub(start).min(len);
        let last = start + len == whole;
        let header = header(&ends, first.wrapping_add(start as u32), flags, (start == 0, last));
        let mut payload = packet.payload[start.min(packet.payload.len())..][..read].to_vec();
        payload.resize(len, 0);
        let mut bytes = Vec::new();
        // It fits: the payload was cut to what an IP packet can hold.
        let written = ends.ip().tcp_header(header).write_to_vec(&mut bytes, &payload);
        if written.is_ok() {
            let original_len = bytes.len() as u32;
            bytes.truncate(bytes.len() - (len - read));
            frames.push(Frame { link: DataLink::RAW, bytes, original_len, made: true });
        }
        start += len;
        // Segments of which no byte was read would say no more than the lengths do.
        if last || read < len {
            return frames;
        }
    }
}

/// The header of one segment; SYN belongs to the first and what ends a stream to the last.
fn header(ends: &Ends, seq: u32, flags: TcpFlags, (first, last): (bool, bool)) -> TcpHeader {
    let has = |bit: u8| flags.0 & bit != 0;
    let (source, destination) = (ends.source.port(), ends.destination.port());
    // The acknowledgement is not known; with the flag, a 0 would be read as one.
    TcpHeader {
        fin: last && has(0x01),
        syn: first && has(0x02),
        rst: last && has(0x04),
        psh: last && has(0x08),
        ..TcpHeader::new(source, destination, seq, WINDOW)
    }
}

/// The two ends of a packet, as far as they are known; zeros else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    source: SocketAddr,
    destination: SocketAddr,
}

impl Ends {
    fn of(socket: &Socket, queue: QueueName, packet: &Packet) -> Self {
        let inet6 = socket.family == Some(Family::INET6);
        let any: IpAddr =
            if inet6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let end = |text: Option<&Text>| text.and_then(address);
        let local = end(socket.local.as_ref()).unwrap_or(SocketAddr::new(any, 0));
        let remote = end(packet.from.as_ref()).or_else(|| end(socket.remote.as_ref()));
        let (local, remote) = alike(local, remote.unwrap_or(SocketAddr::new(any, 0)));
        if queue.is_outgoing() {
            Self { source: local, destination: remote }
        } else {
            Self { source: remote, destination: local }
        }
    }

    fn ip(&self) -> PacketBuilderStep<etherparse::IpHeaders> {
        // Both are of one kind: see `alike`.
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                PacketBuilder::ip(ipv4(source, destination))
            }
            (source, destination) => PacketBuilder::ip(ipv6(mapped(source), mapped(destination))),
        }
    }
}

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr) -> etherparse::IpHeaders {
    let header = etherparse::Ipv4Header {
        time_to_live: HOPS,
        source: source.octets(),
        destination: destination.octets(),
        ..Default::default()
    };
    etherparse::IpHeaders::Ipv4(header, Default::default())
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr) -> etherparse::IpHeaders {
    let header = etherparse::Ipv6Header {
        hop_limit: HOPS,
        source: source.octets(),
        destination: destination.octets(),
        ..Default::default()
    };
    etherparse::IpHeaders::Ipv6(header, Default::default())
}

/// An address with its port, or alone, as sockets have them.
fn address(text: &Text) -> Option<SocketAddr> {
    let text = str::from_utf8(text.as_bytes()).ok()?;
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse().ok()?, 0)))
}

/// Two addresses as those of one IP version: a socket of IPv6 may talk IPv4 (ipv6(7)).
fn alike(one: SocketAddr, other: SocketAddr) -> (SocketAddr, SocketAddr) {
    let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    let (one, other) = (canonical(one), canonical(other));
    let unspecified = |end: SocketAddr| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), end.port());
    match (one.ip(), other.ip()) {
        (IpAddr::V4(_), IpAddr::V6(ip)) if ip.is_unspecified() => (one, unspecified(other)),
        (IpAddr::V6(ip), IpAddr::V4(_)) if ip.is_unspecified() => (unspecified(one), other),
        _ => (one, other),
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
