//! Lints: what about a process's files is in trouble, or looks like it; each with what was seen,
//! what that means, and what to look at. docs/lints.md says by which rule.
//!
//! Nothing is claimed that was not seen: what lasts for long is known from several readings
//! ([`Timing`]), what TCP knows of a connection from a dump, and whether a parent holds the same
//! open file only where somebody looked ([`Given`]).

mod beside;
mod file;
mod process;
mod queue;
mod report;
mod socket;
mod tcp;
#[cfg(test)]
mod tests;
mod timing;
mod words;

use std::time::Duration;

use serde::{Serialize, Serializer};

pub use self::beside::{Beside, Inherited};
pub use self::process::of_process;
pub use self::report::{Found, Report};
pub use self::tcp::needs_details;
pub use self::timing::{Drops, Timing};
use super::{File, Process, Tcp};

/// What has to last for so long is called long.
pub const LONG: Duration = Duration::from_secs(5);
/// What was last seen so long ago goes on.
pub const RECENT: Duration = Duration::from_secs(10);

/// One of the lints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the rules say what each is")]
pub enum Lint {
    CloseWait,
    CloseWaitUnread,
    TcpClosedHeld,
    ZeroWindow,
    Retransmitting,
    SendStuck,
    SocketError,
    UnreadUnpolled,
    AcceptFull,
    UdpDrops,
    PeerGone,
    FilesInFlight,
    DeletedOpen,
    InheritedFd,
    FdLimit,
}

impl Lint {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; 15] = [
        Self::CloseWait,
        Self::CloseWaitUnread,
        Self::TcpClosedHeld,
        Self::ZeroWindow,
        Self::Retransmitting,
        Self::SendStuck,
        Self::SocketError,
        Self::UnreadUnpolled,
        Self::AcceptFull,
        Self::UdpDrops,
        Self::PeerGone,
        Self::FilesInFlight,
        Self::DeletedOpen,
        Self::InheritedFd,
        Self::FdLimit,
    ];

    /// The name that it has in tables, in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloseWait => "close-wait",
            Self::CloseWaitUnread => "close-wait-unread",
            Self::TcpClosedHeld => "tcp-closed-held",
            Self::ZeroWindow => "zero-window",
            Self::Retransmitting => "retransmitting",
            Self::SendStuck => "send-stuck",
            Self::SocketError => "socket-error",
            Self::UnreadUnpolled => "unread-unpolled",
            Self::AcceptFull => "accept-full",
            Self::UdpDrops => "udp-drops",
            Self::PeerGone => "peer-gone",
            Self::FilesInFlight => "files-in-flight",
            Self::DeletedOpen => "deleted-open",
            Self::InheritedFd => "inherited-fd",
            Self::FdLimit => "fd-limit",
        }
    }

    /// The lint of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lint| lint.name() == name)
    }

    /// By what it is recognised, in one line.
    pub fn summary(self) -> &'static str {
        self.rule().map_or(process::SUMMARY, |rule| rule.summary)
    }

    /// What it means where it is found.
    pub fn means(self) -> &'static str {
        self.rule().map_or(process::MEANS, |rule| rule.means)
    }

    /// The rule of a lint about a file; none for one about the whole process.
    fn rule(self) -> Option<&'static Rule> {
        Some(match self {
            Self::CloseWait => &tcp::CLOSE_WAIT,
            Self::CloseWaitUnread => &tcp::CLOSE_WAIT_UNREAD,
            Self::TcpClosedHeld => &tcp::CLOSED_HELD,
            Self::ZeroWindow => &tcp::ZERO_WINDOW,
            Self::Retransmitting => &tcp::RETRANSMITTING,
            Self::SendStuck => &queue::SEND_STUCK,
            Self::SocketError => &socket::ERROR,
            Self::UnreadUnpolled => &queue::UNREAD_UNPOLLED,
            Self::AcceptFull => &queue::ACCEPT_FULL,
            Self::UdpDrops => &queue::UDP_DROPS,
            Self::PeerGone => &socket::PEER_GONE,
            Self::FilesInFlight => &queue::FILES_IN_FLIGHT,
            Self::DeletedOpen => &file::DELETED_OPEN,
            Self::InheritedFd => &file::INHERITED,
            Self::FdLimit => return None,
        })
    }
}

impl Serialize for Lint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Which lints are found or wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LintSet(u32);

impl LintSet {
    /// No lint.
    pub const NONE: Self = Self(0);
    /// Every lint.
    pub const ALL: Self = Self((1 << Lint::ALL.len()) - 1);

    /// Whether it is among them.
    pub fn has(self, lint: Lint) -> bool {
        self.0 & 1 << lint as u32 != 0
    }

    /// The set with this one.
    #[must_use]
    pub fn with(self, lint: Lint) -> Self {
        Self(self.0 | 1 << lint as u32)
    }

    /// The set without this one.
    #[must_use]
    pub fn without(self, lint: Lint) -> Self {
        Self(self.0 & !(1 << lint as u32))
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in it, in the order of the manual.
    pub fn iter(self) -> impl Iterator<Item = Lint> {
        Lint::ALL.into_iter().filter(move |&lint| self.has(lint))
    }
}

/// Where nobody says otherwise, every lint is wanted.
impl Default for LintSet {
    fn default() -> Self {
        Self::ALL
    }
}

/// What lints go by beside the file as it was read; what is not given is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// Which lints are wanted.
    pub wanted: LintSet,
    /// How long after the first reading the file was read: what [`Timing`] counts from.
    pub now: Option<Duration>,
    /// What comparing readings tells.
    pub timing: Option<&'a Timing>,
    /// What TCP knows of the connection, where the file itself does not hold it.
    pub tcp: Option<&'a Tcp>,
    /// The descriptors of the process's epoll instances that watch the file, where the file
    /// itself does not hold them.
    pub watched_by: Option<&'a [u32]>,
    /// The parent that holds the same open file.
    pub inherited: Option<&'a Inherited>,
}

/// A file, and what is known beside it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Whose file it is.
    pub process: &'a Process,
    /// The file.
    pub file: &'a File,
    /// The rest.
    pub given: Given<'a>,
}

/// What a lint found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which lint.
    #[serde(rename = "name")]
    pub lint: Lint,
    /// What was seen, with the numbers.
    pub seen: String,
    /// What that means.
    pub means: &'static str,
    /// A command or a place to look at.
    pub look: String,
}

/// How a lint about a file is told.
struct Rule {
    /// By what it is recognised, in one line.
    summary: &'static str,
    /// What it means.
    means: &'static str,
    /// Whether it is so. Allocates nothing: tables ask it of every row.
    holds: fn(&Subject<'_>) -> bool,
    /// What was seen, where it is so.
    seen: fn(&Subject<'_>) -> Option<String>,
    /// What to look at.
    look: fn(&Subject<'_>) -> String,
}

impl<'a> Subject<'a> {
    /// The lints that find something.
    pub fn found(&self) -> LintSet {
        let found = self
            .given
            .wanted
            .iter()
            .filter(|lint| lint.rule().is_some_and(|rule| (rule.holds)(self)));
        found.fold(LintSet::NONE, LintSet::with)
    }

    /// What they found.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |lint: Lint| {
            let rule = lint.rule()?;
            let (seen, look) = ((rule.seen)(self)?, (rule.look)(self));
            Some(Finding { lint, seen, means: rule.means, look })
        };
        self.found().iter().filter_map(finding).collect()
    }

    /// How long something has lasted, where that is long.
    fn long(&self, since: impl FnOnce(&Timing) -> Option<Duration>) -> Option<Duration> {
        let lasted = self.given.now?.saturating_sub(since(self.given.timing?)?);
        (lasted >= LONG).then_some(lasted)
    }

    /// What TCP knows of the connection.
    fn tcp(&self) -> Option<&'a Tcp> {
        self.file.socket.as_deref().and_then(|socket| socket.tcp.as_deref()).or(self.given.tcp)
    }

    /// The process's epoll instances that watch the file.
    fn watched_by(&self) -> Option<&'a [u32]> {
        self.file.watched_by.as_deref().map(Vec::as_slice).or(self.given.watched_by)
    }
}
