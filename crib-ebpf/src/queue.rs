//! A socket's queue of packets (`struct sk_buff_head`), walked without its lock.
//!
//! The queue can change under the walk. Each step checks that the list still leads back to
//! where it came from, the walk is bounded by the queue's own length, and a walk that did not
//! end where it should gives no sum rather than a wrong one.

use crib_common::limits::QUEUE_SUM_PACKETS;

use crate::emit;
use crate::read::{Access, Kptr, Raw, Value, offset};
use crate::repeat::{Step, repeat};

/// A queue of packets.
#[derive(Clone, Copy)]
pub struct Queue {
    head: Kptr<Raw>,
}

/// Whose packets count, and how much of each.
#[derive(Clone, Copy)]
pub struct Counted {
    /// Only packets that this socket sent; 0 for all.
    pub sender: u64,
    /// Without the bytes of the first message that a unix stream's reader took already.
    pub less_consumed: bool,
}

/// The sum over a queue's packets.
#[derive(Clone, Copy, Default)]
pub struct Sum {
    /// Whether the walk came to the queue's end undisturbed: else the numbers say nothing.
    pub whole: bool,
    /// Packets that count.
    pub messages: u32,
    /// Their bytes.
    pub payload: u64,
    /// Their `truesize`.
    pub memory: u64,
}

impl Queue {
    /// The queue that is a member of `owner`.
    #[inline(always)]
    pub fn of<A: Access>(owner: Kptr<A>, offset: u16) -> Option<Self> {
        Some(Self { head: owner.member(offset)?.raw() })
    }

    /// Its length as the kernel keeps it.
    #[inline(always)]
    pub fn len(self) -> Value<u32> {
        self.head.get(offset!(queue_qlen))
    }

    /// The sum over its packets; not `whole` where it is longer than the limit, changed during
    /// the walk, or could not be read.
    #[inline(always)]
    pub fn sum(self, counted: Counted) -> Sum {
        let Some(state) = emit::state() else { return Sum::default() };
        state.sum.give(self.head.address(), counted.sender);
        crib_queue_sum(u32::from(counted.less_consumed));
        state.sum.taken()
    }
}

/// The sum that was made last, in a map.
#[repr(C)]
pub struct SumNumbers {
    payload: u64,
    memory: u64,
    messages: u32,
    whole: u32,
    /// The queue, and the only sender that counts.
    head: u64,
    sender: u64,
    /// Where the walk is.
    at: u64,
    before: u64,
}

impl SumNumbers {
    /// What the function needs that sums up. It is not handed over as arguments, which may not be
    /// typed pointers: what is read out of a map is a number.
    #[inline(always)]
    fn give(&mut self, head: u64, sender: u64) {
        // SAFETY: a reference is writable. Volatile as in `taken`.
        unsafe {
            (&raw mut self.head).write_volatile(head);
            (&raw mut self.sender).write_volatile(sender);
        }
    }

    #[inline(always)]
    fn taken(&self) -> Sum {
        // SAFETY: a reference is readable. Volatile, since the function that has put it here is
        // not seen to.
        let (payload, memory, messages, whole) = unsafe {
            (
                (&raw const self.payload).read_volatile(),
                (&raw const self.memory).read_volatile(),
                (&raw const self.messages).read_volatile(),
                (&raw const self.whole).read_volatile(),
            )
        };
        Sum { whole: whole != 0, messages, payload, memory }
    }
}

/// Sums up a queue into the map. A global function: see [`crate::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_queue_sum(less_consumed: u32) -> u32 {
    let Some(state) = emit::state() else { return 0 };
    let sum = &mut state.sum;
    let (head, sender) = (sum.head, sum.sender);
    sum.payload = 0;
    sum.memory = 0;
    sum.messages = 0;
    sum.whole = 0;
    let Some(queue) = Kptr::<Raw>::to(head).map(|head| Queue { head }) else { return 0 };
    let Some(len) = queue.len().ok() else { return 0 };
    if len == 0 {
        sum.whole = 1;
        return 0;
    }
    let Some(first) = queue.head.get::<u64>(offset!(queue_next)).ok() else { return 0 };
    if len > QUEUE_SUM_PACKETS {
        return 0;
    }
    sum.at = first;
    sum.before = head;
    let counted = Counted { sender, less_consumed: less_consumed != 0 };
    // One step more than packets, to arrive at the head again.
    repeat(len + 1, |_| {
        if sum.at == head {
            sum.whole = 1;
            return Step::Break;
        }
        let (at, before) = (sum.at, sum.before);
        match add(sum, at, before, counted) {
            Some(next) => {
                sum.before = at;
                sum.at = next;
                Step::Continue
            }
            None => Step::Break,
        }
    });
    0
}

/// Adds one packet; the address of the next one, or none where the list does not lead back to
/// the packet before or could not be read. Its one caller branches on that at once.
#[inline(always)]
fn add(sum: &mut SumNumbers, address: u64, before: u64, counted: Counted) -> Option<u64> {
    let skb = Kptr::<Raw>::to(address)?;
    let next = skb.get(offset!(skb_next)).ok()?;
    if !skb.get::<u64>(offset!(skb_prev)).is(before) {
        return None;
    }
    if counted.sender != 0 && !skb.get::<u64>(offset!(skb_sk)).is(counted.sender) {
        return Some(next);
    }
    let mut len = skb.get::<u32>(offset!(skb_len)).ok()?;
    if counted.less_consumed {
        let consumed = skb.member(offset!(skb_cb))?.get(offset!(unix_cb_consumed)).ok()?;
        len = len.checked_sub(consumed)?;
    }
    sum.memory += u64::from(skb.get::<u32>(offset!(skb_truesize)).ok()?);
    sum.payload += u64::from(len);
    sum.messages += 1;
    Some(next)
}
