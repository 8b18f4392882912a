//! A process's table of files, and what was told of it before.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::SystemTime;

use crib_common::record::Request;

use super::errors::{ended, failed, garbled, missing, not_hidden, still_there};
use super::link::{IterLink, Scope};
use super::paths::Links;
use super::programs::{FilesProgram, Filter};
use super::{Reader, snapshot};
use crate::decode;
use crate::model::assemble::TableError;
use crate::model::lint::Beside;
use crate::model::{File, FilesReading, Process, ProcessState, ReadError, Source};
use crate::procfs;

/// How often a reading is begun again during which a directory was renamed.
const TRIES: u32 = 4;

impl Reader {
    /// See [`crate::source::Reader::files`].
    ///
    /// # Errors
    /// See there.
    pub fn files(&mut self, pid: u32) -> Result<FilesReading, ReadError> {
        let time = SystemTime::now();
        let process = procfs::process(pid)?;
        let files = match process.state {
            ProcessState::Alive => self.read_files(&process)?,
            _ => Vec::new(),
        };
        still_there(&process)?;
        if files.is_empty() {
            not_hidden(&process)?;
        }
        Ok(FilesReading {
            source: Source::Bpf,
            time,
            process,
            files,
            complete: true,
            beside: Beside::default(),
        })
    }

    fn read_files(&mut self, process: &Process) -> Result<Vec<Arc<File>>, ReadError> {
        let filter = self.filter_for(process.pid);
        for _ in 0..TRIES {
            let (session, reading) = match filter {
                // Among the files of several tables, or of all processes, descriptors are not
                // unique.
                Filter::Program => (0, 0),
                Filter::Link => self.told.begin(process.pid),
            };
            let asked = Request { session, reading, now: now(), ..Request::default() };
            let files = self.read_once(process, filter, asked);
            // Whatever failed, what the program takes for told may not have come through.
            if !matches!(files, Ok(Some(_))) {
                self.told.forget();
            }
            if let Some(files) = files? {
                return Ok(files);
            }
        }
        // Directories are being renamed all the time: everything is told, and nothing relied on.
        let files = self.read_once(process, filter, Request::default())?;
        files.ok_or_else(|| garbled(process, TableError::Stale))
    }

    /// The files of a process; none where a path was left out that is not known, or not right.
    fn read_once(
        &mut self,
        process: &Process,
        filter: Filter,
        asked: Request,
    ) -> Result<Option<Vec<Arc<File>>>, ReadError> {
        let program = self.files_program()?;
        self.run_files(&program, process, filter, asked)?;
        if program.plain {
            let mut links = Links::of_files_in(&self.records);
            let before = std::mem::take(&mut self.records);
            self.run_files(&program, process, filter, asked)?;
            links.keep_those_of(&self.records);
            let with_paths = links.put_into(&before);
            self.records = with_paths.map_err(|error| garbled(process, error))?;
        }
        // What makes no sense is an error below.
        for run in decode::file_runs(&self.records).map_while(Result::ok) {
            if self.told.check(&run).is_err() {
                return Ok(None);
            }
            decode::met_ops(run.parts).for_each(|record| self.symbols.learn(&record));
        }
        // Without names the files are shown all the same.
        let _ = self.symbols.resolve();
        match self.table.read(&self.records, |ops| self.symbols.name(ops), &self.key) {
            Ok(files) => Ok(Some(files)),
            Err(TableError::Stale) => Ok(None),
            Err(error) => Err(garbled(process, error)),
        }
    }

    fn run_files(
        &mut self,
        files: &FilesProgram,
        process: &Process,
        filter: Filter,
        asked: Request,
    ) -> Result<(), ReadError> {
        let pid = process.pid;
        self.records.clear();
        let tgid = (filter == Filter::Link).then_some(pid);
        if self.link.as_ref().is_none_or(|&(linked, _)| linked != tgid) {
            let scope = tgid.map_or(Scope::All, Scope::Process);
            let link =
                IterLink::create(files.program.as_fd(), scope).map_err(|error| {
                    match error.raw_os_error() {
                        Some(libc::ESRCH | libc::ENOENT) => ended(process),
                        _ => failed("cannot attach the BPF iterator", error),
                    }
                })?;
            self.link = Some((tgid, link));
        }
        let tgid = if filter == Filter::Program { pid } else { 0 };
        self.object.request(Request { tgid, ..asked }).map_err(missing)?;
        match &self.link {
            Some((_, link)) => snapshot::run(link, &mut self.records)
                .map_err(|error| failed("cannot read the process's files", error)),
            None => Ok(()),
        }
    }

    /// Where a process is picked out: in the link where that is right.
    ///
    /// A link that is filtered by process passes over the wrong threads in kernels without
    /// "bpf: task_group_seq_get_next: fix the skip_if_dup_files check": those after
    /// a thread with a table of its own, not the thread itself. Unfiltered iterators never did.
    pub(super) fn filter_for(&self, pid: u32) -> Filter {
        match self.filter {
            Filter::Link if procfs::has_thread_tables(pid) => Filter::Program,
            filter => filter,
        }
    }
}

/// The time of day in seconds.
pub fn now() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec
}
