//! A socket's queue of packets (`struct sk_buff_head`), walked without its lock.
//!
//! The queue can change under the walk. Each step checks that the list still leads back to
//! where it came from, the walk is bounded by the queue's own length, and a walk that did not
//! end where it should gives no sum rather than a wrong one.

use crib_common::limits::QUEUE_SUM_PACKETS;

use crate::read::{Access, Kptr, Raw, offset};
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

/// Messages and payload bytes.
#[derive(Clone, Copy, Default)]
pub struct Sum {
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
    pub fn len(self) -> Option<u32> {
        self.head.get(offset!(queue_qlen))
    }

    /// The sum over its packets; none where it is longer than the limit, changed during the
    /// walk, or could not be read.
    #[inline(always)]
    pub fn sum(self, counted: Counted) -> Option<Sum> {
        let len = self.len()?;
        if len == 0 {
            return Some(Sum::default());
        }
        if len > QUEUE_SUM_PACKETS {
            return None;
        }
        let head = self.head.address();
        let mut at = self.head.get::<u64>(offset!(queue_next))?;
        let mut before = head;
        let mut sum = Sum::default();
        let mut whole = true;
        // One step more than packets, to arrive at the head again.
        repeat(len + 1, |_| {
            if at == head {
                return Step::Break;
            }
            match packet(at, counted) {
                Some(Packet { next, prev, counts }) if prev == before => {
                    if let Some((len, truesize)) = counts {
                        sum.messages += 1;
                        sum.payload += u64::from(len);
                        sum.memory += u64::from(truesize);
                    }
                    before = at;
                    at = next;
                    Step::Continue
                }
                _ => {
                    whole = false;
                    Step::Break
                }
            }
        });
        (whole && at == head).then_some(sum)
    }
}

/// What a step of the walk reads of a packet.
struct Packet {
    next: u64,
    prev: u64,
    /// Bytes and `truesize` that count; none for another sender's packet.
    counts: Option<(u32, u32)>,
}

#[inline(always)]
fn packet(address: u64, counted: Counted) -> Option<Packet> {
    let skb = Kptr::<Raw>::to(address)?;
    let next = skb.get(offset!(skb_next))?;
    let prev = skb.get(offset!(skb_prev))?;
    if counted.sender != 0 && skb.get::<u64>(offset!(skb_sk))? != counted.sender {
        return Some(Packet { next, prev, counts: None });
    }
    let mut len: u32 = skb.get(offset!(skb_len))?;
    if counted.less_consumed {
        let consumed: u32 = skb.member(offset!(skb_cb))?.get(offset!(unix_cb_consumed))?;
        len = len.checked_sub(consumed)?;
    }
    let truesize: u32 = skb.get(offset!(skb_truesize))?;
    Some(Packet { next, prev, counts: Some((len, truesize)) })
}
