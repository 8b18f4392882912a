//! All there is to say about one packet.

mod headers;
mod netlink;
#[cfg(test)]
mod tests;

use super::cells;
use super::lines::{Lines, amount};
use crate::model::{Family, Packet, Parts, QueueName, count};
use crate::tui::app::screens::{Link, PacketScreen};
use crate::tui::theme::Glyphs;
use crate::tui::widget::bytes::Bytes;
use crate::tui::widget::sheet::SheetLine;

/// What there is to say about a packet: what is known of it, what is in flight in it, its
/// headers, its bytes.
pub fn lines(screen: &PacketScreen, glyphs: &Glyphs) -> Vec<SheetLine<Link>> {
    let mut lines = Lines::new(*glyphs);
    let packet = &screen.packet;
    describe(&mut lines, screen, packet);
    files(&mut lines, packet);
    headers::describe(&mut lines, screen.origin, packet);
    if screen.origin.family == Some(Family::NETLINK) {
        netlink::describe(&mut lines, screen.origin.protocol, packet);
    }
    if screen.queue != QueueName::Accept {
        payload(&mut lines, screen, packet);
    }
    lines.lines
}

fn describe(lines: &mut Lines, screen: &PacketScreen, packet: &Packet) {
    lines.section(match screen.queue {
        QueueName::Accept => "Connection",
        QueueName::Pipe => "Buffer",
        _ => "Packet",
    });
    if packet.torn {
        lines.note("torn: it changed while it was read, and may be mixed of two");
    }
    if screen.queue == QueueName::Accept {
        return lines.text("from", packet.from.as_ref());
    }
    let consumed = match packet.consumed {
        0 => String::new(),
        taken => format!(", behind {taken} that were {}", packet.consumption()),
    };
    lines.field("length", packet.len.map(|len| amount(len.into()) + &consumed));
    if let Some(memory) = packet.truesize {
        lines.field("memory", amount(memory.into()));
    }
    if let Some(Parts { linear, paged, frags }) = packet.parts {
        let fragments = count(frags.into(), "page fragment");
        let paged = if paged == 0 { String::new() } else { format!(", {paged} in {fragments}") };
        lines.field("parts", format!("{linear} in the linear part{paged}"));
    }
    if let Some(time) = packet.time.and_then(|time| jiff::Timestamp::try_from(time).ok()) {
        lines.field("received", format!("{time:.6}"));
    }
    if let Some(from) = &packet.from {
        match from.as_bytes() {
            b"" => lines.field("from", "a socket without a name".to_owned()),
            b"0" if screen.origin.family == Some(Family::NETLINK) => {
                lines.field("from", "0, the kernel".to_owned());
            }
            _ => lines.text("from", Some(from)),
        }
    }
    if let Some((seq, end)) = packet.seq.zip(packet.end_seq) {
        lines.field("sequence", format!("{seq} to {end}"));
    }
    if let Some(flags) = packet.tcp_flags {
        lines.field("flags", flags.names().collect::<Vec<_>>().join(" "));
    }
}

fn files(lines: &mut Lines, packet: &Packet) {
    let read = u32::try_from(packet.files.len()).unwrap_or(u32::MAX);
    if read == 0 && packet.file_count.unwrap_or(0) == 0 {
        return;
    }
    lines.section("Files in flight");
    if read > 0 {
        lines.heading(format!("{:>7} {:<11} {}", "FILE", "KIND", "NAME"));
    }
    for (file, place) in packet.files.iter().zip(0..) {
        let name = cells::name(file, &lines.glyphs);
        let text = format!("{place:>7} {:<11} {name}", file.kind.name());
        lines.link(Link::Flight(place), text);
    }
    match packet.file_count {
        Some(all) if all > read => {
            lines.note(format!("{} not read", count((all - read).into(), "more file")));
        }
        _ => {}
    }
}

fn payload(lines: &mut Lines, screen: &PacketScreen, packet: &Packet) {
    lines.section("Payload");
    let shown = packet.payload.len();
    let len = packet.len.map_or(shown, |len| len as usize);
    if shown < len {
        lines.note(format!("the first {shown} of {len} bytes"));
    }
    if packet.unreadable > 0 {
        let bytes = count(packet.unreadable.into(), "byte");
        lines.note(format!("{bytes} could not be read: ??"));
    }
    if shown == 0 {
        return lines.word(if len == 0 { "none" } else { "not read" });
    }
    let bytes = Bytes::new(packet.payload.clone(), packet.gaps.clone(), screen.mode);
    lines.lines.push(SheetLine::Bytes(bytes));
}
