//! By what a packet is known again: whether it is still the one that it was, and in its queue.

use crate::packet::{Details, Skb, cb};
use crate::packets::keeps_place;
use crate::queues::is;
use crate::read::{Members, offset};

/// What a packet is known by: it changes when the packet is taken out, or its memory is used
/// for another one.
///
/// The very same values can come back only with a packet of the same length in the same memory;
/// that its bytes are those of one packet is shown by reading them twice.
#[repr(C)]
pub struct Identity {
    address: u64,
    before: u64,
    head: u64,
    data: u64,
    len: u32,
    data_len: u32,
    seq: u32,
    end_seq: u32,
    /// A pipe's buffer was taken, or nothing is in it yet: what it says may be another one's. Or TCP
    /// is at work on a packet: what it says does not go together.
    gone: u32,
    reserved: u32,
}

impl Identity {
    /// The packet's address.
    #[inline(always)]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Whether it was there, and whole, when it was noted: a pipe's buffer is used again when its
    /// reader has taken it, and TCP adds to its packets and takes from them.
    #[inline(always)]
    pub fn is_there(&self) -> bool {
        self.gone == 0
    }

    /// The TCP sequence number that it begins with, 0 for others.
    #[inline(always)]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The TCP sequence number behind it, 0 for others.
    #[inline(always)]
    pub fn end_seq(&self) -> u32 {
        self.end_seq
    }
}

impl Details<'_> {
    /// Notes what it is known by now.
    #[inline(always)]
    pub fn identify(&self, skb: &Skb, identity: &mut Identity) {
        let at = self.pointer;
        identity.address = at.address();
        identity.before = 0;
        identity.head = 0;
        identity.data = 0;
        identity.len = 0;
        identity.data_len = 0;
        identity.seq = 0;
        identity.end_seq = 0;
        identity.gone = 0;
        if self.is(is::BUFFER) {
            identity.head = at.get(offset!(pipe_buffer_page)).or_zero();
            identity.data_len = at.get(offset!(pipe_buffer_offset)).or_zero();
            identity.len = at.get(offset!(pipe_buffer_len)).or_zero();
            // Last, so that it holds for what was read before. A writer takes a buffer first and
            // fills it then, a reader empties it first and gives it back then.
            let there = identity.len != 0 && keeps_place(&self.queue, at.address(), self.index);
            identity.gone = u32::from(!there);
        } else if self.is(is::REQUEST) {
            identity.head = at.get(offset!(request_sk)).or_zero();
        } else {
            identity.gone = u32::from(!skb.is_known());
            identity.head = skb.read(offset!(skb_head)).or_zero();
            identity.data = skb.read(offset!(skb_data)).or_zero();
            identity.len = skb.read(offset!(skb_len)).or_zero();
            identity.data_len = skb.read(offset!(skb_data_len)).or_zero();
            if self.is(is::LISTED) {
                identity.before = skb.read(offset!(skb_prev)).or_zero();
            }
            if self.is(is::NUMBERED) {
                identity.seq = self.seq(skb).or_zero();
                identity.end_seq = skb.read(cb(offset!(tcp_cb_end_seq))).or_zero();
                let numbers = identity.end_seq.wrapping_sub(identity.seq);
                let control = skb.read(cb(offset!(tcp_cb_flags))).map(controls);
                let bytes = self.bytes(skb);
                let goes_together =
                    control.with(bytes, |control, bytes| numbers == bytes + control);
                if goes_together.is(false) {
                    identity.gone = 1;
                }
            }
        }
    }

    /// Whether what it is known by `now` is what it was `known` by: then it is the packet that
    /// it was, and still in its queue. Packets before it may have been taken out: it is the
    /// first then.
    #[inline(always)]
    pub fn is_same(&self, known: &Identity, now: &Identity) -> bool {
        let is_first = now.before == self.queue.head.address();
        // A writer appends to a pipe's last buffer.
        let has_grown = self.is(is::BUFFER) && now.len > known.len;
        (now.before == known.before || is_first)
            && (now.len == known.len || has_grown)
            && now.address == known.address
            && now.head == known.head
            && now.data == known.data
            && now.data_len == known.data_len
            && now.seq == known.seq
            && now.end_seq == known.end_seq
            && known.is_there()
            && now.is_there()
    }
}

/// How many of a packet's TCP sequence numbers are of its flags and not of its bytes: SYN and FIN take
/// one each (RFC 9293, 3.4).
#[inline(always)]
fn controls(flags: u8) -> u32 {
    u32::from(flags & 1) + u32::from(flags >> 1 & 1)
}
