//! What can be wrong with the arguments.

use crate::model::column::ColumnError;
use crate::model::escape;
use crate::model::filter::FilterError;

/// What is wrong with the arguments. Each message is one line and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A command that needs a process, without one.
    #[error("{0} needs a process: add -p PID or -p NAME")]
    NoTarget(&'static str),
    /// `packets` without a descriptor.
    #[error("packets needs a descriptor: add --fd N; crib-top files lists them")]
    NoFd,
    /// A descriptor that isn't a number.
    #[error("--fd '{}' is no descriptor; write its number, as crib-top files lists it", escape(.0.as_bytes()))]
    Fd(String),
    /// A queue that no socket has.
    #[error("--queue '{}' is no queue; there are {names}", escape(.0.as_bytes()), names = .1)]
    Queue(String, String),
    /// A capture file on the screen.
    #[error(
        "--pcap - writes bytes to a terminal; name a file, or send it on, as to wireshark -k -i -"
    )]
    PcapTerminal,
    /// An empty name in a list of processes.
    #[error("a process is missing in -p '{}'; give pids or names with a comma between two", escape(.0.as_bytes()))]
    EmptyTarget(String),
    /// More digits than any pid has.
    #[error("-p '{0}' is too large a number to be a pid")]
    PidTooLarge(String),
    /// Several processes for what is one file's.
    #[error("packets shows one file, and -p names {0} processes; name the one that has it open")]
    SeveralOwners(usize),
    /// Several processes for the live view.
    #[error("the live view shows one process, and -p names {0}; use crib-top files for several")]
    SeveralTargets(usize),
    /// A time that isn't one.
    #[error("-d '{}' is no time; write a number and a unit: 500ms, 1s or 2m", escape(.0.as_bytes()))]
    Delay(String),
    /// A time without its unit.
    #[error("-d '{0}' has no unit; write {0}s for seconds, {0}ms or {0}m")]
    DelayUnit(String),
    /// A time out of range.
    #[error("-d '{0}' is out of range; the delay is at least 10ms and at most 60m")]
    DelayRange(String),
    /// Several processes for one watch.
    #[error("leaks watches one process, and -p names {0}; name one")]
    SeveralWatched(usize),
    /// A lint that isn't one.
    #[error("--no-lint '{}' is no lint; there are {names}, and all", escape(.0.as_bytes()), names = .1)]
    NoSuchLint(String, String),
    /// Several processes for one list of findings.
    #[error("lint looks at one process, and -p names {0}; name one, or use files -o +LINT")]
    SeveralLinted(usize),
    /// A time to watch that isn't one.
    #[error("--for '{}' is no time; write a number and a unit: 30s, 5m or 1h", escape(.0.as_bytes()))]
    For(String),
    /// A time to watch without its unit.
    #[error("--for '{0}' has no unit; write {0}s for seconds, {0}m or {0}h")]
    ForUnit(String),
    /// A time to watch out of range.
    #[error("--for '{0}' is out of range; watch for 200ms at least and for 168h at most")]
    ForRange(String),
    /// Too few readings to judge by.
    #[error(
        "--for '{duration}' has no room for {least} readings -d '{delay}' apart, of which fewer \
         say nothing; watch longer, or read more often"
    )]
    FewReadings {
        /// How long to watch.
        duration: String,
        /// The time between two readings.
        delay: String,
        /// Readings that are needed.
        least: u32,
    },
    /// A number of bytes that isn't one.
    #[error("--payload '{}' is no number of bytes; write 0, 512 or 4K", escape(.0.as_bytes()))]
    Payload(String),
    /// A number of `bench` that isn't one, or is out of range.
    #[error("{flag} '{}' is no number from 1 to {max}", escape(.text.as_bytes()))]
    BenchNumber {
        /// The flag.
        flag: &'static str,
        /// What was written.
        text: String,
        /// The largest number.
        max: u32,
    },
    /// More descriptors than a process may have.
    #[error(
        "{flag} {number} is more than RLIMIT_NOFILE allows here, which is {allowed}; \
         give fewer, or raise the hard limit (ulimit -Hn)"
    )]
    BenchLimit {
        /// The flag.
        flag: &'static str,
        /// What was asked for.
        number: u32,
        /// The most that is allowed.
        allowed: u32,
    },
    /// More bytes in sockets than the kernel should keep for a benchmark.
    #[error(
        "--sockets, --packets and --bytes make {0} MiB that the kernel would have to keep, and \
         1024 are the most; give fewer"
    )]
    BenchMemory(u64),
    /// A list of columns that can't be had.
    #[error("-o: {0}; see crib-top {1} -H for the list")]
    Columns(ColumnError, &'static str),
    /// A filter that can't be read.
    #[error("-Q '{text}': {1}", text = escape(.0.as_bytes()))]
    Filter(String, FilterError),
    /// Two flags that exclude one another.
    #[error("{0} and {1} exclude one another; leave one out")]
    Conflict(&'static str, &'static str),
    /// A flag for what is printed, on the way to the live view.
    #[error("the live view takes no {0}; leave it out, or use crib-top files")]
    Printed(&'static str),
    /// A flag that the command has no use for.
    #[error("{0} takes no {1}; leave it out")]
    Unused(&'static str, &'static str),
}
