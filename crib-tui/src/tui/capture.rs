//! Writing a queue or a packet to a pcap file, by the reading thread.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::worker::Readings;
use crate::model::{self, Dump, DumpFiles, DumpReading, Queue, QueueName, ReadError};
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
    Queue(Box<LiveQueue>),
    /// What has been read already.
    Copy(Box<DumpReading>),
}

/// A queue of a file as it is by the time that it is read. What is shown, and whose name the
/// capture bears, may be older: the process may have ended, and its pid and descriptors be others'.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveQueue {
    /// How to read it.
    pub dump: Dump,
    /// When the process started that is shown, in clock ticks since boot.
    pub start_ticks: u64,
    /// The file that is shown.
    pub file: Arc<model::File>,
}

impl LiveQueue {
    /// Reads it.
    ///
    /// # Errors
    /// That it could not be read, or is another file's now, in one line.
    fn read<R: Readings>(self, readings: &mut R) -> Result<DumpReading, String> {
        let mut reading = match readings.dump(&self.dump) {
            Ok(reading) => reading,
            Err(ReadError::NoFile { .. }) if self.is_in_flight() => return Err(self.other_file()),
            Err(error) => return Err(error.to_string()),
        };
        if reading.process.start_ticks != self.start_ticks {
            return Err(format!(
                "process {} is another one now: nothing was written",
                self.dump.pid
            ));
        }
        if !reading.files.iter().all(|file| self.file.may_be(file)) {
            return Err(self.other_file());
        }
        only(&mut reading, &self.dump.queues);
        Ok(reading)
    }

    fn is_in_flight(&self) -> bool {
        matches!(&self.dump.files, DumpFiles::One { hops, .. } if !hops.is_empty())
    }

    /// Says that the way leads to another file than the one that is shown, or to none.
    fn other_file(&self) -> String {
        match &self.dump.files {
            DumpFiles::One { fd, hops, .. } if hops.is_empty() => {
                format!("fd {fd} stands for another file now: nothing was written")
            }
            _ => "the file is not in flight there any more: nothing was written".to_owned(),
        }
    }
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
        Content::Queue(queue) => queue.read(readings)?,
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
        FileId, FilesReading, FlightHop, ProcessesReading, Search, Source, Sweep, sample,
        sample_queues,
    };

    /// The files that are open now, and the process whose they are.
    struct World {
        files: Vec<model::File>,
        start_ticks: u64,
    }

    impl World {
        /// As everything was when it was shown.
        fn as_shown() -> Self {
            Self { files: sample_queues::files(), start_ticks: sample::process().start_ticks }
        }
    }

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
            let mut reading = sample_queues::answer(&self.files, request)?;
            reading.process.start_ticks = self.start_ticks;
            Ok(reading)
        }

        fn sweep(&mut self, _: &Search, _: Option<&[u32]>) -> Result<Sweep, ReadError> {
            Ok(Sweep::new(Source::Bpf, sample::time(), true, Vec::new()))
        }
    }

    fn request(fd: u32, queue: QueueName) -> WriteRequest {
        shown(Dump { queues: vec![queue], ..Dump::file(4242, fd) })
    }

    /// A queue that is shown of the file to which this leads, where it led to one.
    fn shown(dump: Dump) -> WriteRequest {
        let DumpFiles::One { fd, .. } = dump.files else { panic!("one file is shown") };
        let file = sample_queues::dump(&dump).ok().and_then(|mut reading| reading.files.pop());
        let file = Arc::new(file.unwrap_or_else(|| model::File::unknown(Some(fd))));
        let start_ticks = sample::process().start_ticks;
        let queue = LiveQueue { dump, start_ticks, file };
        let stem = format!("crib-top-4242-{fd}");
        WriteRequest { stem, content: Content::Queue(Box::new(queue)) }
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
            let said = write(
                &mut World::as_shown(),
                request(3, QueueName::Receive),
                directory.path(),
                encode,
            );
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
        write(&mut World::as_shown(), request(3, QueueName::Receive), directory.path(), encode)
            .unwrap();
        assert!(!target.exists());
    }

    /// What comes of writing to a directory that has to stay empty.
    fn refused(world: &mut World, request: WriteRequest) -> String {
        let directory = tempfile::tempdir().unwrap();
        let refusal = write(world, request, directory.path(), encode).unwrap_err();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        refusal
    }

    #[test]
    fn the_packets_of_another_file_under_the_number_are_not_written() {
        let said = "fd 3 stands for another file now: nothing was written";
        let mut world = World::as_shown();
        world.files[3].id = Some(FileId::new(77));
        assert_eq!(refused(&mut world, request(3, QueueName::Receive)), said);
        // In the memory of the one that was closed, which it was given next.
        let mut world = World::as_shown();
        world.files[3].ino = 99_999.into();
        assert_eq!(refused(&mut world, request(3, QueueName::Receive)), said);
    }

    #[test]
    fn the_packets_of_another_process_under_the_pid_are_not_written() {
        let mut world = World::as_shown();
        world.start_ticks += 1;
        assert_eq!(
            refused(&mut world, request(3, QueueName::Receive)),
            "process 4242 is another one now: nothing was written"
        );
    }

    #[test]
    fn the_packets_of_another_file_in_flight_are_not_written() {
        let hops = vec![FlightHop { queue: QueueName::Receive, packet: 0, file: 1 }];
        let files = DumpFiles::One { fd: 4, tid: None, hops };
        let dump = Dump { files, queues: vec![QueueName::Receive], ..Dump::everything(4242) };
        let queue = |world: &mut World| {
            world.files[4].socket.as_mut().unwrap().queues.as_mut().unwrap().remove(0)
        };
        let put = |world: &mut World, queue| {
            world.files[4].socket.as_mut().unwrap().queues.as_mut().unwrap().insert(0, queue);
        };
        let said = "the file is not in flight there any more: nothing was written";
        // Another packet has come to stand in the place, with a file in it and without.
        let mut world = World::as_shown();
        let mut other = queue(&mut world);
        other.packets[0].files[1].id = Some(FileId::new(77));
        put(&mut world, other);
        assert_eq!(refused(&mut world, shown(dump.clone())), said);
        let mut other = queue(&mut world);
        other.packets.remove(0);
        put(&mut world, other);
        assert_eq!(refused(&mut world, shown(dump.clone())), said);
        let directory = tempfile::tempdir().unwrap();
        let written = write(&mut World::as_shown(), shown(dump), directory.path(), encode);
        assert_eq!(written, Ok("1 packet written to crib-top-4242-4.pcapng".to_owned()));
    }

    #[test]
    fn failures_are_said_in_one_line_and_leave_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let fail = |request, directory: &Path| {
            write(&mut World::as_shown(), request, directory, |_, _| {
                Err(io::Error::other("disk full"))
            })
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
