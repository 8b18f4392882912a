//! Tests of what is said about packets whose bytes may be anything.

use proptest::prelude::*;

use super::*;
use crate::model::{PacketId, Protocol, SocketType, sample_queues};
use crate::tui::app::screens::Origin;
use crate::tui::theme::Theme;

fn origin(family: Family, kind: i32, number: u16) -> Origin {
    Origin {
        family: Some(family),
        kind: Some(SocketType(kind as u16)),
        protocol: Some(Protocol { family, number }),
    }
}

/// The lines about a packet of a socket's receive queue, those of its bytes left out.
fn said(origin: Origin, packet: Packet) -> String {
    let glyphs = Theme::new(true, false).glyphs;
    let screen = PacketScreen::new(origin, QueueName::Receive, packet, &glyphs);
    let text = lines(&screen, &glyphs).into_iter().map(|line| match line {
        SheetLine::Section(title) => format!("{title}:"),
        SheetLine::Field(label, value) => format!("{label} {value}"),
        SheetLine::Text(text) | SheetLine::Note(text) => text,
        SheetLine::Heading(_) | SheetLine::Link(..) | SheetLine::Empty | SheetLine::Bytes(_) => {
            String::new()
        }
    });
    text.collect::<Vec<_>>().join("\n")
}

fn message(len: u32, kind: u16, flags: u16) -> Vec<u8> {
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes
}

#[test]
fn netlink_messages_are_listed_until_one_makes_no_sense() {
    let route = origin(Family::NETLINK, libc::SOCK_RAW, 0);
    let mut payload = message(17, 24, 0x301);
    payload.extend([1, 0, 0, 0]);
    payload.extend(message(3, 16, 0));
    let said = said(route, sample_queues::packet(1, &payload));
    assert!(said.contains("RTM_NEWROUTE, len 17, type 24, flags REQUEST|0x300, seq 0, pid 0"));
    assert!(said.contains("16 bytes that are no message"), "{said}");
}

#[test]
fn a_netlink_header_that_could_not_be_read_is_not_made_up() {
    let route = origin(Family::NETLINK, libc::SOCK_RAW, 0);
    let mut packet = sample_queues::packet(1, &message(16, 3, 0));
    packet.gaps.push(8..16);
    let said = said(route, packet);
    assert!(said.contains("the next header could not be read"), "{said}");
    assert!(!said.contains("NLMSG_DONE"), "{said}");
}

#[test]
fn events_of_the_kernel_have_no_netlink_header() {
    let events = origin(Family::NETLINK, libc::SOCK_RAW, 15);
    let said = said(events, sample_queues::packet(1, b"add@/devices/virtual/net/lo\0"));
    assert!(!said.contains("Netlink"), "{said}");
}

#[test]
fn headers_that_could_not_be_read_are_not_made_up() {
    let raw = origin(Family::INET, libc::SOCK_RAW, 1);
    let header = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let whole = sample_queues::packet(1, &header);
    assert!(said(raw, whole.clone()).contains("10.0.0.1"));
    let mut unread = whole;
    unread.gaps.push(12..16);
    assert!(!said(raw, unread).contains("10.0.0"));
}

proptest! {
    #[test]
    fn any_bytes_can_be_told_of(
        payload: Vec<u8>, headers: Vec<u8>, ethertype: Option<u16>, gap in 0usize..64,
        family in prop::sample::select(vec![
            Family::INET, Family::INET6, Family::NETLINK, Family::PACKET, Family::UNIX,
        ]),
        raw: bool, version in 0u8..16,
    ) {
        let kind = if raw { libc::SOCK_RAW } else { libc::SOCK_DGRAM };
        let mut packet = sample_queues::packet(1, &payload);
        // Most random bytes begin no header.
        packet.headers = headers;
        if let Some(first) = packet.headers.first_mut() {
            *first = version << 4 | (*first & 15);
        }
        let end = payload.len().min(gap + 8);
        if gap < end {
            packet.gaps.push(gap..end);
        }
        (packet.ethertype, packet.id) = (ethertype, PacketId(7));
        said(origin(family, kind, 0), packet);
    }
}
