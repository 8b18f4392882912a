//! A file's cells: what stands in the table's columns and in the lines about one file.

use std::borrow::Cow;

use crate::model::{Family, File, Kind, Pipe, Socket, State, Text};
use crate::tui::format::{bytes, name as safe};
use crate::tui::theme::Glyphs;

/// What a file is known by: its path, or what a socket is and whom it talks to, and in which
/// state.
pub fn name(file: &File, glyphs: &Glyphs) -> String {
    let path = file.path.as_ref().map(|path| safe(path, glyphs));
    let mut text = match file.socket.as_deref() {
        Some(socket) => endpoints(socket, path.as_deref(), glyphs),
        None => path.unwrap_or_default(),
    };
    if let Some(tid) = file.tid {
        text.insert_str(0, &format!("[thread {tid}] "));
    }
    if file.deleted == Some(true) {
        text.push_str(" (deleted)");
    }
    if let Some(state) = state(file) {
        text.push(' ');
        text.push_str(&state);
    }
    text
}

/// A connection's state, with how many connections wait for accept(2) and how many may, or
/// that a pipe has lost its other end.
pub fn state(file: &File) -> Option<Cow<'static, str>> {
    if let Some(Pipe { readers, writers, .. }) = file.pipe.as_deref() {
        return match (readers, writers) {
            (Some(0), _) => Some(Cow::Borrowed("no reader")),
            (_, Some(0)) => Some(Cow::Borrowed("no writer")),
            _ => None,
        };
    }
    let socket = file.socket.as_deref()?;
    let state = socket.state?;
    match socket.accept {
        Some(accept) if state == State::LISTEN => {
            Some(format!("{} {}/{}", state.name(), accept.pending, accept.max).into())
        }
        _ => Some(state.name()),
    }
}

/// `tcp 127.0.0.1:80 → 127.0.0.1:4711`. A socket without an address is known by its inode, as
/// other tools know it; the other end of a unix socket by who holds it.
fn endpoints(socket: &Socket, path: Option<&str>, glyphs: &Glyphs) -> String {
    let address = |address: &Option<Text>| {
        address.as_ref().filter(|text| !text.is_empty()).map(|text| safe(text, glyphs))
    };
    let mut text = label(socket).into_owned();
    let local = address(&socket.local);
    if let Some(local) = local.as_deref().or(path) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(local);
    }
    if let Some(remote) = address(&socket.remote).or_else(|| peer(socket)) {
        text.push_str(&format!(" {} {remote}", glyphs.arrow));
    }
    text
}

/// Who holds a socket's other end, as far as is known.
pub fn peer(socket: &Socket) -> Option<String> {
    let peer = socket.peer?;
    match (peer.pid, peer.fd, peer.ino) {
        (Some(pid), Some(fd), _) => Some(format!("pid {pid} fd {fd}")),
        (Some(pid), None, _) => Some(format!("pid {pid}")),
        (None, _, Some(ino)) => Some(format!("socket:[{ino}]")),
        (None, _, None) => None,
    }
}

/// What sort of socket it is, in a word or two: `tcp`, `unix dgram`, `netlink route`.
pub fn label(socket: &Socket) -> Cow<'static, str> {
    let Some(family) = socket.family else { return Cow::Borrowed("") };
    match (family, socket.protocol, socket.kind) {
        // Zero is the family's default protocol: the type says more.
        (Family::INET | Family::INET6, Some(protocol), _) if protocol.number != 0 => {
            protocol.name()
        }
        (Family::NETLINK | Family::PACKET, Some(protocol), _) => {
            format!("{} {}", family.name(), protocol.name()).into()
        }
        (_, _, Some(kind)) => format!("{} {}", family.name(), kind.name()).into(),
        (_, _, None) => family.name(),
    }
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
    let size = file.size.filter(|_| sized).map(amount).unwrap_or_default();
    match file.pos {
        Some(pos) if pos != 0 && file.size.filter(|_| sized) == Some(pos) => format!("{size}/end"),
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
        assert_eq!(state(&file).unwrap(), "LISTEN 3/128");
    }

    #[test]
    fn a_pipe_says_that_its_other_end_is_gone() {
        let mut file = sample::files().remove(1);
        assert_eq!(state(&file), None);
        file.pipe.as_mut().unwrap().writers = Some(0);
        assert_eq!(state(&file).unwrap(), "no writer");
    }

    #[test]
    fn sizes_are_for_what_has_one() {
        let file = |kind, size, pos| File { kind, size, pos, ..File::unknown(Some(1)) };
        assert_eq!(size_and_pos(&file(Kind::Regular, Some(12 << 20), Some(4096))), "12M/4K");
        assert_eq!(size_and_pos(&file(Kind::Regular, Some(4096), Some(4096))), "4K/end");
        assert_eq!(size_and_pos(&file(Kind::Regular, Some(0), Some(0))), "0");
        assert_eq!(size_and_pos(&file(Kind::Char, Some(0), Some(4096))), "/4K");
        assert_eq!(size_and_pos(&file(Kind::Socket, Some(0), Some(0))), "");
        assert_eq!(size_and_pos(&file(Kind::Regular, None, None)), "");
        assert_eq!(size_and_pos(&file(Kind::Char, None, Some(-1))), "/-1");
    }
}
