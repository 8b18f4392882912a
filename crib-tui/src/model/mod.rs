//! What crib-top knows about processes and their files, whichever source it came from.
//!
//! Every field that a source could not learn is `None`: nothing here is guessed, and no
//! default stands in for an unknown. The types serialise to the documents described in the
//! manual page; field names are part of that interface.

pub mod assemble;
pub mod column;
mod epoll;
mod file;
mod file_columns;
pub mod filter;
mod history;
mod kind;
mod pipe;
mod process;
mod process_columns;
mod reading;
#[cfg(test)]
pub(crate) mod sample;
mod socket;
pub mod sort;
mod text;

pub use epoll::{Epoll, Watch};
pub use file::{AccessMode, Device, File, FileId, OpenFlags};
pub use file_columns::{FileRow, Files};
pub use filter::{Filter, FilterError};
pub use history::{Changed, FilesTable, History, MARK_READINGS, Presence, Seen, TrackedFile};
pub use kind::{Evidence, Kind};
pub use pipe::Pipe;
pub use process::{Process, ProcessState, ProcessTotals};
pub use process_columns::{ProcessRow, Processes};
pub use reading::{FilesReading, ProcessesReading, ReadError, Source};
pub use socket::{Accept, Family, Peer, Protocol, Queued, Shutdown, Socket, SocketType, State};
pub use text::{Text, escape};
