//! The JSON document and the lines of `packets`.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{Header, line};
use crate::model::{File, Packet, Pipe, Queue, QueueName, Socket};

/// One socket or pipe and what is queued in it.
#[derive(Clone, Debug, Serialize)]
pub struct PacketsOf {
    pid: u32,
    fd: u32,
    socket: Option<Box<Socket>>,
    pipe: Option<Pipe>,
    queues: Vec<Queue>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    header: &'a Header,
    #[serde(flatten)]
    packets: &'a PacketsOf,
}

#[derive(Serialize)]
struct Line<'a> {
    pid: u32,
    fd: u32,
    queue: QueueName,
    #[serde(flatten)]
    packet: &'a Packet,
}

impl PacketsOf {
    /// A process's file, whose queues are told beside it.
    pub fn new(pid: u32, fd: u32, file: File) -> Self {
        let File { mut socket, mut pipe, .. } = file;
        let of_socket = socket.as_mut().and_then(|socket| socket.queues.take());
        let of_pipe = pipe.as_mut().and_then(|pipe| pipe.queues.take());
        let pipe = pipe.map(|pipe| *pipe);
        Self { pid, fd, socket, pipe, queues: of_socket.or(of_pipe).unwrap_or_default() }
    }

    /// Writes the document.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, out: &mut impl Write, header: &Header) -> io::Result<()> {
        line(out, &Document { header, packets: self })
    }

    /// Writes one packet a line, with its queue, its file and the process.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        let (pid, fd) = (self.pid, self.fd);
        self.queues.iter().try_for_each(|queue| {
            let line_of = |packet| Line { pid, fd, queue: queue.name, packet };
            queue.packets.iter().try_for_each(|packet| line(out, &line_of(packet)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Source, sample, sample_dump};

    fn of(fd: usize) -> (String, String) {
        let file = sample_dump::reading().files.swap_remove(fd);
        let packets = PacketsOf::new(4242, fd as u32, file);
        let (mut document, mut lines) = (Vec::new(), Vec::new());
        let header = Header::new(Source::Bpf, Some("6.18.44".into()), sample::time());
        packets.write(&mut document, &header).unwrap();
        packets.write_lines(&mut lines).unwrap();
        (String::from_utf8(document).unwrap(), String::from_utf8(lines).unwrap())
    }

    #[test]
    fn the_document_and_the_lines_of_packets() {
        let (document, lines) = of(4);
        insta::assert_snapshot!(format!("{document}{lines}"));
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        for name in "schema source kernel time pid fd socket pipe queues".split(' ') {
            assert!(names.contains(&name), "{name}");
        }
        assert!(value["socket"].get("queues").is_none(), "they are told once");
        let packet = value["queues"][0]["packets"][0].as_object().unwrap();
        for name in
            "index len truesize time from seq files captured payload unreadable torn".split(' ')
        {
            assert!(packet.contains_key(name), "{name}");
        }
        assert!(packet["files"][0]["fd"].is_null());
    }

    #[test]
    fn a_pipe_is_no_socket() {
        let (document, lines) = of(1);
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert!(value["socket"].is_null() && value["pipe"]["bytes"] == 5);
        assert_eq!(lines.lines().count(), 1);
        assert!(lines.starts_with(r#"{"pid":4242,"fd":1,"queue":"pipe","index":0,"#), "{lines}");
    }
}
