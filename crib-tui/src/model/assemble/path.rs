//! Paths out of the names that a dump walks through, as /proc/PID/fd shows them.

use crate::model::Text;

// include/uapi/linux/magic.h
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;
const NSFS_MAGIC: u64 = 0x6e73_6673;
const PID_FS_MAGIC: u64 = 0x5049_4446;
const DMA_BUF_MAGIC: u64 = 0x444d_4142;

/// The path of a file on a file system of this magic, from all of its names, the last one
/// first, each a byte of length and so many bytes; none where a name is missing, or where the
/// file system makes up names from what is not known here.
pub(super) fn walked(magic: Option<u64>, ino: Option<u64>, names: Option<&[u8]>) -> Option<Text> {
    match magic {
        Some(PID_FS_MAGIC) => return Some("anon_inode:[pidfd]".into()),
        // Made of a name that its holder gives.
        Some(DMA_BUF_MAGIC) => return None,
        Some(NSFS_MAGIC) => {
            let sort = Text::from(*split(names?)?.first()?);
            return Some(format!("{sort}:[{}]", ino?).into());
        }
        _ => {}
    }
    let names = split(names?)?;
    if magic == Some(ANON_INODE_FS_MAGIC) {
        let name = names.first()?;
        return Some([b"anon_inode:", *name].concat().into());
    }
    if names.is_empty() {
        return Some("/".into());
    }
    let parts: Vec<&[u8]> = names.iter().rev().flat_map(|&name| [&b"/"[..], name]).collect();
    Some(parts.concat().into())
}

/// The names one by one, without the root's own, which is a slash.
fn split(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut names = Vec::new();
    while let Some((&len, tail)) = rest.split_first() {
        let (name, tail) = tail.split_at_checked(len.into())?;
        if !name.is_empty() && name != b"/" {
            names.push(name);
        }
        rest = tail;
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXT4: Option<u64> = Some(0xef53);

    fn names(names: &[&str]) -> Vec<u8> {
        names.iter().flat_map(|n| [&[n.len() as u8], n.as_bytes()].concat()).collect()
    }

    fn path(magic: Option<u64>, list: &[&str]) -> Option<String> {
        walked(magic, Some(7), Some(&names(list))).map(|path| path.to_string())
    }

    #[test]
    fn names_are_joined_from_the_root_on() {
        assert_eq!(path(EXT4, &["c", "b", "a"]).as_deref(), Some("/a/b/c"));
        assert_eq!(path(EXT4, &["c", "a", "/"]).as_deref(), Some("/a/c"));
        assert_eq!(path(EXT4, &[]).as_deref(), Some("/"));
        assert_eq!(path(None, &["x (deleted)"]).as_deref(), Some("/x (deleted)"));
        assert_eq!(walked(EXT4, None, None), None);
        assert_eq!(walked(EXT4, None, Some(b"\x05abc")), None, "a name is cut");
    }

    #[test]
    fn file_systems_without_a_tree_are_named_as_in_proc() {
        let anon = Some(ANON_INODE_FS_MAGIC);
        assert_eq!(path(anon, &["[eventpoll]"]).as_deref(), Some("anon_inode:[eventpoll]"));
        assert_eq!(path(anon, &[]), None);
        assert_eq!(path(Some(PID_FS_MAGIC), &[]).as_deref(), Some("anon_inode:[pidfd]"));
        assert_eq!(path(Some(NSFS_MAGIC), &["net"]).as_deref(), Some("net:[7]"));
        assert_eq!(path(Some(NSFS_MAGIC), &[]), None);
        assert_eq!(path(Some(0x0102_1994), &["memfd:x"]).as_deref(), Some("/memfd:x"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, magic: Option<u64>) {
            walked(magic, None, Some(&bytes));
        }
    }
}
