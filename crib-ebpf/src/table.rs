//! The table of files: what `iter/task_file` shows of each.

use crib_common::limits::PATH_BYTES;
use crib_common::record::{ALIGN, FileRecord, UnixRecord, file_bits};

use crate::context::{Item, TaskFile, TaskFileContext};
use crate::emit::{self, Frame, Seq, State};
use crate::file::{self, Part, Place};
use crate::read::{Access, Kptr, Raw, below, offset};
use crate::socket::AF_UNIX;
use crate::task::Ids;
use crate::told::Subject;
use crate::{epoll, pipe, socket};

/// Writes the records of one file. Returns 0, as an iterator's program does to go on; a full
/// buffer is something the kernel notices by itself.
///
/// # Safety
/// The context must be what the kernel hands to an `iter/task_file` program.
#[inline(always)]
pub unsafe fn step<const LOOPS: bool, const PATHS: bool>(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    let step = unsafe { TaskFile::of(context) };
    if let Some(item) = step.item
        && let Some(state) = step.state()
        && let Some(ids) = item.wanted(state)
        && let Some(frame) = emit::frame()
    {
        write_file::<LOOPS, PATHS>(step.seq, item, ids, frame, state);
    }
    0
}

/// Stops at the first record that does not fit: the kernel shows the file again.
#[inline(always)]
fn write_file<const LOOPS: bool, const PATHS: bool>(
    seq: Seq,
    item: Item,
    ids: Ids,
    frame: &mut Frame,
    state: &mut State,
) {
    let Some(request) = emit::request() else { return };
    let place = Place::of_held(item.task, ids, item.fd);
    file::fill(&mut frame.file, place, item.file);
    let mut path_bytes = 0;
    let subject = if PATHS { Subject::of(&frame.file, item.file, request) } else { None };
    let told = subject.is_some_and(|subject| subject.is_told(request));
    if told {
        frame.file.bits |= file_bits::TOLD;
    } else {
        file::fill_entry(&mut frame.file, item.file);
        if !subject.is_some_and(|subject| subject.is_in(frame.file.parent)) {
            frame.file.parent = 0;
        }
        if PATHS && file::has_path(&frame.file) {
            let len = file::path(item.file, frame.path.as_mut_ptr());
            frame.file.path_len = len;
            if len > 0 {
                path_bytes = below::<{ PATH_BYTES as u32 }>(len as u32);
                frame.file.header.len += path_bytes;
            }
        }
    }
    let padded = path_bytes.next_multiple_of(ALIGN as u32);
    // SAFETY: the path follows the file's record in the frame, with room for the padding.
    if !unsafe { seq.write((&raw const *frame).cast(), size_of::<FileRecord>() as u32 + padded) } {
        return;
    }
    let written = match file::part(&frame.file, &frame.path) {
        Part::Socket => write_socket::<LOOPS>(seq, item, frame),
        Part::Pipe => write_pipe::<LOOPS>(seq, item, frame),
        Part::Epoll if LOOPS => write_epoll(seq, item, frame),
        Part::Epoll | Part::Nothing => true,
    };
    let ops = frame.file.ops;
    if written && !emit::ops_known(state, ops) {
        // Kernels that loop (5.17) can look symbols up (5.13).
        file::operations::<LOOPS>(&mut frame.ops, ops);
        if !seq.write_record(&frame.ops) {
            return;
        }
        emit::remember_ops(ops);
    }
    if written
        && frame.file.parent != 0
        && let Some(subject) = subject
    {
        // The time of change was read first: one that came later shows in the next reading.
        subject.note(frame.file.parent, request);
    }
}

#[inline(always)]
fn write_socket<const LOOPS: bool>(seq: Seq, item: Item, frame: &mut Frame) -> bool {
    if LOOPS {
        let Some(sk) = socket::of_file(item.file) else { return true };
        write_sock::<_, true>(seq, sk, frame)
    } else {
        let Some(sk) = socket::of_socket_file(item.file) else { return true };
        write_sock::<_, false>(seq, sk, frame)
    }
}

#[inline(always)]
fn write_sock<A: Access, const LOOPS: bool>(seq: Seq, sk: Kptr<A>, frame: &mut Frame) -> bool {
    socket::fill::<A, LOOPS>(&mut frame.socket, sk);
    if !seq.write_record(&frame.socket) {
        return false;
    }
    if frame.socket.family == AF_UNIX {
        socket::fill_unix(&mut frame.unix, sk.raw());
        let unix: &UnixRecord = &frame.unix;
        if (unix.local_len | unix.remote_len) != 0 {
            return seq.write_record(unix);
        }
    }
    true
}

#[inline(always)]
fn write_pipe<const LOOPS: bool>(seq: Seq, item: Item, frame: &mut Frame) -> bool {
    // A FIFO that was opened with O_PATH only has no pipe.
    let Some(pipe) = item
        .file
        .follow(offset!(file_inode))
        .and_then(|inode| Kptr::<Raw>::to(inode.get(offset!(inode_pipe)).or_zero()))
    else {
        return true;
    };
    pipe::fill::<_, LOOPS>(&mut frame.pipe, pipe);
    seq.write_record(&frame.pipe)
}

#[inline(always)]
fn write_epoll(seq: Seq, item: Item, frame: &mut Frame) -> bool {
    epoll::fill(&mut frame.watches, item.file);
    let len = frame.watches.size();
    // SAFETY: the entries follow the record in the frame, and `len` is at most all of them.
    unsafe { seq.write((&raw const frame.watches).cast(), len) }
}
