//! The text of /proc/PID/fdinfo/FD (proc_pid_fdinfo(5)).

use super::parse::{self, decimal, hex, lines, signed, words};
use crate::model::{AccessMode, OpenFlags, Watch};

/// O_CLOEXEC in the octal `flags:` line. The kernel mixes the descriptor's bit into the file's
/// flags there (fs/proc/fd.c, `seq_show`).
const CLOEXEC: u32 = 0o2_000_000;

/// What an fdinfo text says; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FdInfo {
    /// File position in bytes.
    pub pos: Option<i64>,
    /// The flags of open(2), without close-on-exec.
    pub flags: Option<OpenFlags>,
    /// Whether exec closes the descriptor.
    pub cloexec: Option<bool>,
    /// The inode's number (since Linux 5.14).
    pub ino: Option<u64>,
    /// What an epoll instance watches; empty for other files.
    pub watches: Vec<Watch>,
    /// Files in flight in a unix socket's receive queue (since Linux 5.9).
    pub scm_fds: Option<u64>,
    /// The number that tells eventfds apart (since Linux 5.2).
    pub eventfd_id: Option<u64>,
}

/// Reads an fdinfo text.
pub fn parse(text: &[u8]) -> FdInfo {
    let value = |name| parse::field(text, name);
    let flags = value("flags").and_then(|flags| u32::try_from(parse::number(flags, 8)?).ok());
    FdInfo {
        pos: value("pos").and_then(signed),
        flags: flags.map(|flags| OpenFlags(flags & !CLOEXEC)),
        cloexec: flags.map(|flags| flags & CLOEXEC != 0),
        ino: value("ino").and_then(decimal),
        watches: lines(text).filter_map(watch).collect(),
        scm_fds: value("scm_fds").and_then(decimal),
        eventfd_id: value("eventfd-id").and_then(decimal),
    }
}

/// Whether a file that was opened with these flags may be read and written.
pub fn access_mode(flags: OpenFlags) -> AccessMode {
    let flags = flags.0 as i32;
    if flags & libc::O_PATH != 0 {
        return AccessMode::default();
    }
    let access = flags & libc::O_ACCMODE;
    AccessMode {
        read: matches!(access, libc::O_RDONLY | libc::O_RDWR),
        write: matches!(access, libc::O_WRONLY | libc::O_RDWR),
    }
}

/// `tfd: 5 events: 19 data: 5 pos:0 ino:1 sdev:8` (fs/eventpoll.c, `ep_show_fdinfo`).
fn watch(line: &[u8]) -> Option<Watch> {
    let mut words = words(line);
    let mut after = |name: &[u8]| (words.next()? == name).then(|| words.next())?;
    let fd = decimal(after(b"tfd:")?)?;
    let events = hex(after(b"events:")?)?;
    let data = hex(after(b"data:")?)?;
    Some(Watch { fd, events, data, ready: None, file: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flags_lose_close_on_exec_to_the_descriptor() {
        let info = parse(b"pos:\t17\nflags:\t02104002\nmnt_id:\t24\nino:\t1048\n");
        assert_eq!(info.pos, Some(17));
        assert_eq!(info.cloexec, Some(true));
        let flags = libc::O_RDWR | libc::O_NONBLOCK | 0o100_000;
        assert_eq!(info.flags, Some(OpenFlags(flags as u32)));
        assert_eq!(info.ino, Some(1048));
        assert_eq!(info.watches, []);
        assert_eq!(parse(b"flags:\t00\n").cloexec, Some(false));
    }

    #[test]
    fn an_epoll_instance_tells_what_it_watches() {
        let text = b"pos:\t0\nflags:\t02\nmnt_id:\t16\nino:\t1\n\
            tfd:        5 events: 80000019 data:     7ffd00000005  pos:0 ino:31 sdev:8\n\
            tfd:        7 events:       4f data:                7 \n";
        let watches = parse(text).watches;
        assert_eq!(
            watches,
            [
                Watch {
                    fd: 5,
                    events: 0x8000_0019,
                    data: 0x7ffd_0000_0005,
                    ready: None,
                    file: None
                },
                Watch { fd: 7, events: 0x4f, data: 7, ready: None, file: None },
            ]
        );
    }

    #[test]
    fn other_lines_are_read_where_a_field_shows_them() {
        let text =
            b"pos:\t0\nflags:\t02\nscm_fds: 3\neventfd-count:                1\neventfd-id: 9\n";
        let info = parse(text);
        assert_eq!(info.scm_fds, Some(3));
        assert_eq!(info.eventfd_id, Some(9));
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        assert_eq!(parse(b""), FdInfo::default());
        assert_eq!(parse(b"pos:\tx\nflags:\t9\ntfd: 1 events: q data: 1\n"), FdInfo::default());
    }

    #[test]
    fn access_modes_are_those_of_open() {
        let name = |flags: i32| access_mode(OpenFlags(flags as u32)).name();
        assert_eq!(name(libc::O_RDONLY), "r");
        assert_eq!(name(libc::O_WRONLY), "w");
        assert_eq!(name(libc::O_RDWR), "rw");
        assert_eq!(name(libc::O_PATH), "-");
        // The mode for ioctl only (open(2), "the access mode 3").
        assert_eq!(name(3), "-");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            parse(&bytes);
        }

        #[test]
        fn no_epoll_line_makes_it_panic(line in "tfd: [ -~]{0,20}events: [ -~]{0,20}data: [ -~\n]*") {
            parse(line.as_bytes());
        }
    }
}
