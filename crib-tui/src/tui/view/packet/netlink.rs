//! The headers of the messages in a netlink packet (`struct nlmsghdr`, netlink(7)).

use super::super::lines::Lines;
use crate::model::{Packet, Protocol, count};

/// Messages that are listed at most: a dump of routes has hundreds in one packet.
const LISTED: usize = 32;

/// Bytes of a header.
const HEADER: usize = 16;

/// NETLINK_KOBJECT_UEVENT, whose messages are text without such headers.
const UEVENT: u16 = 15;

/// NETLINK_ROUTE.
const ROUTE: u16 = 0;

/// Lists the messages.
pub fn describe(lines: &mut Lines, protocol: Option<Protocol>, packet: &Packet) {
    let protocol = protocol.map(|protocol| protocol.number);
    if protocol == Some(UEVENT) || packet.payload.is_empty() {
        return;
    }
    lines.section("Netlink messages");
    let mut at = 0;
    let mut listed = 0;
    while at < packet.payload.len() {
        let end = at + HEADER;
        let unread = packet.gaps.iter().any(|gap| gap.start < end && gap.end > at);
        let bytes = packet.payload.get(at..end).filter(|_| !unread);
        let Some(header) = bytes.and_then(Header::parse) else {
            if unread {
                lines.note("the next header could not be read");
            } else if packet.len.is_none_or(|len| packet.payload.len() >= len as usize) {
                let rest = count((packet.payload.len() - at) as u64, "byte");
                lines.note(format!("{rest} that are no message"));
            }
            return;
        };
        if listed == LISTED {
            return lines.note("there are more");
        }
        lines.field("message", header.text(protocol));
        listed += 1;
        // NLMSG_ALIGN.
        at = at.saturating_add((header.len as usize).next_multiple_of(4));
    }
}

struct Header {
    len: u32,
    kind: u16,
    flags: u16,
    seq: u32,
    pid: u32,
}

impl Header {
    /// None where the length makes no sense, which would lead nowhere.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_ne_bytes(word))
        };
        let half = |at: usize| {
            let half: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_ne_bytes(half))
        };
        let header =
            Self { len: word(0)?, kind: half(4)?, flags: half(6)?, seq: word(8)?, pid: word(12)? };
        (header.len as usize >= HEADER).then_some(header)
    }

    fn text(&self, protocol: Option<u16>) -> String {
        let Self { len, kind, seq, pid, .. } = self;
        let name = name(*kind, protocol);
        format!("{name}, len {len}, type {kind}, flags {}, seq {seq}, pid {pid}", self.flags())
    }

    fn flags(&self) -> String {
        const NAMES: [(u16, &str); 6] = [
            (0x01, "REQUEST"),
            (0x02, "MULTI"),
            (0x04, "ACK"),
            (0x08, "ECHO"),
            (0x10, "DUMP_INTR"),
            (0x20, "DUMP_FILTERED"),
        ];
        let mut rest = self.flags;
        let mut text = String::new();
        for (bit, name) in NAMES {
            if rest & bit != 0 {
                rest &= !bit;
                text = if text.is_empty() { name.into() } else { format!("{text}|{name}") };
            }
        }
        // What the other bits mean depends on the type.
        match (rest, text.is_empty()) {
            (0, true) => "0".into(),
            (0, false) => text,
            (_, true) => format!("{rest:#x}"),
            (_, false) => format!("{text}|{rest:#x}"),
        }
    }
}

fn name(kind: u16, protocol: Option<u16>) -> String {
    const CONTROL: [&str; 5] = ["", "NLMSG_NOOP", "NLMSG_ERROR", "NLMSG_DONE", "NLMSG_OVERRUN"];
    // From 16 on, four to each: NEW, DEL, GET and SET (include/uapi/linux/rtnetlink.h).
    const OBJECTS: [&str; 8] =
        ["LINK", "ADDR", "ROUTE", "NEIGH", "RULE", "QDISC", "TCLASS", "TFILTER"];
    const VERBS: [&str; 4] = ["NEW", "DEL", "GET", "SET"];
    let number = usize::from(kind);
    if let Some(name) = CONTROL.get(number).filter(|name| !name.is_empty()) {
        return (*name).to_owned();
    }
    let route = number.checked_sub(16).filter(|_| protocol == Some(ROUTE));
    match route.and_then(|number| Some((VERBS[number % 4], OBJECTS.get(number / 4)?))) {
        Some((verb, object)) => format!("RTM_{verb}{object}"),
        None => format!("message {kind}"),
    }
}
