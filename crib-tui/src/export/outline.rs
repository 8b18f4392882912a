//! Files, their queues and the packets in them as text for people, nested by indentation.

use std::io::{self, Write};

use super::hex;
use super::table::{self, Layout};
use crate::model::column::{Align, find};
use crate::model::{
    DumpReading, File, FileRow, Files, Packet, Process, Queue, QueueName, Text, count,
};

/// How an outline is printed.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// With a hex dump below each packet.
    pub hex: bool,
    /// How its tables are.
    pub layout: Layout,
}

/// Bytes of a packet that its row shows.
const PREVIEW: usize = 40;

const INDENT: &str = "  ";

impl Outline {
    /// Writes one file with all its queues.
    ///
    /// # Errors
    /// Those of writing.
    pub fn file(&self, out: &mut impl Write, process: &Process, file: &File) -> io::Result<()> {
        let mut lines =
            vec![format!("{} of {} ({})", heading(process, file), process.pid, process.comm)];
        lines.extend(self.queues(process, file, true));
        self.write(out, &lines)
    }

    /// Writes those files of a process that something is queued in.
    ///
    /// # Errors
    /// Those of writing.
    pub fn process(
        &self,
        out: &mut impl Write,
        reading: &DumpReading,
        files: &[&File],
    ) -> io::Result<()> {
        let process = &reading.process;
        let used: Vec<_> = files.iter().filter(|file| has_packets(file)).collect();
        let of = count(files.len() as u64, "file");
        let incomplete = if reading.complete { "" } else { ", incomplete" };
        let mut lines = vec![format!(
            "process {} ({}): {of}, something is queued in {}{incomplete}",
            process.pid,
            process.comm,
            used.len()
        )];
        for file in used {
            lines.push(heading(process, file));
            lines.extend(self.queues(process, file, false));
        }
        self.write(out, &lines)
    }

    /// The queues of a file; with the empty ones where they are asked for.
    fn queues(&self, process: &Process, file: &File, empty: bool) -> Vec<String> {
        let queues = file.queues().into_iter().flatten();
        let shown = queues.filter(|queue| empty || !is_empty(queue));
        let lines = shown.flat_map(|queue| {
            let head = summary(queue);
            let rows = self.packets(process, queue);
            [head].into_iter().chain(indented(rows)).collect::<Vec<_>>()
        });
        indented(lines.collect()).collect()
    }

    /// One row a packet, with what is in it below.
    fn packets(&self, process: &Process, queue: &Queue) -> Vec<String> {
        if queue.packets.is_empty() {
            return Vec::new();
        }
        let mut rows = self.rows(&queue.packets).into_iter();
        let mut lines: Vec<_> = rows.by_ref().take(self.layout.headings.into()).collect();
        for (packet, row) in queue.packets.iter().zip(rows) {
            lines.push(row);
            // Deeper than the numbers of the row, which are aligned to the right.
            lines.extend(indented(indented(self.inside(process, packet)).collect()));
        }
        lines
    }

    /// The rows of a table, its headings first where it has any.
    fn rows(&self, packets: &[Packet]) -> Vec<String> {
        use Align::{Left, Right};
        let headings = [
            ("INDEX", Right),
            ("LEN", Right),
            ("TRUESIZE", Right),
            ("TIME", Left),
            ("FROM", Left),
            ("SEQ", Right),
            ("FILES", Right),
            ("MARKS", Left),
            ("TEXT", Left),
        ];
        // Lines are cut to the screen's width when all of them are there.
        let layout = Layout { width: None, ..self.layout };
        let mut text = Vec::new();
        // Writing to a vector does not fail.
        let _ =
            table::write_cells(&mut text, &headings, packets.iter().map(cells).collect(), layout);
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }

    /// The bytes of a packet, and the files in flight in it with what is queued in them.
    fn inside(&self, process: &Process, packet: &Packet) -> Vec<String> {
        let mut lines = Vec::new();
        if self.hex {
            lines.extend(hex::lines(&packet.payload, &packet.gaps));
        }
        for file in &packet.files {
            lines.push(heading(process, file));
            lines.extend(self.queues(process, file, false));
        }
        let more = packet.file_count.map_or(0, u64::from).saturating_sub(packet.files.len() as u64);
        if more > 0 {
            lines.push(format!("{} more in flight", count(more, "file")));
        }
        lines
    }

    fn write(&self, out: &mut impl Write, lines: &[String]) -> io::Result<()> {
        lines.iter().try_for_each(|line| table::write_line(out, line, self.layout))
    }
}

fn indented(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("{INDENT}{line}"))
}

/// `fd 3: socket tcp 127.0.0.1:80->127.0.0.1:4711 ESTABLISHED`.
fn heading(process: &Process, file: &File) -> String {
    let row = FileRow::new(process, file);
    let name = find::<Files>("NAME").map(|column| column.text(&row));
    let fd = file.fd.map_or_else(|| "in flight".to_owned(), |fd| format!("fd {fd}"));
    let tid = file.tid.map(|tid| format!(" of thread {tid}")).unwrap_or_default();
    let deeper = file.socket.as_ref().is_some_and(|socket| socket.deeper)
        || file.pipe.as_ref().is_some_and(|pipe| pipe.queues.is_none());
    let deeper =
        if deeper { ", not looked into: it lies too deep, or is above already" } else { "" };
    format!("{fd}{tid}: {} {}{deeper}", file.kind.name(), name.unwrap_or_default())
}

/// `receive: 2 messages, 13 bytes, 1664 bytes of memory, torn`.
fn summary(queue: &Queue) -> String {
    let name = queue.name.name();
    if queue.complete && is_empty(queue) {
        return format!("{name}: empty");
    }
    let what = match queue.name {
        QueueName::Accept => "connection",
        QueueName::Pipe => "buffer",
        _ => "message",
    };
    let counts = [
        (queue.messages, what, ""),
        (queue.payload, "byte", ""),
        (queue.memory, "byte", " of memory"),
    ];
    // What a queue as a whole has no number of, such as a pipe's memory, is not missed.
    let counts = counts.into_iter().filter(|(count, ..)| count.is_some() || !queue.complete);
    let counts: Vec<_> = counts
        .map(|(number, what, of)| match number {
            Some(number) => format!("{}{of}", count(number, what)),
            None => format!("unknown {what}s{of}"),
        })
        .collect();
    let mut text = format!("{name}: {}", counts.join(", "));
    if queue.torn {
        text.push_str(", torn: it changed while it was read");
    } else if !queue.complete {
        text.push_str(", incomplete");
    }
    text
}

fn cells(packet: &Packet) -> Vec<String> {
    fn text(value: Option<impl ToString>) -> String {
        value.map_or_else(|| "-".to_owned(), |value| value.to_string())
    }
    let time = packet.time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    let from = packet.from.as_ref().filter(|from| !from.is_empty()).map(Text::to_string);
    let mut marks = Vec::new();
    if packet.torn {
        marks.push("torn");
    }
    if packet.unreadable > 0 {
        marks.push("unreadable");
    }
    if packet.len.is_some_and(|len| (packet.payload.len() as u64) < len.into()) {
        marks.push("cut");
    }
    vec![
        packet.index.to_string(),
        text(packet.len),
        text(packet.truesize),
        text(time.map(|time| format!("{time:.6}"))),
        text(from),
        text(packet.seq),
        text(packet.file_count.or((!packet.files.is_empty()).then_some(packet.files.len() as u32))),
        if marks.is_empty() { "-".to_owned() } else { marks.join(",") },
        hex::preview(&packet.payload, &packet.gaps, PREVIEW),
    ]
}

fn is_empty(queue: &Queue) -> bool {
    queue.packets.is_empty() && queue.messages == Some(0)
}

fn has_packets(file: &File) -> bool {
    file.queues().is_some_and(|queues| queues.iter().any(|queue| !is_empty(queue)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample_dump;

    const LAYOUT: Layout = Layout { headings: true, ascii: false, width: None };

    fn file(fd: usize, outline: Outline) -> String {
        let reading = sample_dump::reading();
        let mut out = Vec::new();
        outline.file(&mut out, &reading.process, &reading.files[fd]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn packets_of_a_socket() {
        let text = file(4, Outline { hex: false, layout: LAYOUT });
        let hex = file(4, Outline { hex: true, layout: Layout { headings: false, ..LAYOUT } });
        insta::assert_snapshot!(format!("{text}\n{hex}"));
    }

    #[test]
    fn everything_of_a_process() {
        let reading = sample_dump::reading();
        let mut out = Vec::new();
        let files: Vec<_> = reading.files.iter().collect();
        Outline { hex: false, layout: LAYOUT }.process(&mut out, &reading, &files).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn lines_fit_the_screen_and_hold_no_control_character() {
        let layout = Layout { width: Some(60), ascii: true, headings: true };
        let text = file(4, Outline { hex: true, layout });
        assert!(text.lines().all(|line| line.len() <= 60 && line.is_ascii()), "{text}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    }
}
