//! What kind of thing a file descriptor refers to.

use serde::Serialize;

/// The kinds of file that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the kernel's own")]
pub enum Kind {
    Regular,
    Directory,
    Char,
    Block,
    /// A pipe with a name in a file system.
    Fifo,
    /// An anonymous pipe (pipe(2)).
    Pipe,
    Socket,
    /// A symbolic link itself, opened with O_PATH | O_NOFOLLOW.
    Symlink,
    Eventpoll,
    Eventfd,
    Timerfd,
    Signalfd,
    Inotify,
    Fanotify,
    Pidfd,
    Memfd,
    IoUring,
    Userfaultfd,
    PerfEvent,
    BpfMap,
    BpfProg,
    BpfLink,
    Namespace,
    Dmabuf,
    /// Anything else that has no inode of its own (an anonymous inode).
    Anon,
    Unknown,
}

/// What a kind is told from; each part may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// `inode.i_mode`, of which only the type bits matter (inode(7)).
    pub i_mode: Option<u32>,
    /// `super_block.s_magic` (statfs(2)).
    pub s_magic: Option<u64>,
    /// Whether the file lives on the kernel's own mount of tmpfs or hugetlbfs, as memfds do.
    pub internal_mount: Option<bool>,
    /// The file's path, without " (deleted)".
    pub path: Option<&'a [u8]>,
    /// The name of its file operations, or of one of their functions.
    pub ops: Option<&'a str>,
}

// statfs(2), include/uapi/linux/magic.h
const PIPEFS_MAGIC: u64 = 0x5049_5045;
const NSFS_MAGIC: u64 = 0x6e73_6673;
const PID_FS_MAGIC: u64 = 0x5049_4446;
const DMA_BUF_MAGIC: u64 = 0x444d_4142;
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;

/// The names of anonymous inodes, as /proc/PID/fd shows them behind `anon_inode:`.
const ANON_NAMES: &[(&str, Kind)] = &[
    ("[eventpoll]", Kind::Eventpoll),
    ("[eventfd]", Kind::Eventfd),
    ("[timerfd]", Kind::Timerfd),
    ("[signalfd]", Kind::Signalfd),
    ("inotify", Kind::Inotify),
    ("[fanotify]", Kind::Fanotify),
    ("[pidfd]", Kind::Pidfd),
    ("[io_uring]", Kind::IoUring),
    ("[userfaultfd]", Kind::Userfaultfd),
    ("[perf_event]", Kind::PerfEvent),
    ("bpf-map", Kind::BpfMap),
    ("bpf-prog", Kind::BpfProg),
    ("bpf_link", Kind::BpfLink),
    ("bpf-link", Kind::BpfLink),
];

/// Operations that say the kind by themselves, where neither path nor magic does.
const OPS_NAMES: &[(&str, Kind)] = &[
    ("eventpoll_fops", Kind::Eventpoll),
    ("ep_eventpoll_release", Kind::Eventpoll),
    ("eventfd_fops", Kind::Eventfd),
    ("eventfd_release", Kind::Eventfd),
    ("timerfd_fops", Kind::Timerfd),
    ("timerfd_release", Kind::Timerfd),
    ("signalfd_fops", Kind::Signalfd),
    ("signalfd_release", Kind::Signalfd),
    ("inotify_fops", Kind::Inotify),
    ("inotify_release", Kind::Inotify),
    ("fanotify_fops", Kind::Fanotify),
    ("fanotify_release", Kind::Fanotify),
    ("pidfd_fops", Kind::Pidfd),
    ("pidfs_file_operations", Kind::Pidfd),
    ("io_uring_fops", Kind::IoUring),
    ("io_uring_release", Kind::IoUring),
    ("userfaultfd_fops", Kind::Userfaultfd),
    ("userfaultfd_release", Kind::Userfaultfd),
    ("perf_fops", Kind::PerfEvent),
    ("perf_release", Kind::PerfEvent),
    ("bpf_map_fops", Kind::BpfMap),
    ("bpf_map_release", Kind::BpfMap),
    ("bpf_prog_fops", Kind::BpfProg),
    ("bpf_prog_release", Kind::BpfProg),
    ("bpf_link_fops", Kind::BpfLink),
    ("bpf_link_fops_poll", Kind::BpfLink),
    ("bpf_link_release", Kind::BpfLink),
    ("ns_file_operations", Kind::Namespace),
    ("dma_buf_fops", Kind::Dmabuf),
    ("dma_buf_release", Kind::Dmabuf),
    ("socket_file_ops", Kind::Socket),
    ("sock_close", Kind::Socket),
];

impl Kind {
    /// Every kind, in the order in which the manual names them.
    pub const ALL: [Kind; 26] = [
        Kind::Regular,
        Kind::Directory,
        Kind::Char,
        Kind::Block,
        Kind::Fifo,
        Kind::Pipe,
        Kind::Socket,
        Kind::Symlink,
        Kind::Eventpoll,
        Kind::Eventfd,
        Kind::Timerfd,
        Kind::Signalfd,
        Kind::Inotify,
        Kind::Fanotify,
        Kind::Pidfd,
        Kind::Memfd,
        Kind::IoUring,
        Kind::Userfaultfd,
        Kind::PerfEvent,
        Kind::BpfMap,
        Kind::BpfProg,
        Kind::BpfLink,
        Kind::Namespace,
        Kind::Dmabuf,
        Kind::Anon,
        Kind::Unknown,
    ];

    /// The kind's name, as it appears in the table, in filters and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Regular => "regular",
            Kind::Directory => "directory",
            Kind::Char => "char",
            Kind::Block => "block",
            Kind::Fifo => "fifo",
            Kind::Pipe => "pipe",
            Kind::Socket => "socket",
            Kind::Symlink => "symlink",
            Kind::Eventpoll => "eventpoll",
            Kind::Eventfd => "eventfd",
            Kind::Timerfd => "timerfd",
            Kind::Signalfd => "signalfd",
            Kind::Inotify => "inotify",
            Kind::Fanotify => "fanotify",
            Kind::Pidfd => "pidfd",
            Kind::Memfd => "memfd",
            Kind::IoUring => "io_uring",
            Kind::Userfaultfd => "userfaultfd",
            Kind::PerfEvent => "perf_event",
            Kind::BpfMap => "bpf_map",
            Kind::BpfProg => "bpf_prog",
            Kind::BpfLink => "bpf_link",
            Kind::Namespace => "namespace",
            Kind::Dmabuf => "dmabuf",
            Kind::Anon => "anon",
            Kind::Unknown => "unknown",
        }
    }

    /// The kind that the evidence proves, [`Kind::Unknown`] where it proves none.
    pub fn classify(evidence: &Evidence<'_>) -> Kind {
        let path = evidence.path.unwrap_or_default();
        match evidence.s_magic {
            Some(NSFS_MAGIC) => return Kind::Namespace,
            Some(PID_FS_MAGIC) => return Kind::Pidfd,
            Some(DMA_BUF_MAGIC) => return Kind::Dmabuf,
            Some(ANON_INODE_FS_MAGIC) => return anonymous(path, evidence.ops),
            _ => {}
        }
        match evidence.i_mode.map(|mode| mode & libc::S_IFMT) {
            Some(libc::S_IFREG) if is_memfd(path, evidence) => Kind::Memfd,
            Some(libc::S_IFREG) => Kind::Regular,
            Some(libc::S_IFDIR) => Kind::Directory,
            Some(libc::S_IFCHR) => Kind::Char,
            Some(libc::S_IFBLK) => Kind::Block,
            Some(libc::S_IFIFO) if evidence.s_magic == Some(PIPEFS_MAGIC) => Kind::Pipe,
            Some(libc::S_IFIFO) => Kind::Fifo,
            Some(libc::S_IFSOCK) => Kind::Socket,
            Some(libc::S_IFLNK) => Kind::Symlink,
            // Anonymous inodes had no type bits before Linux 6.17.
            _ if path.starts_with(b"anon_inode:") => anonymous(path, evidence.ops),
            _ => by_ops(evidence.ops).unwrap_or(Kind::Unknown),
        }
    }
}

fn is_memfd(path: &[u8], evidence: &Evidence<'_>) -> bool {
    path.starts_with(b"/memfd:") && evidence.internal_mount != Some(false)
}

fn anonymous(path: &[u8], ops: Option<&str>) -> Kind {
    path.strip_prefix(b"anon_inode:")
        .and_then(|name| ANON_NAMES.iter().find(|(known, _)| known.as_bytes() == name))
        .map(|&(_, kind)| kind)
        .or_else(|| by_ops(ops))
        .unwrap_or(Kind::Anon)
}

fn by_ops(ops: Option<&str>) -> Option<Kind> {
    OPS_NAMES.iter().find(|(known, _)| Some(*known) == ops).map(|&(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_with_json() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn a_regular_file_named_like_a_memfd_is_regular() {
        let evidence = Evidence {
            i_mode: Some(libc::S_IFREG | 0o600),
            s_magic: Some(0xef53),
            internal_mount: Some(false),
            path: Some(b"/memfd:x"),
            ops: None,
        };
        assert_eq!(Kind::classify(&evidence), Kind::Regular);
        assert_eq!(
            Kind::classify(&Evidence { internal_mount: Some(true), ..evidence }),
            Kind::Memfd
        );
    }

    #[test]
    fn an_anonymous_inode_is_named_by_path_else_by_operations() {
        let anon = |path, ops| {
            Kind::classify(&Evidence {
                i_mode: Some(0o600),
                s_magic: Some(ANON_INODE_FS_MAGIC),
                internal_mount: Some(true),
                path,
                ops,
            })
        };
        assert_eq!(anon(Some(b"anon_inode:[eventfd]"), None), Kind::Eventfd);
        assert_eq!(anon(None, Some("eventfd_release")), Kind::Eventfd);
        assert_eq!(anon(Some(b"anon_inode:[fscontext]"), Some("fscontext_release")), Kind::Anon);
    }
}
