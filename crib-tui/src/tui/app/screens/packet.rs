//! The state of the screen about one packet.

use super::{Fit, Link, Origin};
use crate::model::{File, Packet, PacketId, Queue, QueueName};
use crate::tui::theme::Glyphs;
use crate::tui::view::packet as view;
use crate::tui::widget::bytes::Mode;
use crate::tui::widget::sheet::Sheet;

/// A packet that is looked at closely.
pub struct PacketScreen {
    /// What sort of file it is queued in.
    pub origin: Origin,
    /// In which queue.
    pub queue: QueueName,
    /// Which packet it is; its place may change.
    pub id: PacketId,
    /// The packet as last read, which has its place then.
    pub packet: Packet,
    /// How its bytes are shown.
    pub mode: Mode,
    /// What there is to say about it.
    pub sheet: Sheet<Link>,
}

/// What came of the search for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is in its queue.
    Yes,
    /// It is not.
    No,
    /// The queue changed too fast to say.
    Unsure,
}

impl PacketScreen {
    /// Payload bytes that are read at most.
    pub const PAYLOAD: u32 = 1 << 20;

    /// How many more packets than those up to its place are looked through for one that moved:
    /// most queues only lose what stands before it, but some are ordered otherwise.
    const SLACK: u32 = 256;

    /// A packet that a queue's screen has shown.
    pub fn new(origin: Origin, queue: QueueName, packet: Packet, glyphs: &Glyphs) -> Self {
        let id = packet.id;
        let mode = Mode::default();
        let mut screen = Self { origin, queue, id, packet, mode, sheet: Sheet::default() };
        screen.tell(glyphs);
        screen
    }

    /// Takes in what stands in its place.
    pub fn take(&mut self, queue: Option<Queue>, glyphs: &Glyphs) -> Fit {
        let packets = queue.map(|queue| queue.packets).unwrap_or_default();
        let Some(packet) = packets.into_iter().find(|packet| packet.id == self.id) else {
            return Fit::Other;
        };
        // Most packets never change, and a long one takes a while to tell.
        if packet != self.packet {
            self.packet = packet;
            self.tell(glyphs);
        }
        Fit::Same
    }

    /// The last packet that is looked at to find it again.
    pub fn search_end(&self) -> u32 {
        self.packet.index.saturating_add(Self::SLACK)
    }

    /// The queues in which it may be found again: UDP's reader takes over all that was received.
    pub fn search_queues(&self) -> Vec<QueueName> {
        match self.queue {
            QueueName::Receive if self.origin.is_udp() => {
                vec![QueueName::Receive, QueueName::Reader]
            }
            queue => vec![queue],
        }
    }

    /// Looks for it in lists of the packets up to [`Self::search_end`].
    pub fn find(&mut self, queues: &[Queue]) -> Found {
        let wanted = self.search_queues();
        let mut found = Found::No;
        for queue in queues.iter().filter(|queue| wanted.contains(&queue.name)) {
            if let Some(packet) = queue.packets.iter().find(|packet| packet.id == self.id) {
                (self.queue, self.packet.index) = (queue.name, packet.index);
                return Found::Yes;
            }
            let asked = u64::from(self.search_end()) + 1;
            // A length of memory, which no u64 of packets exceeds.
            let listed = queue.packets.len() as u64;
            let all = queue.complete || queue.messages.is_some_and(|all| listed >= all.min(asked));
            if !all || queue.torn {
                found = Found::Unsure;
            }
        }
        found
    }

    /// `file`, with this packet as all that is queued in it.
    pub fn within(&self, file: &File) -> File {
        let mut file = file.clone();
        let queue = Queue {
            name: self.queue,
            messages: Some(1),
            payload: self.packet.len.map(u64::from),
            memory: self.packet.truesize.map(u64::from),
            torn: false,
            complete: true,
            packets: vec![self.packet.clone()],
        };
        if let Some(socket) = &mut file.socket {
            socket.queues = Some(vec![queue]);
        } else if let Some(pipe) = &mut file.pipe {
            pipe.queues = Some(vec![queue]);
        }
        file
    }

    /// Shows its bytes as text instead of as digits, or the other way round.
    pub fn switch(&mut self, glyphs: &Glyphs) {
        self.mode = match self.mode {
            Mode::Hex => Mode::Text,
            Mode::Text => Mode::Hex,
        };
        self.tell(glyphs);
    }

    fn tell(&mut self, glyphs: &Glyphs) {
        self.sheet.set_lines(view::lines(self, glyphs));
    }
}
