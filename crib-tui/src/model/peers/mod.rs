//! The other end of a file, and who else holds it: found among the files of all processes.
//!
//! Nothing in a process's own files says who is at their other ends. One sweep over every
//! descriptor of every process does: [`Search`] says which of them matter, [`Sweep`] keeps those,
//! and [`Sweep::ends`] finds for one file the two things that can be known of it.

mod absent;
mod key;
mod sweep;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::{AccessMode, File, Kind, Text};

pub use absent::Absent;
pub use key::Search;
pub use sweep::Sweep;
pub(super) use text::{holders, peers};

/// Descriptors that are listed of one open file: more are counted.
pub const LISTED: usize = 100;

/// A descriptor of some process, and the open file that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The process.
    pub pid: u32,
    /// The name of its command.
    pub comm: Text,
    /// The descriptor, as [`File::fd`], the thread whose table it is in, and what is behind it.
    pub file: Arc<File>,
}

impl Held {
    /// Where it stands: process, thread with a table of its own, descriptor.
    pub fn place(&self) -> (u32, Option<u32>, Option<u32>) {
        (self.pid, self.file.tid, self.file.fd)
    }

    /// As the documents show it.
    fn document(&self, mode: bool) -> HeldDocument<'_> {
        HeldDocument {
            pid: self.pid,
            comm: &self.comm,
            fd: self.file.fd,
            tid: self.file.tid,
            mode: mode.then_some(self.file.mode),
        }
    }
}

#[derive(Serialize)]
struct HeldDocument<'a> {
    pid: u32,
    comm: &'a Text,
    fd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Option<AccessMode>>,
}

/// Descriptors, by process, thread and number: at most [`LISTED`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The first ones.
    pub held: Vec<Held>,
    /// How many there are in all.
    pub all: usize,
}

impl Listed {
    /// How many are not listed.
    pub fn more(&self) -> usize {
        self.all.saturating_sub(self.held.len())
    }
}

/// What is at the other end of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Descriptors: at least one.
    Found(Listed),
    /// None that could be found.
    Absent(Absent),
}

impl Peers {
    /// The descriptors that were found.
    pub fn held(&self) -> &[Held] {
        match self {
            Self::Found(listed) => &listed.held,
            Self::Absent(_) => &[],
        }
    }

    /// One of the descriptors: of another process than `pid` where there is one.
    pub fn first_but(&self, pid: u32) -> Option<&Held> {
        let held = self.held();
        held.iter().find(|held| held.pid != pid).or(held.first())
    }
}

/// A list of descriptors, with their access modes.
impl Serialize for Peers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let held = self.held();
        let mut list = serializer.serialize_seq(Some(held.len()))?;
        held.iter().try_for_each(|held| list.serialize_element(&held.document(true)))?;
        list.end()
    }
}

/// What one sweep tells of one open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// What kind of file it is.
    pub kind: Kind,
    /// What is at its other end.
    pub peers: Arc<Peers>,
    /// Every descriptor of this very open file, the one that was asked about among them: what
    /// dup(2), fork(2) and SCM_RIGHTS made of it. None where that could not be learnt.
    pub holders: Option<Listed>,
}

impl Ends {
    /// The descriptors of the same open file, but for the one at this place.
    pub fn others(
        &self,
        place: (u32, Option<u32>, Option<u32>),
    ) -> Option<impl Iterator<Item = &Held> + Clone> {
        let holders = self.holders.as_ref()?;
        Some(holders.held.iter().filter(move |held| held.place() != place))
    }
}

/// The fields that they add to the document of a file.
impl Serialize for Ends {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Eventfd<'a> {
            peers: &'a Peers,
        }
        struct Holders<'a>(&'a Listed);
        impl Serialize for Holders<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.held.iter().map(|held| held.document(false)))
            }
        }
        let is_eventfd = self.kind == Kind::Eventfd;
        let mut fields = serializer.serialize_struct("Ends", 2 + usize::from(is_eventfd))?;
        fields.serialize_field("holders", &self.holders.as_ref().map(Holders))?;
        fields.serialize_field("holder_count", &self.holders.as_ref().map(|listed| listed.all))?;
        if is_eventfd {
            fields.serialize_field("eventfd", &Eventfd { peers: &self.peers })?;
        }
        fields.end()
    }
}
