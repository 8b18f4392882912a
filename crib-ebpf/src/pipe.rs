//! A pipe or FIFO (`struct pipe_inode_info`).

use core::marker::PhantomData;

use crib_common::limits::PIPE_BUFFERS;
use crib_common::offsets::ABSENT;
use crib_common::record::{PipeRecord, RecordHeader, kind, pipe_known};

use crate::read::{Access, Kptr, Raw, Value, offset};
use crate::repeat::{Step, repeat};

/// A pipe, for as long as its file is looked at.
///
/// A buffer kept past its step:
///
/// ```compile_fail
/// # use crib_ebpf::pipe::{Buffer, Pipe};
/// # use crib_ebpf::read::Raw;
/// # use crib_ebpf::repeat::Step;
/// fn keep(pipe: &Pipe<'_, Raw>) {
///     let mut last: Option<Buffer<'_>> = None;
///     pipe.buffers().unwrap().for_each(|buffer| {
///         last = Some(buffer); // `buffer` would escape the step
///         Step::Continue
///     });
/// }
/// ```
///
/// What is read of it is a number and may be kept:
///
/// ```
/// # use crib_ebpf::pipe::Pipe;
/// # use crib_ebpf::read::Raw;
/// # use crib_ebpf::repeat::Step;
/// fn bytes(pipe: &Pipe<'_, Raw>) -> u64 {
///     let mut bytes = 0;
///     pipe.buffers().unwrap().for_each(|buffer| {
///         bytes += u64::from(buffer.len().or_zero());
///         Step::Continue
///     });
///     bytes
/// }
/// ```
pub struct Pipe<'a, A: Access> {
    pointer: Kptr<A>,
    file: PhantomData<&'a ()>,
}

impl<A: Access> Pipe<'_, A> {
    /// The one at this address.
    #[inline(always)]
    pub fn at(pointer: Kptr<A>) -> Self {
        Self { pointer, file: PhantomData }
    }

    /// Its buffers, as many as are between tail and head; none where that makes no sense.
    #[inline(always)]
    pub fn buffers(&self) -> Option<Buffers<'_, A>> {
        let head = self.pointer.get::<u32>(offset!(pipe_head)).ok()?;
        let tail = self.pointer.get::<u32>(offset!(pipe_tail)).ok()?;
        let ring: u32 = self.pointer.get(offset!(pipe_ring_size)).or_zero();
        if head.wrapping_sub(tail) > ring {
            return None;
        }
        Some(Buffers { pointer: self.pointer, head, tail, ring, pipe: PhantomData })
    }
}

/// The buffers of a pipe, the one that is read next first.
pub struct Buffers<'a, A: Access> {
    pointer: Kptr<A>,
    head: u32,
    tail: u32,
    ring: u32,
    pipe: PhantomData<&'a ()>,
}

impl<A: Access> Buffers<'_, A> {
    /// How many there are.
    #[inline(always)]
    pub fn count(&self) -> u32 {
        self.head.wrapping_sub(self.tail)
    }

    /// Calls `step` with each buffer (`bpf_loop`, Linux 5.17). Whether it was called with all of
    /// them, and the pipe stayed as it was: the reader and the writers move head and tail while
    /// this looks.
    #[inline(always)]
    pub fn for_each(self, mut step: impl for<'step> FnMut(Buffer<'step>) -> Step) -> bool {
        let Self { pointer: pipe, head, tail, ring, .. } = self;
        let count = head.wrapping_sub(tail);
        let bufs: u64 = pipe.get(offset!(pipe_bufs)).or_zero();
        let size = offset!(pipe_buffer_size);
        if count > PIPE_BUFFERS || bufs == 0 || size == ABSENT {
            return false;
        }
        let mut seen = 0;
        repeat(count, |index| {
            // The ring's size is a power of two (pipe_resize_ring).
            let slot = tail.wrapping_add(index) & ring.wrapping_sub(1);
            let Some(pointer) = Kptr::<Raw>::to(bufs + u64::from(slot) * u64::from(size)) else {
                return Step::Break;
            };
            let next = step(Buffer { pointer, step: PhantomData });
            if next == Step::Continue {
                seen += 1;
            }
            next
        });
        seen == count
            && pipe.get::<u32>(offset!(pipe_head)).is(head)
            && pipe.get::<u32>(offset!(pipe_tail)).is(tail)
            && pipe.get::<u64>(offset!(pipe_bufs)).is(bufs)
    }
}

/// One buffer (`struct pipe_buffer`), for as long as one step of a walk.
pub struct Buffer<'a> {
    pointer: Kptr<Raw>,
    step: PhantomData<&'a ()>,
}

impl Buffer<'_> {
    /// Bytes in it.
    #[inline(always)]
    pub fn len(&self) -> Value<u32> {
        self.pointer.get(offset!(pipe_buffer_len))
    }
}

/// Fills in `record`. `LOOPS` says whether the kernel has `bpf_loop`; without it the bytes in
/// more than no buffer are unknown.
#[inline(always)]
pub fn fill<A: Access, const LOOPS: bool>(record: &mut PipeRecord, pipe: Kptr<A>) {
    let mut known = 0;
    record.header = RecordHeader::of::<PipeRecord>(kind::PIPE, 0);
    record.slots = pipe.get(offset!(pipe_max_usage)).note(&mut known, pipe_known::SLOTS);
    record.readers = pipe.get(offset!(pipe_readers)).note(&mut known, pipe_known::READERS);
    record.writers = pipe.get(offset!(pipe_writers)).note(&mut known, pipe_known::WRITERS);
    let content = content::<A, LOOPS>(pipe);
    record.buffers = content.buffers.note(&mut known, pipe_known::BUFFERS);
    record.bytes = content.bytes.note(&mut known, pipe_known::BYTES);
    record.known = known;
    record.reserved = 0;
}

#[derive(Clone, Copy, Default)]
struct Content {
    buffers: Value<u32>,
    bytes: Value<u64>,
}

/// The buffers and the bytes in them; where the pipe moved meanwhile, the sum is unknown.
#[inline(always)]
fn content<A: Access, const LOOPS: bool>(pipe: Kptr<A>) -> Content {
    let mut content = Content::default();
    let pipe = Pipe::at(pipe);
    let Some(buffers) = pipe.buffers() else { return content };
    content.buffers = Value::of(buffers.count());
    content.bytes = Value::when(buffers.count() == 0, 0);
    if !LOOPS || buffers.count() == 0 {
        return content;
    }
    let mut bytes = 0;
    let whole = buffers.for_each(|buffer| match buffer.len().ok() {
        Some(len) => {
            bytes += u64::from(len);
            Step::Continue
        }
        None => Step::Break,
    });
    content.bytes = Value::when(whole, bytes);
    content
}
