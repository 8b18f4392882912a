//! Labels that say less, for what many files have in common that share no label: connections to one
//! port of many hosts, files below one directory.

use std::net::SocketAddr;

use super::GroupKey;
use crate::model::{Kind, Text};

/// From how many parts of a path on a directory is as good as any above it.
pub const MOST: usize = 16;
/// What stands for whatever may be there.
const ANY: &[u8] = b"*";

/// A label that takes in this one and others, the narrower the higher `width` is, which goes from
/// [`MOST`] down to 0; none where there is none of that width.
///
/// - An address that a socket is connected to, or was accepted at, becomes `*` with the port at 2, and
///   all that is said behind family, type and protocol at 1.
/// - A path becomes its first so many directories, less one, with `*` behind.
/// - At 0 there is one for all files of a kind.
pub fn wider(key: &GroupKey, width: usize) -> Option<Text> {
    let label = key.label.as_bytes();
    match (width, key.kind) {
        (0, _) => Some(Text::from(ANY)),
        (_, Kind::Socket) => of_socket(str::from_utf8(label).ok(), label, width),
        _ if label.starts_with(b"/") => of_path(label, width),
        _ => None,
    }
}

/// Whether a label of any width takes in files with this key.
pub fn takes_in(label: &Text, key: &GroupKey) -> bool {
    (0..=MOST).any(|width| wider(key, width).as_ref() == Some(label))
}

fn of_socket(text: Option<&str>, label: &[u8], width: usize) -> Option<Text> {
    match width {
        2 => {
            let (before, address) = text?.rsplit_once(' ')?;
            let port = address.parse::<SocketAddr>().ok()?.port();
            Some(format!("{before} *:{port}").into())
        }
        1 => {
            // Unix sockets have no protocol.
            let words = if label.starts_with(b"unix ") { 2 } else { 3 };
            let mut ends = label.iter().enumerate().filter(|&(_, &byte)| byte == b' ');
            let (end, _) = ends.nth(words - 1)?;
            Some([&label[..end], b" ", ANY].concat().into())
        }
        _ => None,
    }
}

fn of_path(label: &[u8], width: usize) -> Option<Text> {
    let mut slashes = label.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
    let (slash, _) = slashes.nth(width - 1)?;
    Some([&label[..=slash], ANY].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(kind: Kind, label: &str) -> Vec<String> {
        let key = GroupKey { kind, label: label.into(), netns: None, opener: None };
        let wider = (0..=MOST).rev().filter_map(|width| wider(&key, width));
        let labels: Vec<_> = wider.collect();
        assert!(labels.iter().all(|label| takes_in(label, &key)));
        assert!(!takes_in(&"elsewhere".into(), &key));
        labels.iter().map(Text::to_string).collect()
    }

    #[test]
    fn each_says_less_than_the_one_before() {
        assert_eq!(
            labels(Kind::Socket, "inet stream tcp 10.0.0.1:443"),
            ["inet stream tcp *:443", "inet stream tcp *", "*"]
        );
        assert_eq!(
            labels(Kind::Socket, "inet6 stream tcp accepted at [::1]:80"),
            ["inet6 stream tcp accepted at *:80", "inet6 stream tcp *", "*"]
        );
        assert_eq!(labels(Kind::Socket, "unix stream /run/x y"), ["unix stream *", "*"]);
        assert_eq!(labels(Kind::Socket, "unix dgram"), ["*"]);
        assert_eq!(labels(Kind::Regular, "/tmp/h*/data"), ["/tmp/h*/*", "/tmp/*", "/*", "*"]);
        assert_eq!(labels(Kind::Regular, "(others)"), ["*"]);
        assert_eq!(labels(Kind::Memfd, "/memfd:x"), ["/*", "*"]);
    }
}
