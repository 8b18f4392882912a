//! A socket's queue of packets (`struct sk_buff_head`), walked without its lock.
//!
//! The queue can change under the walk. Each step checks that the list still leads back to
//! where it came from, the walk is bounded by the queue's own length, and a walk that did not
//! end where it should gives no sum rather than a wrong one.

use crib_common::limits::QUEUE_SUM_PACKETS;

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
        let mut sum = Sum::default();
        let Some(len) = self.len().ok() else { return sum };
        if len == 0 {
            sum.whole = true;
            return sum;
        }
        let Some(first) = self.head.get::<u64>(offset!(queue_next)).ok() else { return sum };
        if len > QUEUE_SUM_PACKETS {
            return sum;
        }
        let head = self.head.address();
        let mut at = first;
        let mut before = head;
        // One step more than packets, to arrive at the head again.
        repeat(len + 1, |_| {
            if at == head {
                sum.whole = true;
                return Step::Break;
            }
            match add(&mut sum, at, before, counted) {
                Some(next) => {
                    before = at;
                    at = next;
                    Step::Continue
                }
                None => Step::Break,
            }
        });
        sum
    }
}

/// Adds one packet; the address of the next one, or none where the list does not lead back to
/// the packet before or could not be read. Its one caller branches on that at once.
#[inline(always)]
fn add(sum: &mut Sum, address: u64, before: u64, counted: Counted) -> Option<u64> {
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
