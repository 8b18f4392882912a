//! The BPF programs that only `crib-top bench` runs: their entry points, and nothing else.
#![no_std]
#![no_main]
#![allow(missing_docs, reason = "a program's parts are documented where users of it can't see")]

mod bench;

use core::ffi::c_void;

use crib_ebpf::context::{TaskContext, TaskFileContext};
use crib_ebpf::table;

use bench::{calls, staged, transport};

/// Nothing: what the kernel's iterator costs by itself.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn empty(_: *const TaskFileContext) -> i32 {
    0
}

/// The table of files with paths.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn files_paths(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { table::step::<true, true>(context) }
}

/// The table of files without paths.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn files_bare(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { table::step::<true, false>(context) }
}

/// The packets of one socket.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub unsafe extern "C" fn staged_packets(context: *const TaskContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { staged::packets(context) }
}

/// The bytes of one packet.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub unsafe extern "C" fn staged_bytes(context: *const TaskContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { staged::bytes(context) }
}

/// File records through seq_file.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn transport_seq(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { transport::seq(context) }
}

/// File records through the ring.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn transport_ring(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { transport::ring(context) }
}

/// File records into the mapped array.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn transport_array(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { transport::array(context) }
}

/// Notes whose system calls are counted.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub unsafe extern "C" fn note_reader(_: *const TaskContext) -> i32 {
    calls::note_reader();
    0
}

/// Counts system calls.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/sys_enter")]
pub unsafe extern "C" fn count_calls(_: *const c_void) -> i32 {
    calls::count();
    0
}

/// The licence that GPL-only helpers ask for.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // No path leads here that the verifier would accept, and it accepts the programs.
    loop {}
}
