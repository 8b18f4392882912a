//! /proc/PID/net/unix (net/unix/af_unix.c, `unix_seq_show`).

use super::of_protocol;
use crate::model::{Family, Socket, SocketType, State, Text};
use crate::procfs::parse::{decimal, hex, lines};

/// `__SO_ACCEPTCON` (include/uapi/linux/net.h).
const LISTENS: u64 = 0x1_0000;

// socket_state in include/uapi/linux/net.h
const SS_UNCONNECTED: u8 = 1;
const SS_CONNECTED: u8 = 3;

/// An entry without its path.
struct Entry {
    flags: u64,
    kind: u16,
    state: u8,
    ino: u64,
}

impl Entry {
    /// Reads `Num: RefCount Protocol Flags Type St Inode`, and gives what follows: nothing, or
    /// a blank and the path.
    fn parse(line: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = line;
        let mut word = || {
            // Numbers are padded with blanks in front, the path must not lose its own.
            let start = rest.iter().position(|&byte| byte != b' ')?;
            let len = rest[start..].iter().position(|&byte| byte == b' ');
            let end = len.map_or(rest.len(), |len| start + len);
            let word = &rest[start..end];
            rest = &rest[end..];
            Some(word)
        };
        hex::<u64>(word()?.strip_suffix(b":")?)?;
        hex::<u64>(word()?)?;
        hex::<u64>(word()?)?;
        let flags = hex(word()?)?;
        let kind = hex(word()?)?;
        let state = hex(word()?)?;
        let ino = decimal(word()?)?;
        Some((Self { flags, kind, state, ino }, rest))
    }

    fn socket(&self, path: &[u8]) -> Socket {
        let state = match (self.flags & LISTENS != 0, self.state) {
            (true, _) => Some(State::LISTEN),
            (false, SS_CONNECTED) => Some(State::ESTABLISHED),
            (false, SS_UNCONNECTED) => Some(State::Unconnected),
            _ => None,
        };
        // An abstract name, in which another `@` may be a NUL byte.
        let ambiguous = path.strip_prefix(b"@").is_some_and(|name| name.contains(&b'@'));
        Socket {
            state,
            local: (!ambiguous).then(|| Text::from(path)),
            ..of_protocol(Family::UNIX, Some(SocketType(self.kind)), None)
        }
    }
}

/// Reads the table. A name is printed as it is: one with new lines in it goes on in the next
/// line, and the NUL bytes in an abstract one appear as `@`.
pub fn parse(text: &[u8], add: &mut dyn FnMut(u64, Socket)) {
    let mut pending: Option<(Entry, Vec<u8>)> = None;
    let mut finish = |pending: &mut Option<(Entry, Vec<u8>)>| {
        if let Some((entry, path)) = pending.take() {
            // 0 is a connection that nobody has accepted yet.
            if entry.ino != 0 {
                add(entry.ino, entry.socket(&path));
            }
        }
    };
    for line in lines(text) {
        if let Some((entry, path)) = Entry::parse(line) {
            finish(&mut pending);
            pending = Some((entry, path.strip_prefix(b" ").unwrap_or(path).to_vec()));
        } else if let Some((_, path)) = &mut pending {
            path.push(b'\n');
            path.extend(line);
        }
    }
    finish(&mut pending);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(u64, Socket)> {
        let mut found = Vec::new();
        parse(text, &mut |ino, socket| found.push((ino, socket)));
        found
    }

    #[test]
    fn names_may_be_missing_and_hold_blanks_and_new_lines() {
        let mut found = all(b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            000000003082d0c3: 00000003 00000000 00000000 0001 03 23979\n\
            0000000000c0a8af: 00000002 00000000 00010000 0005 01   978  /run/a b \n\
            00000000c0144d83: 00000002 00000000 00000000 0002 01 23976 /x\ny\n\nz\n\
            00000000c0144d84: 00000002 00000000 00000000 0001 02     0 /waiting\n\
            00000000c0144d85: 00000002 00000000 00000000 0002 01 23977 @abc\n\
            00000000c0144d86: 00000002 00000000 00000000 0002 01 23978 @a@c\n");
        assert_eq!(found.pop().unwrap().1.local, None);
        let names: Vec<_> = found
            .iter()
            .map(|(ino, socket)| (*ino, socket.local.clone().unwrap().as_bytes().to_vec()))
            .collect();
        assert_eq!(
            names,
            [
                (23979, b"".to_vec()),
                (978, b" /run/a b ".to_vec()),
                (23976, b"/x\ny\n\nz".to_vec()),
                (23977, b"@abc".to_vec()),
            ]
        );
        assert_eq!(found[0].1.state, Some(State::ESTABLISHED));
        assert_eq!(found[1].1.state, Some(State::LISTEN));
        assert_eq!(found[1].1.kind.unwrap().name(), "seqpacket");
        assert_eq!(found[2].1.state, Some(State::Unconnected));
        // How much waits is not told.
        assert_eq!(found[0].1.recv, None);
    }

    #[test]
    fn what_stands_before_the_first_entry_is_no_path() {
        assert_eq!(all(b"Num RefCount\n/x\n"), []);
    }
}
