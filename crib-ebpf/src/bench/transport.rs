//! The same records by three ways out of the kernel: seq_file, a ring buffer, and an array that
//! the reader has mapped into its memory.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use crib_common::record::FileRecord;

use super::{COUNTS, MMAPABLE};
use crib_ebpf::context::{TaskFile, TaskFileContext};
use crib_ebpf::emit;
use crib_ebpf::file::{self, Place};

/// As many as the reader has room for; it says so when it loads the programs.
#[map]
static RECORDS: Array<FileRecord> = Array::with_max_entries(1, MMAPABLE);

/// The records of files, without paths and parts, through seq_file.
///
/// # Safety
/// The context must be what the kernel hands to an `iter/task_file` program.
#[inline(always)]
pub unsafe fn seq(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    let step = unsafe { TaskFile::of(context) };
    if let Some(frame) = emit::frame()
        && fill(&step, &mut frame.file)
    {
        step.seq.write_record(&frame.file);
    }
    0
}

/// The same through the ring. Where that is full, the reader is to empty it, and the kernel
/// shows this file again.
///
/// # Safety
/// As [`seq`].
#[inline(always)]
pub unsafe fn ring(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    let step = unsafe { TaskFile::of(context) };
    let Some(frame) = emit::frame() else { return 0 };
    if !fill(&step, &mut frame.file) {
        return 0;
    }
    // SAFETY: the record is in a map.
    let written =
        unsafe { emit::to_ring((&raw const frame.file).cast(), size_of::<FileRecord>() as u32) };
    // An iterator's program returns 0 or 1, and the verifier wants to see that.
    if written { 0 } else { 1 }
}

/// The same into the array. What finds no room there is counted all the same.
///
/// # Safety
/// As [`seq`].
#[inline(always)]
pub unsafe fn array(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    let step = unsafe { TaskFile::of(context) };
    let Some(counts) = COUNTS.get_ptr_mut(0) else { return 0 };
    // SAFETY: the map's only value, which is zeroed memory of this size. The program does not
    // run on two CPUs at once, and nobody else changes this field.
    let records = unsafe { &mut (*counts).records };
    if step.first {
        *records = 0;
    }
    let Some(slot) = RECORDS.get_ptr_mut(*records as u32) else {
        *records += 1;
        return 0;
    };
    // SAFETY: a value of the map, zeroed memory of this size at first; the reader looks at it
    // when the iteration has ended.
    if fill(&step, unsafe { &mut *slot }) {
        *records += 1;
    }
    0
}

/// Fills in the record of a file; false where there is none, or none that was asked for.
#[inline(always)]
fn fill(step: &TaskFile, record: &mut FileRecord) -> bool {
    let Some(item) = step.item else { return false };
    let Some(state) = step.state() else { return false };
    let Some(ids) = item.wanted(state) else { return false };
    file::fill(record, Place::of_held(item.task, ids, item.fd), item.file);
    true
}
