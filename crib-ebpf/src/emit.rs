//! Records out of the program: the scratch buffer they are put together in, and seq_file.

use aya_ebpf::helpers::generated::bpf_seq_write;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, RingBuf};
use crib_common::dump::DumpRequest;
use crib_common::limits::{OPS_KNOWN, PATH_BYTES, RING_BYTES};
use crib_common::record::{
    ALIGN, FileRecord, OpsRecord, PipeRecord, Request, SocketRecord, TotalsRecord, UnixRecord,
};
use zerocopy::IntoBytes;

use crate::epoll::WatchList;
use crate::progress::Dump;
use crate::queue::SumNumbers;
use crate::queues::Queue;
use crate::rbtree::Walk;
use crate::{chunks, packets};

/// Room for the records of one file.
///
/// One and not one a CPU: a loaded object is used by one reader at a time, and an iterator's
/// program does not run on two CPUs at once.
#[repr(C)]
pub struct Frame {
    /// The file.
    pub file: FileRecord,
    /// The path's bytes, which follow the file's record, with room to round up.
    pub path: [u8; PATH_BYTES + ALIGN],
    /// What it is if it is a socket.
    pub socket: SocketRecord,
    /// The names of a unix socket, which follow the socket's record.
    pub unix: UnixRecord,
    /// What it is if it is a pipe.
    pub pipe: PipeRecord,
    /// What it watches if it is an epoll instance.
    pub watches: WatchList,
    /// Its operations where they are met for the first time.
    pub ops: OpsRecord,
}

/// State that lasts from one step of an iterator to the next.
#[repr(C)]
pub struct State {
    /// The file operations that were sent last: most files have those of their neighbour.
    pub last_ops: u64,
    /// How deep the reader's pid namespace is.
    pub level: u32,
    /// The sums over the table that the sweep is in.
    pub totals: TotalsRecord,
    /// The sum over a queue.
    pub sum: SumNumbers,
}

#[map]
static FRAME: Array<Frame> = Array::with_max_entries(1, 0);

#[map]
static STATE: Array<State> = Array::with_max_entries(1, 0);

#[map]
static WALK: Array<Walk> = Array::with_max_entries(1, 0);

#[map]
static REQUEST: Array<Request> = Array::with_max_entries(1, 0);

#[map]
static OPS_SEEN: HashMap<u64, u8> = HashMap::with_max_entries(OPS_KNOWN, 0);

#[map]
static DUMP_REQUEST: Array<DumpRequest> = Array::with_max_entries(1, 0);

#[map]
static DUMP: Array<Dump> = Array::with_max_entries(1, 0);

#[map]
static PACKETS_WALK: Array<packets::Walk> = Array::with_max_entries(1, 0);

#[map]
static CHUNKS_WALK: Array<chunks::Walk> = Array::with_max_entries(1, 0);

/// What a dump writes into.
#[map]
static RING: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// The buffer; always there, but the verifier wants to see the question asked.
#[inline(always)]
pub fn frame() -> Option<&'static mut Frame> {
    // SAFETY: the map's one value is zeroed memory of this size, and each program asks for it
    // once, so that there is one reference.
    FRAME.get_ptr_mut(0).map(|frame| unsafe { &mut *frame })
}

/// The state of this run.
#[inline(always)]
pub fn state() -> Option<&'static mut State> {
    // SAFETY: as for `frame`.
    STATE.get_ptr_mut(0).map(|state| unsafe { &mut *state })
}

/// Where a walk through a tree is; there is one walk at a time.
#[inline(always)]
pub fn walk() -> Option<&'static mut Walk> {
    // SAFETY: as for `frame`.
    WALK.get_ptr_mut(0).map(|walk| unsafe { &mut *walk })
}

/// Where a walk over a queue's packets is; there is one at a time.
#[inline(always)]
pub fn packets_walk() -> Option<&'static mut packets::Walk> {
    // SAFETY: as for `frame`.
    PACKETS_WALK.get_ptr_mut(0).map(|walk| unsafe { &mut *walk })
}

/// Where a walk over a packet's bytes is; there is one at a time.
#[inline(always)]
pub fn chunks_walk() -> Option<&'static mut chunks::Walk> {
    // SAFETY: as for `frame`.
    CHUNKS_WALK.get_ptr_mut(0).map(|walk| unsafe { &mut *walk })
}

/// How far a dump is, and its scratch space.
#[inline(always)]
pub fn dump() -> Option<&'static mut Dump> {
    // SAFETY: as for `frame`.
    DUMP.get_ptr_mut(0).map(|dump| unsafe { &mut *dump })
}

/// The queue that is kept in the map.
#[inline(always)]
pub fn kept_queue() -> Option<Queue<'static>> {
    let dump = DUMP.get(0)?;
    dump.queue.queue()
}

/// What user space asked of a dump.
#[inline(always)]
pub fn dump_request() -> Option<&'static DumpRequest> {
    DUMP_REQUEST.get(0)
}

/// Puts `len` bytes at `data` into the ring, without waking anybody: who reads it asked for
/// this run and waits for its end. False where there was no room.
///
/// # Safety
/// `len` bytes must be readable at `data`, as far as the verifier can see.
#[inline(always)]
pub unsafe fn to_ring(data: *const u8, len: u32) -> bool {
    const BPF_RB_NO_WAKEUP: u64 = 1;
    // SAFETY: the caller's.
    let bytes = unsafe { core::slice::from_raw_parts(data, len as usize) };
    RING.output::<[u8]>(bytes, BPF_RB_NO_WAKEUP).is_ok()
}

/// What user space asked for.
#[inline(always)]
pub fn request() -> Option<&'static Request> {
    REQUEST.get(0)
}

/// Where an iterator's output goes: `struct seq_file`.
#[derive(Clone, Copy)]
pub struct Seq(pub *mut aya_ebpf::bindings::seq_file);

impl Seq {
    /// Writes `len` bytes at `data`. False when the buffer is full: the kernel then takes back
    /// all that this step wrote and shows the same object again in the next read(2)
    /// (`bpf_seq_read`), so that nothing is lost.
    ///
    /// # Safety
    /// `len` bytes must be readable at `data`, as far as the verifier can see.
    #[inline(always)]
    pub unsafe fn write(self, data: *const u8, len: u32) -> bool {
        // SAFETY: the caller's.
        unsafe { bpf_seq_write(self.0, data.cast_mut().cast(), len) == 0 }
    }

    /// Writes one record.
    #[inline(always)]
    pub fn write_record<T: IntoBytes>(self, record: &T) -> bool {
        // SAFETY: a reference is readable; records have no padding.
        unsafe { self.write((&raw const *record).cast(), size_of::<T>() as u32) }
    }
}

/// Whether these file operations were already sent.
#[inline(always)]
pub fn ops_known(state: &mut State, ops: u64) -> bool {
    if state.last_ops == ops {
        return true;
    }
    // SAFETY: the value is a byte; nobody deletes entries.
    let known = unsafe { OPS_SEEN.get(ops) }.is_some();
    if known {
        state.last_ops = ops;
    }
    known
}

/// Remembers that these file operations were sent. When there is no more room they will just
/// be sent again.
#[inline(always)]
pub fn remember_ops(ops: u64) {
    let _ = OPS_SEEN.insert(ops, 1, 0);
}
