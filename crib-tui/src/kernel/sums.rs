//! All processes, and the sums over their tables.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::thread::ScopedJoinHandle;
use std::time::SystemTime;

use crib_common::record::Request;

use super::errors::{failed, missing};
use super::link::{IterLink, Scope};
use super::{Reader, programs, snapshot};
use crate::decode::Records;
use crate::model::assemble;
use crate::model::{Process, ProcessState, ProcessTotals, ProcessesReading, ReadError, Source};
use crate::procfs;

impl Reader {
    /// See [`crate::source::Reader::processes`].
    ///
    /// # Errors
    /// See there.
    pub fn processes(&mut self) -> Result<ProcessesReading, ReadError> {
        let time = SystemTime::now();
        // Each takes about half of the time, and neither needs the other.
        let (totals, list) = std::thread::scope(|scope| {
            let list = std::thread::Builder::new().spawn_scoped(scope, procfs::process_list);
            let totals = self.sum_up();
            // Where no thread is to be had, one after the other.
            let list = match list.map(ScopedJoinHandle::join) {
                Ok(Ok(list)) => list,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => procfs::process_list(),
            };
            (totals, list)
        });
        let totals = totals?;
        let processes = list?.into_iter().filter_map(|process| {
            let totals = match totals.get(&process.pid) {
                Some(totals) => Some(*totals),
                None => not_met(&process).ok()?,
            };
            Some((process, totals))
        });
        Ok(ProcessesReading { source: Source::Bpf, time, processes: processes.collect() })
    }

    /// Loads and attaches the sweep's program when it is first needed.
    pub(super) fn load_totals(&mut self) -> Result<(), ReadError> {
        if let Some(lack) = &self.lacking.totals {
            return Err(lack.error());
        }
        if self.totals.is_none() {
            let program = programs::totals(&mut self.object)?;
            let link = IterLink::create(program.as_fd(), Scope::All)
                .map_err(|error| failed("cannot attach the BPF iterator", error))?;
            self.totals = Some(link);
        }
        Ok(())
    }

    /// One iteration over all files of all processes, for their sums.
    fn sum_up(&mut self) -> Result<HashMap<u32, ProcessTotals>, ReadError> {
        self.load_totals()?;
        self.object.request(Request::default()).map_err(missing)?;
        self.records.clear();
        let run = match &self.totals {
            Some(link) => snapshot::run(link, &mut self.records),
            None => Ok(()),
        };
        run.map_err(|error| failed("cannot read the processes' files", error))?;
        assemble::totals(Records::new(&self.records)).map_err(|error| {
            failed("the BPF programs' records make no sense", io::Error::other(error))
        })
    }
}

/// The sums of a process that the sweep has not met: it has no open files, unless /proc knows of some.
///
/// # Errors
/// `NotFound` where it has ended since it was listed.
fn not_met(process: &Process) -> io::Result<Option<ProcessTotals>> {
    let files = match process.state {
        ProcessState::Alive => match procfs::open_files(process.pid) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            // Who may not look into it has swept it all the same.
            files => files.unwrap_or(0),
        },
        _ => 0,
    };
    Ok((files == 0).then_some(ProcessTotals {
        fd_count: 0,
        sockets: Some(0),
        recv_payload: Some(0),
        send_payload: Some(0),
    }))
}
