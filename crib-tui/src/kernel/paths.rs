//! Paths for the programs that tell none, from the links in /proc: before Linux 5.17 there is
//! only the plain program, and before 5.12 `bpf_d_path` is kept from iterators altogether.
//!
//! A link says what its descriptor stands for at that moment, which need not be the file that the
//! program saw. So the iterator runs before and after: of a file that it saw in the same place
//! both times, the link between was the file's own. Of the others, which are gone by then, the path is
//! unknown.

use std::collections::{HashMap, HashSet};

use crib_common::limits::PATH_BYTES;
use crib_common::record::{ALIGN, FileRecord};
use zerocopy::IntoBytes;

use crate::decode::{self, DecodeError, FileRun};
use crate::privileges::{self, Needs};
use crate::procfs::ProcDir;

/// What it takes to read the links of other users' processes.
pub const NEEDS: Needs = privileges::PROCFS;

/// A file in its place.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    tid: u32,
    fd: u32,
    file: u64,
    ino: u64,
}

impl Place {
    fn of(record: &FileRecord) -> Self {
        Self { tid: record.tid, fd: record.fd, file: record.file, ino: record.ino }
    }
}

/// What the links of the files in one reading say.
pub struct Links(HashMap<Place, Vec<u8>>);

impl Links {
    /// Looks at the links of the files in these records. What can't be read is left out.
    pub fn of_files_in(records: &[u8]) -> Self {
        let mut threads = HashMap::new();
        let mut links = HashMap::new();
        // What makes no sense is an error in `put_into`.
        for FileRun { record, .. } in decode::file_runs(records).map_while(Result::ok) {
            let thread = threads.entry(record.tid);
            let thread = thread.or_insert_with(|| ProcDir::open(record.tid).ok());
            let Some(thread) = thread else { continue };
            let Ok(link) = thread.link(&format!("fd/{}", record.fd)) else { continue };
            // Of sockets and pipes the records say it all.
            if !link.starts_with(b"socket:[") && !link.starts_with(b"pipe:[") {
                links.insert(Place::of(&record), link);
            }
        }
        Self(links)
    }

    /// Forgets those of files that are not in the records of a later reading.
    pub fn keep_those_of(&mut self, later: &[u8]) {
        let runs = decode::file_runs(later).map_while(Result::ok);
        let still: HashSet<Place> = runs.map(|run| Place::of(&run.record)).collect();
        self.0.retain(|place, _| still.contains(place));
    }

    /// The records of the files that these links are of, with their paths.
    ///
    /// # Errors
    /// [`DecodeError`] where they make no sense.
    pub fn put_into(&self, records: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut with_paths = Vec::with_capacity(records.len() * 2);
        for run in decode::file_runs(records) {
            let FileRun { mut record, path, parts } = run?;
            let link = self.0.get(&Place::of(&record)).map(Vec::as_slice);
            let path = link.filter(|link| link.len() < PATH_BYTES).unwrap_or(path);
            // It fits: it is no longer than PATH_BYTES.
            record.path_len = path.len() as i32;
            record.header.len = (size_of::<FileRecord>() + path.len()) as u32;
            with_paths.extend(record.as_bytes());
            with_paths.extend(path);
            with_paths.resize(with_paths.len().next_multiple_of(ALIGN), 0);
            with_paths.extend(parts);
        }
        Ok(with_paths)
    }
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
