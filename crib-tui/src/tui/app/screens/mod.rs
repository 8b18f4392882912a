//! The screens below the table of files, one upon the other: files, their queues, and packets.

pub mod ends;
pub mod file;
pub mod groups;
pub mod leaks;
pub mod lints;
pub mod packet;
pub mod queue;

use std::time::SystemTime;

pub use self::ends::EndsScreen;
pub use self::file::{FileScreen, Root};
pub use self::groups::GroupsScreen;
pub use self::leaks::{LeakLink, LeaksScreen};
pub use self::lints::LintsScreen;
pub use self::packet::PacketScreen;
pub use self::queue::QueueScreen;
use crate::model::{Family, File, FileId, Protocol, Queue, QueueName, SocketType};
use crate::tui::keys::Context;

/// One of the screens.
pub struct Screen {
    /// Tells it from every other one.
    pub serial: u64,
    /// Whether what it shows is there.
    pub standing: Standing,
    /// When it was last read; none before that.
    pub time: Option<SystemTime>,
    /// What it shows.
    pub body: Body,
}

/// What a screen shows.
pub enum Body {
    /// One file.
    File(Box<FileScreen>),
    /// A queue of it.
    Queue(Box<QueueScreen>),
    /// A packet in a queue.
    Packet(Box<PacketScreen>),
    /// All files in groups.
    Groups(Box<GroupsScreen>),
    /// What grows among them.
    Leaks(Box<LeaksScreen>),
    /// The other end of a file.
    Ends(Box<EndsScreen>),
    /// What lints found in the process.
    Lints(LintsScreen),
}

/// Whether what a screen shows is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As far as is known.
    Present,
    /// Its descriptor is closed.
    Closed,
    /// Its descriptor stands for another file now.
    Replaced,
    /// The packet, or the one that the file was in flight in, is not in its queue any more.
    Gone {
        /// The queue.
        queue: QueueName,
    },
}

impl Standing {
    /// Whether it may be read again.
    pub fn may_be_read(self) -> bool {
        matches!(self, Self::Present | Self::Closed)
    }
}

/// What a line of a sheet leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// A queue of the file.
    Queue(QueueName),
    /// A file that the epoll instance watches.
    Watch {
        /// The descriptor under which it was added.
        fd: u32,
        /// Which file that was.
        file: Option<FileId>,
    },
    /// A file in flight, by its place in the packet.
    Flight(u32),
    /// A descriptor of a process: one that is at the other end, or of the same open file.
    Held {
        /// The process.
        pid: u32,
        /// The thread in whose own table it is.
        tid: Option<u32>,
        /// The number.
        fd: u32,
        /// Whether it is listed among those of the same open file, and not as an end: it may be
        /// both.
        holder: bool,
    },
    /// A file in the table.
    File {
        /// The thread in whose own table it is.
        tid: Option<u32>,
        /// Its descriptor.
        fd: Option<u32>,
        /// Which file that is.
        file: Option<FileId>,
    },
}

/// What sort of file a queue belongs to, as far as the look of its packets depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// A socket's family.
    pub family: Option<Family>,
    /// Its type.
    pub kind: Option<SocketType>,
    /// Its protocol.
    pub protocol: Option<Protocol>,
}

impl Origin {
    /// Of this file.
    pub fn of(file: &File) -> Self {
        let socket = file.socket.as_deref();
        Self {
            family: socket.and_then(|socket| socket.family),
            kind: socket.and_then(|socket| socket.kind),
            protocol: socket.and_then(|socket| socket.protocol),
        }
    }

    /// Whether packets have sequence numbers and flags.
    pub fn is_tcp(self) -> bool {
        let number = self.protocol.map_or(0, |protocol| i32::from(protocol.number));
        self.is_inet() && matches!(number, libc::IPPROTO_TCP | libc::IPPROTO_MPTCP)
    }

    /// Whether it is a UDP socket.
    pub fn is_udp(self) -> bool {
        let number = self.protocol.map_or(0, |protocol| i32::from(protocol.number));
        self.is_inet() && matches!(number, libc::IPPROTO_UDP | libc::IPPROTO_UDPLITE)
    }

    fn is_inet(self) -> bool {
        matches!(self.family, Some(Family::INET | Family::INET6))
    }
}

/// How what was read fits a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is what the screen shows.
    Same,
    /// It is something else: what the screen shows has another place now, or is gone.
    Other,
}

impl Screen {
    /// What is on the screen, as far as keys are concerned.
    pub fn context(&self) -> Context {
        match self.body {
            Body::File(_) => Context::File,
            Body::Queue(_) => Context::Queue,
            Body::Packet(_) => Context::Packet,
            Body::Groups(_) => Context::Groups,
            Body::Leaks(_) => Context::Leaks,
            Body::Ends(_) => Context::Ends,
            Body::Lints(_) => Context::Lints,
        }
    }

    /// Whether it shows what becomes of all files, rather than one of them.
    pub fn is_watch(&self) -> bool {
        matches!(self.body, Body::Groups(_) | Body::Leaks(_))
    }

    /// The file, where it shows one.
    pub fn file(&self) -> Option<&FileScreen> {
        match &self.body {
            Body::File(screen) => Some(screen),
            _ => None,
        }
    }

    /// The packet, where it shows one.
    pub fn packet(&self) -> Option<&PacketScreen> {
        match &self.body {
            Body::Packet(screen) => Some(screen),
            _ => None,
        }
    }

    /// As [`Self::packet`].
    pub fn packet_mut(&mut self) -> Option<&mut PacketScreen> {
        match &mut self.body {
            Body::Packet(screen) => Some(screen),
            _ => None,
        }
    }
}

/// Fills in what is known of a queue although not all its packets were asked for: where the
/// socket counts nothing else as received, its own sums are the queue's.
pub fn add_sums(file: &mut File) {
    let origin = Origin::of(file);
    let Some(socket) = file.socket.as_deref_mut() else { return };
    let (Some(recv), Some(queues)) = (socket.recv, &mut socket.queues) else { return };
    // UDP's sums are of two queues.
    let reader = queues.iter().find(|queue| queue.name == QueueName::Reader);
    if origin.is_udp() && reader.is_none_or(|reader| reader.messages != Some(0)) {
        return;
    }
    for queue in queues.iter_mut().filter(|queue| queue.name == QueueName::Receive) {
        queue.payload = queue.payload.or(recv.payload);
        queue.memory = queue.memory.or(recv.memory);
    }
}

/// The queue of a file by its name, taken out of it.
pub fn take_queue(file: File, name: QueueName) -> Option<Queue> {
    let socket = file.socket.and_then(|socket| socket.queues);
    let queues = socket.or_else(|| file.pipe.and_then(|pipe| pipe.queues))?;
    queues.into_iter().find(|queue| queue.name == name)
}
