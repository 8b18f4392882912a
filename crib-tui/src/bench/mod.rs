//! Ways of reading the same things, side by side: what `crib-top bench` measures.
//!
//! A [`Section`] reads one thing in several ways, which take turns, so that what disturbs the
//! machine for a while disturbs all of them. Before the rounds that count each way has two more:
//! one that warms up, in which a way that can't run here is found out, and one whose system calls
//! are counted. A way that does not see what it should makes the whole benchmark fail.

mod files;
mod outside;
mod rounds;
mod sockets;
mod statistics;
mod system;
mod tools;
mod tracing;
mod transports;
pub mod workload;

use serde::Serialize;

use crate::kernel::bench::Programs;
use crate::model::ReadError;
use tools::Tools;
use workload::{Held, Workload};

/// How much to read, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Files that a process of ours holds open.
    pub fds: u32,
    /// Sockets that another one holds.
    pub sockets: u32,
    /// Packets that wait in each of them.
    pub packets: u32,
    /// Bytes of each packet.
    pub bytes: u32,
    /// How often each way is measured.
    pub rounds: u32,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was read.
    #[serde(rename = "workload")]
    pub plan: Plan,
    /// Why system calls were not counted, where they were not.
    pub calls_unknown: Option<String>,
    /// What was read in several ways each.
    pub sections: Vec<Section>,
}

/// One thing, read in several ways.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What it is called in the document.
    pub name: &'static str,
    /// What is read, for people.
    pub title: &'static str,
    /// How many items there are to read.
    pub items: u64,
    /// What an item is.
    pub item: &'static str,
    /// The way that the ratios are to.
    pub base: &'static str,
    /// The way of crib-top itself.
    pub ours: &'static str,
    /// The ways, in the order in which they take turns.
    pub ways: Vec<Way>,
}

/// What one way took; no numbers where it could not run.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// What it is called.
    pub name: &'static str,
    /// The median of all rounds in nanoseconds.
    pub median_ns: Option<u64>,
    /// The shortest round in nanoseconds.
    pub min_ns: Option<u64>,
    /// The longest round in nanoseconds.
    pub max_ns: Option<u64>,
    /// How many rounds there were.
    pub rounds: u32,
    /// The median by the number of items, in nanoseconds.
    pub per_item_ns: Option<f64>,
    /// The median by that of the section's base.
    pub ratio: Option<f64>,
    /// The median by that of crib-top's own way.
    pub ratio_to_ours: Option<f64>,
    /// System calls that one reading takes: of this process, or of the one that was started, with
    /// its children.
    pub syscalls: Option<u64>,
    /// What this way can't see.
    pub blind: Vec<&'static str>,
    /// Why it did not run.
    pub skipped: Option<String>,
}

/// Why nothing could be measured. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A way can't run here: others may.
    #[error("{0}")]
    Unavailable(String),
    /// Something could not be read.
    #[error("{0}")]
    Read(ReadError),
    /// A way has not seen what it should.
    #[error("'{way}' saw {seen} {what} where there are {expected}; its time would mean nothing")]
    Wrong {
        /// Which way.
        way: &'static str,
        /// What was counted.
        what: &'static str,
        /// How many there are.
        expected: u64,
        /// How many it saw.
        seen: u64,
    },
    /// The workload could not be made.
    #[error("cannot make the workload of {what}: {why}")]
    Workload {
        /// Files, or sockets.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// A way failed that should not.
    #[error("cannot run {what}: {source}")]
    Io {
        /// What was run.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl From<ReadError> for BenchError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing { what, remedy } => Self::Unavailable(format!("{what}; {remedy}")),
            error => Self::Read(error),
        }
    }
}

/// How far the benchmark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The workload is being made.
    Workload,
    /// A way of a section takes its turn.
    Turn {
        /// The section's name.
        section: &'static str,
        /// The section's title.
        title: &'static str,
        /// The way.
        way: &'static str,
        /// Which round, from 1; 0 while it warms up.
        round: u32,
        /// How many there will be.
        rounds: u32,
    },
}

/// Measures everything; says to `progress` how far it is.
///
/// # Errors
/// [`BenchError`] where the workload can't be made, or a way is wrong. A way that can't run here
/// is no error.
pub fn run(plan: Plan, progress: &mut dyn FnMut(Progress)) -> Result<Report, BenchError> {
    progress(Progress::Workload);
    let files = Workload::start(Held::Files { fds: plan.fds })?;
    let Plan { sockets, packets, bytes, .. } = plan;
    let queues = Workload::start(Held::Sockets { sockets, packets, bytes })?;
    // With room for a few more than there are, so that it is seen if there were more.
    let programs = Programs::open(files.fds() as u32 + 64);
    let mut tools = Tools::new(programs);
    let sections = [
        files::section(&files),
        sockets::section(&queues, plan),
        transports::section(&files),
        system::section(&files, &queues, &mut tools),
        tracing::section(Workload::start(Held::Nothing)?, plan.fds),
    ];
    let sections = sections
        .into_iter()
        .map(|section| rounds::run(section, plan.rounds, &mut tools, progress))
        .collect::<Result<_, _>>()?;
    Ok(Report { plan, calls_unknown: tools.calls_unknown(), sections })
}
