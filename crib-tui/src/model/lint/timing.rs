//! Since when something about a file has been as it is: what lints that speak of "for long" go by.

use std::time::Duration;

use crate::model::{File, Queued, State};

/// What comparing readings tells of a file that one reading can't. Few files have one: those in
/// which something waits, that are in CLOSE-WAIT, that dropped messages, or whose peer has gone.
///
/// Moments are counted from the first reading, as ages are ([`Seen`](crate::model::Seen)), by a
/// clock that nobody sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Since when something has been waiting for its reader, of which nothing was seen to be
    /// taken: by then it was there.
    pub recv: Option<Duration>,
    /// The same of what it has to send.
    pub send: Option<Duration>,
    /// Since when the connection has been in CLOSE-WAIT.
    pub close_wait: Option<Duration>,
    /// When messages were dropped last.
    pub drops: Option<Drops>,
    /// Whether a connected unix socket that has no peer was seen with one, as connected as now.
    pub lost_peer: bool,
}

/// Messages that were dropped while the socket was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drops {
    /// How many, in all.
    pub count: u64,
    /// The reading before the first of them was seen.
    pub since: Duration,
    /// The reading in which the last of them was seen.
    pub last: Duration,
}

impl Timing {
    /// Of a file that is seen for the first time; none where there is nothing to say.
    pub fn begin(file: &File, now: Duration) -> Option<Self> {
        Self::after(None, file, now).worth_keeping()
    }

    /// Of a file that has changed since an earlier reading, of the time `then`.
    pub fn next(
        (old, known): (&File, Option<&Self>),
        then: Duration,
        file: &File,
        now: Duration,
    ) -> Option<Self> {
        let known = known.copied().unwrap_or_default();
        Self::after(Some((old, known, then)), file, now).worth_keeping()
    }

    fn worth_keeping(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    fn after(before: Option<(&File, Self, Duration)>, file: &File, now: Duration) -> Self {
        let (recv, send) = queued(file);
        let (old_recv, old_send) = before.map(|(old, ..)| queued(old)).unwrap_or_default();
        let known = before.map(|(_, known, _)| known).unwrap_or_default();
        let state = file.socket.as_deref().and_then(|socket| socket.state);
        let drops = before.and_then(|(old, known, then)| drops(old, known.drops, then, file, now));
        Self {
            // A reader's memory moves when nothing else does; a sender's is what it is charged
            // for what was not taken yet.
            recv: kept(old_recv.zip(known.recv), recv, now, false),
            send: kept(old_send.zip(known.send), send, now, true),
            close_wait: is_close_wait(state).then(|| known.close_wait.unwrap_or(now)),
            drops,
            lost_peer: lacks_peer(file)
                && (known.lost_peer || before.is_some_and(|(old, ..)| has_peer(old))),
        }
    }
}

fn lacks_peer(file: &File) -> bool {
    file.socket.as_deref().is_some_and(super::socket::lacks_peer)
}

fn has_peer(file: &File) -> bool {
    let peer = file.socket.as_deref().and_then(|socket| socket.peer);
    peer.is_some_and(|peer| peer.ino.is_some())
}

fn is_close_wait(state: Option<State>) -> bool {
    state == Some(State::CLOSE_WAIT)
}

/// What waits in the two directions, as far as it tells that something waits or was taken.
///
/// TCP's messages do not: a FIN is one, and the kernel joins others for want of memory
/// (`tcp_collapse`).
pub(super) fn queued(file: &File) -> (Option<Queued>, Option<Queued>) {
    let (recv, send) = file.queued();
    match super::tcp::of_tcp(file) {
        None => (recv, send),
        Some(_) => {
            let bytes = |queued| Queued { messages: None, ..queued };
            (recv.map(bytes), send.map(bytes))
        }
    }
}

/// Since when a direction's queue has held something without getting smaller.
fn kept(
    before: Option<(Queued, Duration)>,
    queued: Option<Queued>,
    now: Duration,
    with_memory: bool,
) -> Option<Duration> {
    let queued = queued.filter(|queued| waits(*queued))?;
    match before {
        Some((old, since)) if !shrank(old, queued, with_memory) => Some(since),
        _ => Some(now),
    }
}

/// Whether something is known to be in it.
pub(super) fn waits(queued: Queued) -> bool {
    queued.payload.is_some_and(|bytes| bytes > 0)
        || queued.messages.is_some_and(|messages| messages > 0)
}

/// Whether something was taken out of it, as far as can be seen: what is unknown in one of the
/// two readings may have been.
fn shrank(old: Queued, new: Queued, with_memory: bool) -> bool {
    let less = |old: Option<u64>, new: Option<u64>| match (old, new) {
        (Some(old), Some(new)) => new < old,
        (None, None) => false,
        _ => true,
    };
    less(old.messages, new.messages)
        || less(old.payload, new.payload)
        || (with_memory && less(old.memory, new.memory))
}

fn drops(
    old: &File,
    known: Option<Drops>,
    then: Duration,
    file: &File,
    now: Duration,
) -> Option<Drops> {
    let count = |file: &File| file.socket.as_deref().and_then(|socket| socket.drops);
    match (count(old), count(file)) {
        (Some(old), Some(new)) if new > old => {
            let (before, since) = known.map_or((0, then), |known| (known.count, known.since));
            Some(Drops { count: before + (new - old), since, last: now })
        }
        _ => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The sample's TCP connection, changed.
    fn tcp(change: impl FnOnce(&mut crate::model::Socket)) -> File {
        let mut file = sample::files().remove(3);
        change(file.socket.as_mut().unwrap());
        file
    }

    /// The sample's unix socket, which has received so much.
    fn received(messages: Option<u64>, payload: Option<u64>) -> File {
        let mut file = sample::files().remove(4);
        file.socket.as_mut().unwrap().recv = Some(Queued { messages, payload, memory: None });
        file
    }

    /// Since when something has been waiting after these readings, one a second.
    fn waits_since(files: &[File]) -> Option<Duration> {
        let mut timing = Timing::begin(&files[0], at(0));
        for (second, pair) in (1..).zip(files.windows(2)) {
            timing =
                Timing::next((&pair[0], timing.as_ref()), at(second - 1), &pair[1], at(second));
        }
        timing.and_then(|timing: Timing| timing.recv)
    }

    #[test]
    fn what_only_grows_has_been_there_since_it_was_first_seen() {
        let some = |messages, payload| received(Some(messages), Some(payload));
        assert_eq!(waits_since(&[some(1, 5), some(1, 5), some(2, 9)]), Some(at(0)));
        assert_eq!(waits_since(&[some(0, 0), some(1, 5), some(2, 9)]), Some(at(1)));
        // An empty datagram is a message.
        assert_eq!(waits_since(&[some(1, 0), some(1, 0)]), Some(at(0)));
    }

    #[test]
    fn what_was_taken_or_may_have_been_begins_anew() {
        let some = |messages, payload| received(Some(messages), Some(payload));
        assert_eq!(waits_since(&[some(2, 9), some(1, 4)]), Some(at(1)));
        assert_eq!(waits_since(&[some(2, 9), some(2, 4)]), Some(at(1)));
        assert_eq!(waits_since(&[some(2, 9), some(0, 0)]), None);
        assert_eq!(waits_since(&[some(2, 9), some(0, 0), some(2, 9)]), Some(at(2)));
        assert_eq!(waits_since(&[some(2, 9), received(Some(2), None)]), Some(at(1)));
        assert_eq!(waits_since(&[some(2, 9), received(None, None)]), None);
        // What is never told is no reason.
        let bytes = |payload| received(None, Some(payload));
        assert_eq!(waits_since(&[bytes(5), bytes(6)]), Some(at(0)));
    }

    #[test]
    fn of_tcp_only_bytes_count() {
        let tcp = |messages, payload| {
            let (messages, payload) = (Some(messages), Some(payload));
            tcp(|socket| socket.recv = Some(Queued { messages, payload, memory: None }))
        };
        // A FIN.
        assert_eq!(waits_since(&[tcp(1, 0)]), None);
        // Joined, not read.
        assert_eq!(waits_since(&[tcp(9, 90), tcp(1, 90)]), Some(at(0)));
        assert_eq!(waits_since(&[tcp(9, 90), tcp(9, 89)]), Some(at(1)));
    }

    #[test]
    fn a_sender_that_is_charged_less_got_rid_of_something() {
        let sent = |memory| {
            tcp(|socket| {
                socket.recv = None;
                let (messages, payload) = (Some(2), Some(9));
                socket.send = Some(Queued { messages, payload, memory: Some(memory) });
            })
        };
        let first = Timing::begin(&sent(900), at(0));
        let more = Timing::next((&sent(900), first.as_ref()), at(0), &sent(950), at(1));
        assert_eq!(more.as_ref().unwrap().send, Some(at(0)));
        let less = Timing::next((&sent(950), more.as_ref()), at(1), &sent(800), at(2));
        assert_eq!(less.unwrap().send, Some(at(2)));
    }

    #[test]
    fn close_wait_begins_when_it_is_first_seen_and_ends_with_the_state() {
        let state = |state| tcp(|socket| (socket.state, socket.recv) = (Some(state), None));
        let open = Timing::begin(&state(State::ESTABLISHED), at(0));
        assert_eq!(open, None);
        let wait = state(State::CLOSE_WAIT);
        let first = Timing::next((&state(State::ESTABLISHED), None), at(0), &wait, at(1));
        assert_eq!(first.as_ref().unwrap().close_wait, Some(at(1)));
        let second = Timing::next((&wait, first.as_ref()), at(1), &wait, at(2));
        assert_eq!(first, second);
        let last = Timing::next((&wait, second.as_ref()), at(2), &state(State::Tcp(9)), at(3));
        assert_eq!(last, None);
    }

    #[test]
    fn drops_are_those_since_the_first_reading() {
        let dropped = |drops| tcp(|socket| (socket.drops, socket.recv) = (drops, None));
        assert_eq!(Timing::begin(&dropped(Some(7)), at(0)), None);
        let more = Timing::next((&dropped(Some(7)), None), at(0), &dropped(Some(9)), at(1));
        let drops = more.as_ref().unwrap().drops.unwrap();
        assert_eq!(drops, Drops { count: 2, since: at(0), last: at(1) });
        let next =
            Timing::next((&dropped(Some(9)), more.as_ref()), at(1), &dropped(Some(9)), at(2));
        assert_eq!(next, more);
        let last =
            Timing::next((&dropped(Some(9)), next.as_ref()), at(2), &dropped(Some(12)), at(3));
        assert_eq!(last.unwrap().drops.unwrap(), Drops { count: 5, since: at(0), last: at(3) });
        assert_eq!(Timing::next((&dropped(None), None), at(0), &dropped(Some(5)), at(1)), None);
    }

    #[test]
    fn a_peer_is_lost_only_where_one_was_seen() {
        let unix = |peer: Option<u64>, state| {
            let mut file = sample::files().remove(4);
            let socket = file.socket.as_mut().unwrap();
            socket.state = Some(state);
            socket.peer =
                peer.map(|ino| crate::model::Peer { pid: None, fd: None, ino: Some(ino) });
            file
        };
        let there = unix(Some(7), State::ESTABLISHED);
        let gone = unix(None, State::ESTABLISHED);
        let lost = |files: &[&File]| {
            let mut timing = Timing::begin(files[0], at(0));
            for pair in files.windows(2) {
                timing = Timing::next((pair[0], timing.as_ref()), at(0), pair[1], at(1));
            }
            timing.is_some_and(|timing| timing.lost_peer)
        };
        assert!(lost(&[&there, &gone]) && lost(&[&there, &gone, &gone]));
        assert!(!lost(&[&gone, &gone]), "nobody had accepted it");
        assert!(!lost(&[&gone, &there]));
        assert!(!lost(&[&there, &unix(None, State::Unconnected), &gone]));
    }
}
