//! The files of one process out of the table's records, one reading after another.

use std::hash::BuildHasher;
use std::sync::Arc;

use crib_common::record::{FileRecord, RecordHeader, file_bits, file_known, kind};
use zerocopy::IntoBytes;

use super::file::{self, Name};
use super::tables::Tables;
use super::watchers::{self, Watched, Watchers};
use super::{IdKey, socket};
use crate::decode::{DecodeError, FileRun, Record, Records, file_runs};
use crate::model::File;

/// Puts together the files of one process, and keeps them: of most files nothing changes from
/// one reading to the next, and what has the same records is the same [`File`], not made anew.
#[derive(Default)]
pub struct TableFiles {
    /// The files of the reading before, in its order.
    kept: Vec<Kept>,
    /// With a key that nobody else knows: no process can choose what its files' records hash to.
    hasher: foldhash::quality::RandomState,
}

/// A file, and what is asked of it in every reading: the file itself is not looked at then.
struct Kept {
    /// The hash of the records that it was made of, all but its name.
    digest: u64,
    tid: Option<u32>,
    fd: u32,
    /// Whether the name of its operations is known.
    named: bool,
    /// Whether it is an epoll instance, or may be one.
    watches: bool,
    /// What the file says of its watchers.
    watched: Watched,
    file: Arc<File>,
}

impl Kept {
    fn new(digest: u64, fd: u32, file: Arc<File>) -> Self {
        Self {
            digest,
            tid: file.tid,
            fd,
            named: file.ops.is_some(),
            watches: file.epoll.is_some() || watchers::may_watch(&file),
            watched: Watched::of(&file),
            file,
        }
    }
}

/// Why records are no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// They could not be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The path of a file was left out that is not the one known under its descriptor.
    #[error("a path was left out that was never told")]
    Stale,
}

impl TableFiles {
    /// The files that these records tell of.
    ///
    /// # Errors
    /// The first record that could not be decoded; the files before it are lost with it, since a
    /// table with a hole in it would be a wrong one. Nothing is kept of it.
    pub fn read(
        &mut self,
        records: &[u8],
        ops_name: impl Fn(u64) -> Option<Arc<str>>,
        key: &IdKey,
    ) -> Result<Vec<Arc<File>>, TableError> {
        let runs = file_runs(records).map_while(Result::ok);
        let mut tables = Tables::among(runs.map(|run| run.record));
        // Where the records make no sense, nothing is kept.
        let kept = std::mem::take(&mut self.kept);
        let mut now = Vec::with_capacity(kept.len());
        let mut before = kept.into_iter().peekable();
        for run in file_runs(records) {
            let run = run?;
            let record = &run.record;
            if tables.first_owner(record.table, record.tid) != record.tid {
                continue;
            }
            let tid = tables.own_thread(record);
            let place = (tid, record.fd);
            // Both readings have the same order, but for what was opened and closed meanwhile.
            while before.next_if(|kept| (kept.tid, kept.fd) < place).is_some() {}
            let same_place = before.next_if(|kept| (kept.tid, kept.fd) == place);
            let digest = self.digest(&run);
            let told = record.bits & file_bits::TOLD != 0;
            let unchanged = |kept: &Kept| {
                // The name of its operations may have become known since.
                kept.digest == digest
                    && (kept.named || ops_name(record.ops).is_none())
                    && (told || file::is_named(&kept.file, record, run.path))
            };
            now.push(match same_place {
                Some(kept) if unchanged(&kept) => kept,
                same_place => {
                    let file = changed(&run, same_place, tid, &ops_name, key)?;
                    Kept::new(digest, record.fd, file)
                }
            });
        }
        // The kernel may show a thread's table before its leader's.
        if !now.is_sorted_by_key(|kept| (kept.tid, kept.fd)) {
            now.sort_by_key(|kept| (kept.tid, kept.fd));
        }
        let lists = now.iter().filter(|kept| kept.watches).map(|kept| &*kept.file);
        let watchers = Watchers::among(lists);
        for kept in &mut now {
            if !watchers.agree(kept.watched)
                && let Some(right) = watchers.correction(&kept.file)
            {
                let file = Arc::make_mut(&mut kept.file);
                file.watched_by = right;
                kept.watched = Watched::of(file);
            }
        }
        let files = now.iter().map(|kept| Arc::clone(&kept.file)).collect();
        self.kept = now;
        Ok(files)
    }

    /// What the records of a file hash to, whether or not its name is among them.
    fn digest(&self, run: &FileRun<'_>) -> u64 {
        let record = FileRecord {
            header: RecordHeader::of::<FileRecord>(kind::FILE, 0),
            parent: 0,
            mount: 0,
            known: run.record.known & !file_known::UNHASHED,
            bits: run.record.bits & !(file_bits::UNHASHED | file_bits::TOLD),
            path_len: 0,
            ..run.record
        };
        self.hasher.hash_one((record.as_bytes(), run.parts))
    }
}

/// A file whose records are not those of the reading before.
fn changed(
    run: &FileRun<'_>,
    same_place: Option<Kept>,
    tid: Option<u32>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
) -> Result<Arc<File>, TableError> {
    let name = if run.record.bits & file_bits::TOLD == 0 {
        Name::Told(run.path)
    } else {
        let id = Some(key.file(run.record.file));
        let known = same_place.as_ref().filter(|kept| kept.file.id == id);
        Name::Kept(&known.ok_or(TableError::Stale)?.file)
    };
    let mut file = decoded(run, name, tid, ops_name, key)?;
    // Its watchers are looked for later. Not all that records say is shown.
    let kept = same_place.filter(|kept| {
        file.watched_by.clone_from(&kept.file.watched_by);
        *kept.file == file
    });
    Ok(kept.map_or_else(|| Arc::new(file), |kept| kept.file))
}

/// The file of a record, with what the records behind it tell of its parts.
pub(super) fn decoded(
    run: &FileRun<'_>,
    name: Name<'_>,
    tid: Option<u32>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
) -> Result<File, DecodeError> {
    let mut file = file::file(&run.record, name, tid, ops_name, key);
    for part in Records::new(run.parts) {
        match part? {
            Record::Socket(record) => file.socket = Some(Box::new(socket::socket(&record))),
            Record::Unix(record) => {
                if let Some(socket) = &mut file.socket {
                    socket::add_names(socket, &record);
                }
            }
            Record::Pipe(record) => file.pipe = Some(Box::new(file::pipe(&record))),
            Record::Watches(entries, whole) => {
                file.epoll = Some(Box::new(file::epoll(&entries, whole, key)));
            }
            _ => {}
        }
    }
    Ok(file)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
