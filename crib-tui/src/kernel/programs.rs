//! Which of the object's programs this kernel takes, and who picks out a process's files.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use super::errors::{failed, missing};
use super::link::{IterLink, Scope};
use super::object::{LoadError, Object};
use crate::model::ReadError;

/// What the programs iterate over.
pub const TASK_FILE: &str = "task_file";

/// The program that tells the files of a table.
#[derive(Clone)]
pub struct FilesProgram {
    /// Its descriptor.
    pub program: Rc<OwnedFd>,
    /// Whether it tells no paths, and does not have the kernel name file operations.
    pub plain: bool,
}

/// Who leaves out the files of other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The link (Linux 6.1).
    Link,
    /// The program, which is shown every file there is.
    Program,
}

/// The program that tells the files of a table.
pub fn files(object: &mut Object) -> Result<FilesProgram, ReadError> {
    let program = first_that_loads(object, ["files", "files_plain"])?;
    Ok(FilesProgram { program, plain: !object.is_loaded("files") })
}

/// The program that sums up all tables.
pub fn totals(object: &mut Object) -> Result<Rc<OwnedFd>, ReadError> {
    first_that_loads(object, ["totals", "totals_plain"])
}

/// The first program of several that this kernel takes: later ones do with less.
///
/// Only what the verifier refuses leads to the next one; a missing privilege does not.
fn first_that_loads(
    object: &mut Object,
    names: [&'static str; 2],
) -> Result<Rc<OwnedFd>, ReadError> {
    let [full, plain] = names;
    object.iterator(full, TASK_FILE).or_else(|error| {
        let refused = |error: &LoadError| {
            error.io_error().and_then(io::Error::raw_os_error) != Some(libc::EPERM)
        };
        if !refused(&error) {
            return Err(missing(error));
        }
        // The first error says more than the second.
        object.iterator(plain, TASK_FILE).map_err(|_| missing(error))
    })
}

/// Tries a link that is filtered by our own pid.
pub fn probe_filter(program: &Rc<OwnedFd>) -> Result<Filter, ReadError> {
    match IterLink::create(program.as_fd(), Scope::Process(std::process::id())) {
        Ok(_) => Ok(Filter::Link),
        Err(error) => match error.raw_os_error() {
            Some(libc::E2BIG | libc::EINVAL) => Ok(Filter::Program),
            _ => Err(failed("cannot attach the BPF iterator", error)),
        },
    }
}
