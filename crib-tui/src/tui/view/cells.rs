//! A file's cells: what stands in the table's columns and in the lines about one file.

use std::fmt::Write;

use crate::model::{Family, File, Kind, Pipe, Socket, State, Text};
use crate::tui::format::{bytes, push_name as push_safe};
use crate::tui::theme::Glyphs;

/// What a file is known by: its path, or what a socket is and whom it talks to, and in which
/// state.
pub fn name(file: &File, glyphs: &Glyphs) -> String {
    put_together(|text| push_name(text, file, glyphs))
}

/// As [`name`], appended to `text`.
pub fn push_name(text: &mut String, file: &File, glyphs: &Glyphs) {
    // Writing to a String does not fail, here and below.
    if let Some(tid) = file.tid {
        let _ = write!(text, "[thread {tid}] ");
    }
    match (file.socket.as_deref(), &file.path) {
        (Some(socket), path) => push_endpoints(text, socket, path.as_ref(), glyphs),
        (None, Some(path)) => push_safe(text, path, glyphs),
        (None, None) => {}
    }
    if file.deleted == Some(true) {
        text.push_str(" (deleted)");
    }
    let end = text.len();
    text.push(' ');
    push_state(text, file);
    if text.len() == end + 1 {
        text.truncate(end);
    }
}

/// A connection's state, with how many connections wait for accept(2) and how many may, or
/// that a pipe has lost its other end; empty where there is nothing to say.
pub fn state(file: &File) -> String {
    put_together(|text| push_state(text, file))
}

fn push_state(text: &mut String, file: &File) {
    if let Some(Pipe { readers, writers, .. }) = file.pipe.as_deref() {
        match (readers, writers) {
            (Some(0), _) => text.push_str("no reader"),
            (_, Some(0)) => text.push_str("no writer"),
            _ => {}
        }
        return;
    }
    let Some(socket) = file.socket.as_deref() else { return };
    let Some(state) = socket.state else { return };
    text.push_str(&state.name());
    if let Some(accept) = socket.accept.filter(|_| state == State::LISTEN) {
        let _ = write!(text, " {}/{}", accept.pending, accept.max);
    }
}

/// Appends `tcp 127.0.0.1:80 → 127.0.0.1:4711`. A socket without an address is known by its
/// inode, as other tools know it; the other end of a unix socket by who holds it.
fn push_endpoints(text: &mut String, socket: &Socket, path: Option<&Text>, glyphs: &Glyphs) {
    let start = text.len();
    let named = |address: &Option<Text>| address.as_ref().is_some_and(|text| !text.is_empty());
    push_label(text, socket);
    let local = if named(&socket.local) { socket.local.as_ref() } else { path };
    if let Some(local) = local {
        if text.len() > start {
            text.push(' ');
        }
        push_safe(text, local, glyphs);
    }
    let end = text.len();
    let _ = write!(text, " {} ", glyphs.arrow);
    let arrow = text.len();
    match &socket.remote {
        Some(remote) if !remote.is_empty() => push_safe(text, remote, glyphs),
        _ => push_peer(text, socket),
    }
    if text.len() == arrow {
        text.truncate(end);
    }
}

/// Who holds a socket's other end, as far as is known; empty where it is not.
pub fn peer(socket: &Socket) -> String {
    put_together(|text| push_peer(text, socket))
}

fn push_peer(text: &mut String, socket: &Socket) {
    let Some(peer) = socket.peer else { return };
    let _ = match (peer.pid, peer.fd, peer.ino) {
        (Some(pid), Some(fd), _) => write!(text, "pid {pid} fd {fd}"),
        (Some(pid), None, _) => write!(text, "pid {pid}"),
        (None, _, Some(ino)) => write!(text, "socket:[{ino}]"),
        (None, _, None) => Ok(()),
    };
}

/// What sort of socket it is, in a word or two: `tcp`, `unix dgram`, `netlink route`.
pub fn label(socket: &Socket) -> String {
    put_together(|text| push_label(text, socket))
}

fn push_label(text: &mut String, socket: &Socket) {
    let Some(family) = socket.family else { return };
    match (family, socket.protocol, socket.kind) {
        // Zero is the family's default protocol: the type says more.
        (Family::INET | Family::INET6, Some(protocol), _) if protocol.number != 0 => {
            text.push_str(&protocol.name());
        }
        (Family::NETLINK | Family::PACKET, Some(protocol), _) => {
            text.extend([&family.name(), " ", &protocol.name()]);
        }
        (_, _, Some(kind)) => text.extend([&family.name(), " ", &kind.name()]),
        (_, _, None) => text.push_str(&family.name()),
    }
}

fn put_together(push: impl FnOnce(&mut String)) -> String {
    let mut text = String::new();
    push(&mut text);
    text
}

/// The size, and the position in it behind a slash where it isn't at the beginning: `12M/4K`,
/// or `12M/end`.
/// A file that has no size, as a device has none, shows the position alone: `/4K`.
pub fn size_and_pos(file: &File) -> String {
    let sized = matches!(
        file.kind,
        Kind::Regular | Kind::Directory | Kind::Block | Kind::Memfd | Kind::Symlink
    );
    let amount = |amount: i64| match u64::try_from(amount) {
        Ok(amount) => bytes(amount),
        // Some devices use the whole range of 64 bits for positions.
        Err(_) => amount.to_string(),
    };
    let end = file.size.get().filter(|_| sized);
    let size = end.map(amount).unwrap_or_default();
    match file.pos.get() {
        Some(pos) if pos != 0 && end == Some(pos) => format!("{size}/end"),
        Some(pos) if pos != 0 => format!("{size}/{}", amount(pos)),
        _ => size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Accept, sample};
    use crate::tui::theme::Theme;

    #[test]
    fn a_file_is_known_by_its_path_or_its_ends() {
        let glyphs = Theme::new(true, false).glyphs;
        let names: Vec<_> =
            sample::reading().files.iter().map(|file| name(file, &glyphs)).collect();
        assert_eq!(
            names,
            [
                "/dev/pts/0",
                "pipe:[20]",
                "[thread 4243] /tmp/café\\x1b[31m (deleted)",
                "tcp 127.0.0.1:80 → 127.0.0.1:4711 ESTABLISHED",
                "unix stream socket:[1235] → pid 7 fd 4 ESTABLISHED",
                "netlink route route:100 UNCONN",
                "socket:[1240]",
                "anon_inode:[eventpoll]",
                "",
            ]
        );
    }

    #[test]
    fn a_listener_says_how_many_wait() {
        let mut file = sample::files().remove(3);
        let socket = file.socket.as_mut().unwrap();
        socket.state = Some(State::LISTEN);
        socket.accept = Some(Accept { pending: 3, max: 128 });
        assert_eq!(state(&file), "LISTEN 3/128");
    }

    #[test]
    fn a_pipe_says_that_its_other_end_is_gone() {
        let mut file = sample::files().remove(1);
        assert_eq!(state(&file), "");
        file.pipe.as_mut().unwrap().writers = Some(0);
        assert_eq!(state(&file), "no writer");
    }

    #[test]
    fn sizes_are_for_what_has_one() {
        let file = |kind, size: Option<i64>, pos: Option<i64>| File {
            kind,
            size: size.into(),
            pos: pos.into(),
            ..File::unknown(Some(1))
        };
        assert_eq!(size_and_pos(&file(Kind::Regular, Some(12 << 20), Some(4096))), "12M/4K");
        assert_eq!(size_and_pos(&file(Kind::Regular, Some(4096), Some(4096))), "4K/end");
        assert_eq!(size_and_pos(&file(Kind::Regular, Some(0), Some(0))), "0");
        assert_eq!(size_and_pos(&file(Kind::Char, Some(0), Some(4096))), "/4K");
        assert_eq!(size_and_pos(&file(Kind::Socket, Some(0), Some(0))), "");
        assert_eq!(size_and_pos(&file(Kind::Regular, None, None)), "");
        assert_eq!(size_and_pos(&file(Kind::Char, None, Some(-1))), "/-1");
    }
}
