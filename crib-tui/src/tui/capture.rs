//! Writing a queue or a packet to a pcap file, by the reading thread.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::worker::Readings;
use crate::model::{Dump, DumpReading, Queue, QueueName};
use crate::privileges::{WRITING, raised};

/// A request to write packets to a file in the current directory.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteRequest {
    /// The file's name without its extension.
    pub stem: String,
    /// What to write.
    pub content: Content,
}

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A queue, which has to be read in full first.
    Queue(Dump),
    /// What has been read already.
    Copy(Box<DumpReading>),
}

/// Names that are tried before giving up, when files of that name are there.
const NAMES: u32 = 1000;

/// Does what `request` asks for in `directory`, and says in one line what came of it.
///
/// `encode` is what makes a pcap file of a reading.
///
/// # Errors
/// Why it could not be done, in one line.
pub fn write<R: Readings>(
    readings: &mut R,
    request: WriteRequest,
    directory: &Path,
    encode: impl FnOnce(&mut BufWriter<File>, &DumpReading) -> io::Result<()>,
) -> Result<String, String> {
    let reading = match request.content {
        Content::Copy(reading) => *reading,
        Content::Queue(dump) => {
            let mut reading = readings.dump(&dump).map_err(|error| error.to_string())?;
            only(&mut reading, &dump.queues);
            reading
        }
    };
    let packets: usize = queues(&reading).map(|queue| queue.packets.len()).sum();
    if packets == 0 {
        return Err("there is no packet to write".to_owned());
    }
    let (path, file) = raised(WRITING, || create(directory, &request.stem))
        .map_err(|error| format!("creating {}.pcapng: {error}", request.stem))?;
    let mut output = BufWriter::new(file);
    let written = encode(&mut output, &reading)
        .and_then(|()| output.flush())
        // Some file systems find room, or their server, only then.
        .and_then(|()| output.get_ref().sync_data());
    let name = path.file_name().unwrap_or_default().display();
    match written {
        Ok(()) => {
            let unit = if packets == 1 { "packet" } else { "packets" };
            Ok(format!("{packets} {unit} written to {name}"))
        }
        Err(error) => {
            // Half a file is of no use; that it could not be removed changes nothing.
            let _ = raised(WRITING, || fs::remove_file(&path));
            Err(format!("writing {name}: {error}"))
        }
    }
}

/// Leaves out what was not asked for.
fn only(reading: &mut DumpReading, wanted: &[QueueName]) {
    for file in &mut reading.files {
        let lists = [
            file.socket.as_mut().and_then(|socket| socket.queues.as_mut()),
            file.pipe.as_mut().and_then(|pipe| pipe.queues.as_mut()),
        ];
        for queues in lists.into_iter().flatten() {
            queues.retain(|queue| wanted.contains(&queue.name));
        }
    }
}

fn queues(reading: &DumpReading) -> impl Iterator<Item = &Queue> {
    reading.files.iter().flat_map(|file| file.queues().unwrap_or_default())
}

/// A new file that nobody else may read. Whoever owns the directory may have put a link there:
/// only a file that was not there before will do.
fn create(directory: &Path, stem: &str) -> io::Result<(PathBuf, File)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let names = std::iter::once(format!("{stem}.pcapng"))
        .chain((2..=NAMES).map(|number| format!("{stem}-{number}.pcapng")));
    for name in names {
        let path = directory.join(name);
        match options.open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::model::{
        FilesReading, ProcessesReading, ReadError, Search, Source, Sweep, sample, sample_queues,
    };

    struct World;

    impl Readings for World {
        fn source(&self) -> Source {
            Source::Bpf
        }

        fn reason(&self) -> Option<&str> {
            None
        }

        fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
            Ok(sample::processes())
        }

        fn files(&mut self, _: u32) -> Result<FilesReading, ReadError> {
            Ok(sample::reading())
        }

        fn dump(&mut self, request: &Dump) -> Result<DumpReading, ReadError> {
            sample_queues::dump(request)
        }

        fn sweep(&mut self, _: &Search, _: Option<&[u32]>) -> Result<Sweep, ReadError> {
            Ok(Sweep::new(Source::Bpf, sample::time(), true, Vec::new()))
        }
    }

    fn request(fd: u32, queue: QueueName) -> WriteRequest {
        let dump = Dump { queues: vec![queue], ..Dump::file(4242, fd) };
        WriteRequest { stem: format!("crib-top-4242-{fd}"), content: Content::Queue(dump) }
    }

    /// Writes the names of the queues and how many packets are in each.
    fn encode(output: &mut BufWriter<File>, reading: &DumpReading) -> io::Result<()> {
        queues(reading)
            .try_for_each(|queue| write!(output, "{} {}", queue.name.name(), queue.packets.len()))
    }

    #[test]
    fn a_queue_is_written_to_a_new_file_that_others_cannot_read() {
        let directory = tempfile::tempdir().unwrap();
        let expected = ["crib-top-4242-3.pcapng", "crib-top-4242-3-2.pcapng"];
        for name in expected {
            let said = write(&mut World, request(3, QueueName::Receive), directory.path(), encode);
            assert_eq!(said, Ok(format!("2 packets written to {name}")));
            let path = directory.path().join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), "receive 2");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        let link = directory.path().join("crib-top-4242-3.pcapng");
        std::os::unix::fs::symlink(&target, link).unwrap();
        write(&mut World, request(3, QueueName::Receive), directory.path(), encode).unwrap();
        assert!(!target.exists());
    }

    #[test]
    fn failures_are_said_in_one_line_and_leave_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let fail = |request, directory: &Path| {
            write(&mut World, request, directory, |_, _| Err(io::Error::other("disk full")))
        };
        let path = directory.path();
        assert_eq!(
            fail(request(3, QueueName::Receive), path),
            Err("writing crib-top-4242-3.pcapng: disk full".to_owned())
        );
        assert_eq!(
            fail(request(3, QueueName::Write), path),
            Err("there is no packet to write".to_owned())
        );
        let gone = fail(request(99, QueueName::Receive), path).unwrap_err();
        assert!(gone.starts_with("process 4242 has no open file 99"), "{gone}");
        let nowhere = fail(request(3, QueueName::Receive), &path.join("nowhere")).unwrap_err();
        assert!(nowhere.starts_with("creating crib-top-4242-3.pcapng: "), "{nowhere}");
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }
}
