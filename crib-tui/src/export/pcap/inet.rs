//! IP packets: with the headers that they came with, else with headers made from the socket's
//! addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{
    IpNumber, LaxNetSlice, LaxSlicedPacket, PacketBuilder, PacketBuilderStep, TcpHeader,
    TransportSlice,
};
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
    if fit(&packet.headers, whole) && packet.consumed == 0 {
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

/// Whether headers are those of a packet with so much payload. They are not where TCP has joined
/// packets, and kept the headers of the first.
fn fit(headers: &[u8], payload: usize) -> bool {
    const IPV6_HEADER: usize = 40;
    let word = |at: usize| Some(u16::from_be_bytes([*headers.get(at)?, *headers.get(at + 1)?]));
    let len = match headers.first().map(|byte| byte >> 4) {
        Some(4) => word(2).map(usize::from),
        Some(6) => word(4).map(|len| usize::from(len) + IPV6_HEADER),
        _ => None,
    };
    len == Some(headers.len() + payload)
}

/// Whether a packet's checksum is not complete: it covers no more than the addresses, and was
/// left for a device to complete (CHECKSUM_PARTIAL, include/linux/skbuff.h). On the loopback
/// device nobody ever does.
pub(super) fn is_unchecked(ip: &[u8]) -> bool {
    let Ok(parsed) = LaxSlicedPacket::from_ip(ip) else { return false };
    let (addresses, payload_len) = match &parsed.net {
        Some(LaxNetSlice::Ipv4(ip)) => (
            [ip.header().source(), ip.header().destination()].concat(),
            ip.header().payload_len().unwrap_or(0).into(),
        ),
        Some(LaxNetSlice::Ipv6(ip)) => (
            [ip.header().source(), ip.header().destination()].concat(),
            u32::from(ip.header().payload_length()),
        ),
        _ => return false,
    };
    let (found, protocol) = match &parsed.transport {
        Some(TransportSlice::Udp(udp)) => (udp.checksum(), IPPROTO_UDP),
        Some(TransportSlice::Tcp(tcp)) => (tcp.checksum(), IPPROTO_TCP),
        _ => return false,
    };
    let words = addresses.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let mut sum = words.map(u32::from).sum::<u32>() + u32::from(protocol) + payload_len;
    while sum > u32::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == u32::from(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_fit_only_the_packet_that_they_came_with() {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4([1; 4], [2; 4], 9).udp(1, 2).write(&mut bytes, b"hello").unwrap();
        assert!(fit(&bytes[..28], 5) && !fit(&bytes[..28], 6) && !fit(&bytes[..27], 5));
        bytes.clear();
        PacketBuilder::ipv6([1; 16], [2; 16], 9).udp(1, 2).write(&mut bytes, b"hello").unwrap();
        assert!(fit(&bytes[..48], 5) && !fit(&bytes[..48], 12));
        assert!(!fit(&[], 0) && !fit(&[0x45, 0, 0], 0));
    }

    #[test]
    fn a_checksum_that_covers_the_addresses_alone_is_seen() {
        let mut bytes = Vec::new();
        let builder = PacketBuilder::ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64);
        builder.udp(40421, 60374).write(&mut bytes, b"hello udp\n").unwrap();
        assert!(!is_unchecked(&bytes));
        // What a socket on the loopback device gets.
        bytes[26..28].copy_from_slice(&0xfe25_u16.to_be_bytes());
        assert!(is_unchecked(&bytes));
        assert!(!is_unchecked(b"") && !is_unchecked(&bytes[..20]));
    }

    #[test]
    fn two_ends_are_of_one_ip_version() {
        let alike = |one: &str, other: &str| {
            let (one, other) = alike(one.parse().unwrap(), other.parse().unwrap());
            format!("{one} {other}")
        };
        assert_eq!(alike("[::ffff:1.2.3.4]:5", "[::]:0"), "1.2.3.4:5 0.0.0.0:0");
        assert_eq!(alike("[::]:5", "1.2.3.4:6"), "0.0.0.0:5 1.2.3.4:6");
        assert_eq!(alike("[::1]:5", "[::2]:6"), "[::1]:5 [::2]:6");
        assert_eq!(address(&"10.0.0.1".into()), Some("10.0.0.1:0".parse().unwrap()));
        assert_eq!(address(&"/run/x".into()), None);
    }
}
