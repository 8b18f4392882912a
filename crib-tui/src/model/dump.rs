//! What is asked of a dump: which files, which queues, which packets, and how many bytes of each.

use std::ops::RangeInclusive;

use super::QueueName;

/// A request for files with their queues, packets and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// The process.
    pub pid: u32,
    /// Which of its files.
    pub files: DumpFiles,
    /// Which queues of each.
    pub queues: Vec<QueueName>,
    /// Which packets of each queue, by their place, from 0.
    pub packets: RangeInclusive<u32>,
    /// Bytes of each packet at most; 0 for none.
    pub payload: u32,
    /// Whether sockets and pipes in flight in a queue are looked into themselves, as deep as the
    /// limit goes.
    pub deep: bool,
}

impl Dump {
    /// Bytes of each packet that are read where nobody says otherwise.
    pub const PAYLOAD: u32 = 4096;

    /// Everything that a process holds.
    pub fn everything(pid: u32) -> Self {
        Self {
            pid,
            files: DumpFiles::All,
            queues: QueueName::ALL.into(),
            packets: 0..=u32::MAX,
            payload: Self::PAYLOAD,
            deep: true,
        }
    }

    /// All that is in one file.
    pub fn file(pid: u32, fd: u32) -> Self {
        let files = DumpFiles::One { fd, tid: None, hops: Vec::new() };
        Self { files, ..Self::everything(pid) }
    }
}

/// Which files a dump is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpFiles {
    /// All, and those in flight in their queues as deep as the limit goes.
    All,
    /// Those of some stretches of descriptors, without their paths, and without what watches them:
    /// what sockets and pipes say of themselves.
    Bare(Vec<Stretch>),
    /// One.
    One {
        /// Its descriptor.
        fd: u32,
        /// The thread in whose own table it is; none for the process's common one.
        tid: Option<u32>,
        /// From that file to one in flight in its queue, and on from there: the dump is then of
        /// the last one.
        hops: Vec<FlightHop>,
    },
}

/// Descriptors that lie side by side in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The thread in whose own table they are; none for the process's common one.
    pub tid: Option<u32>,
    /// Their numbers.
    pub fds: RangeInclusive<u32>,
}

/// The way from a socket to a file in flight in one of its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlightHop {
    /// The queue.
    pub queue: QueueName,
    /// The packet's place in it.
    pub packet: u32,
    /// The file's place in the packet.
    pub file: u32,
}
