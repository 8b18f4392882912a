//! The protocol headers of a packet, decoded.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    EtherType, IpNumber, LaxPacketHeaders, LinkHeader, NetHeaders, TcpHeader, TransportHeader,
};

use super::super::lines::Lines;
use crate::model::{Family, Packet, SocketType};
use crate::tui::app::screens::Origin;

/// Says what the headers hold: those before the payload, or in it, where the socket receives
/// packets with their headers.
pub fn describe(lines: &mut Lines, origin: Origin, packet: &Packet) {
    let (bytes, within) =
        if packet.headers.is_empty() { (&packet.payload, true) } else { (&packet.headers, false) };
    // Bytes that could not be read are zeros: they must not be taken for headers.
    let readable = match packet.gaps.first() {
        Some(gap) if within => bytes.get(..gap.start).unwrap_or(bytes),
        _ => bytes,
    };
    let Some(headers) = decode(origin, packet, readable, within) else { return };
    let arrow = lines.glyphs.arrow;
    let mut fields: Vec<(&'static str, String)> = Vec::new();
    if let Some(LinkHeader::Ethernet2(link)) = &headers.link {
        let (from, to) = (mac(link.source), mac(link.destination));
        fields.push(("Ethernet", format!("{from} {arrow} {to}, {}", ether_type(link.ether_type))));
    }
    fields.extend(headers.net.as_ref().map(|net| network(net, arrow)));
    fields.extend(headers.transport.as_ref().and_then(|header| transport(header, arrow)));
    if fields.is_empty() {
        return;
    }
    lines.section(if within { "Headers, in the payload" } else { "Headers" });
    for (label, value) in fields {
        lines.field(label, value);
    }
}

fn decode<'a>(
    origin: Origin,
    packet: &Packet,
    bytes: &'a [u8],
    within: bool,
) -> Option<LaxPacketHeaders<'a>> {
    let raw = origin.kind == Some(SocketType(libc::SOCK_RAW as u16));
    match (within, origin.family) {
        (false, _) => match packet.ethertype {
            Some(number) => Some(LaxPacketHeaders::from_ether_type(EtherType(number), bytes)),
            None => LaxPacketHeaders::from_ip(bytes).ok(),
        },
        (true, Some(Family::PACKET)) if raw => LaxPacketHeaders::from_ethernet(bytes).ok(),
        (true, Some(Family::PACKET)) => {
            let number = packet.ethertype?;
            Some(LaxPacketHeaders::from_ether_type(EtherType(number), bytes))
        }
        // raw(7): over IPv4 the header is received, over IPv6 it is not.
        (true, Some(Family::INET)) if raw => LaxPacketHeaders::from_ip(bytes).ok(),
        (true, _) => None,
    }
}

fn network(net: &NetHeaders, arrow: &str) -> (&'static str, String) {
    match net {
        NetHeaders::Ipv4(ip, _) => {
            let (from, to) = (Ipv4Addr::from(ip.source), Ipv4Addr::from(ip.destination));
            let mut text = format!(
                "{from} {arrow} {to}, {}, length {}, ttl {}, id {:#06x}",
                protocol(ip.protocol),
                ip.total_len,
                ip.time_to_live,
                ip.identification
            );
            if ip.dont_fragment {
                text.push_str(", don't fragment");
            }
            if ip.more_fragments || ip.fragment_offset.value() > 0 {
                text.push_str(&format!(
                    ", fragment at {}",
                    u32::from(ip.fragment_offset.value()) * 8
                ));
            }
            ("IPv4", text)
        }
        NetHeaders::Ipv6(ip, _) => {
            let (from, to) = (Ipv6Addr::from(ip.source), Ipv6Addr::from(ip.destination));
            let text = format!(
                "{from} {arrow} {to}, {}, payload length {}, hop limit {}, flow label {:#x}",
                protocol(ip.next_header),
                ip.payload_length,
                ip.hop_limit,
                ip.flow_label.value()
            );
            ("IPv6", text)
        }
        NetHeaders::Arp(arp) => ("ARP", format!("operation {}", arp.operation.0)),
    }
}

fn transport(header: &TransportHeader, arrow: &str) -> Option<(&'static str, String)> {
    Some(match header {
        TransportHeader::Udp(udp) => {
            let text = format!(
                "{} {arrow} {}, length {}, checksum {:#06x}",
                udp.source_port, udp.destination_port, udp.length, udp.checksum
            );
            ("UDP", text)
        }
        TransportHeader::Tcp(tcp) => ("TCP", transmission(tcp, arrow)),
        TransportHeader::Icmpv4(icmp) => ("ICMP", control(&icmp.to_bytes())?),
        TransportHeader::Icmpv6(icmp) => ("ICMPv6", control(&icmp.to_bytes())?),
        TransportHeader::Igmp(_) => return None,
    })
}

/// ICMP of either version begins with type, code and checksum.
fn control(bytes: &[u8]) -> Option<String> {
    let &[kind, code, high, low, ..] = bytes else { return None };
    let checksum = u16::from_be_bytes([high, low]);
    Some(format!("type {kind}, code {code}, checksum {checksum:#06x}"))
}

fn transmission(tcp: &TcpHeader, arrow: &str) -> String {
    let flags = [
        (tcp.syn, "SYN"),
        (tcp.fin, "FIN"),
        (tcp.rst, "RST"),
        (tcp.psh, "PSH"),
        (tcp.ack, "ACK"),
        (tcp.urg, "URG"),
        (tcp.ece, "ECE"),
        (tcp.cwr, "CWR"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    format!(
        "{} {arrow} {}, seq {}, ack {}, {}, window {}, {} bytes of options",
        tcp.source_port,
        tcp.destination_port,
        tcp.sequence_number,
        tcp.acknowledgment_number,
        flags.join(" "),
        tcp.window_size,
        tcp.options.len()
    )
}

fn protocol(number: IpNumber) -> String {
    match number.keyword_str() {
        Some(name) => name.to_lowercase(),
        None => format!("protocol {}", number.0),
    }
}

fn ether_type(kind: EtherType) -> String {
    match kind {
        EtherType::IPV4 => "ip".to_owned(),
        EtherType::IPV6 => "ipv6".to_owned(),
        EtherType::ARP => "arp".to_owned(),
        EtherType(number) => format!("type {number:#06x}"),
    }
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}
