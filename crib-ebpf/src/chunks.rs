//! The payload of a packet, piece by piece: the linear part, the page fragments, and the packets
//! of the fragment list with their own; or a pipe buffer's page.

use core::marker::PhantomData;

use crib_common::dump::{dump_bits, part};
use crib_common::limits::{CHUNK_BYTES, FRAG_LIST, FRAGS};
use crib_common::offsets::ABSENT;

use crate::emit;
use crate::packet::{Details, shared_info};
use crate::queues::is;
use crate::read::{Kptr, Raw, offset};
use crate::repeat::{Step, repeat};

/// Pieces and chunks of one packet that are looked at: each fragment of each packet of the
/// fragment list is one piece at least, and a large one is several chunks.
const STEPS: u32 = 1 << 18;

/// Where a walk over a packet's bytes is; in a map, see [`crate::rbtree::Walk`].
#[repr(C)]
pub struct Walk {
    /// The packet, or the one of its fragment list.
    skb: u64,
    /// Where the piece is: 0 where that can't be told.
    address: u64,
    /// Bytes of the piece.
    len: u32,
    /// Which piece is next: 0 the linear part, then the fragments, then the next of the list.
    piece: u32,
    /// Bytes of the piece that were passed over or given out.
    taken: u32,
    /// Bytes to pass over yet.
    skip: u32,
    /// Bytes to give out yet.
    left: u32,
    /// Bytes that were given out.
    offset: u32,
    /// Packets of the fragment list that were met.
    listed: u32,
    /// Which part the piece is of: [`part`].
    part: u32,
    /// Whether the packet is a pipe's buffer, which is one piece.
    is_buffer: u32,
    reserved: u32,
}

/// The bytes of a packet, for as long as the packet is looked at.
pub struct Chunks<'a> {
    pointer: Kptr<Raw>,
    is_buffer: bool,
    skip: u32,
    len: u32,
    start: u32,
    packet: PhantomData<&'a ()>,
}

/// Some bytes of a packet.
pub struct Chunk<'a> {
    /// Where in the payload they are.
    pub offset: u32,
    /// How many: [`CHUNK_BYTES`] at most.
    pub len: u32,
    /// Which part they are of: [`part`].
    pub part: u32,
    /// Where they are; none where that can't be told.
    pub address: Option<Kptr<Raw>>,
    step: PhantomData<&'a ()>,
}

impl<'a> Chunks<'a> {
    /// `len` bytes of a packet behind the first `skip`.
    #[inline(always)]
    pub fn of(packet: &'a Details<'_>, skip: u32, len: u32) -> Self {
        Self {
            pointer: packet.pointer,
            is_buffer: packet.is(is::BUFFER),
            skip,
            len,
            start: 0,
            packet: PhantomData,
        }
    }

    /// Those behind the first `start` of them.
    #[inline(always)]
    pub fn resume(self, start: u32) -> Self {
        Self { start, ..self }
    }

    /// Calls `step` with each piece of the bytes.
    #[inline(always)]
    pub fn for_each(self, mut step: impl for<'step> FnMut(Chunk<'step>) -> Step) {
        let Some(walk) = emit::chunks_walk() else { return };
        if self.start >= self.len {
            return;
        }
        *walk = Walk {
            skb: self.pointer.address(),
            address: 0,
            len: 0,
            piece: 0,
            taken: 0,
            skip: self.skip + self.start,
            left: self.len - self.start,
            offset: self.start,
            listed: 0,
            part: part::LINEAR,
            is_buffer: u32::from(self.is_buffer),
            reserved: 0,
        };
        if self.is_buffer {
            buffer(walk, self.pointer);
        }
        repeat(STEPS, |_| {
            if walk.left == 0 {
                return Step::Break;
            }
            if walk.taken >= walk.len {
                return next_piece(walk);
            }
            let there = walk.len - walk.taken;
            if walk.skip >= there {
                walk.skip -= there;
                walk.taken = walk.len;
                return Step::Continue;
            }
            walk.taken += walk.skip;
            walk.skip = 0;
            let len = (walk.len - walk.taken).min(walk.left).min(CHUNK_BYTES as u32);
            let address = match walk.address {
                0 => None,
                address => Kptr::<Raw>::to(address.wrapping_add(u64::from(walk.taken))),
            };
            let chunk =
                Chunk { offset: walk.offset, len, part: walk.part, address, step: PhantomData };
            let next = step(chunk);
            walk.taken += len;
            walk.offset += len;
            walk.left -= len;
            next
        });
    }
}

/// Sets the walk to the next piece; breaks where there are no more, although bytes are left.
#[inline(always)]
fn next_piece(walk: &mut Walk) -> Step {
    walk.taken = 0;
    walk.len = 0;
    walk.address = 0;
    let Some(skb) = Kptr::<Raw>::to(walk.skb) else { return Step::Break };
    let piece = walk.piece;
    walk.piece = piece.wrapping_add(1);
    if walk.is_buffer != 0 {
        return Step::Break;
    }
    if piece == 0 {
        walk.part = if walk.listed == 0 { part::LINEAR } else { part::LIST };
        let len: u32 = skb.get(offset!(skb_len)).or_zero();
        let paged: u32 = skb.get(offset!(skb_data_len)).or_zero();
        walk.len = len.wrapping_sub(paged);
        walk.address = skb.get(offset!(skb_data)).or_zero();
        return Step::Continue;
    }
    let Some(shared) = shared_info(&skb) else { return Step::Break };
    let frags = u32::from(shared.get::<u8>(offset!(shared_nr_frags)).or_zero());
    if piece <= frags && piece <= FRAGS {
        walk.part = if walk.listed == 0 { part::PAGE } else { part::LIST };
        return fragment(walk, shared, piece - 1);
    }
    let next: u64 = if walk.listed == 0 {
        shared.get(offset!(shared_frag_list)).or_zero()
    } else {
        skb.get(offset!(skb_next)).or_zero()
    };
    walk.listed += 1;
    if next == 0 || walk.listed > FRAG_LIST {
        return Step::Break;
    }
    walk.skb = next;
    walk.piece = 0;
    Step::Continue
}

/// A page fragment (`skb_frag_t`).
#[inline(always)]
fn fragment(walk: &mut Walk, shared: Kptr<Raw>, index: u32) -> Step {
    let size = offset!(frag_size);
    let Some(frags) = shared.member(offset!(shared_frags)) else { return Step::Break };
    if size == ABSENT {
        return Step::Break;
    }
    let at = frags.address().wrapping_add(u64::from(index) * u64::from(size));
    let Some(frag) = Kptr::<Raw>::to(at) else { return Step::Break };
    let Some(len) = frag.get::<u32>(offset!(frag_len)).ok() else { return Step::Break };
    walk.len = len;
    walk.address = page_address(
        frag.get(offset!(frag_page)).or_zero(),
        frag.get(offset!(frag_offset)).or_zero(),
    );
    Step::Continue
}

/// A pipe's buffer (`struct pipe_buffer`) is one piece.
#[inline(always)]
fn buffer(walk: &mut Walk, buffer: Kptr<Raw>) {
    walk.part = part::PAGE;
    walk.len = buffer.get(offset!(pipe_buffer_len)).or_zero();
    walk.address = page_address(
        buffer.get(offset!(pipe_buffer_page)).or_zero(),
        buffer.get(offset!(pipe_buffer_offset)).or_zero(),
    );
}

/// The address of bytes in a page, in the kernel's direct map; 0 where it is not known. A page's
/// `struct page` has the page's own place in an array of such (vmemmap), which user space has
/// found out (see `kernel::pages` there).
#[inline(always)]
fn page_address(page: u64, offset: u32) -> u64 {
    let Some(request) = emit::dump_request() else { return 0 };
    // The lowest bit marks memory of a device (`struct net_iov`), which has no page.
    if request.bits & dump_bits::PAGES == 0 || page == 0 || page & 1 != 0 {
        return 0;
    }
    (page << 6).wrapping_add(request.page_constant).wrapping_add(u64::from(offset))
}
