//! The sockets of a network namespace, by inode number: /proc/PID/net (proc_pid_net(5)).
//!
//! The tables hold what the kernel has hashed. A socket that is not in them (one that was reset
//! or never bound, one of another namespace or of a family without a table) is still a socket,
//! of which only the protocol's name is known.

mod address;
mod diag;
mod inet;
mod link;
mod message;
mod protocol;
mod unix;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::dir::ProcDir;
use super::parse;
use crate::model::{Family, Protocol, Queued, Socket, SocketType};

pub use protocol::by_name;

/// A socket of which nothing is known.
pub fn unknown() -> Socket {
    Socket {
        family: None,
        kind: None,
        protocol: None,
        state: None,
        local: None,
        remote: None,
        recv: None,
        send: None,
        accept: None,
        rcvbuf: None,
        sndbuf: None,
        drops: None,
        error: None,
        shutdown: None,
        peer: None,
        other_end: None,
        inflight_files: None,
        netns: None,
        peers: None,
        tcp: None,
        queues: None,
        deeper: false,
    }
}

/// A socket of which only this is known.
fn of_protocol(family: Family, kind: Option<SocketType>, number: Option<u16>) -> Socket {
    Socket {
        family: Some(family),
        kind,
        protocol: number.map(|number| Protocol { family, number }),
        inflight_files: Socket::in_flight(Some(family), None),
        ..unknown()
    }
}

/// Memory that is charged, and what follows from it: where there is none, nothing waits.
fn charged(memory: u64) -> Queued {
    let nothing = (memory == 0).then_some(0);
    Queued { messages: nothing, payload: nothing, memory: Some(memory) }
}

/// Sockets by inode number. `None` where two entries claim the same number: one of them is
/// forged by a unix socket's name with new lines in it, and which one can't be told.
type ByIno = HashMap<u64, Option<Socket>>;

/// IPPROTO_TCP.
const TCP: u16 = libc::IPPROTO_TCP as u16;

/// The sockets of one network namespace.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Unix sockets. Entries may be forged here, and stand in no other socket's way.
    unix: ByIno,
    /// All others.
    others: ByIno,
    netns: Option<u64>,
}

/// A table of /proc/PID/net, and what reads its text.
type Table = (&'static str, fn(&[u8], &mut dyn FnMut(u64, Socket)));

const TABLES: &[Table] = &[
    ("net/tcp", |text, add| inet::tcp(text, Family::INET, add)),
    ("net/tcp6", |text, add| inet::tcp(text, Family::INET6, add)),
    ("net/udp", |text, add| inet::datagram(text, Family::INET, inet::Datagram::Udp, add)),
    ("net/udp6", |text, add| inet::datagram(text, Family::INET6, inet::Datagram::Udp, add)),
    ("net/udplite", |text, add| inet::datagram(text, Family::INET, inet::Datagram::UdpLite, add)),
    ("net/udplite6", |text, add| inet::datagram(text, Family::INET6, inet::Datagram::UdpLite, add)),
    ("net/icmp", |text, add| inet::datagram(text, Family::INET, inet::Datagram::Ping, add)),
    ("net/icmp6", |text, add| inet::datagram(text, Family::INET6, inet::Datagram::Ping, add)),
    ("net/raw", |text, add| inet::datagram(text, Family::INET, inet::Datagram::Raw, add)),
    ("net/raw6", |text, add| inet::datagram(text, Family::INET6, inet::Datagram::Raw, add)),
    ("net/unix", |text, add| unix::parse(text, add)),
    ("net/netlink", |text, add| link::netlink(text, add)),
    ("net/packet", |text, add| link::packet(text, add)),
];

impl Sockets {
    /// Reads the tables of the namespace that the process is in. A table that this kernel does
    /// not have is one without entries.
    pub fn read(dir: &ProcDir) -> Self {
        let mut sockets = Self { netns: netns(dir), ..Self::default() };
        for (name, parse) in TABLES {
            if let Ok(text) = dir.read(name) {
                parse(&text, &mut |ino, socket| sockets.add(ino, socket));
            }
        }
        if sockets.netns.is_some() && sockets.netns == own_netns() {
            diag::refine(&mut sockets.others, &mut sockets.unix);
        }
        sockets
    }

    fn add(&mut self, ino: u64, mut socket: Socket) {
        socket.netns = self.netns;
        let table = if is_unix(&socket) { &mut self.unix } else { &mut self.others };
        match table.entry(ino) {
            Entry::Vacant(entry) => {
                entry.insert(Some(socket));
            }
            // A table that changes while it is read can show a socket twice.
            Entry::Occupied(mut entry) => {
                if entry.get().as_ref().is_some_and(|first| !same_socket(first, &socket)) {
                    entry.insert(None);
                }
            }
        }
    }

    /// What the tables say of the socket with this inode number, of which so much is `known`: what
    /// is not known to be a unix socket is looked for in no table where an entry may be forged.
    pub fn get(&self, ino: u64, known: &Socket) -> Option<&Socket> {
        let table = if is_unix(known) { &self.unix } else { &self.others };
        let found = table.get(&ino)?.as_ref()?;
        can_be(found, known).then_some(found)
    }

    /// Bytes that wait in the socket with this inode number, received and sent, as far as the tables
    /// say. A forged entry says nothing of them.
    pub fn waiting(&self, ino: u64) -> (Option<u64>, Option<u64>) {
        let found = self.others.get(&ino).or_else(|| self.unix.get(&ino));
        let socket = found.and_then(Option::as_ref);
        let payload = |queued: Option<Queued>| queued?.payload;
        (socket.and_then(|s| payload(s.recv)), socket.and_then(|s| payload(s.send)))
    }
}

fn is_unix(socket: &Socket) -> bool {
    socket.family == Some(Family::UNIX)
}

/// Whether two entries can be of one socket at two moments.
fn same_socket(one: &Socket, other: &Socket) -> bool {
    let constant = |socket: &Socket| (socket.family, socket.kind, socket.protocol);
    constant(one) == constant(other) && one.local == other.local
}

/// Whether an entry can be of a socket of which so much is known.
fn can_be(entry: &Socket, known: &Socket) -> bool {
    let number = |socket: &Socket| socket.protocol.map(|protocol| protocol.number);
    let numbers = (number(entry), number(known));
    // MPTCP's are in TCP's tables, by the connections that they consist of.
    let in_tcp = numbers == (Some(TCP), Some(protocol::MPTCP));
    agree(entry.family, known.family)
        && agree(entry.kind, known.kind)
        && (in_tcp || agree(numbers.0, numbers.1))
}

/// Whether two values are the same, as far as both are known.
fn agree<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

/// The inode number of the process's network namespace; none where it may not be seen.
pub fn netns(dir: &ProcDir) -> Option<u64> {
    let text = dir.link("ns/net").ok()?;
    parse::decimal(text.strip_prefix(b"net:[")?.strip_suffix(b"]")?)
}

/// The network namespace that sock_diag answers for.
fn own_netns() -> Option<u64> {
    netns(&ProcDir::open(std::process::id()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(local: &str) -> Socket {
        Socket { local: Some(local.into()), ..of_protocol(Family::UNIX, None, None) }
    }

    #[test]
    fn two_entries_that_contradict_each_other_tell_nothing() {
        let mut sockets = Sockets::default();
        let known = of_protocol(Family::UNIX, None, None);
        sockets.add(7, named("/a"));
        sockets.add(7, named("/a"));
        assert!(sockets.get(7, &known).is_some());
        sockets.add(7, named("/b"));
        assert_eq!(sockets.get(7, &known), None);
        sockets.add(7, named("/b"));
        assert_eq!(sockets.get(7, &known), None);
    }

    /// The table of unix sockets, one of which has a name that goes on with an entry for the inode
    /// number 7.
    fn with_forged() -> Sockets {
        let text = b"00000000c0144d84: 00000002 00000000 00000000 0001 01 9 @x\n\
            ffff: 00000002 00000000 00010000 0001 01 7 /run/evil.sock\n";
        let mut sockets = Sockets::default();
        unix::parse(text, &mut |ino, socket| sockets.add(ino, socket));
        assert!(sockets.get(7, &of_protocol(Family::UNIX, None, None)).is_some());
        sockets
    }

    #[test]
    fn a_forged_entry_is_of_no_socket_of_another_family_or_type() {
        let stream = Some(SocketType(libc::SOCK_STREAM as u16));
        let mut sockets = with_forged();
        let tcp = of_protocol(Family::INET, stream, Some(TCP));
        assert_eq!(sockets.get(7, &tcp), None);
        assert_eq!(sockets.get(7, &unknown()), None);
        assert_eq!(sockets.waiting(7), (None, None));
        let datagrams = Some(SocketType(libc::SOCK_DGRAM as u16));
        assert_eq!(sockets.get(7, &of_protocol(Family::UNIX, datagrams, None)), None);
        // Nor does it hide the true one.
        let entry = Socket { recv: Some(charged(0)), ..tcp.clone() };
        sockets.add(7, entry.clone());
        assert_eq!(sockets.get(7, &tcp), Some(&entry));
        assert_eq!(sockets.get(7, &unknown()), Some(&entry));
        assert_eq!(sockets.waiting(7), (Some(0), None));
        let udp = of_protocol(Family::INET, datagrams, Some(17));
        assert_eq!(sockets.get(7, &udp), None);
        let mptcp = of_protocol(Family::INET, stream, Some(protocol::MPTCP));
        assert_eq!(sockets.get(7, &mptcp), Some(&entry));
    }

    #[test]
    fn no_memory_means_nothing_waits() {
        assert_eq!(charged(0).payload, Some(0));
        assert_eq!(charged(1664), Queued { memory: Some(1664), ..Queued::default() });
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_table_panic(bytes: Vec<u8>) {
            for (_, parse) in TABLES {
                parse(&bytes, &mut |_, _| ());
            }
        }

        #[test]
        fn no_words_make_a_table_panic(text in "([0-9A-F:]{1,40} {0,3}\n?){0,40}") {
            for (_, parse) in TABLES {
                parse(text.as_bytes(), &mut |_, _| ());
            }
        }
    }
}
