//! One open file as readings one after another tell of it: a row of the table.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::groups::{Groups, Track};
use super::{File, Queued};

/// For how many readings a mark stays, the one in which it appeared included.
pub const MARK_READINGS: u8 = 3;

/// One file, and what comparing readings tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedFile {
    /// As last read; one and the same for as long as nothing changes.
    pub file: Arc<File>,
    /// Since when it has been seen.
    pub seen: Seen,
    /// The group that it is in; none where it was not read with the table.
    pub track: Option<Track>,
    /// Whether it is there, and since when.
    pub presence: Presence,
    /// Whether the counts of its receive direction changed lately.
    pub recv: Changed,
    /// Whether the counts of its send direction changed lately.
    pub send: Changed,
}

/// Since when a file has been seen, counted from the first reading, to the microsecond: in eight
/// bytes, since every row has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen(u64);

impl Seen {
    /// It was there in the first reading: it is at least as old as that.
    pub const FIRST: Self = Self(0);

    /// It was there this long after the first reading, and may be older.
    pub fn at_least_since(after: Duration) -> Self {
        Self(u64::try_from(after.as_micros()).unwrap_or(u64::MAX) << 1)
    }

    /// It was opened this long after the first reading, or appeared in the reading of then.
    pub fn since(after: Duration) -> Self {
        Self(u64::try_from(after.as_micros()).unwrap_or(u64::MAX) << 1 | 1)
    }

    /// How long after the first reading.
    pub fn after(self) -> Duration {
        Duration::from_micros(self.0 >> 1)
    }

    /// Whether it may be older than it has been seen.
    pub fn is_at_least(self) -> bool {
        self.0 & 1 == 0
    }

    /// How long ago that was at `now`, which is counted from the first reading too.
    pub fn age(self, now: Duration) -> Duration {
        now.saturating_sub(self.after())
    }

    /// A number that is greater the younger a file is, at the same time the greater where it is
    /// known not to be older.
    pub fn rank(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = self.is_at_least();
        f.debug_struct("Seen").field("after", &self.after()).field("at_least", &at_least).finish()
    }
}

/// Whether a file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was there before.
    Open,
    /// It was opened since the reading before, or one of the few before that.
    New {
        /// For how many more readings to say so.
        left: u8,
    },
    /// It is closed, and shown for a little longer.
    Closed {
        /// For how many more readings.
        left: u8,
    },
    /// The latest reading was not complete and doesn't hold it: it may be there or not.
    Unconfirmed,
}

/// Whether a number changed lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// For how many more readings to say so.
    left: u8,
}

impl Changed {
    /// Whether it is to be pointed out.
    pub fn is_recent(self) -> bool {
        self.left > 0
    }

    fn next(self, changed: bool) -> Self {
        Self { left: if changed { MARK_READINGS } else { self.left.saturating_sub(1) } }
    }
}

impl TrackedFile {
    /// A file that was found when nobody compares readings, so long after the first.
    pub fn found(file: Arc<File>, elapsed: Duration) -> Self {
        Self {
            file,
            seen: Seen::at_least_since(elapsed),
            track: None,
            presence: Presence::Open,
            recv: Changed::default(),
            send: Changed::default(),
        }
    }

    /// The same file in the next reading.
    pub(super) fn continued(&self, file: Arc<File>, groups: &mut Groups) -> Self {
        let presence = match self.presence {
            Presence::New { left } if left > 0 => Presence::New { left: left - 1 },
            Presence::New { .. }
            | Presence::Open
            | Presence::Closed { .. }
            | Presence::Unconfirmed => Presence::Open,
        };
        let (recv, send) = if Arc::ptr_eq(&self.file, &file) {
            (false, false)
        } else {
            let (old_recv, old_send) = self.file.queued();
            let (recv, send) = file.queued();
            (differ(old_recv, recv), differ(old_send, send))
        };
        let mut track = self.track;
        if let Some(track) = &mut track {
            groups.stay(track, &self.file, &file, self.seen);
        }
        Self {
            recv: self.recv.next(recv),
            send: self.send.next(send),
            file,
            seen: self.seen,
            track,
            presence,
        }
    }

    /// Whether `file`, which has the same place in a later reading, is this one. The inode is
    /// looked at because the kernel may use the memory of a file that was closed for the next.
    pub(super) fn is(&self, file: &File) -> bool {
        let inodes = self.file.ino.get().zip(file.ino.get());
        self.file.key() == file.key() && inodes.is_none_or(|(mine, other)| mine == other)
    }

    /// The row that is left when the next reading doesn't hold the file; none when it has
    /// been shown as closed for long enough.
    pub(super) fn missing(&self, complete: bool, groups: &mut Groups) -> Option<Self> {
        match self.track {
            Some(track) if !self.is_closed() && complete => groups.go(track, self.seen),
            Some(track) if !self.is_closed() => groups.doubt(track, &self.file, self.seen),
            _ => {}
        }
        let presence = match self.presence {
            Presence::Closed { left: 0 } => return None,
            Presence::Closed { left } => Presence::Closed { left: left - 1 },
            _ if complete => Presence::Closed { left: MARK_READINGS - 1 },
            _ => Presence::Unconfirmed,
        };
        let (recv, send) = (Changed::default(), Changed::default());
        Some(Self { presence, recv, send, ..self.clone() })
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.presence, Presence::Closed { .. })
    }
}

/// Whether messages or bytes are known to have changed. Memory doesn't count: it moves when
/// nothing else does.
fn differ(old: Option<Queued>, new: Option<Queued>) -> bool {
    let Some((old, new)) = old.zip(new) else { return false };
    let differ = |old: Option<u64>, new: Option<u64>| old.zip(new).is_some_and(|(a, b)| a != b);
    differ(old.messages, new.messages) || differ(old.payload, new.payload)
}
