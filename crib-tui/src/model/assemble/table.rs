//! The files of one process out of the table's records, one reading after another.

use std::hash::BuildHasher;
use std::sync::Arc;

use crib_common::record::FileRecord;

use super::file::{self, Name};
use super::tables::Tables;
use super::watchers::Watchers;
use super::{IdKey, socket};
use crate::decode::{DecodeError, Record, Records, file_runs};
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

/// A file and the hash of the records that it was made of.
struct Kept {
    digest: u64,
    file: Arc<File>,
}

impl TableFiles {
    /// The files that these records tell of.
    ///
    /// # Errors
    /// The first record that could not be decoded; the files before it are lost with it, since a
    /// table with a hole in it would be a wrong one.
    pub fn read(
        &mut self,
        records: &[u8],
        ops_name: impl Fn(u64) -> Option<Arc<str>>,
        key: &IdKey,
    ) -> Result<Vec<Arc<File>>, DecodeError> {
        let mut tables = Tables::default();
        let mut before = self.kept.iter().peekable();
        let mut now = Vec::with_capacity(self.kept.len());
        for run in file_runs(records) {
            let (record, run) = run?;
            if tables.first_owner(record.table, record.tid) != record.tid {
                continue;
            }
            let tid = tables.own_thread(&record);
            let place = (tid, Some(record.fd));
            // Both readings have the same order, but for what was opened and closed meanwhile.
            while before.next_if(|kept| (kept.file.tid, kept.file.fd) < place).is_some() {}
            let same_place = before.next_if(|kept| (kept.file.tid, kept.file.fd) == place);
            let digest = self.hasher.hash_one(run);
            // The name of its operations may have become known since.
            let named = |file: &File| file.ops.is_some() || ops_name(record.ops).is_none();
            let file = match same_place {
                Some(kept) if kept.digest == digest && named(&kept.file) => Arc::clone(&kept.file),
                same_place => {
                    let mut file = decoded(&record, run, tid, &ops_name, key)?;
                    // Its watchers are looked for below. Not all that records say is shown.
                    let kept = same_place.filter(|kept| {
                        file.watched_by.clone_from(&kept.file.watched_by);
                        *kept.file == file
                    });
                    kept.map_or_else(|| Arc::new(file), |kept| Arc::clone(&kept.file))
                }
            };
            now.push(Kept { digest, file });
        }
        let watchers = Watchers::among(now.iter().map(|kept| &*kept.file));
        for Kept { file, .. } in &mut now {
            if let Some(right) = watchers.correction(file) {
                Arc::make_mut(file).watched_by = right;
            }
        }
        let files = now.iter().map(|kept| Arc::clone(&kept.file)).collect();
        self.kept = now;
        Ok(files)
    }
}

/// The file of a record, with what the records behind it tell of its parts.
fn decoded(
    record: &FileRecord,
    run: &[u8],
    tid: Option<u32>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
) -> Result<File, DecodeError> {
    let mut file = File::unknown(None);
    for part in Records::new(run) {
        match part? {
            Record::File(_, path) => {
                file = file::file(record, Name::Told(path), tid, &ops_name, key);
            }
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
