//! The staged way, which reads level by level what [`crib_ebpf::dump`] reads in one nest: one run
//! for each socket lists its packets, one for each packet reads its bytes, through seq_file.
//!
//! Each run is told by the [`DumpRequest`](crib_common::dump::DumpRequest) what it is for:
//! `first_fd` is the socket, `first_packet` and `last_packet` what of each queue is listed, and
//! `hops[0]` the queue and the packet whose bytes are read. Nothing is read twice to see whether
//! it has changed, and no names and headers are read: it does less than the nested dump.

use crib_common::dump::{ChunkRecord, DumpRequest, QueueRecord, kind};
use crib_common::record::RecordHeader;

use crib_ebpf::chunks::Chunk;
use crib_ebpf::context::{Task, TaskContext};
use crib_ebpf::emit::{self, Seq};
use crib_ebpf::file;
use crib_ebpf::level::read_chunk;
use crib_ebpf::packet::Details;
use crib_ebpf::packets::Begun;
use crib_ebpf::progress::{BYTES, Dump};
use crib_ebpf::queues::{Owner, Queue, is};
use crib_ebpf::read::{Value, below};
use crib_ebpf::repeat::Step;
use crib_ebpf::task;
use crib_ebpf::task_file::fget_task;

/// What a run is for: the task that was asked for, the socket or pipe, and where output goes.
struct Wanted {
    seq: Seq,
    owner: Owner,
    request: &'static DumpRequest,
    dump: &'static mut Dump,
}

impl Wanted {
    /// # Safety
    /// The context must be what the kernel hands to an `iter/task` program.
    #[inline(always)]
    unsafe fn of(context: *const TaskContext) -> Option<Self> {
        // SAFETY: the caller's.
        let (task, seq) = unsafe { (Task::of(context)?, TaskContext::seq(context)) };
        let request = emit::dump_request()?;
        if task::ids(task.pointer, task::reader_level()).tid != request.tid {
            return None;
        }
        let pointer = fget_task(&task, request.first_fd)?.pointer();
        let owner = Owner::of(pointer, file::queue_part(pointer))?;
        Some(Self { seq, owner, request, dump: emit::dump()? })
    }
}

/// Lists the packets in the queues of one socket: QUEUE, and PACKET for each packet in it.
///
/// # Safety
/// The context must be what the kernel hands to an `iter/task` program.
#[inline(always)]
pub unsafe fn packets(context: *const TaskContext) -> i32 {
    // SAFETY: the caller's.
    let Some(wanted) = (unsafe { Wanted::of(context) }) else { return 0 };
    let (seq, request) = (wanted.seq, wanted.request);
    wanted.dump.owner.keep(wanted.owner);
    wanted.dump.owner.queues().for_each(|queue| {
        if request.queues >> (queue.number & 31) & 1 != 0 {
            list(seq, request, &queue);
        }
        Step::Continue
    });
    0
}

#[inline(always)]
fn list(seq: Seq, request: &DumpRequest, queue: &Queue<'_>) {
    let len = queue.begin().len;
    let header = RecordHeader::of::<QueueRecord>(kind::QUEUE, 0);
    seq.write_record(&QueueRecord { header, queue: queue.number, len });
    queue.packets().resume(request.first_packet, Begun::NOT_YET).for_each(|packet| {
        if packet.index > request.last_packet {
            return Step::Break;
        }
        crib_bench_packet(packet.pointer.address(), packet.index);
        let Some(dump) = emit::dump() else { return Step::Break };
        if seq.write_record(&dump.packet) { Step::Continue } else { Step::Break }
    });
}

/// Fills in the record of a packet of the queue that is kept in the map. A global function: see
/// [`crib_ebpf::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_bench_packet(address: u64, index: u32) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(packet) = Details::of(address, index) else { return 0 };
    packet.copy_into(&mut dump.skb);
    packet.fill(&dump.skb, Value::unknown(), &mut dump.packet);
    if packet.is(is::SKB) {
        packet.fill_sender(&dump.skb, &mut dump.packet);
    }
    0
}

/// Reads the bytes of one packet: a CHUNK each piece.
///
/// # Safety
/// The context must be what the kernel hands to an `iter/task` program.
#[inline(always)]
pub unsafe fn bytes(context: *const TaskContext) -> i32 {
    // SAFETY: the caller's.
    let Some(wanted) = (unsafe { Wanted::of(context) }) else { return 0 };
    let (seq, request, dump) = (wanted.seq, wanted.request, wanted.dump);
    let [hop, ..] = &request.hops;
    let Some(queue) = wanted.owner.queue(hop.queue) else { return 0 };
    queue.keep(&mut dump.queue);
    let Some(kept) = emit::kept_queue() else { return 0 };
    dump.progress.reached = 0;
    kept.packets().resume(hop.packet, Begun::NOT_YET).for_each(|packet| {
        dump.progress.reached = packet.pointer.address();
        Step::Break
    });
    let Some(packet) = Details::of(dump.progress.reached, hop.packet) else { return 0 };
    packet.payload(request.payload).for_each(|chunk| write_chunk(seq, dump, &chunk));
    0
}

#[inline(always)]
fn write_chunk(seq: Seq, dump: &mut Dump, chunk: &Chunk<'_>) -> Step {
    let captured = read_chunk(dump, chunk);
    let follow = if captured { below::<{ BYTES as u32 }>(chunk.len) } else { 0 };
    dump.chunk = ChunkRecord {
        header: RecordHeader::of::<ChunkRecord>(kind::CHUNK, follow),
        offset: chunk.offset,
        len: chunk.len,
        captured: u32::from(captured),
        part: chunk.part,
    };
    // Rounded up, so that the next record begins where one may.
    let padded = below::<{ BYTES as u32 }>(follow.next_multiple_of(8));
    let size = size_of::<ChunkRecord>() as u32 + padded;
    // SAFETY: the bytes follow the record in the map, and have that room.
    let written = unsafe { seq.write((&raw const dump.chunk).cast(), size) };
    if written { Step::Continue } else { Step::Break }
}
