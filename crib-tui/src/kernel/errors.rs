//! What a reading fails with, in words for a user.

use std::io;

use super::object::LoadError;
use super::support;
use crate::model::assemble::TableError;
use crate::model::{Process, ProcessState, ReadError};
use crate::procfs;

/// Why programs could not be loaded when it was their time: later it can't be tried again.
#[derive(Default)]
pub(super) struct Lacking {
    pub(super) totals: Option<Lack>,
    pub(super) nested: Option<Lack>,
}

/// What a [`ReadError`] said.
pub(super) struct Lack {
    what: String,
    remedy: String,
}

impl Lack {
    pub(super) fn of(error: ReadError) -> Self {
        match error {
            ReadError::Missing { what, remedy } => Self { what, remedy },
            error => Self {
                what: error.to_string(),
                remedy: "`crib-top doctor` says what this kernel allows".to_owned(),
            },
        }
    }

    pub(super) fn error(&self) -> ReadError {
        ReadError::Missing { what: self.what.clone(), remedy: self.remedy.clone() }
    }
}

/// No files at all are believed only where /proc does not say otherwise: a security module may
/// keep a process out of the iterator's sight.
pub(super) fn not_hidden(process: &Process) -> Result<(), ReadError> {
    match procfs::open_files(process.pid) {
        Ok(files) if files > 0 && process.state == ProcessState::Alive => Err(ReadError::Missing {
            what: format!(
                "this kernel shows BPF none of the {files} open files of process {} ({})",
                process.pid, process.comm
            ),
            remedy: if procfs::may_be_looked_at(process.pid) {
                "try --source procfs".to_owned()
            } else {
                "a security module hides them, in /proc too: nothing here can see them".to_owned()
            },
        }),
        _ => Ok(()),
    }
}

/// The process must be the one that it was before the reading.
pub(super) fn still_there(process: &Process) -> Result<(), ReadError> {
    match procfs::process(process.pid) {
        Ok(now) if now.start_ticks == process.start_ticks && now.state == process.state => Ok(()),
        Ok(_) | Err(ReadError::NoProcess(_)) => Err(ended(process)),
        Err(error) => Err(error),
    }
}

pub(super) fn ended(process: &Process) -> ReadError {
    ReadError::Ended { pid: process.pid, comm: process.comm.clone() }
}

pub(super) fn failed(what: &str, source: io::Error) -> ReadError {
    ReadError::Io { what: what.to_owned(), source }
}

pub(super) fn garbled(process: &Process, error: impl Into<TableError>) -> ReadError {
    let what = format!("the records of process {} make no sense", process.pid);
    failed(&what, io::Error::other(error.into()))
}

/// What to tell a user whose kernel or privileges don't allow it: the check that fails, where
/// the kernel's error is one that checks can explain.
pub(super) fn missing(error: LoadError) -> ReadError {
    let what = error.to_string();
    // Of a program that the verifier refuses no check knows why.
    let verifier = matches!(&error, LoadError::Program { log, .. } if !log.is_empty());
    match error.io_error() {
        Some(io) if !verifier && io.raw_os_error() != Some(libc::EACCES) => {
            support::explain("BPF can't be used", io)
        }
        _ => ReadError::Missing {
            what,
            remedy: "`crib-top doctor` says what this kernel allows".to_owned(),
        },
    }
}
