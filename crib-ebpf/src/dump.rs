//! The nested dump: a process's files, their queues, the packets in them and the bytes in those,
//! from one program, into one ring buffer.
//!
//! A run looks at so many packets and writes so many bytes at most. Where it has to stop, it
//! notes where it is and returns 1: the kernel then shows the same task again in the next
//! read(2) (`bpf_iter_run_prog`), and the dump goes on with the record that comes next. Room for
//! a record is made sure of before anything is said of it, so that none is lost.
//!
//! Here is the nest alone. What is done at each level is in [`crate::level`].

use crib_common::dump::kind;
use crib_common::record::kind as file_kind;

use crate::context::{Task, TaskContext};
use crate::emit;
use crate::file::Place;
use crate::level::{self, Go};
use crate::packet::Packet;
use crate::queues::{Queue, Queues};
use crate::repeat::Step;
use crate::task;
use crate::task_file::{File, Table, TaskFiles};

/// One run, or the rest of one.
///
/// # Safety
/// The context must be what the kernel hands to an `iter/task` program.
#[inline(always)]
pub unsafe fn step(context: *const TaskContext) -> i32 {
    // SAFETY: the caller's.
    let Some(task) = (unsafe { Task::of(context) }) else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    let ids = task::ids(task.pointer, task::reader_level());
    if ids.tid != request.tid {
        return 0;
    }
    level::crib_begin(ids.tgid, ids.tid);
    let Some(table) = Table::of(&task) else { return 0 };
    let Some(dump) = emit::dump() else { return 0 };
    let (first, last) = (dump.progress.fd, dump.progress.run_end);
    if let Some(files) = TaskFiles::of(&task) {
        files.between(first, last).for_each(|file| one_file(&file));
    }
    level::crib_end(table.address());
    let Some(dump) = emit::dump() else { return 0 };
    // An iterator's program returns 0 or 1, and the verifier wants to see that.
    if dump.progress.stop != 0 { 1 } else { 0 }
}

/// A file with all that is in it; breaks where the run has to stop.
#[inline(always)]
fn one_file(file: &File<'_>) -> Step {
    // Looked up in each step: what a step captures lies on the stack all the time.
    let Some(dump) = emit::dump() else { return Step::Break };
    let (fd, found, table) = (file.fd(), file.pointer().address(), file.table().address());
    match Go::of(level::crib_file_begin(fd, found)) {
        Go::Stop => return Step::Break,
        Go::Past => return Step::Continue,
        Go::Again => {}
        // What was found may be the way to a file in flight: what it led to is noted.
        Go::In => {
            send_file(u32::from(file_kind::FILE), dump.progress.shown_fd, dump.progress.file, table)
        }
    }
    let queues: Queues<'_> = dump.owner.queues();
    queues.resume(dump.progress.queue).for_each(one_queue);
    level::crib_file_still(fd, found, table);
    match Go::of(level::crib_file_end(fd)) {
        Go::Stop => Step::Break,
        _ => Step::Continue,
    }
}

/// A queue with all that is in it.
#[inline(always)]
fn one_queue(queue: Queue<'_>) -> Step {
    match Go::of(level::crib_queue_begin()) {
        Go::Stop => return Step::Break,
        Go::Past => return Step::Continue,
        Go::In | Go::Again => {}
    }
    let Some(dump) = emit::dump() else { return Step::Break };
    let (first, begun) = (dump.progress.packet, dump.progress.begun);
    let walked = queue.packets().resume(first, begun).for_each(|packet| one_packet(&packet));
    match Go::of(level::crib_queue_end(walked.bits, u32::from(walked.ended))) {
        Go::Stop => Step::Break,
        _ => Step::Continue,
    }
}

/// A packet with all that is in it.
#[inline(always)]
fn one_packet(packet: &Packet<'_>) -> Step {
    let (address, index) = (packet.pointer.address(), packet.index);
    match Go::of(level::crib_packet_begin(address, index)) {
        Go::Stop => return Step::Break,
        Go::Past => return Step::Continue,
        Go::Again => {}
        Go::In => {
            level::crib_packet(address, index);
            level::crib_packet_sender(address);
            level::crib_packet_headers(address);
        }
    }
    let Some(dump) = emit::dump() else { return Step::Break };
    packet.files().resume(dump.progress.flight).for_each(|place, file| {
        match Go::of(level::crib_flight(place)) {
            Go::In => {}
            _ => return Step::Break,
        }
        send_file(u32::from(kind::FLIGHT), Place::IN_FLIGHT, file.address(), 0);
        Step::Continue
    });
    if Go::of(level::crib_chunks(address)) == Go::Stop {
        return Step::Break;
    }
    level::crib_ahead(address);
    level::crib_chunks_again(address);
    match Go::of(level::crib_packet_end(address, index)) {
        Go::Stop => Step::Break,
        _ => Step::Continue,
    }
}

/// The first records of a file: what is known of it without its queues.
#[inline(always)]
fn send_file(record_kind: u32, fd: u32, file: u64, table: u64) {
    level::crib_file(record_kind, fd, file, table);
    level::crib_path(file);
    level::crib_operations();
    level::crib_socket(file);
    level::crib_addresses();
    level::crib_tcp_received();
    level::crib_tcp_sent();
    level::crib_udp_queues();
    level::crib_unix_queues();
    level::crib_other_queues();
    level::crib_socket_end();
    level::crib_unix();
    level::crib_tcp();
    level::crib_pipe(file);
    level::crib_epoll(file);
}
