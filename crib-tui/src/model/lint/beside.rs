//! What lints go by that no table tells, file by file: what TCP knows of a connection, and which
//! descriptors came from the parent.

use std::collections::HashMap;
use std::time::Duration;

use super::tcp::is_over;
use crate::model::{File, FileKey, Maybe, Tcp, Text};

/// After which time what TCP knows of a connection is read again, whatever it was: less than what
/// lints call long ([`super::LONG`]).
const READ_AGAIN: Duration = Duration::from_secs(3);

/// What was read beside the files of one reading, for lints. Most often there is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    tcp: HashMap<FileKey, KnownTcp>,
    inherited: HashMap<FileKey, Inherited>,
}

#[derive(Clone, Debug, PartialEq)]
struct KnownTcp {
    /// The inode's number of the file that it was read of.
    ino: Maybe<u64>,
    /// Whether it was in CLOSE-WAIT already, with nothing left to send.
    over: bool,
    /// How long ago it was read.
    ago: Duration,
    tcp: Box<Tcp>,
}

/// That a process has an open file from its parent, which is another program, as far as one
/// could see: what was looked for is the use of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// The parent.
    pub pid: u32,
    /// What it is called.
    pub comm: Text,
    /// For how long nothing about the file changed, and no thread was seen in a system call
    /// on it.
    pub unused: Duration,
}

impl Beside {
    /// Adds what a dump says of these files' connections.
    pub fn add_tcp(&mut self, files: Vec<File>) {
        self.tcp.extend(files.into_iter().filter_map(|mut file| {
            let over = is_over(&file);
            let tcp = file.socket.as_mut()?.tcp.take()?;
            Some((file.key(), KnownTcp { ino: file.ino, over, ago: Duration::ZERO, tcp }))
        }));
    }

    /// Adds what is known of descriptors that came from the parent.
    pub fn add_inherited(&mut self, inherited: impl IntoIterator<Item = (FileKey, Inherited)>) {
        self.inherited.extend(inherited);
    }

    /// Takes over what was known before of this very file's connection; false where nothing was.
    pub fn keep_tcp(&mut self, before: &Self, file: &File) -> bool {
        let known = before.known(file).cloned();
        known.map(|known| self.tcp.insert(file.key(), known)).is_some()
    }

    /// Takes over what was known before of a connection that is over but for being closed: all that
    /// changes of it is how long ago the last packet came. False where it has to be read again, as
    /// from time to time: the process may go on to send, and be done with that by each reading.
    pub fn age_tcp(&mut self, before: &Self, file: &File, passed: Duration) -> bool {
        let Some(known) = before.known(file) else { return false };
        let ago = known.ago.saturating_add(passed);
        if !known.over || !is_over(file) || ago >= READ_AGAIN {
            return false;
        }
        let last_ack = known.tcp.last_ack.map(|last_ack| last_ack.saturating_add(passed));
        let tcp = Box::new(Tcp { last_ack, ..Tcp::clone(&known.tcp) });
        self.tcp.insert(file.key(), KnownTcp { tcp, ago, ..*known });
        true
    }

    /// What TCP knows of this very file's connection.
    pub fn tcp(&self, file: &File) -> Option<&Tcp> {
        self.known(file).map(|known| &*known.tcp)
    }

    fn known(&self, file: &File) -> Option<&KnownTcp> {
        if self.tcp.is_empty() {
            return None;
        }
        let known = self.tcp.get(&file.key())?;
        // The kernel may have used the memory of the file that was read with the table for the
        // next one, which has its place.
        let same = known.ino.get().zip(file.ino.get()).is_none_or(|(known, ino)| known == ino);
        same.then_some(known)
    }

    /// The parent that holds the same open file.
    pub fn inherited(&self, file: &File) -> Option<&Inherited> {
        if self.inherited.is_empty() { None } else { self.inherited.get(&file.key()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileId, Queued, State, sample};

    fn connection(fd: u32, id: u64, ino: u64) -> File {
        let mut file = sample::files().remove(3);
        (file.fd, file.id, file.ino) = (Some(fd), Some(FileId::new(id)), ino.into());
        file.socket.as_mut().unwrap().tcp = None;
        file
    }

    fn with_retransmits(mut file: File, times: u32) -> File {
        let tcp = Tcp { retransmits: Some(times), ..Tcp::default() };
        file.socket.as_mut().unwrap().tcp = Some(Box::new(tcp));
        file
    }

    #[test]
    fn what_tcp_knows_is_told_of_the_very_file_alone() {
        let mut beside = Beside::default();
        beside.add_tcp(vec![
            with_retransmits(connection(3, 7, 100), 3),
            with_retransmits(connection(4, 8, 101), 4),
            connection(5, 9, 102),
        ]);
        let times = |file: &File| beside.tcp(file).and_then(|tcp| tcp.retransmits);
        assert_eq!(times(&connection(3, 7, 100)), Some(3));
        assert_eq!(times(&connection(4, 8, 101)), Some(4));
        assert_eq!(times(&connection(5, 9, 102)), None, "the dump did not tell");
        assert_eq!(times(&connection(3, 8, 100)), None, "another open file has the number");
        assert_eq!(times(&connection(3, 7, 103)), None, "another one has the memory");
        assert_eq!(times(&connection(6, 7, 100)), None, "a duplicate is read for itself");
        // Nor is anything kept for another one.
        let mut later = Beside::default();
        assert!(!later.keep_tcp(&beside, &connection(3, 8, 100)));
        assert!(later.keep_tcp(&beside, &connection(4, 8, 101)));
        let of_a_thread = File { tid: Some(9), ..connection(3, 7, 100) };
        assert_eq!(times(&of_a_thread), None);
    }

    #[test]
    fn of_a_connection_that_is_over_it_is_kept_and_the_last_packet_gets_older() {
        let state = |state, unsent| {
            let mut file = connection(3, 7, 100);
            let socket = file.socket.as_mut().unwrap();
            socket.state = Some(state);
            socket.send = Some(Queued { messages: None, payload: Some(unsent), memory: None });
            file
        };
        let known = |mut file: File| {
            let tcp = Tcp { last_ack: Some(Duration::from_secs(60)), ..Tcp::default() };
            file.socket.as_mut().unwrap().tcp = Some(Box::new(tcp));
            let mut beside = Beside::default();
            beside.add_tcp(vec![file]);
            beside
        };
        let kept = |before: &Beside, file: &File| {
            let mut beside = Beside::default();
            let kept = beside.age_tcp(before, file, Duration::from_secs(2));
            assert_eq!(kept, beside.tcp(file).is_some());
            beside.tcp(file).and_then(|tcp| tcp.last_ack)
        };
        let over = state(State::CLOSE_WAIT, 0);
        assert_eq!(kept(&known(over.clone()), &over), Some(Duration::from_secs(62)));
        let mut aged = Beside::default();
        assert!(aged.age_tcp(&known(over.clone()), &over, Duration::from_secs(2)));
        assert_eq!(kept(&aged, &over), None, "it may have sent since");
        let sending = state(State::CLOSE_WAIT, 5);
        assert_eq!(kept(&known(over.clone()), &sending), None, "it may be retransmitting");
        assert_eq!(kept(&known(sending), &over), None);
        let open = state(State::ESTABLISHED, 0);
        assert_eq!(kept(&known(open), &over), None, "the last packet was not its end");
    }
}
