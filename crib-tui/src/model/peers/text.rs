//! Descriptors of other processes in a line of text.

use std::fmt::{self, Display};

use super::Held;

/// Descriptors that are named in a line.
const NAMED: usize = 4;

/// As `4711/nginx fd 7`.
impl Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ", self.pid, self.comm)?;
        if let Some(tid) = self.file.tid {
            write!(f, "thread {tid} ")?;
        }
        match self.file.fd {
            Some(fd) => write!(f, "fd {fd}"),
            None => f.write_str("in flight"),
        }
    }
}

/// The first few of `held`, separated by commas, and how many of `all` are not among them.
pub(in crate::model) fn push_list<'a>(
    text: &mut String,
    held: impl Iterator<Item = &'a Held>,
    all: usize,
) {
    use fmt::Write;
    let mut named = 0;
    for held in held.take(NAMED) {
        let separator = if named > 0 { ", " } else { "" };
        // Writing to a String does not fail.
        let _ = write!(text, "{separator}{held}");
        named += 1;
    }
    if named > 0 && all > named {
        let _ = write!(text, ", +{} more", all - named);
    }
}
