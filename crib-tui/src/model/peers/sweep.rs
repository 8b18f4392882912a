//! The descriptors that one sweep over all processes found, and how they belong together.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::SystemTime;

use super::absent::Absent;
use super::key::{self, Flow, OpenKey, PipeKey};
use super::{Ends, Held, LISTED, Listed, Peers};
use crate::model::{File, FileId, Kind, Source, State};

/// The descriptors of all processes that matter to some files, at one moment.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Where it came from.
    pub source: Source,
    /// When it was begun.
    pub time: SystemTime,
    /// Whether the files of every process could be looked at.
    pub complete: bool,
    /// By process, thread and descriptor.
    held: Vec<Held>,
    by_file: Index<OpenKey>,
    by_pipe: Index<PipeKey>,
    by_unix: Index<u64>,
    by_unix_peer: Index<u64>,
    by_flow: Index<Flow>,
    /// Whatever their namespaces are.
    by_addresses: Index<Flow>,
}

/// Places in the list of descriptors.
type Index<K> = HashMap<K, Vec<u32>>;

/// Process, thread with a table of its own, descriptor.
type Place = (u32, Option<u32>, Option<u32>);

impl Sweep {
    /// Of these descriptors, in any order. A file's identity has to be that of the open file, or
    /// none: not what it was opened on.
    pub fn new(source: Source, time: SystemTime, complete: bool, mut held: Vec<Held>) -> Self {
        held.sort_by_key(Held::place);
        held.dedup_by(|one, other| one.place() == other.place());
        let mut sweep = Self {
            source,
            time,
            complete,
            held: Vec::new(),
            by_file: Index::new(),
            by_pipe: Index::new(),
            by_unix: Index::new(),
            by_unix_peer: Index::new(),
            by_flow: Index::new(),
            by_addresses: Index::new(),
        };
        for (place, Held { file, .. }) in (0..).zip(&held) {
            note(&mut sweep.by_file, key::open(file.id, file), place);
            note(&mut sweep.by_pipe, key::pipe(file), place);
            note(&mut sweep.by_unix, key::unix(file), place);
            note(&mut sweep.by_unix_peer, key::unix_peer(file), place);
            let flow = file.socket.as_deref().and_then(Flow::of);
            note(&mut sweep.by_flow, flow, place);
            note(&mut sweep.by_addresses, flow.map(Flow::anywhere), place);
        }
        sweep.held = held;
        sweep
    }

    /// All of them, by process, thread and descriptor.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// The file that a process has under this descriptor, as the sweep found it: none where it
    /// was closed before.
    pub fn at(&self, pid: u32, tid: Option<u32>, fd: Option<u32>) -> Option<&Held> {
        let place = (pid, tid, fd);
        let at = self.held.binary_search_by_key(&place, Held::place).ok()?;
        self.held.get(at)
    }

    /// What there is to know of a file: of the one that `pid` holds, where it is held at all.
    ///
    /// The file has to be one of those that the search was for. Where the sweep met it again,
    /// under the same descriptor, it is taken as it was then.
    pub fn ends(&self, pid: u32, file: &File) -> Ends {
        let now = self.at(pid, file.tid, file.fd).filter(|held| self.is_same(&held.file, file));
        let id = match now {
            Some(held) => held.file.id,
            None => file.id.filter(|_| self.source == Source::Bpf),
        };
        let file = now.map_or(file, |held| &held.file);
        let peers = self.peers((pid, file.tid, file.fd), file, id);
        let peers = match peers.all {
            // Who else holds it is not known.
            0 if file.kind == Kind::Eventfd && id.is_none() => Peers::Absent(Absent::NotInProc),
            0 => Peers::Absent(Absent::of(file, self)),
            _ => Peers::Found(peers),
        };
        let all = |key| self.listed_but(places(&self.by_file, Some(key)), None);
        let holders = key::open(id, file).map(all);
        Ends { kind: file.kind, peers: Arc::new(peers), holders }
    }

    /// Whether what is under a descriptor now is what was asked about.
    pub fn is_same(&self, now: &File, asked: &File) -> bool {
        match self.source {
            Source::Bpf => now.id.is_none() || asked.id.is_none() || now.id == asked.id,
            // Its identities are made anew by each sweep.
            Source::Procfs => (now.kind, now.ino, now.dev) == (asked.kind, asked.ino, asked.dev),
        }
    }

    /// The descriptors at the other end of the file at a place, whose identity this is.
    fn peers(&self, own: Place, file: &File, id: Option<FileId>) -> Listed {
        let at = |&place: &u32| &self.held[place as usize];
        if file.kind == Kind::Eventfd {
            // Its counter belongs to one open file: whoever else holds it is the other end.
            return self.listed_but(places(&self.by_file, key::open(id, file)), Some(own));
        }
        if let Some(pipe) = key::pipe(file) {
            let mode = file.mode.unwrap_or_default();
            let is_other = |held: &Held| {
                let theirs = held.file.mode.unwrap_or_default();
                let answers = (mode.read && theirs.write) || (mode.write && theirs.read);
                // A FIFO may be open for both: it is no other end of itself.
                let same = held.place() == own || (id.is_some() && held.file.id == id);
                answers && !same
            };
            let ends = places(&self.by_pipe, Some(pipe)).iter().copied();
            return self.listed(ends.filter(|place| is_other(at(place))));
        }
        let Some(socket) = file.socket.as_deref() else { return Listed::default() };
        if let Some(ino) = key::unix(file) {
            if socket.state == Some(State::LISTEN) {
                return Listed::default();
            }
            // Whom it sends to, and, for datagrams, who sends to it.
            let to = places(&self.by_unix, key::unix_peer(file));
            let from = places(&self.by_unix_peer, Some(ino));
            let mut both = [to, from].concat();
            both.sort_unstable();
            both.dedup();
            return self.listed(both.into_iter());
        }
        let other = Flow::of(socket).map(Flow::reversed);
        self.listed(places(&self.by_flow, other).iter().copied())
    }

    /// A socket in another network namespace that has a connection's addresses the other way
    /// round: its other end, where these namespaces are joined and nothing translates addresses.
    pub(super) fn in_another_namespace(&self, flow: Flow) -> Option<(&Held, Flow)> {
        let other = flow.reversed().anywhere();
        let held = &self.held[*places(&self.by_addresses, Some(other)).first()? as usize];
        Some((held, Flow::of(held.file.socket.as_deref()?)?))
    }

    /// Those in these places, which are in ascending order, but for one. How many there are is no
    /// matter: each of very many descriptors of an eventfd is asked for the others.
    fn listed_but(&self, places: &[u32], own: Option<Place>) -> Listed {
        let own = own.and_then(|own| self.held.binary_search_by_key(&own, Held::place).ok());
        let own = own.and_then(|own| places.binary_search(&u32::try_from(own).ok()?).ok());
        let others = places.iter().enumerate().filter(|&(index, _)| Some(index) != own);
        let held = others.take(LISTED).map(|(_, &at)| self.held[at as usize].clone()).collect();
        Listed { all: places.len() - usize::from(own.is_some()), held }
    }

    fn listed(&self, places: impl Iterator<Item = u32>) -> Listed {
        let mut listed = Listed::default();
        for at in places {
            listed.all += 1;
            if listed.held.len() < LISTED {
                listed.held.push(self.held[at as usize].clone());
            }
        }
        listed
    }
}

fn note<K: Hash + Eq>(index: &mut Index<K>, key: Option<K>, place: u32) {
    if let Some(key) = key {
        index.entry(key).or_default().push(place);
    }
}

fn places<K: Hash + Eq>(index: &Index<K>, key: Option<K>) -> &[u32] {
    key.and_then(|key| index.get(&key)).map_or(&[], Vec::as_slice)
}
