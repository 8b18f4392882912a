//! Those files of all processes that a search is for, out of the table's records.

use std::collections::HashMap;
use std::sync::Arc;

use crib_common::record::{FileRecord, file_known};

use super::IdKey;
use super::file::{Name, SOCKFS_MAGIC};
use super::table::decoded;
use super::tables::Tables;
use crate::decode::{DecodeError, file_runs};
use crate::model::{Device, File, Search};

/// Goes through the records of one iteration over all processes, piece by piece, and keeps what
/// is searched for: what it takes does not grow with what else is open.
pub struct SweepFiles<'a> {
    search: &'a Search,
    key: &'a IdKey,
    tables: HashMap<u32, Tables>,
    found: Vec<Found>,
}

/// A file that was searched for.
struct Found {
    pid: u32,
    table: u64,
    /// Whose thread is known when all of the process's tables have been met.
    file: File,
}

impl<'a> SweepFiles<'a> {
    /// Before the first records.
    pub fn new(search: &'a Search, key: &'a IdKey) -> Self {
        Self { search, key, tables: HashMap::new(), found: Vec::new() }
    }

    /// Takes in the next records, which begin with a file's and hold all of its last one's.
    ///
    /// # Errors
    /// The first record that could not be decoded.
    pub fn take(
        &mut self,
        records: &[u8],
        ops_name: impl Fn(u64) -> Option<Arc<str>>,
    ) -> Result<(), DecodeError> {
        for run in file_runs(records) {
            let run = run?;
            let record = &run.record;
            let tables = self.tables.entry(record.tgid).or_default();
            if tables.first_owner(record.table, record.tid) != record.tid {
                continue;
            }
            tables.meet(record);
            if !self.may_want(record) {
                continue;
            }
            let tid = Some(record.tid);
            let file = decoded(&run, Name::Told(run.path), tid, &ops_name, self.key)?;
            if self.search.wants(&file) {
                self.found.push(Found { pid: record.tgid, table: record.table, file });
            }
        }
        Ok(())
    }

    /// Whether a file may be searched for, by what its own record says.
    fn may_want(&self, record: &FileRecord) -> bool {
        let has = |bit| record.known & bit != 0;
        let is_socket = record.magic == SOCKFS_MAGIC;
        let inode = (has(file_known::DEV) && has(file_known::INO))
            .then(|| (Device::from_kernel(record.dev), record.ino));
        self.search.may_want(Some(self.key.file(record.file)), is_socket, inode)
    }

    /// What was found: the pid of the process, and the file.
    pub fn found(self) -> Vec<(u32, Arc<File>)> {
        let Self { tables, found, .. } = self;
        let known = |Found { pid, table, file }: Found| {
            let tables = tables.get(&pid);
            let tid = file.tid.and_then(|tid| tables?.thread_of(table, tid));
            (pid, Arc::new(File { tid, ..file }))
        };
        found.into_iter().map(known).collect()
    }
}

#[cfg(test)]
mod tests {
    use crib_common::record::{RecordHeader, kind};
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;

    fn record(tgid: u32, tid: u32, table: u64, fd: u32, file: u64) -> FileRecord {
        FileRecord {
            header: RecordHeader::of::<FileRecord>(kind::FILE, 0),
            file,
            table,
            tgid,
            tid,
            fd,
            ..FileRecord::new_zeroed()
        }
    }

    /// What is found of these records: pid, thread, descriptor.
    fn found(records: &[FileRecord], file: u64) -> Vec<(u32, Option<u32>, Option<u32>)> {
        let key = IdKey::default();
        let wanted = File { id: Some(key.file(file)), ..File::unknown(None) };
        let search = Search::of([&wanted]);
        let mut sweep = SweepFiles::new(&search, &key);
        for record in records {
            sweep.take(record.as_bytes(), |_| None).unwrap();
        }
        sweep.found().iter().map(|(pid, file)| (*pid, file.tid, file.fd)).collect()
    }

    #[test]
    fn one_open_file_is_found_in_every_table_once() {
        let records = [
            record(10, 10, 1, 3, 77),
            record(10, 10, 1, 4, 88),
            record(10, 10, 1, 5, 77),
            // Two threads share a table that is not their leader's.
            record(10, 11, 2, 3, 77),
            record(10, 12, 2, 3, 77),
            // Another process shares the first one's table: it holds the same files.
            record(20, 20, 1, 3, 77),
        ];
        assert_eq!(
            found(&records, 77),
            [
                (10, None, Some(3)),
                (10, None, Some(5)),
                (10, Some(11), Some(3)),
                (20, None, Some(3))
            ]
        );
        assert_eq!(found(&records, 99), []);
    }

    /// Thread ids start again from below when the highest was given away.
    #[test]
    fn a_thread_may_be_met_before_its_leader() {
        let records = [
            record(10, 5, 2, 3, 77),
            record(10, 10, 1, 3, 77),
            record(10, 11, 3, 3, 77),
            // Its leader has ended.
            record(20, 6, 4, 3, 77),
        ];
        let expected = [
            (10, Some(5), Some(3)),
            (10, None, Some(3)),
            (10, Some(11), Some(3)),
            (20, None, Some(3)),
        ];
        assert_eq!(found(&records, 77), expected);
    }

    #[test]
    fn bytes_that_are_no_record_are_an_error() {
        let (search, key) = (Search::default(), IdKey::default());
        let mut sweep = SweepFiles::new(&search, &key);
        assert!(sweep.take(&[1, 2, 3], |_| None).is_err());
    }
}
