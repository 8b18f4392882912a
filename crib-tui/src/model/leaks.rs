//! What a watch of one process comes to: its groups with what the rule says of them, and how long
//! until its limit on descriptors is reached.

mod judging;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use self::judging::View;
use super::groups::{Groups, OpenerId};
use super::{File, FilesTable, Kind, Process, Source, Text};

/// Where openings are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TracedAt {
    /// Where the kernel gives a descriptor its file: all but those that dup2(2) and dup3(2) make.
    FdInstall,
    /// Where system calls return: those that make descriptors by themselves, not files that
    /// come in messages (SCM_RIGHTS) or are opened by io_uring.
    SysExit,
}

impl TracedAt {
    /// Where that is, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::FdInstall => "where the kernel gives out descriptors (fd_install)",
            Self::SysExit => "where system calls return (sys_exit)",
        }
    }
}

/// How openings were traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Traced {
    /// Where they were seen.
    pub at: TracedAt,
    /// Openings that were not noted for want of room, and files whose opening was, but not its
    /// stack.
    pub lost: u64,
}

/// What a watch comes to.
#[derive(Clone, Debug)]
pub struct Leaks {
    /// Where the readings came from.
    pub source: Source,
    /// When the first reading was begun.
    pub time: SystemTime,
    /// Whose files were watched, as last read.
    pub process: Process,
    /// How long, in seconds.
    pub seconds: f64,
    /// Descriptors that were open in the last reading.
    pub fd_count: u64,
    /// How many files a second the suspected groups grow by together; one that is shown by its
    /// openers counts whole where the whole is suspected.
    pub per_second: f64,
    /// Seconds until the limit on descriptors is reached at this rate; none where nothing is
    /// suspected, or there is no limit.
    pub seconds_to_limit: Option<f64>,
    /// How openings were traced; none where they were not.
    pub traced: Option<Traced>,
    /// The groups, the one that is suspected most first.
    pub groups: Vec<LeakGroup>,
}

/// One group of files, and whether it is suspected.
#[derive(Clone, Debug, Serialize)]
pub struct LeakGroup {
    /// The kind of its files.
    pub kind: Kind,
    /// What they have in common (docs/leaks.md).
    pub label: Text,
    /// Files that are open.
    pub count: u64,
    /// Files that were opened during the watch.
    pub opened: u64,
    /// Files that were closed during the watch.
    pub closed: u64,
    /// The growth in files a second: of a suspected group, of those that stay.
    #[serde(serialize_with = "rounded")]
    pub per_second: f64,
    /// Age of the oldest open file, in seconds; one that was there before the watch is at least
    /// as old as that.
    #[serde(serialize_with = "rounded_option")]
    pub oldest_seconds: Option<f64>,
    /// Whether it only grows.
    pub suspected: bool,
    /// The call that opened its files, innermost frame first, where that was traced.
    pub stack: Option<Arc<[Frame]>>,
    /// How many of the files that were opened during the watch were opened by that call.
    pub stack_opened: Option<u64>,
    /// Some of its files: those that were opened first during the watch.
    pub examples: Vec<File>,
    /// Which stack that is.
    #[serde(skip)]
    pub opener: Option<OpenerId>,
    /// Its files have several labels, and less in common ([`wider`]).
    #[serde(skip)]
    pub is_wider: bool,
}

/// A place in a program's call stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Its address in the process.
    #[serde(serialize_with = "hexadecimal")]
    pub address: u64,
    /// The function's name, where there are symbols.
    pub symbol: Option<Text>,
    /// The last part of the path of the file that the code was mapped from.
    pub module: Option<Text>,
    /// Where that address is in the module's file, in bytes.
    pub offset: Option<u64>,
    /// The source file.
    pub file: Option<Text>,
    /// The line in the source file.
    pub line: Option<u32>,
}

impl fmt::Display for Frame {
    /// `function at file:line (module+offset)`, as far as that is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            Some(symbol) => write!(f, "{symbol}")?,
            None => write!(f, "{:#x}", self.address)?,
        }
        if let Some(file) = &self.file {
            write!(f, " at {file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
        }
        match (&self.module, self.offset) {
            (Some(module), Some(offset)) => write!(f, " ({module}+{offset:#x})"),
            (Some(module), None) => write!(f, " ({module})"),
            _ => Ok(()),
        }
    }
}

impl Leaks {
    /// Whether any group is suspected.
    pub fn is_suspected(&self) -> bool {
        self.groups.iter().any(|group| group.suspected)
    }

    /// Sums up a watch that began at `time`, from its groups and the latest table. Where openings
    /// were traced, as `traced` says, groups are parted by opener where that tells more.
    pub fn new(
        groups: &Groups,
        table: &FilesTable,
        time: SystemTime,
        traced: Option<Traced>,
    ) -> Self {
        let view = View { groups, table, traced: traced.is_some() };
        let (groups, per_second) = view.judge_all();
        let fd_count = table.open as u64;
        let limit = table.process.fd_limit;
        let seconds_to_limit = limit
            .filter(|_| per_second > 0.0)
            .map(|limit| limit.saturating_sub(fd_count) as f64 / per_second);
        Self {
            source: table.source,
            time,
            process: table.process.clone(),
            seconds: view.groups.timeline().now().as_secs_f64(),
            fd_count,
            per_second,
            seconds_to_limit,
            traced,
            groups,
        }
    }
}

/// A number with the digits that mean something: rates and times are no more exact than this.
fn rounded<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((number * 1e6).round() / 1e6)
}

fn rounded_option<S: serde::Serializer>(
    number: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => rounded(number, serializer),
        None => serializer.serialize_none(),
    }
}

fn hexadecimal<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:#x}"))
}
