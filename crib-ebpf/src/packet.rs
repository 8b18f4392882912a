//! One packet (`struct sk_buff`), buffer of a pipe, or connection that waits. By what it is known
//! again is in [`crate::identity`], what the dump says of it in [`crate::packet_record`].

use core::marker::PhantomData;

use crib_common::dump::PacketRecord;

use crate::chunks::Chunks;
use crate::emit;
use crate::queues::{Queue, is};
use crate::read::{Image, Kptr, Members, Raw, Value, offset, within};

/// Room for a copy of a `struct sk_buff`, which takes 216 to 240 bytes. Of one that is larger, what
/// lies behind these is unknown.
pub type Skb = Image<256>;

/// A packet, for as long as one step of a walk.
pub struct Packet<'a> {
    /// The `sk_buff`, `request_sock` or `pipe_buffer`.
    pub pointer: Kptr<Raw>,
    /// Its place in the queue.
    pub index: u32,
    step: PhantomData<&'a ()>,
}

impl<'a> Packet<'a> {
    /// The packet at this address, in this place of the queue that is kept in the map.
    #[inline(always)]
    pub fn at(address: u64, index: u32) -> Option<Self> {
        Some(Self { pointer: Kptr::<Raw>::to(address)?, index, step: PhantomData })
    }

    /// What there is to say of it.
    #[inline(always)]
    pub fn details(&self) -> Option<Details<'_>> {
        Details::of(self.pointer.address(), self.index)
    }
}

/// A packet and the queue that it is in.
pub struct Details<'a> {
    /// The queue it is in.
    pub queue: Queue<'a>,
    /// The `sk_buff`, `request_sock` or `pipe_buffer`.
    pub pointer: Kptr<Raw>,
    /// Its place in the queue.
    pub index: u32,
    packet: PhantomData<&'a ()>,
}

impl<'a> Details<'a> {
    /// Those of the packet at this address, in this place of the queue that is kept in the map.
    #[inline(always)]
    pub fn of(address: u64, index: u32) -> Option<Self> {
        let (queue, pointer) = (emit::kept_queue()?, Kptr::to(address)?);
        Some(Self { queue, pointer, index, packet: PhantomData })
    }
}

impl Details<'_> {
    /// Whether this is true of it: one of [`is`].
    #[inline(always)]
    pub fn is(&self, bit: u32) -> bool {
        self.queue.is(bit)
    }

    /// Copies its `struct sk_buff`, if it is one, for what is read of it from there.
    #[inline(always)]
    pub fn copy_into(&self, skb: &mut Skb) {
        if self.is(is::SKB) {
            skb.take(self.pointer, offset!(skb_size));
        }
    }

    /// The TCP sequence number behind it, where that tells what its reader gets from it: so it is
    /// in TCP's receive queue.
    #[inline(always)]
    pub fn behind(&self, skb: &Skb) -> Value<u32> {
        if self.is(is::TAKEN_TCP) {
            skb.read(cb(offset!(tcp_cb_end_seq)))
        } else {
            Value::unknown()
        }
    }

    /// The TCP sequence number that it begins with.
    #[inline(always)]
    pub fn seq(&self, skb: &impl Members) -> Value<u32> {
        if self.is(is::NUMBERED) { skb.read(cb(offset!(tcp_cb_seq))) } else { Value::unknown() }
    }

    /// Bytes that its reader does not get from it: those that it has taken already, which unix
    /// streams note in the packet and TCP in the socket, and those that it gets from the packet
    /// before it, which ends at `behind`: TCP may receive something twice.
    #[inline(always)]
    fn consumed(&self, skb: &impl Members, len: u32, behind: Value<u32>) -> u32 {
        let consumed = if self.is(is::TAKEN_UNIX) {
            skb.read(cb(offset!(unix_cb_consumed))).or_zero()
        } else if self.is(is::TAKEN_TCP) {
            let copied: Value<u32> = self.queue.owner.get(offset!(tcp_copied_seq));
            let first = skb.read(cb(offset!(tcp_cb_seq)));
            // Negative, and so huge, for all but the packet that is being read.
            let taken = copied.with(first, u32::wrapping_sub).or_zero();
            let twice = behind.with(first, u32::wrapping_sub).or_zero();
            if twice <= len && (taken > len || twice > taken) { twice } else { taken }
        } else if self.is(is::TAKEN_MPTCP) {
            skb.read(cb(offset!(mptcp_cb_offset))).or_zero()
        } else {
            0
        };
        if consumed <= len { consumed } else { 0 }
    }

    /// Bytes of TCP's header that stand before its payload.
    #[inline(always)]
    pub fn wrapping(&self, skb: &impl Members) -> Value<u32> {
        if !self.is(is::WRAPPED) {
            return Value::of(0);
        }
        match Kptr::<Raw>::to(skb.read(offset!(skb_data)).or_zero()) {
            // The data offset, in words of 32 bits (RFC 9293, 3.1).
            Some(header) => header.get::<u8>(12).map(|byte| u32::from(byte >> 4) * 4),
            None => Value::unknown(),
        }
    }

    /// Its bytes without the header that stands before its payload.
    #[inline(always)]
    pub fn bytes(&self, skb: &impl Members) -> Value<u32> {
        let bytes = skb.read::<u32>(offset!(skb_len));
        bytes.with(self.wrapping(skb), u32::saturating_sub)
    }

    /// Bytes that a reader would get of it.
    #[inline(always)]
    pub fn len(&self, skb: &Skb, behind: Value<u32>) -> Value<u32> {
        if self.is(is::BUFFER) {
            return self.pointer.get(offset!(pipe_buffer_len));
        }
        // A connection that waits is no payload.
        if self.is(is::CONNECTION) {
            return Value::of(0);
        }
        self.bytes(skb).map(|len| len - self.consumed(skb, len, behind))
    }

    /// Memory that is charged for it.
    #[inline(always)]
    pub fn truesize(&self, skb: &Skb) -> Value<u32> {
        if self.is(is::SKB) { skb.read(offset!(skb_truesize)) } else { Value::unknown() }
    }

    /// Of a packet of this length, how much its reader has taken and how much is left: looked at
    /// once, so that the two go together.
    #[inline(always)]
    pub fn taken_and_left(&self, skb: &impl Members, len: u32, behind: Value<u32>) -> (u32, u32) {
        // A connection that waits is no payload.
        if self.is(is::CONNECTION) {
            return (0, 0);
        }
        let taken = self.consumed(skb, len, behind);
        (taken, len - taken)
    }

    /// Its payload as it is now, `most` bytes at most.
    #[inline(always)]
    pub fn payload(&self, most: u32) -> Chunks<'_> {
        let len = self.bytes(&self.pointer).or_zero();
        let (taken, left) = self.taken_and_left(&self.pointer, len, Value::unknown());
        Chunks::of(self, taken, left.min(most))
    }

    /// Bytes of its payload: `len` behind those that its record says were taken. Those that its
    /// reader takes from now on stay where they are until it has taken the last.
    #[inline(always)]
    pub fn chunks(&self, record: &PacketRecord, len: u32) -> Chunks<'_> {
        Chunks::of(self, record.wrapping + record.consumed, record.len.min(len))
    }
}

/// The offset of a member of the socket layer's scratch space in a packet (`skb->cb`).
#[inline(always)]
pub fn cb(member: u16) -> u16 {
    within(offset!(skb_cb), member)
}

/// The shared part of a packet (`skb_shinfo`): where its fragments are.
#[inline(always)]
pub fn shared_info(skb: &impl Members) -> Option<Kptr<Raw>> {
    let head: u64 = skb.read(offset!(skb_head)).or_zero();
    // An offset from the head, as all 64-bit kernels have it (NET_SKBUFF_DATA_USES_OFFSET).
    let end: u32 = skb.read::<u32>(offset!(skb_end)).ok()?;
    if head == 0 {
        return None;
    }
    Kptr::to(head.wrapping_add(u64::from(end)))
}
