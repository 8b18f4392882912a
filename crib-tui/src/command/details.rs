//! What TCP knows of a process's connections, for lints that go by it: a table does not hold it.

use std::collections::HashMap;

use crate::model::lint::{Lint, LintSet, needs_details};
use crate::model::{Dump, DumpFiles, File, FileId, FilesReading, Source, Tcp};
use crate::privileges::{self, LOADING};
use crate::source::Reader;

/// What TCP knows, by file.
#[derive(Debug, Default)]
pub struct Details {
    known: HashMap<Key, Box<Tcp>>,
}

type Key = (Option<u32>, Option<u32>, Option<FileId>);

impl Details {
    /// Of this file.
    pub fn of(&self, file: &File) -> Option<&Tcp> {
        // Most often there are none.
        if self.known.is_empty() { None } else { self.known.get(&file.key()).map(|tcp| &**tcp) }
    }
}

/// Reads it of the process, where the reading has connections of which it could tell something.
/// What can't be read is not known.
pub fn read(reader: &mut Reader, reading: &FilesReading, wanted: LintSet) -> Details {
    use Lint::{CloseWait, CloseWaitUnread, Retransmitting, ZeroWindow};
    let wanted =
        [CloseWait, CloseWaitUnread, Retransmitting, ZeroWindow].iter().any(|&l| wanted.has(l));
    let needed = reading.files.iter().any(|file| needs_details(file));
    if !wanted || !needed || reading.source != Source::Bpf {
        return Details::default();
    }
    let request = Dump {
        pid: reading.process.pid,
        files: DumpFiles::All,
        queues: Vec::new(),
        packets: 0..=0,
        payload: 0,
        deep: false,
    };
    let dumped = privileges::raised(LOADING, || reader.dump(&request));
    let Ok(dumped) = dumped else { return Details::default() };
    let known = dumped.files.into_iter().filter_map(|mut file| {
        let tcp = file.socket.as_mut()?.tcp.take()?;
        Some((file.key(), tcp))
    });
    Details { known: known.collect() }
}
