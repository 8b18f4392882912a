//! The packets of a queue, one after the other, walked without its lock.
//!
//! The queue can change under the walk. Lists are checked to lead back to where the walk came
//! from, trees by what each packet says of itself before and after it is read (see
//! [`crate::identity::Identity`]), and each walk is bounded. What may be wrong is marked.

use core::marker::PhantomData;

use crib_common::dump::{UNKNOWN_LEN, end_bits};
use crib_common::limits::QUEUE_PACKETS;

use crate::emit;
use crate::level::Go;
use crate::packet::Packet;
use crate::queues::{Queue, is};
use crate::rbtree;
use crate::read::{Kptr, Raw, Value, offset};
use crate::repeat::{Step, repeat};

/// How the packets of a queue hang together.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Links {
    /// A ring with a head in it (`struct sk_buff_head`).
    List,
    /// A chain that ends with null.
    Chain,
    /// A red-black tree (`struct rb_node`).
    Tree,
    /// A ring of buffers (`struct pipe_inode_info`).
    Ring,
}

impl Links {
    /// From its number.
    #[inline(always)]
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Chain,
            2 => Self::Tree,
            3 => Self::Ring,
            _ => Self::List,
        }
    }
}

/// Where a walk over a queue's packets is; in a map, see [`crate::rbtree::Walk`].
#[repr(C)]
pub struct Walk {
    /// The packet; in a tree the node.
    at: u64,
    /// What was before it.
    before: u64,
    /// What comes behind it.
    next: u64,
    /// Its place in the queue.
    index: u32,
    /// A tree's next turn.
    turn: u32,
    /// What is true of the walk: [`end_bits`].
    bits: u32,
    /// Whether it came to the end.
    ended: u32,
    /// How long the queue was when it was first looked at.
    len: u32,
    /// The tail that a pipe had then ([`Begun::front`]).
    front: u32,
    /// The first packet that is wanted.
    first: u32,
}

/// What a queue was when it was first looked at.
#[derive(Clone, Copy)]
pub struct Begun {
    /// How long; [`UNKNOWN_LEN`] where that is not kept, or it was not looked at yet.
    pub len: u32,
    /// What moves when something is taken from its front: the tail of a pipe, from which its
    /// packets have their places; of TCP's trees a sequence number; 0 for others.
    pub front: u32,
}

impl Begun {
    /// It was not looked at yet.
    pub const NOT_YET: Self = Self { len: UNKNOWN_LEN, front: 0 };
}

/// What came of a walk.
#[derive(Clone, Copy)]
pub struct Walked {
    /// What is true of it: [`end_bits`].
    pub bits: u32,
    /// Whether it came to the end, and was not left by its step.
    pub ended: bool,
}

/// The packets of a queue, for as long as the queue is looked at.
pub struct Packets<'a> {
    first: u32,
    begun: Begun,
    queue: PhantomData<&'a ()>,
}

impl<'a> Packets<'a> {
    /// All those of the queue that is kept in the map.
    #[inline(always)]
    pub fn of(_queue: &'a Queue<'_>) -> Self {
        Self { first: 0, begun: Begun::NOT_YET, queue: PhantomData }
    }

    /// Those from the one in this place on, of a queue that was so when it was first looked at.
    #[inline(always)]
    pub fn resume(self, first: u32, begun: Begun) -> Self {
        Self { first, begun, ..self }
    }

    /// Calls `step` with each packet.
    #[inline(always)]
    pub fn for_each(self, mut step: impl for<'step> FnMut(Packet<'step>) -> Step) -> Walked {
        let Some(walk) = emit::packets_walk() else { return Walked { bits: 0, ended: false } };
        repeat(crib_walk_begin(self.first, self.begun.len, self.begun.front), |_| {
            let node = match Go::of(crib_walk_next()) {
                Go::In => walk.at,
                // A tree's packet has its node in it.
                Go::Again => walk.at.wrapping_sub(u64::from(offset!(skb_rbnode))),
                Go::Past => return Step::Continue,
                Go::Stop => return Step::Break,
            };
            if walk.index >= walk.first {
                let Some(packet) = Packet::at(node, walk.index) else { return Step::Break };
                if step(packet) == Step::Break {
                    return Step::Break;
                }
            }
            walk.before = walk.at;
            walk.at = walk.next;
            walk.index += 1;
            walk.turn = rbtree::VISITED;
            Step::Continue
        });
        Walked { bits: walk.bits, ended: walk.ended != 0 || walk.index >= walk.len }
    }
}

/// Sets the walk to the beginning of the queue that is kept in the map, which was so long and had
/// this front ([`Begun`]); how many steps it may take. A global function: see [`crate::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_walk_begin(first: u32, len: u32, front: u32) -> u32 {
    let Some(walk) = emit::packets_walk() else { return 0 };
    let Some(queue) = emit::kept_queue() else { return 0 };
    walk.first = first;
    walk.index = 0;
    walk.turn = rbtree::DOWN;
    walk.bits = 0;
    walk.ended = 0;
    walk.before = queue.head.address();
    walk.len = len;
    walk.front = front;
    if len == UNKNOWN_LEN {
        let now = queue.begin();
        walk.front = now.front;
        walk.len = if now.len == UNKNOWN_LEN { 0 } else { now.len };
    }
    let (node, mut times) = match queue.links {
        Links::List => (queue.head.get::<u64>(offset!(queue_next)), walk.len),
        Links::Chain => (queue.head.get(0), QUEUE_PACKETS),
        Links::Tree => (queue.head.get(0), QUEUE_PACKETS * rbtree::TURNS),
        Links::Ring => (Value::of(1), walk.len),
    };
    if !matches!(queue.links, Links::List | Links::Ring) {
        // They keep no length, or none that bounds a walk.
        walk.len = UNKNOWN_LEN;
    }
    walk.at = node.or_zero();
    walk.next = walk.at;
    if node.ok().is_none() {
        walk.bits = end_bits::CUT;
        walk.ended = 1;
    } else if walk.at == 0 || times == 0 {
        walk.ended = 1;
    }
    if times > QUEUE_PACKETS * rbtree::TURNS {
        times = QUEUE_PACKETS * rbtree::TURNS;
    }
    if walk.ended != 0 { 0 } else { times }
}

/// Looks where the walk is: [`Go::In`] at a packet, [`Go::Again`] at the node of one,
/// [`Go::Past`] where there is none, [`Go::Stop`] at the end. A global function: see
/// [`crate::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_walk_next() -> u32 {
    let Some(walk) = emit::packets_walk() else { return Go::Stop as u32 };
    let Some(queue) = emit::kept_queue() else { return Go::Stop as u32 };
    let go = match queue.links {
        Links::List => list(walk, &queue),
        Links::Chain => chain(walk, &queue),
        Links::Tree => tree(walk),
        Links::Ring => ring(walk, &queue),
    };
    go as u32
}

#[inline(always)]
fn end(walk: &mut Walk) -> Go {
    walk.ended = 1;
    Go::Stop
}

#[inline(always)]
fn torn(walk: &mut Walk) -> Go {
    walk.bits |= end_bits::TORN | end_bits::CUT;
    walk.ended = 1;
    Go::Stop
}

#[inline(always)]
fn list(walk: &mut Walk, queue: &Queue<'_>) -> Go {
    let head = queue.head.address();
    if walk.at == head {
        return end(walk);
    }
    let Some(skb) = Kptr::<Raw>::to(walk.at) else { return torn(walk) };
    let Some(next) = skb.get::<u64>(offset!(skb_next)).ok() else { return torn(walk) };
    let prev: u64 = skb.get(offset!(skb_prev)).or_zero();
    if prev != walk.before {
        // A reader takes packets from the front: then this one is the first now, and the rest
        // of the list is as it was. Anything else leads who knows where.
        if prev != head {
            return torn(walk);
        }
        walk.bits |= end_bits::TORN;
    }
    walk.next = next;
    Go::In
}

#[inline(always)]
fn chain(walk: &mut Walk, queue: &Queue<'_>) -> Go {
    let Some(node) = Kptr::<Raw>::to(walk.at) else { return end(walk) };
    let link = if queue.is(is::REQUEST) { offset!(request_next) } else { offset!(skb_next) };
    let Some(next) = node.get::<u64>(link).ok() else { return torn(walk) };
    walk.next = next;
    Go::In
}

/// One turn through a tree, smallest first (see [`rbtree`]).
#[inline(always)]
fn tree(walk: &mut Walk) -> Go {
    match rbtree::turn(walk.at, walk.turn) {
        rbtree::Turn::Visit => {
            // On from this very node, with another turn.
            walk.next = walk.at;
            Go::Again
        }
        rbtree::Turn::To(next, turn) => {
            walk.at = next;
            walk.turn = turn;
            Go::Past
        }
        rbtree::Turn::End => end(walk),
        rbtree::Turn::Lost => torn(walk),
    }
}

/// A pipe's packets keep their places: what its readers take moves the tail alone.
#[inline(always)]
fn ring(walk: &mut Walk, queue: &Queue<'_>) -> Go {
    let Some(tail) = queue.head.get::<u32>(offset!(pipe_tail)).ok() else { return torn(walk) };
    // Both wrap. Of a ring that was made anew in another size it is anything.
    let taken = tail.wrapping_sub(walk.front);
    if taken != 0 {
        walk.bits |= end_bits::TORN;
    }
    if taken > walk.index {
        walk.index = taken;
    }
    if walk.index >= walk.len {
        return end(walk);
    }
    walk.at = slot(queue, walk.front.wrapping_add(walk.index));
    if walk.at == 0 {
        // It was taken in this moment, or the ring was made anew.
        return torn(walk);
    }
    Go::In
}

/// The buffer of a pipe that this place is in, as long as nobody has taken it; else 0.
#[inline(always)]
fn slot(pipe: &Queue<'_>, place: u32) -> u64 {
    let ring: u32 = pipe.head.get(offset!(pipe_ring_size)).or_zero();
    let bufs: u64 = pipe.head.get(offset!(pipe_bufs)).or_zero();
    let tail: Value<u32> = pipe.head.get(offset!(pipe_tail));
    let there = tail.map(|tail| place.wrapping_sub(tail) < ring);
    if bufs == 0 || !there.or_zero() {
        return 0;
    }
    // The ring's size is a power of two (pipe_resize_ring).
    let index = u64::from(place & ring.wrapping_sub(1));
    bufs.wrapping_add(index * u64::from(offset!(pipe_buffer_size)))
}

/// Whether the buffer at this address is that of the walk's pipe in this place from where the
/// walk began, and not taken. A buffer is used for another packet once the tail has passed it,
/// and all that it says may be the same then.
#[inline(always)]
pub fn keeps_place(pipe: &Queue<'_>, address: u64, index: u32) -> bool {
    let Some(walk) = emit::packets_walk() else { return false };
    slot(pipe, walk.front.wrapping_add(index)) == address
}

impl Queue<'_> {
    /// What it is now, as the kernel keeps it.
    #[inline(always)]
    pub fn begin(&self) -> Begun {
        match self.links {
            Links::List => Begun { len: known(self.head.get(offset!(queue_qlen))), front: 0 },
            Links::Ring => self.begin_ring(),
            Links::Chain if self.is(is::REQUEST) => {
                Begun { len: known(self.owner.get(offset!(sock_ack_backlog))), front: 0 }
            }
            Links::Chain => Begun::NOT_YET,
            Links::Tree => Begun { len: UNKNOWN_LEN, front: self.in_front() },
        }
    }

    /// Whether packets of a tree have the places still that they had when it was begun.
    #[inline(always)]
    pub fn keeps_places(&self, begun: Begun) -> bool {
        self.links != Links::Tree || self.is(is::NUMBERED) && self.in_front() == begun.front
    }

    /// The sequence number before which nothing is left in a tree of TCP's: what was out of
    /// order is taken out when the socket has got all up to it (`rcv_nxt`), and what was sent
    /// when it is acknowledged (`snd_una`).
    #[inline(always)]
    fn in_front(&self) -> u32 {
        if !self.is(is::NUMBERED) {
            return 0;
        }
        let offset = if self.is(is::STAMPED) { offset!(tcp_rcv_nxt) } else { offset!(tcp_snd_una) };
        self.owner.get(offset).or_zero()
    }

    #[inline(always)]
    fn begin_ring(&self) -> Begun {
        // In this order: what is taken between the two is among those from the tail on, and
        // found missing by the walk.
        let tail: Value<u32> = self.head.get(offset!(pipe_tail));
        let head: Value<u32> = self.head.get(offset!(pipe_head));
        let ring: u32 = self.head.get(offset!(pipe_ring_size)).or_zero();
        let len = head.with(tail, |head, tail| head.wrapping_sub(tail).min(ring));
        Begun { len: known(len), front: tail.or_zero() }
    }
}

#[inline(always)]
fn known(len: Value<u32>) -> u32 {
    if len.ok().is_some() { len.or_zero() } else { UNKNOWN_LEN }
}
