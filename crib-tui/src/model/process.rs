//! A process, and the sums over its open files.

use serde::Serialize;

use super::Text;

/// A process, as the header of its table shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// The process's id (tgid) in the pid namespace of crib-top.
    pub pid: u32,
    /// The command's name (comm, at most 15 bytes; the kernel cuts it).
    pub comm: Text,
    /// The real user id.
    pub uid: Option<u32>,
    /// The user's name, where the uid has one.
    pub user: Option<String>,
    /// The soft limit on descriptors (RLIMIT_NOFILE); none for "unlimited" and unknown.
    pub fd_limit: Option<u64>,
    /// Whether it is in another mount namespace than crib-top: the paths of its files are then
    /// those that it sees itself, where other files, or none, may be here. None where that may
    /// not be seen, and in lists of processes.
    pub other_mounts: Option<bool>,
    /// The command line, arguments joined by spaces; empty for kernel threads.
    #[serde(skip)]
    pub cmdline: Text,
    /// When it started, in clock ticks since boot: with the pid, its identity.
    #[serde(skip)]
    pub start_ticks: u64,
    /// Whether it has a user-space side that is alive.
    #[serde(skip)]
    pub state: ProcessState,
}

/// What sort of process it is, as far as its files are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessState {
    /// An ordinary process.
    #[default]
    Alive,
    /// It has ended and waits for its parent; its files are closed.
    Zombie,
    /// A thread of the kernel's own; it has no files.
    KernelThread,
}

/// The sums over one process's open files, as the picker and `ps` show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessTotals {
    /// Descriptors in all of its tables.
    pub fd_count: u64,
    /// Sockets among them.
    pub sockets: Option<u64>,
    /// Bytes that wait for a reader in all of its sockets.
    pub recv_payload: Option<u64>,
    /// Bytes that were sent and not yet taken, in all of its sockets.
    pub send_payload: Option<u64>,
}
