//! What waits in one queue of a socket or pipe.

use serde::Serialize;

use super::Packet;

/// Which queue of a socket or pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueName {
    /// What was received and not read (`sk_receive_queue`).
    Receive,
    /// What a UDP socket's reader has taken over (`udp_sock.reader_queue`).
    Reader,
    /// What is not yet sent (`sk_write_queue`).
    Write,
    /// What TCP has sent and not got acknowledged (`tcp_rtx_queue`).
    Retransmit,
    /// What TCP received ahead of a gap (`tcp_sock.out_of_order_queue`).
    OutOfOrder,
    /// Errors and time stamps (`sk_error_queue`, MSG_ERRQUEUE in recv(2)).
    Error,
    /// What arrived while a program held the socket (`sk_backlog`).
    Backlog,
    /// Connections that wait for accept(2).
    Accept,
    /// The buffers of a pipe.
    Pipe,
}

impl QueueName {
    /// All of them, as they are listed.
    pub const ALL: [Self; 9] = [
        Self::Receive,
        Self::Reader,
        Self::Write,
        Self::Retransmit,
        Self::OutOfOrder,
        Self::Error,
        Self::Backlog,
        Self::Accept,
        Self::Pipe,
    ];

    /// The name that it has in the table, in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Reader => "reader",
            Self::Write => "write",
            Self::Retransmit => "retransmit",
            Self::OutOfOrder => "out_of_order",
            Self::Error => "error",
            Self::Backlog => "backlog",
            Self::Accept => "accept",
            Self::Pipe => "pipe",
        }
    }

    /// The queue of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }

    /// Whether what is in it goes out: pcap's direction.
    pub fn is_outgoing(self) -> bool {
        matches!(self, Self::Write | Self::Retransmit)
    }
}

/// One queue and the packets in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Which.
    pub name: QueueName,
    /// Messages in it: those that were walked over, whether they are in `packets` or not; by
    /// the kernel's count where the walk did not come to the end.
    pub messages: Option<u64>,
    /// Bytes that a reader would get of them.
    pub payload: Option<u64>,
    /// Bytes of memory charged for them.
    pub memory: Option<u64>,
    /// It changed while it was read, as often as it was tried: packets may be missing, or be
    /// there twice.
    pub torn: bool,
    /// Whether `packets` are all that there are.
    pub complete: bool,
    /// The packets, the next to be read first.
    pub packets: Vec<Packet>,
}
