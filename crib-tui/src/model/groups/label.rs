//! What the files of a group have in common: protocol and remote address, or a path without its
//! numbers.

use std::collections::HashSet;

use crate::model::{Family, File, Socket, State, Text};

/// What stands for a number that was folded.
const FOLDED: u8 = b'*';
/// From how many parts on, of digits and of letters in turn, a word is taken for a hexadecimal number.
/// Of fewer it may be a letter and a number: `f100`.
const HEX_PARTS: usize = 3;
/// The lengths of a UUID's parts, and of the dashes between them.
const UUID: [usize; 9] = [8, 1, 4, 1, 4, 1, 4, 1, 12];
/// Ports from here on are given out to connections (net.ipv4.ip_local_port_range).
const FIRST_EPHEMERAL_PORT: u16 = 32_768;

/// The ports that a process listens on, which tell a connection it took from one it made.
#[derive(Clone, Debug, Default)]
pub struct Listeners(HashSet<u16>);

impl Listeners {
    /// Adds the ports of the listening sockets among these files. A listener that was closed
    /// since still tells what its connections are.
    pub fn learn<'a>(&mut self, files: impl IntoIterator<Item = &'a File>) {
        let sockets = files.into_iter().filter_map(|file| file.socket.as_deref());
        let listening = sockets.filter(|socket| socket.state == Some(State::LISTEN));
        self.0.extend(listening.filter_map(|socket| port(socket.local.as_ref()?)));
    }
}

/// The label of a file: what it has in common with others that its process opens for the same
/// purpose.
///
/// - A socket: family, type and protocol; then `listening`, or the address that it is connected
///   to, or, of a connection that the process accepted, `accepted at` and its own address, since
///   each client has another. A unix socket's own name where the other end has none.
/// - Anything else: its path, in which each number is folded into `*`.
pub fn label(file: &File, listeners: &Listeners) -> Text {
    match (&file.socket, &file.path) {
        (Some(socket), _) => of_socket(socket, listeners),
        (None, Some(path)) => fold(path.as_bytes()).into(),
        (None, None) => file.ops.as_deref().unwrap_or_default().into(),
    }
}

fn of_socket(socket: &Socket, listeners: &Listeners) -> Text {
    let names = [
        socket.family.map(|family| family.name()),
        socket.kind.map(|kind| kind.name()),
        socket.protocol.map(|protocol| protocol.name()),
    ];
    let mut label = names.into_iter().flatten().collect::<Vec<_>>().join(" ").into_bytes();
    let mut add = |part: &[u8]| {
        label.push(b' ');
        label.extend_from_slice(part);
    };
    let named = |address: &Option<Text>| address.clone().filter(|text| !text.is_empty());
    let (local, remote) = (named(&socket.local), named(&socket.remote));
    if socket.state == Some(State::LISTEN) {
        add(b"listening");
    }
    match (socket.family, local, remote) {
        (Some(Family::INET | Family::INET6), Some(local), Some(remote)) => {
            if was_accepted(&local, &remote, listeners) {
                add(b"accepted at");
                add(local.as_bytes());
            } else {
                add(remote.as_bytes());
            }
        }
        (Some(Family::UNIX), local, remote) => {
            if let Some(name) = remote.or(local) {
                add(&fold(name.as_bytes()));
            }
        }
        _ => {}
    }
    label.into()
}

/// Whether the other end made the connection.
fn was_accepted(local: &Text, remote: &Text, listeners: &Listeners) -> bool {
    let Some((local, remote)) = port(local).zip(port(remote)) else { return false };
    listeners.0.contains(&local) || (local < FIRST_EPHEMERAL_PORT && remote >= FIRST_EPHEMERAL_PORT)
}

fn port(address: &Text) -> Option<u16> {
    let text = str::from_utf8(address.as_bytes()).ok()?;
    text.rsplit_once(':')?.1.parse().ok()
}

/// The directory of a folded path, with its slash at the end; none where there is no directory.
pub fn directory(label: &[u8]) -> Option<&[u8]> {
    let slash = label.iter().rposition(|&byte| byte == b'/')?;
    label.starts_with(b"/").then(|| &label[..=slash])
}

/// Replaces each UUID, decimal number, and hexadecimal number by `*`. Whatever their length: numbers
/// that are counted get longer, and are of the same file.
fn fold(path: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(path.len());
    let same = |a: &u8, b: &u8| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric();
    let mut runs = path.chunk_by(same);
    while let Some(run) = runs.clone().next() {
        if is_uuid(runs.clone()) {
            folded.push(FOLDED);
            runs.nth(UUID.len() - 1);
            continue;
        }
        runs.next();
        let parts = || run.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
        if run.iter().all(u8::is_ascii_hexdigit) && parts().count() >= HEX_PARTS {
            folded.push(FOLDED);
            continue;
        }
        for part in parts() {
            if part[0].is_ascii_digit() {
                folded.push(FOLDED);
            } else {
                folded.extend_from_slice(part);
            }
        }
    }
    folded
}

/// Whether a UUID stands in front (RFC 9562): hexadecimal digits, in parts of these lengths.
fn is_uuid<'a>(mut runs: impl Iterator<Item = &'a [u8]>) -> bool {
    UUID.iter().enumerate().all(|(at, &len)| {
        let Some(run) = runs.next() else { return false };
        let dash = at % 2 == 1;
        run.len() == len && if dash { run == b"-" } else { run.iter().all(u8::is_ascii_hexdigit) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, SocketType, sample};

    fn folded(path: &str) -> String {
        String::from_utf8(fold(path.as_bytes())).unwrap()
    }

    #[test]
    fn numbers_are_folded() {
        assert_eq!(folded("/var/log/app-2026-11-23.log.17"), "/var/log/app-*-*-*.log.*");
        assert_eq!(folded("pipe:[4711]"), "pipe:[*]");
        assert_eq!(folded("/tmp/1b4e28ba-2fa1-11d2-883f-0016d3cca427.json"), "/tmp/*.json");
        assert_eq!(folded("/tmp/1b4e28ba-beef-11d2-883f"), "/tmp/*-beef-*-*f");
        assert_eq!(folded("/cache/00ff00ff00/deadbeef"), "/cache/*/deadbeef");
        assert_eq!(folded(""), "");
    }

    /// Else a leak of numbered files would be two groups, of which one has stopped to grow.
    #[test]
    fn a_number_that_gets_longer_stays_the_same() {
        for prefix in ["f", "cafe", "z", "a-", "", "x1y"] {
            for suffix in ["", "a", ".log", "f0f"] {
                let name = |number: u32| folded(&format!("/tmp/{prefix}{number}{suffix}"));
                assert!((10..20_000).step_by(7).all(|number| name(number) == name(9)), "{prefix}");
            }
        }
    }

    #[test]
    fn a_directory_ends_with_its_slash() {
        assert_eq!(directory(b"/tmp/x"), Some(&b"/tmp/"[..]));
        assert_eq!(directory(b"/x"), Some(&b"/"[..]));
        assert_eq!(directory(b"pipe:[*]"), None);
        assert_eq!(directory(b"anon_inode:a/b"), None);
    }

    fn tcp(local: &str, remote: &str) -> File {
        let mut file = File::clone(&sample::reading().files[3]);
        let socket = file.socket.as_mut().unwrap();
        (socket.local, socket.remote) = (Some(local.into()), Some(remote.into()));
        socket.state = Some(State::ESTABLISHED);
        file
    }

    fn of(file: &File) -> String {
        label(file, &Listeners::default()).to_string()
    }

    #[test]
    fn a_connection_is_named_by_the_end_that_stays_the_same() {
        assert_eq!(of(&tcp("10.0.0.2:40001", "10.0.0.1:443")), "inet stream tcp 10.0.0.1:443");
        let accepted = "inet stream tcp accepted at 10.0.0.1:443";
        assert_eq!(of(&tcp("10.0.0.1:443", "10.0.0.2:40001")), accepted);
        assert_eq!(of(&tcp("0.0.0.0:0", "")), "inet stream tcp");

        let mut listener = tcp("[::]:50000", "");
        listener.socket.as_mut().unwrap().state = Some(State::LISTEN);
        assert_eq!(of(&listener), "inet stream tcp listening");
        let mut listeners = Listeners::default();
        listeners.learn([&listener]);
        let accepted = tcp("10.0.0.1:50000", "10.0.0.2:4000");
        let text = label(&accepted, &listeners).to_string();
        assert_eq!(text, "inet stream tcp accepted at 10.0.0.1:50000");
        assert_eq!(of(&accepted), "inet stream tcp 10.0.0.2:4000");
    }

    #[test]
    fn other_sockets_and_files() {
        let mut udp = tcp("", "");
        let socket = udp.socket.as_mut().unwrap();
        socket.kind = Some(SocketType(libc::SOCK_DGRAM as u16));
        socket.protocol = Some(Protocol { family: Family::INET, number: 17 });
        assert_eq!(of(&udp), "inet dgram udp");
        let mut unix = File::clone(&sample::reading().files[4]);
        let socket = unix.socket.as_mut().unwrap();
        (socket.local, socket.remote) = (Some("".into()), Some("/run/db.5432".into()));
        assert!(of(&unix).ends_with(" /run/db.*"), "{}", of(&unix));
        let mut file = File::unknown(Some(1));
        assert_eq!(of(&file), "");
        file.ops = Some("x_fops".into());
        assert_eq!(of(&file), "x_fops");
        file.path = Some("anon_inode:[eventfd]".into());
        assert_eq!(of(&file), "anon_inode:[eventfd]");
    }
}
