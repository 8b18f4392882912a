//! All processes, and the sums over their tables.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
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
        let totals = self.sum_up()?;
        let processes = procfs::process_list()?
            .into_iter()
            .map(|process| {
                let totals = totals.get(&process.pid).copied().or_else(|| no_files(&process));
                (process, totals)
            })
            .collect();
        Ok(ProcessesReading { source: Source::Bpf, time, processes })
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

/// A process that the sweep has not met has no open files, unless /proc knows of some.
fn no_files(process: &Process) -> Option<ProcessTotals> {
    let none = process.state != ProcessState::Alive
        || procfs::open_files(process.pid).is_none_or(|files| files == 0);
    none.then_some(ProcessTotals {
        fd_count: 0,
        sockets: Some(0),
        recv_payload: Some(0),
        send_payload: Some(0),
    })
}
