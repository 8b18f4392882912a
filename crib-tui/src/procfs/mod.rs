//! The second source: the same model from /proc, for those who may not load BPF programs.

use crate::model::{FilesReading, Process, ProcessesReading, ReadError};

/// Reads the open files of one process.
///
/// # Errors
/// As [`crate::source::Reader::files`].
pub fn files(pid: u32) -> Result<FilesReading, ReadError> {
    Err(ReadError::NoProcess(pid))
}

/// Reads the list of all processes.
///
/// # Errors
/// As [`crate::source::Reader::processes`].
pub fn processes() -> Result<ProcessesReading, ReadError> {
    Err(ReadError::NoProcess(0))
}

/// Reads one process's header: what both sources show above the table.
///
/// # Errors
/// [`ReadError::NoProcess`] when it is not there.
pub fn process(pid: u32) -> Result<Process, ReadError> {
    Err(ReadError::NoProcess(pid))
}

/// The headers of all processes, by pid: what the picker and `ps` join the totals to.
///
/// # Errors
/// [`ReadError::Io`] when /proc can't be listed.
pub fn process_list() -> Result<Vec<Process>, ReadError> {
    Err(ReadError::NoProcess(0))
}
