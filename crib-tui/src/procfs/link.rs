//! The text of a link in /proc/PID/fd, taken apart.

/// What the kernel appends to the path of a file whose name is gone (`d_path`).
const DELETED: &[u8] = b" (deleted)";

/// The link's text without a " (deleted)" at its end, where it has one. The text alone does not
/// say whether the kernel put that there or the file is really named so.
pub fn without_deleted(text: &[u8]) -> Option<&[u8]> {
    text.strip_suffix(DELETED)
}

/// Whether the text is a path in a file system; else the kernel made it up (`pipe:[17]`).
pub fn is_path(text: &[u8]) -> bool {
    text.first() == Some(&b'/')
}

/// The inode number in `socket:[17]`.
pub fn socket_ino(text: &[u8]) -> Option<u64> {
    super::parse::decimal(text.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_one_mark_is_taken_off() {
        assert_eq!(without_deleted(b"/a (deleted) (deleted)"), Some(&b"/a (deleted)"[..]));
        assert_eq!(without_deleted(b"/a (deleted) "), None);
    }

    #[test]
    fn sockets_are_told_from_files_named_so() {
        assert_eq!(socket_ino(b"socket:[4711]"), Some(4711));
        assert_eq!(socket_ino(b"/socket:[4711]"), None);
        assert_eq!(socket_ino(b"socket:[+1]"), None);
        assert!(is_path(b"/socket:[4711]"));
        assert!(!is_path(b"pipe:[1]"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            without_deleted(&bytes);
            is_path(&bytes);
            socket_ino(&bytes);
        }
    }
}
