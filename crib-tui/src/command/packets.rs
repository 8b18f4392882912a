//! `crib-top packets`: what is queued in one socket or pipe, once.

use std::io::Write;

use super::{Streams, find, keep_with, kernel_release};
use crate::export::json::Header;
use crate::export::outline::Outline;
use crate::export::{packets as json, pcap};
use crate::failure::Failure;
use crate::kernel::Wanted;
use crate::model::column::find as find_column;
use crate::model::{DumpReading, FileRow, Files, ReadError, Source};
use crate::privileges;
use crate::settings::{Packets, PacketsOutput, PcapTarget, Style, Target};
use crate::source::{Reader, SourceChoice};

/// Prints the packets of the target's file.
pub(super) fn run<O: Write>(
    target: &Target,
    packets: &Packets,
    output: &PacketsOutput,
    source: SourceChoice,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let pid = find(target)?;
    // That /proc is read need not be said before: there, the error says why.
    let mut reader = Reader::open(source, Wanted::Dumps)?;
    let needs = reader.prepare()?;
    let writes = match output {
        PacketsOutput::Pcap(PcapTarget::File(_)) => privileges::WRITING,
        _ => privileges::NOTHING,
    };
    keep_with(needs, writes)?;
    let mut reading = reader.dump(&packets.request(pid))?;
    keep_with(privileges::NOTHING, writes)?;
    check(&reading, packets)?;
    match output {
        PacketsOutput::Text { hex, headings } => {
            let layout = streams.layout(*headings, style);
            let outline = Outline { hex: *hex, layout };
            outline.file(&mut streams.out, &reading.process, &reading.files[0])?;
        }
        PacketsOutput::Pcap(PcapTarget::Stdout) => pcap::write(&mut streams.out, &reading)?,
        PacketsOutput::Pcap(PcapTarget::File(path)) => {
            let write = || {
                let mut file = pcap::create(path)?;
                pcap::write(&mut file, &reading)?;
                file.finish()
            };
            write().map_err(|error| Failure::File { path: path.clone(), error })?;
        }
        PacketsOutput::Json | PacketsOutput::JsonLines => {
            let header = Header::new(Source::Bpf, kernel_release(), reading.time);
            let file = reading.files.swap_remove(0);
            let document = json::PacketsOf::new(pid, packets.fd, file);
            match output {
                PacketsOutput::JsonLines => document.write_lines(&mut streams.out)?,
                _ => document.write(&mut streams.out, &header)?,
            }
        }
    }
    Ok(())
}

/// Whether there is the one file that was asked for, with the queue that was asked for.
fn check(reading: &DumpReading, packets: &Packets) -> Result<(), Failure> {
    let (pid, fd) = (reading.process.pid, packets.fd);
    let file = reading.files.first().ok_or(ReadError::NoFile { pid, fd })?;
    let Some(queues) = file.queues() else {
        let row = FileRow::new(&reading.process, file);
        let path = find_column::<Files>("NAME").map(|column| column.text(&row));
        let name = format!("{} {}", file.kind.name(), path.unwrap_or_default());
        return Err(Failure::NoQueues { pid, fd, name });
    };
    match packets.queue {
        Some(queue) if queues.iter().all(|found| found.name != queue) => {
            Err(Failure::NoSuchQueue { pid, fd, queue: queue.name() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;
    use crate::model::{QueueName, sample_dump};

    fn check(fd: usize, queue: Option<QueueName>) -> Option<(Code, String)> {
        let mut reading = sample_dump::reading();
        reading.files = vec![reading.files.swap_remove(fd)];
        let packets = Packets { fd: fd as u32, queue, payload: 0 };
        super::check(&reading, &packets).err().map(|error| (error.code(), error.to_string()))
    }

    #[test]
    fn a_file_without_queues_is_said_with_what_it_is() {
        let says = |text: &str| Some((Code::Nothing, text.to_owned()));
        assert_eq!(
            check(0, None),
            says(
                "file 0 of process 4242 has no queues: it is no socket or pipe but char \
                 /dev/pts/0; crib-top files -p 4242 lists what it has open"
            )
        );
        assert_eq!(
            check(1, Some(QueueName::Write)),
            says(
                "file 1 of process 4242 has no write queue; crib-top packets -p 4242 --fd 1 shows \
                 those it has"
            )
        );
        assert_eq!(check(1, Some(QueueName::Pipe)), None);
        assert_eq!(check(3, None), None);
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        let mut reading = sample_dump::reading();
        reading.files.clear();
        let packets = Packets { fd: 9, queue: None, payload: 0 };
        let error = super::check(&reading, &packets).unwrap_err();
        assert!(matches!(error, Failure::Read(ReadError::NoFile { pid: 4242, fd: 9 })));
    }
}
