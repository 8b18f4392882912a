//! What crib-top knows about processes and their files, whichever source it came from.
//!
//! Every field that a source could not learn is `None`: nothing here is guessed, and no
//! default stands in for an unknown. The types serialise to the documents described in the
//! manual page; field names are part of that interface.

pub mod assemble;
pub mod column;
mod dump;
mod epoll;
mod file;
mod file_columns;
pub mod filter;
pub mod groups;
mod history;
mod kind;
pub mod leaks;
pub mod lint;
mod maybe;
mod packet;
pub mod peers;
mod pipe;
mod process;
mod process_columns;
mod queue;
mod reading;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
pub(crate) mod sample_dump;
#[cfg(test)]
pub(crate) mod sample_ends;
#[cfg(test)]
pub(crate) mod sample_queues;
mod socket;
pub mod suspicion;
mod tcp;
mod text;
mod time;
mod tracked;
pub mod trend;

pub use dump::{Dump, DumpFiles, FlightHop, Stretch};
pub use epoll::{Epoll, Watch};
pub use file::{AccessMode, Device, File, FileId, FileKey, OpenFlags};
pub use file_columns::{FileRow, Files};
pub use filter::{Filter, FilterError};
pub use history::{FilesTable, History};
pub use kind::{Evidence, Kind};
pub use maybe::Maybe;
pub use packet::{Packet, PacketId, Parts, TcpFlags};
pub use peers::{Absent, Ends, Held, Listed, Peers, Search, Sweep};
pub use pipe::Pipe;
pub use process::{Process, ProcessState, ProcessTotals};
pub use process_columns::{ProcessRow, Processes};
pub use queue::{Queue, QueueName};
pub use reading::{DumpReading, FilesReading, ProcessesReading, ReadError, Source};
pub use socket::{
    Accept, Family, OtherEnd, Peer, Protocol, Queued, Shutdown, Socket, SocketType, State,
};
pub use tcp::{Tcp, TcpTimer};
pub use text::{Text, count, escape};
pub use time::{PerSecond, Seconds, rfc3339, rfc3339_option};
pub use tracked::{Changed, MARK_READINGS, Presence, Seen, TrackedFile};
