//! What TCP knows of a process's connections, for lints that go by it: no table holds it.

use std::sync::Arc;
use std::time::Duration;

use crate::model::lint::{Lint, LintSet, needs_details};
use crate::model::{
    Dump, DumpFiles, DumpReading, File, FilesReading, FilesTable, ReadError, Source, Stretch,
};

/// The lints that go by what TCP knows.
const LINTS: [Lint; 4] =
    [Lint::CloseWait, Lint::CloseWaitUnread, Lint::ZeroWindow, Lint::Retransmitting];

/// Descriptors that are rather read along than left out between two others: another stretch is
/// another run of the program.
const GAP: u32 = 8;

/// What was known before, of the same process.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// The reading before.
    pub table: &'a FilesTable,
    /// How much later the present one was begun.
    pub passed: Duration,
    /// Whether nothing is to be read this time: of files in which nothing has changed, what was
    /// known of them stays.
    pub rest: bool,
}

/// Reads it, where the reading has connections of which it could tell something, and puts it
/// beside the files. What can't be read is not known. What can't have changed since the reading
/// before is not read again. Returns whether something was read.
pub fn read(
    reading: &mut FilesReading,
    wanted: LintSet,
    before: Option<Before<'_>>,
    dump: impl FnOnce(&Dump) -> Result<DumpReading, ReadError>,
) -> bool {
    if reading.source != Source::Bpf || !LINTS.into_iter().any(|lint| wanted.has(lint)) {
        return false;
    }
    let beside = &mut reading.beside;
    let mut is_kept = |file: &Arc<File>| {
        before.is_some_and(|Before { table, passed, rest }| {
            beside.age_tcp(&table.beside, file, passed)
                || rest && table.has(file) && beside.keep_tcp(&table.beside, file)
        })
    };
    let needed = reading.files.iter().filter(|file| needs_details(file) && !is_kept(file));
    let stretches = stretches(needed);
    if stretches.is_empty() || before.is_some_and(|before| before.rest) {
        return false;
    }
    let request = Dump {
        pid: reading.process.pid,
        files: DumpFiles::Bare(stretches),
        queues: Vec::new(),
        packets: 0..=0,
        payload: 0,
        deep: false,
    };
    let Ok(dumped) = dump(&request) else { return true };
    // Another process may have the pid by now.
    if dumped.process.start_ticks == reading.process.start_ticks {
        reading.beside.add_tcp(dumped.files);
    }
    true
}

/// Where the descriptors are that have to be looked at.
fn stretches<'a>(files: impl Iterator<Item = &'a Arc<File>>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for file in files {
        let Some(fd) = file.fd else { continue };
        match stretches.last_mut().filter(|last| last.tid == file.tid) {
            // They come in their order.
            Some(last) if (*last.fds.end()..=last.fds.end().saturating_add(GAP)).contains(&fd) => {
                last.fds = *last.fds.start()..=fd;
            }
            _ => stretches.push(Stretch { tid: file.tid, fds: fd..=fd }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::groups::Opening;
    use crate::model::{FileId, History, Queued, State, Tcp, sample};

    /// The sample's connection, with so many bytes to send.
    fn connection(tid: Option<u32>, fd: u32, unsent: u64) -> File {
        let mut file = sample::files().remove(3);
        (file.tid, file.fd, file.id) = (tid, Some(fd), Some(FileId::new(fd.into())));
        let queued = Queued { messages: Some(1), payload: Some(unsent), memory: None };
        file.socket.as_mut().unwrap().send = Some(queued);
        file
    }

    fn reading(files: Vec<File>) -> FilesReading {
        FilesReading { files: files.into_iter().map(Arc::new).collect(), ..sample::reading() }
    }

    /// A dump that finds every file retransmitting.
    fn dump(files: Vec<File>) -> Result<DumpReading, ReadError> {
        let tcp = Tcp { retransmits: Some(9), ..Tcp::default() };
        let with_tcp = |mut file: File| {
            file.socket.as_mut().unwrap().tcp = Some(Box::new(tcp.clone()));
            file
        };
        let files = files.into_iter().map(with_tcp).collect();
        let (time, process) = (sample::time(), sample::process());
        Ok(DumpReading { time, process, files, complete: true, runs: 1 })
    }

    #[test]
    fn only_those_are_read_of_which_tcp_could_tell_something() {
        let files = vec![
            connection(None, 3, 0),
            connection(None, 4, 7),
            connection(None, 5, 0),
            connection(None, 12, 7),
            connection(None, 99, 7),
            connection(Some(9), 100, 7),
        ];
        let stretch = |tid, fds| Stretch { tid, fds };
        let expected = [stretch(None, 4..=12), stretch(None, 99..=99), stretch(Some(9), 100..=100)];
        let mut asked = None;
        let mut reading = reading(files);
        read(&mut reading, LintSet::ALL, None, |request| {
            asked = Some(request.files.clone());
            dump(vec![connection(None, 12, 7)])
        });
        assert_eq!(asked, Some(DumpFiles::Bare(expected.into())));
        let known = |fd| {
            let mut files = reading.files.iter().filter(|file| file.fd == Some(fd));
            files.find_map(|file| reading.beside.tcp(file)).is_some()
        };
        assert_eq!([4, 12, 99].map(known), [false, true, false]);
    }

    #[test]
    fn nothing_is_dumped_where_nothing_could_come_of_it() {
        let nothing = |reading: &mut FilesReading, wanted| {
            read(reading, wanted, None, |_| panic!("a dump was asked for"));
        };
        nothing(&mut reading(vec![connection(None, 3, 0), File::unknown(Some(4))]), LintSet::ALL);
        let mut sending = reading(vec![connection(None, 3, 7)]);
        nothing(&mut sending, LINTS.into_iter().fold(LintSet::ALL, LintSet::without));
        sending.source = Source::Procfs;
        nothing(&mut sending, LintSet::ALL);
    }

    #[test]
    fn connections_that_are_over_are_read_once() {
        let over = |unsent| {
            let mut file = connection(None, 3, unsent);
            file.socket.as_mut().unwrap().state = Some(State::CLOSE_WAIT);
            file
        };
        let mut history = History::new(Duration::from_secs(1));
        let mut dumps = 0;
        let mut read_at = |second, file: File| {
            let mut reading = reading(vec![file.clone()]);
            let before = history.latest().cloned();
            let before = before.as_deref().map(|table| Before {
                table,
                passed: Duration::from_secs(1),
                rest: false,
            });
            read(&mut reading, LintSet::ALL, before, |_| {
                dumps += 1;
                dump(vec![file])
            });
            assert!(reading.beside.tcp(&reading.files[0]).is_some());
            history.observe(reading, Duration::from_secs(second), |_| Opening::default());
            dumps
        };
        assert_eq!([read_at(0, over(0)), read_at(1, over(0)), read_at(2, over(0))], [1; 3]);
        assert_eq!([read_at(3, over(7)), read_at(4, over(7)), read_at(5, over(0))], [2, 3, 4]);
        assert_eq!(read_at(6, over(0)), 4);
    }

    #[test]
    fn in_a_rest_what_is_known_stays_where_nothing_has_changed() {
        let first = reading(vec![connection(None, 3, 7), connection(None, 4, 7)]);
        let mut history = History::new(Duration::from_secs(1));
        let mut observed = first.clone();
        let all = [3, 4].map(|fd| connection(None, fd, 7)).into();
        assert!(read(&mut observed, LintSet::ALL, None, |_| dump(all)));
        let table = history.observe(observed, Duration::ZERO, |_| Opening::default());
        let mut next = first;
        next.files[1] = Arc::new(connection(None, 4, 8));
        let before = Before { table: &table, passed: Duration::from_secs(1), rest: true };
        let dumped = |_: &Dump| panic!("a dump was asked for");
        assert!(!read(&mut next, LintSet::ALL, Some(before), dumped));
        let known = |at: usize| next.beside.tcp(&next.files[at]).is_some();
        assert_eq!([0, 1].map(known), [true, false]);
    }

    #[test]
    fn what_is_known_of_another_process_is_left_out() {
        let mut reading = reading(vec![connection(None, 3, 7)]);
        read(&mut reading, LintSet::ALL, None, |_| {
            let mut other = dump(vec![connection(None, 3, 7)])?;
            other.process.start_ticks += 1;
            Ok(other)
        });
        assert_eq!(reading.beside.tcp(&reading.files[0]), None);
    }
}
