//! The tracing programs: their entry points, in an object of their own, which is loaded only
//! when something is to be traced.
#![no_std]
#![no_main]
#![allow(missing_docs, reason = "a program's parts are documented where users of it can't see")]

use crib_ebpf::trace::{self, Arguments};

/// At the end of every system call.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/sys_exit")]
pub unsafe extern "C" fn sys_exit(arguments: Arguments) -> i32 {
    // SAFETY: the caller's.
    unsafe { trace::sys_exit(arguments) };
    0
}

/// Whenever a descriptor is given its file.
///
/// # Safety
/// The kernel calls it, with the context of its section.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fentry/fd_install")]
pub unsafe extern "C" fn fd_install(arguments: Arguments) -> i32 {
    // SAFETY: the caller's.
    unsafe { trace::fd_install(arguments) };
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
