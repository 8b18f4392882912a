//! A file: its first records, and its end.

use crib_common::dump::{FileEndRecord, HOPS, dump_bits, end_bits, kind};
use crib_common::limits::RING_UNIT;
use crib_common::record::RecordHeader;

use super::packet::close_packet;
use super::queue::close_queue;
use super::{Go, SMALL, room, send, spend};
use crate::emit;
use crate::file::{self, Part, Place};
use crate::packets::Begun;
use crate::path::{self, Root};
use crate::progress::Dump;
use crate::queues::{Owner, crib_queue_at};
use crate::read::{Kptr, Raw, Value, offset};
use crate::repeat::{Step, repeat};
use crate::task::{self, Ids};
use crate::task_file::Table;
use crate::{epoll, pipe};

/// Begins a file, or goes on with it. Notes which one it is, and what has its queues.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_file_begin(fd: u32, found: u64) -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    let Some(request) = emit::dump_request() else { return Go::Stop as u32 };
    // The descriptor that was being read was closed between two runs, and this is another one.
    if dump.progress.fd != fd && Go::of(crib_file_lost()) == Go::Stop {
        return Go::Stop as u32;
    }
    dump.progress.fd = fd;
    let mut address = found;
    dump.progress.shown_fd = fd;
    if request.hop_count != 0 {
        crib_follow_hops(found);
        dump.progress.shown_fd = Place::IN_FLIGHT;
        address = dump.progress.reached;
    }
    let mut go = Go::Again;
    if dump.progress.file_open == 0 {
        if !room(dump, RING_UNIT) {
            return Go::Stop as u32;
        }
        if address == 0 {
            return Go::Past as u32;
        }
        let progress = &mut dump.progress;
        progress.file = address;
        progress.file_open = 1;
        progress.file_lost = 0;
        progress.queue = 0;
        progress.queue_open = 0;
        progress.packet_open = 0;
        progress.files += 1;
        go = Go::In;
    } else if dump.progress.file != address {
        // Between two runs the descriptor has got another file: what is open is closed then.
        dump.progress.file_lost = 1;
    }
    dump.owner.clear();
    if request.queues != 0
        && dump.progress.file_lost == 0
        && let Some(pointer) = Kptr::<Raw>::to(dump.progress.file)
        && let Some(owner) = Owner::of(pointer, file::queue_part(pointer))
    {
        dump.owner.keep(owner);
    }
    go as u32
}

/// Goes from a file to one in flight in its queue, and on from there; notes what it came to.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_follow_hops(from: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    dump.progress.reached = from;
    dump.progress.hop = 0;
    repeat(HOPS as u32, |_| {
        let at = dump.progress.hop;
        let Some(hop) = request.hops.get(at as usize) else { return Step::Break };
        if at >= request.hop_count {
            return Step::Break;
        }
        let reached = dump.progress.reached;
        dump.progress.reached = 0;
        crib_hop(reached, hop.queue, hop.packet, hop.file);
        dump.progress.hop = at + 1;
        Step::Continue
    });
    0
}

/// Notes the file in flight in this place of this packet of this queue of a socket.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_hop(carrier: u64, number: u32, packet: u32, place: u32) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(carrier) = Kptr::<Raw>::to(carrier) else { return 0 };
    let Some(owner) = Owner::of(carrier, file::queue_part(carrier)) else { return 0 };
    if crib_queue_at(owner.pointer.address(), owner.sort as u32, number) == 0 {
        return 0;
    }
    let Some(kept) = emit::kept_queue() else { return 0 };
    kept.packets().resume(packet, Begun::NOT_YET).for_each(|packet| {
        dump.progress.reached = packet.files().get(place).map_or(0, Kptr::address);
        Step::Break
    });
    0
}

/// Notes whether the descriptor still stands for what was found under it, and whether the way
/// from there still leads to the file.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_file_still(fd: u32, found: u64, table: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    let now = Table::at(table).and_then(|table| table.lookup(fd));
    let mut still = now.is_some_and(|now| now.address() == found);
    if still && request.hop_count != 0 {
        crib_follow_hops(found);
        still = dump.progress.reached == dump.progress.file;
    }
    dump.progress.file_still = u32::from(still);
    0
}

/// Ends a file.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_file_end(fd: u32) -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    if dump.progress.stop != 0 || !room(dump, SMALL) {
        return Go::Stop as u32;
    }
    let still = dump.progress.file_still != 0 && dump.progress.file_lost == 0;
    close_file(dump, if still { 0 } else { end_bits::TORN });
    dump.progress.fd = fd + 1;
    Go::In as u32
}

/// Ends the file that was begun, if one was and is not met again: its descriptor was closed.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_file_lost() -> u32 {
    let Some(dump) = emit::dump() else { return Go::Stop as u32 };
    if dump.progress.file_open != 0 {
        if !room(dump, SMALL) {
            return Go::Stop as u32;
        }
        close_file(dump, end_bits::TORN);
    }
    Go::In as u32
}

/// Ends the file that is being read, and what in it was begun and was not met again.
#[inline(always)]
fn close_file(dump: &mut Dump, bits: u32) {
    close_packet(dump, end_bits::TORN);
    close_queue(dump, end_bits::TORN | end_bits::CUT);
    let header = RecordHeader::of::<FileEndRecord>(kind::FILE_END, 0);
    send(&FileEndRecord { header, fd: dump.progress.fd, bits });
    dump.progress.file_open = 0;
}

/// The record of a file.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_file(record_kind: u32, fd: u32, file: u64, table: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(frame) = emit::frame() else { return 0 };
    let Some(pointer) = Kptr::<Raw>::to(file) else { return 0 };
    let ids = Ids { tgid: dump.progress.tgid, tid: dump.progress.tid };
    let close_on_exec = match Table::at(table) {
        Some(table) if fd != Place::IN_FLIGHT => table.close_on_exec(fd),
        _ => Value::unknown(),
    };
    let place = Place { ids, fd, table, close_on_exec, own_references: 0 };
    file::fill(&mut frame.file, place, pointer);
    file::fill_entry(&mut frame.file, pointer);
    frame.file.header.kind = record_kind as u16;
    send(&frame.file);
    0
}

/// The path of a file whose record was sent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_path(file: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(frame) = emit::frame() else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    let Some(pointer) = Kptr::<Raw>::to(file) else { return 0 };
    dump.path.record.len = 0;
    if request.bits & dump_bits::PATHS == 0 || !file::has_path(&frame.file) {
        return 0;
    }
    let mut root = Root { mount: 0, dentry: 0 };
    if let Some(fs) = task::current().and_then(|task| task.follow(offset!(task_fs))) {
        root.mount = fs.get(offset!(fs_root_mnt)).or_zero();
        root.dentry = fs.get(offset!(fs_root_dentry)).or_zero();
    }
    if file::is_namespace(&frame.file) {
        path::fill_namespace(&mut dump.path, pointer);
    } else {
        path::fill(&mut dump.path, pointer, root);
    }
    let len = dump.path.size();
    // SAFETY: the names follow the record in the map, and `len` is at most all of them.
    unsafe { spend((&raw const dump.path).cast(), len) };
    0
}

/// The functions of the file's operations, where these are met for the first time.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_operations() -> u32 {
    let Some(frame) = emit::frame() else { return 0 };
    let Some(state) = emit::state() else { return 0 };
    let ops = frame.file.ops;
    if !emit::ops_known(state, ops) {
        file::operations::<true>(&mut frame.ops, ops);
        send(&frame.ops);
        emit::remember_ops(ops);
    }
    0
}

/// Which part the file has whose record was sent.
#[inline(always)]
pub fn part(dump: &Dump, frame: &emit::Frame) -> Part {
    file::part_by_names(&frame.file, dump.path.record.len, &dump.path.names)
}

/// The pipe behind a file whose record was sent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_pipe(file: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(frame) = emit::frame() else { return 0 };
    let Some(pointer) = Kptr::<Raw>::to(file) else { return 0 };
    if part(dump, frame) == Part::Pipe
        && let Some(owner) = Owner::of(pointer, Part::Pipe)
    {
        pipe::fill::<_, true>(&mut frame.pipe, owner.pointer);
        send(&frame.pipe);
    }
    0
}

/// What the epoll instance behind a file whose record was sent watches.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_epoll(file: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(frame) = emit::frame() else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    let Some(pointer) = Kptr::<Raw>::to(file) else { return 0 };
    if request.bits & dump_bits::WATCHES != 0 && part(dump, frame) == Part::Epoll {
        epoll::fill(&mut frame.watches, pointer);
        let len = frame.watches.size();
        // SAFETY: the entries follow the record in the frame, and `len` is at most all.
        unsafe { spend((&raw const frame.watches).cast(), len) };
    }
    0
}
