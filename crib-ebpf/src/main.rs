//! The BPF programs: their entry points, and nothing else.
#![no_std]
#![no_main]
#![allow(missing_docs, reason = "a program's parts are documented where users of it can't see")]

use crib_ebpf::context::{TaskContext, TaskFileContext};
use crib_ebpf::{dump, sweep, table};

/// The table of files: one run of records a file.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn files(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { table::step::<true, true>(context) }
}

/// The table of files for kernels before 5.17, that neither loop nor give paths here.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn files_plain(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { table::step::<false, false>(context) }
}

/// The sums of every table of files.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn totals(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { sweep::step::<true>(context) }
}

/// The sums of every table of files for kernels before 5.17.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn totals_plain(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { sweep::step::<false>(context) }
}

/// Files with their queues, packets and bytes, from one run and those that resume it.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub unsafe extern "C" fn nested(context: *const TaskContext) -> i32 {
    // SAFETY: the caller's.
    unsafe { dump::step(context) }
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
