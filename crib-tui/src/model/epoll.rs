//! What an epoll instance watches.

use serde::{Serialize, Serializer};

use super::FileId;

/// The interest list of an epoll instance (`struct eventpoll`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Epoll {
    /// One entry a watched file, in the order of the kernel's tree.
    pub watches: Vec<Watch>,
    /// Whether these are all: there may be more than are listed, and the list may change while
    /// it is read.
    pub complete: bool,
}

/// One watched file (`struct epitem`, epoll_ctl(2)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Watch {
    /// The descriptor under which it was added; the target may have closed it since.
    pub fd: u32,
    /// The events asked for, EPOLL* bits.
    #[serde(serialize_with = "events_as_text")]
    pub events: u32,
    /// The `epoll_data` the target stored with it.
    pub data: u64,
    /// Whether it is on the ready list; unknown from /proc.
    pub ready: Option<bool>,
    /// The identity of the watched file ([`File::id`](super::File::id)).
    #[serde(skip)]
    pub file: Option<FileId>,
}

const ERR: u32 = 0x008;
const HUP: u32 = 0x010;

const EVENTS: &[(u32, &str)] = &[
    (0x001, "IN"),
    (0x002, "PRI"),
    (0x004, "OUT"),
    (0x020, "NVAL"),
    (0x040, "RDNORM"),
    (0x080, "RDBAND"),
    (0x100, "WRNORM"),
    (0x200, "WRBAND"),
    (0x400, "MSG"),
    (0x2000, "RDHUP"),
    (1 << 28, "EXCLUSIVE"),
    (1 << 29, "WAKEUP"),
    (1 << 30, "ONESHOT"),
    (1 << 31, "ET"),
];

impl Watch {
    /// The events by the names of epoll_ctl(2) without `EPOLL`, joined by `|`; bits without
    /// a name in hexadecimal. EPOLLERR and EPOLLHUP are left out: the kernel adds them to every
    /// watch.
    pub fn events_text(&self) -> String {
        let mut rest = self.events & !(ERR | HUP);
        let mut names: Vec<String> = Vec::new();
        for &(bit, name) in EVENTS {
            if rest & bit != 0 {
                rest &= !bit;
                names.push(name.to_owned());
            }
        }
        if rest != 0 {
            names.push(format!("{rest:#x}"));
        }
        names.join("|")
    }
}

fn events_as_text<S: Serializer>(events: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    let watch = Watch { fd: 0, events: *events, data: 0, ready: None, file: None };
    serializer.serialize_str(&watch.events_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_those_that_were_asked_for() {
        let text = |events| Watch { fd: 3, events, data: 0, ready: None, file: None }.events_text();
        // EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLET, as the kernel keeps EPOLLIN | EPOLLET.
        assert_eq!(text(0x8000_0019), "IN|ET");
        assert_eq!(text(0x18), "");
        assert_eq!(text(0x0080_0001), "IN|0x800000");
    }
}
