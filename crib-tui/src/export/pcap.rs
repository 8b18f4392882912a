//! Packets as a capture file that Wireshark opens (pcapng, draft-ietf-opsawg-pcapng).
//!
//! | packets of | link type | what stands before the payload |
//! |---|---|---|
//! | inet, inet6 | RAW | their headers, or headers made from the socket's addresses |
//! | packet | ETHERNET, RAW, or LINUX_SLL for SOCK_DGRAM | what there is; a cooked header |
//! | netlink | NETLINK | a cooked header |
//! | unix, pipes, others | WIRESHARK_UPPER_PDU | tags that name Wireshark's dissector `data` |
//!
//! No link type stands for a unix socket. That of Wireshark's own exported packets opens without
//! a complaint, where one for private use would ask for a setting first. Connections that wait
//! for accept(2) hold no bytes and are left out.

mod file;
mod frame;
mod inet;

use std::io::{self, BufWriter, Write};
use std::time::{Duration, SystemTime};

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, PcapError};

pub use file::create;
use frame::Frame;

use crate::model::{DumpReading, File, Packet, Process, Queue, QueueName, Text};

/// epb_flags: which way a packet went.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// if_tsresol: nanoseconds.
const NANOSECONDS: u8 = 9;

/// Writes all packets of a reading.
///
/// # Errors
/// Those of writing.
pub fn write(out: impl Write, reading: &DumpReading) -> io::Result<()> {
    let mut capture = Capture::begin(out)?;
    for file in &reading.files {
        let source = Source { process: &reading.process, file, time: reading.time };
        for queue in file.queues().into_iter().flatten() {
            capture.queue(&source, queue)?;
        }
    }
    capture.end()
}

/// Where packets come from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The process that holds the file.
    pub process: &'a Process,
    /// The socket or pipe.
    pub file: &'a File,
    /// When it was read: the time of packets that have none of their own.
    pub time: SystemTime,
}

/// A capture file on its way.
pub struct Capture<W: Write> {
    writer: PcapNgWriter<BufWriter<W>>,
    /// What the interfaces that were described stand for, by their number.
    interfaces: Vec<(QueueName, DataLink)>,
}

impl<W: Write> Capture<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(out: W) -> io::Result<Self> {
        let application = format!("crib-top {}", env!("CARGO_PKG_VERSION"));
        let mut options = vec![SectionHeaderOption::UserApplication(application.into())];
        if let Ok(kernel) = sysinfo::System::kernel_version() {
            let kernel = Text::from(kernel);
            options.push(SectionHeaderOption::OS(format!("Linux {kernel}").into()));
        }
        let section = SectionHeaderBlock { options, ..Default::default() };
        let writer = PcapNgWriter::with_section_header(BufWriter::new(out), section);
        Ok(Self { writer: writer.map_err(io_error)?, interfaces: Vec::new() })
    }

    /// Adds the packets of a queue.
    ///
    /// # Errors
    /// Those of writing.
    pub fn queue(&mut self, source: &Source<'_>, queue: &Queue) -> io::Result<()> {
        queue.packets.iter().try_for_each(|packet| self.packet(source, queue, packet))
    }

    /// Adds one packet of a queue.
    ///
    /// # Errors
    /// Those of writing.
    pub fn packet(
        &mut self,
        source: &Source<'_>,
        queue: &Queue,
        packet: &Packet,
    ) -> io::Result<()> {
        if queue.name == QueueName::Accept {
            return Ok(());
        }
        let frames = frame::frames(source.file, queue.name, packet);
        let time = packet.time.unwrap_or(source.time);
        let timestamp = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let count = frames.len();
        for (index, frame) in frames.into_iter().enumerate() {
            let part = (count > 1).then_some((index + 1, count));
            let comment = comment(source, queue, packet, &frame, part);
            let mut options = vec![EnhancedPacketOption::Comment(comment.into())];
            options.extend(direction(queue.name).map(EnhancedPacketOption::Flags));
            let interface_id = self.interface(queue.name, frame.link)?;
            let block = EnhancedPacketBlock {
                interface_id,
                timestamp,
                original_len: frame.original_len,
                data: frame.bytes.into(),
                options,
            };
            self.writer.write_pcapng_block(block).map_err(io_error)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end(self) -> io::Result<()> {
        self.writer.into_inner().flush()
    }

    /// The number of the interface for a queue's packets of one link type.
    fn interface(&mut self, queue: QueueName, linktype: DataLink) -> io::Result<u32> {
        let known = self.interfaces.iter().position(|&known| known == (queue, linktype));
        let number = known.unwrap_or(self.interfaces.len());
        if known.is_none() {
            let name = format!("crib-top {}", queue.name());
            let options = vec![
                InterfaceDescriptionOption::IfName(name.into()),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ];
            // No limit that was the same for all packets.
            let block = InterfaceDescriptionBlock { linktype, snaplen: 0, options };
            self.writer.write_pcapng_block(block).map_err(io_error)?;
            self.interfaces.push((queue, linktype));
        }
        // There are fewer queues and link types than that.
        Ok(number as u32)
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

fn direction(queue: QueueName) -> Option<u32> {
    match queue {
        // Its bytes neither come in nor go out.
        QueueName::Pipe => None,
        queue if queue.is_outgoing() => Some(OUTBOUND),
        _ => Some(INBOUND),
    }
}

/// Whose packet it is, and in what it differs from what went over the wire.
fn comment(
    source: &Source<'_>,
    queue: &Queue,
    packet: &Packet,
    frame: &Frame,
    part: Option<(usize, usize)>,
) -> String {
    let process = source.process;
    let fd = source.file.fd.map_or_else(|| "a file in flight".to_owned(), |fd| format!("fd {fd}"));
    let mut parts = vec![format!(
        "{} (pid {}), {fd}, {} queue, packet {}",
        process.comm,
        process.pid,
        queue.name.name(),
        packet.index
    )];
    if let Some((part, of)) = part {
        parts.push(format!("part {part} of {of}"));
    }
    if frame.made {
        parts.push("headers made by crib-top from the socket's addresses".to_owned());
    }
    if frame.is_unchecked() {
        parts.push("its checksum was left for a device to complete".to_owned());
    }
    if let Some(from) = packet.from.as_ref().filter(|from| !from.is_empty()) {
        parts.push(format!("from {from}"));
    }
    if packet.consumed > 0 {
        let (consumed, how) = (packet.consumed, packet.consumption());
        parts.push(format!("its first {consumed} bytes were {how}"));
    }
    match packet.files.len().max(packet.file_count.unwrap_or(0) as usize) {
        0 => {}
        1 => parts.push("1 file in flight".to_owned()),
        files => parts.push(format!("{files} files in flight")),
    }
    if packet.unreadable > 0 {
        parts.push(format!(
            "{} bytes could not be read and are 0 here: {}",
            packet.unreadable,
            ranges(packet)
        ));
    }
    if (frame.bytes.len() as u64) < frame.original_len.into() {
        parts.push(format!("cut after {} bytes of payload", packet.payload.len()));
    }
    if packet.torn {
        parts.push("torn: it changed while it was read".to_owned());
    }
    if queue.torn {
        parts.push("its queue is torn: packets may be missing or be there twice".to_owned());
    }
    if packet.time.is_none() {
        parts.push("the time is that of the reading".to_owned());
    }
    parts.join("; ")
}

/// The first ranges of the payload that could not be read.
fn ranges(packet: &Packet) -> String {
    const LISTED: usize = 8;
    let listed = packet.gaps.iter().take(LISTED);
    let mut list: Vec<_> =
        listed.map(|gap| format!("{} to {}", gap.start, gap.end.saturating_sub(1))).collect();
    if packet.gaps.len() > LISTED {
        list.push("...".to_owned());
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{sample, sample_queues};

    #[test]
    fn nobody_is_said_to_have_read_what_tcp_may_have_received_twice() {
        let comments = |seq| {
            let packet = Packet { consumed: 5, seq, ..sample_queues::packet(1, b"hello") };
            let mut file = sample::files().swap_remove(3);
            let queue = sample_queues::queue(QueueName::Receive, vec![packet]);
            file.socket.as_mut().unwrap().queues = Some(vec![queue]);
            let (process, time) = (sample::process(), sample::time());
            let files = vec![file];
            let mut bytes = Vec::new();
            write(&mut bytes, &DumpReading { time, process, files, complete: true, runs: 1 })
                .unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let text = comments(Some(7));
        assert!(text.contains("its first 5 bytes were read already, or received twice"), "{text}");
        let text = comments(None);
        assert!(text.contains("its first 5 bytes were read already;"), "{text}");
    }
}
