//! The queues of a socket or pipe, one after the other.

use core::marker::PhantomData;

use crib_common::dump::queue;

use crate::emit;
use crate::file::Part;
use crate::packets::{Links, Packets};
use crate::read::{Kptr, Raw, offset};
use crate::repeat::{Step, repeat};
use crate::socket::{self, AF_INET, AF_INET6, AF_UNIX, TCP_LISTEN};
use crate::transport::{
    IPPROTO_MPTCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, SOCK_DGRAM, SOCK_STREAM,
};

/// What has queues.
#[derive(Clone, Copy)]
pub struct Owner {
    /// The `struct sock`, or the `struct pipe_inode_info`.
    pub pointer: Kptr<Raw>,
    /// Which of them.
    pub sort: Sort,
}

/// Which queues there are.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Sort {
    /// A pipe's buffers alone.
    Pipe,
    /// Those that every socket has: receive, write and error queue, and backlog.
    Socket,
    /// A unix socket's.
    Unix,
    /// A unix socket that listens: its receive queue holds connections.
    UnixListener,
    /// UDP: the reader's as well.
    Udp,
    /// TCP: the trees as well.
    Tcp,
    /// TCP that listens.
    TcpListener,
    /// MPTCP: its own queues of what it received, and its first subflow's of what it sent.
    Mptcp,
    /// MPTCP that listens: connections wait in its first subflow.
    MptcpListener,
}

impl Sort {
    /// From its number.
    #[inline(always)]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Pipe,
            2 => Self::Unix,
            3 => Self::UnixListener,
            4 => Self::Udp,
            5 => Self::Tcp,
            6 => Self::TcpListener,
            7 => Self::Mptcp,
            8 => Self::MptcpListener,
            _ => Self::Socket,
        }
    }
}

/// A queue as numbers, to be kept in a map.
///
/// The verifier knows of each way to a queue which one it is, and would look at everything that
/// follows once a way. What has been through a map it does not know.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct QueueNumbers {
    owner: u64,
    head: u64,
    number: u32,
    sort: u32,
    links: u32,
    bits: u32,
}

impl QueueNumbers {
    /// The queue that was put here last.
    #[inline(always)]
    pub fn queue(&self) -> Option<Queue<'static>> {
        // SAFETY: a reference is readable. Volatile, so that the compiler does not keep what it
        // has just put there.
        let now = unsafe { (&raw const *self).read_volatile() };
        Some(Queue {
            number: now.number,
            sort: Sort::from_number(now.sort),
            owner: Kptr::to(now.owner)?,
            head: Kptr::to(now.head)?,
            links: Links::from_number(now.links),
            bits: now.bits,
            of: PhantomData,
        })
    }
}

/// What has queues, as numbers in a map, see [`QueueNumbers`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OwnerNumbers {
    pointer: u64,
    sort: u32,
    reserved: u32,
}

impl OwnerNumbers {
    /// Nothing that has queues.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.pointer = 0;
    }

    /// Puts it here.
    #[inline(always)]
    pub fn keep(&mut self, owner: Owner) {
        self.pointer = owner.pointer.address();
        self.sort = owner.sort as u32;
    }

    /// The queues of what was put here last.
    #[inline(always)]
    pub fn queues(&self) -> Queues<'_> {
        let owner = Kptr::to(self.pointer)
            .map(|pointer| Owner { pointer, sort: Sort::from_number(self.sort) });
        Queues::of(owner)
    }
}

impl Owner {
    /// What stands behind a file, if it has queues.
    #[inline(always)]
    pub fn of(file: Kptr<Raw>, part: Part) -> Option<Self> {
        match part {
            Part::Socket => {
                let pointer = socket::of_socket_file(file)?;
                Some(Self { pointer, sort: sort(pointer) })
            }
            Part::Pipe => {
                let inode = file.follow(offset!(file_inode))?;
                let pointer = Kptr::<Raw>::to(inode.get(offset!(inode_pipe)).or_zero())?;
                Some(Self { pointer, sort: Sort::Pipe })
            }
            Part::Epoll | Part::Nothing => None,
        }
    }

    /// The queue of this number ([`queue`]), where there is one.
    #[inline(always)]
    pub fn queue(self, number: u32) -> Option<Queue<'static>> {
        let subflow = match (number, self.sort) {
            (queue::WRITE | queue::RETRANSMIT, Sort::Mptcp) => Sort::Tcp,
            (queue::ACCEPT, Sort::MptcpListener) => Sort::TcpListener,
            _ => return self.own_queue(number),
        };
        let pointer = self.pointer.follow(offset!(mptcp_first))?;
        Self { pointer, sort: subflow }.own_queue(number)
    }

    #[inline(always)]
    fn own_queue(self, number: u32) -> Option<Queue<'static>> {
        let at = |offset| self.pointer.member(offset);
        use Links::{Chain, List, Ring, Tree};
        let (head, links, bits) = match (number, self.sort) {
            (queue::PIPE, Sort::Pipe) => (Some(self.pointer), Ring, is::BUFFER),
            (_, Sort::Pipe) | (queue::PIPE, _) => return None,
            (queue::ACCEPT, Sort::UnixListener) => {
                (at(offset!(sock_receive_queue)), List, is::LISTED_SKB | is::CONNECTION)
            }
            (queue::ACCEPT, Sort::TcpListener) => {
                (at(offset!(icsk_accept_head)), Chain, is::REQUEST | is::CONNECTION)
            }
            (queue::ACCEPT, _) | (queue::RECEIVE, Sort::UnixListener) => return None,
            (queue::RECEIVE, _) => (
                at(offset!(sock_receive_queue)),
                List,
                is::LISTED_SKB | is::COME | is::RECEIVED | is::NUMBERED | is::TAKEN | is::CARRIER,
            ),
            (queue::READER, Sort::Udp) => {
                (at(offset!(udp_reader_queue)), List, is::LISTED_SKB | is::COME | is::RECEIVED)
            }
            (queue::RETRANSMIT, Sort::Tcp) => {
                (at(offset!(sock_rtx_queue)), Tree, is::SKB | is::NUMBERED)
            }
            (queue::OUT_OF_ORDER, Sort::Mptcp) => {
                (at(offset!(mptcp_out_of_order)), Tree, is::SKB | is::COME)
            }
            (queue::OUT_OF_ORDER, Sort::Tcp) => {
                (at(offset!(tcp_out_of_order)), Tree, is::SKB | is::COME | is::NUMBERED)
            }
            (queue::WRITE, _) => {
                (at(offset!(sock_write_queue)), List, is::LISTED_SKB | is::NUMBERED)
            }
            (queue::ERROR, _) => (at(offset!(sock_error_queue)), List, is::LISTED_SKB | is::COME),
            (queue::BACKLOG, _) => (
                at(offset!(sock_backlog_head)),
                Chain,
                is::SKB | is::COME | is::NUMBERED | is::WRAPPED,
            ),
            _ => return None,
        };
        Some(Queue {
            number,
            sort: self.sort,
            owner: self.pointer,
            head: head?,
            links,
            bits: bits & !is::never(self.sort),
            of: PhantomData,
        })
    }
}

/// Which queues a socket has, by its family, type and state.
#[inline(always)]
fn sort(sk: Kptr<Raw>) -> Sort {
    let family: u16 = sk.get(offset!(sock_family)).or_zero();
    let kind: u16 = sk.get(offset!(sock_type)).or_zero();
    let protocol: u16 = sk.get(offset!(sock_protocol)).or_zero();
    let listens = sk.get::<u8>(offset!(sock_state)).is(TCP_LISTEN);
    match (family, kind, protocol) {
        (AF_UNIX, ..) if listens => Sort::UnixListener,
        (AF_UNIX, ..) => Sort::Unix,
        (AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_TCP) if listens => Sort::TcpListener,
        (AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_TCP) => Sort::Tcp,
        (AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_MPTCP) if listens => Sort::MptcpListener,
        (AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_MPTCP) => Sort::Mptcp,
        (AF_INET | AF_INET6, SOCK_DGRAM, IPPROTO_UDP | IPPROTO_UDPLITE) => Sort::Udp,
        _ => Sort::Socket,
    }
}

/// The queues of a file, for as long as the file is looked at.
pub struct Queues<'a> {
    owner: Option<Owner>,
    first: u32,
    file: PhantomData<&'a ()>,
}

/// One queue.
#[derive(Clone, Copy)]
pub struct Queue<'a> {
    /// One of [`queue`].
    pub number: u32,
    /// What kind of socket it is of.
    pub sort: Sort,
    /// The socket or pipe.
    pub owner: Kptr<Raw>,
    /// The `sk_buff_head`, the pointer to the first of a chain or to a tree's top node, or the
    /// pipe.
    pub head: Kptr<Raw>,
    /// How its packets hang together.
    pub links: Links,
    /// What is true of its packets: of [`is`].
    bits: u32,
    of: PhantomData<&'a ()>,
}

/// What may be true of the packets of a queue.
///
/// Found out once a queue, and asked a bit at a time: what is made of its number and its owner's
/// sort wherever it is needed stays in a register as one of several constants, and the verifier
/// looks at all that follows once for each of them.
pub mod is {
    use super::Sort;
    use crate::read::below;

    /// A `struct sk_buff`.
    pub const SKB: u32 = 1 << 0;
    /// A `struct request_sock`.
    pub const REQUEST: u32 = 1 << 1;
    /// A buffer of a pipe.
    pub const BUFFER: u32 = 1 << 2;
    /// In a list.
    pub const LISTED: u32 = 1 << 3;
    /// One of TCP's, which have sequence numbers.
    pub const NUMBERED: u32 = 1 << 4;
    /// A connection that waits, which is no payload.
    pub const CONNECTION: u32 = 1 << 5;
    /// Of a unix socket, which notes in it how much its reader has taken.
    pub const TAKEN_UNIX: u32 = 1 << 6;
    /// Of MPTCP, which does so as well.
    pub const TAKEN_MPTCP: u32 = 1 << 7;
    /// Of TCP, which notes that in the socket.
    pub const TAKEN_TCP: u32 = 1 << 8;
    /// Waiting to be read.
    pub const RECEIVED: u32 = 1 << 9;
    /// Stamped with the time when it came.
    pub const STAMPED: u32 = 1 << 10;
    /// With headers in front of it, where its family has such.
    pub const HEADED: u32 = 1 << 11;
    /// One that may have files in flight.
    pub const CARRIER: u32 = 1 << 12;

    /// With TCP's header before the payload in its bytes: the backlog's are taken off when TCP takes it
    /// from there (`tcp_data_queue`).
    pub const WRAPPED: u32 = 1 << 13;
    pub(super) const LISTED_SKB: u32 = SKB | LISTED;
    pub(super) const COME: u32 = STAMPED | HEADED;
    pub(super) const TAKEN: u32 = TAKEN_UNIX | TAKEN_MPTCP | TAKEN_TCP;

    const UNIX: u32 = TAKEN_UNIX | CARRIER;
    const TCP: u32 = TAKEN_TCP | NUMBERED | WRAPPED;

    /// What is never true in a queue of each [`Sort`]: in a table, which is no branch.
    static NEVER: [u32; 16] = {
        let mut never = [UNIX | TCP | TAKEN_MPTCP; 16];
        never[Sort::Unix as usize] = TCP | TAKEN_MPTCP;
        never[Sort::Tcp as usize] = UNIX | TAKEN_MPTCP;
        never[Sort::Mptcp as usize] = UNIX | TCP;
        never
    };

    #[inline(always)]
    pub(super) fn never(sort: Sort) -> u32 {
        let entry = &NEVER[below::<16>(sort as u32) as usize];
        // SAFETY: a reference is readable. Volatile, so that it is looked up.
        unsafe { (&raw const *entry).read_volatile() }
    }
}

impl<'a> Queue<'a> {
    /// Puts it into a map.
    #[inline(always)]
    pub fn keep(&self, numbers: &mut QueueNumbers) {
        let kept = QueueNumbers {
            owner: self.owner.address(),
            head: self.head.address(),
            number: self.number,
            sort: self.sort as u32,
            links: self.links as u32,
            bits: self.bits,
        };
        // SAFETY: a reference is writable. Volatile as in `QueueNumbers::queue`.
        unsafe { (&raw mut *numbers).write_volatile(kept) };
    }

    /// Whether this is true of its packets: one of [`is`].
    #[inline(always)]
    pub fn is(&self, bit: u32) -> bool {
        self.bits & bit != 0
    }

    /// Its packets.
    #[inline(always)]
    pub fn packets(&self) -> Packets<'_> {
        Packets::of(self)
    }
}

impl<'a> Queues<'a> {
    /// The queues of `owner`.
    #[inline(always)]
    pub fn of(owner: Option<Owner>) -> Self {
        Self { owner, first: 0, file: PhantomData }
    }

    /// Those from the one of this number on.
    #[inline(always)]
    pub fn resume(self, first: u32) -> Self {
        Self { first, ..self }
    }

    /// Calls `step` with each queue there is.
    #[inline(always)]
    pub fn for_each(self, mut step: impl for<'step> FnMut(Queue<'step>) -> Step) {
        let Some(Owner { pointer, sort }) = self.owner else { return };
        let first = self.first;
        repeat(queue::COUNT.saturating_sub(first), |index| {
            let number = first.wrapping_add(index);
            if crib_queue_at(pointer.address(), sort as u32, number) == 0 {
                return Step::Continue;
            }
            match emit::kept_queue() {
                Some(queue) => step(queue),
                None => Step::Continue,
            }
        });
    }
}

/// Puts the queue of this number into the map; 0 where there is none. A global function: see
/// [`crate::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_queue_at(owner: u64, sort: u32, number: u32) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(pointer) = Kptr::<Raw>::to(owner) else { return 0 };
    match (Owner { pointer, sort: Sort::from_number(sort) }).queue(number) {
        Some(queue) => {
            queue.keep(&mut dump.queue);
            1
        }
        None => 0,
    }
}

impl crate::task_file::File<'_> {
    /// Its queues, if it is a socket or a pipe.
    #[inline(always)]
    pub fn queues(&self) -> Queues<'_> {
        let part = crate::file::queue_part(self.pointer());
        Queues::of(Owner::of(self.pointer(), part))
    }
}
