//! The paths that were told in earlier readings, put back where the program leaves them out
//! (`crib-ebpf/src/told.rs`).

use std::collections::HashMap;

use crib_common::record::{ALIGN, FileRecord, RecordHeader, file_bits, file_known, kind};
use zerocopy::{FromBytes, IntoBytes};

/// What was told in a session of readings of one process.
#[derive(Default)]
pub struct Told {
    session: u32,
    reading: u32,
    /// The process, while its session goes on.
    pid: Option<u32>,
    /// By descriptor.
    files: Vec<Option<ToldFile>>,
    /// The paths of directories, by the addresses of their entry and mount.
    directories: HashMap<(u64, u64), Box<[u8]>>,
}

/// A file's path, and what else is left out with it.
struct ToldFile {
    file: u64,
    known: u32,
    bits: u32,
    path: Box<[u8]>,
}

/// What the program leaves out is not what was told: a directory has got another path, or the
/// two sides don't agree. All has to be told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale;

impl Told {
    /// Begins a reading of a process: the numbers of its session and of itself.
    pub fn begin(&mut self, pid: u32) -> (u32, u32) {
        if self.pid != Some(pid) {
            self.forget();
            self.pid = Some(pid);
        }
        // Neither is 0, which stands for none.
        self.reading = self.reading.checked_add(1).unwrap_or(1);
        (self.session, self.reading)
    }

    /// Has the next reading tell everything.
    pub fn forget(&mut self) {
        self.session = self.session.checked_add(1).unwrap_or(1);
        self.pid = None;
        self.files.clear();
        self.directories.clear();
    }

    /// Appends a reading's records to `whole`, with the paths that were left out.
    ///
    /// # Errors
    /// [`Stale`] when these are not known, or no longer right.
    pub fn fill_in(&mut self, mut records: &[u8], whole: &mut Vec<u8>) -> Result<(), Stale> {
        // What is cut or makes no sense is passed on as it is: the decoder says so.
        while let Ok((header, _)) = RecordHeader::read_from_prefix(records) {
            let len = (header.len as usize).next_multiple_of(ALIGN);
            let Some((record, rest)) = records.split_at_checked(len) else { break };
            if len == 0 {
                break;
            }
            match FileRecord::read_from_prefix(record) {
                Ok((file, path)) if header.kind == kind::FILE => self.file(file, path, whole)?,
                _ => whole.extend_from_slice(record),
            }
            records = rest;
        }
        whole.extend_from_slice(records);
        Ok(())
    }

    fn file(
        &mut self,
        mut record: FileRecord,
        path: &[u8],
        whole: &mut Vec<u8>,
    ) -> Result<(), Stale> {
        let path = usize::try_from(record.path_len).ok().and_then(|len| path.get(..len));
        if record.bits & file_bits::TOLD == 0 {
            self.learn(&record, path.unwrap_or_default())?;
            push(whole, &record, path.unwrap_or_default());
            return Ok(());
        }
        let told = self.files.get(record.fd as usize).and_then(Option::as_ref);
        let told = told.filter(|told| told.file == record.file).ok_or(Stale)?;
        record.bits &= !file_bits::TOLD;
        record.bits |= told.bits & file_bits::UNHASHED;
        record.known |= told.known & file_known::UNHASHED;
        record.path_len = told.path.len() as i32;
        record.header.len += told.path.len() as u32;
        push(whole, &record, &told.path);
        Ok(())
    }

    /// Keeps what may be left out from now on.
    fn learn(&mut self, record: &FileRecord, path: &[u8]) -> Result<(), Stale> {
        // The program says in which directory those are that it will leave out.
        if record.parent == 0 {
            return Ok(());
        }
        self.check_directory(record, path)?;
        let slot = record.fd as usize;
        if self.files.len() <= slot {
            self.files.resize_with(slot + 1, || None);
        }
        let (known, bits) = (record.known, record.bits);
        self.files[slot] = Some(ToldFile { file: record.file, known, bits, path: path.into() });
        Ok(())
    }

    /// A file's directory must be called what it was called when other files in it were told.
    fn check_directory(&mut self, record: &FileRecord, path: &[u8]) -> Result<(), Stale> {
        let Some(end) = path.iter().rposition(|&byte| byte == b'/') else { return Ok(()) };
        let directory = &path[..end];
        let key = (record.parent, record.mount);
        match self.directories.get(&key) {
            Some(known) if **known == *directory => Ok(()),
            Some(_) => Err(Stale),
            None => {
                self.directories.insert(key, directory.into());
                Ok(())
            }
        }
    }
}

fn push(whole: &mut Vec<u8>, record: &FileRecord, path: &[u8]) {
    whole.extend_from_slice(record.as_bytes());
    whole.extend_from_slice(path);
    whole.resize(whole.len().next_multiple_of(ALIGN), 0);
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
