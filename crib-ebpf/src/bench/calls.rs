//! A count of the system calls that the reader's process and its descendants begin.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{
    bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_smp_processor_id, bpf_probe_read_kernel,
};
use crib_common::bench::GENERATIONS;
use crib_common::offsets::ABSENT;

use super::COUNTS;
use crib_ebpf::read::offset;

/// Notes who reads: an iterator's program runs in the process that reads it.
#[inline(always)]
pub fn note_reader() {
    let Some(counts) = COUNTS.get_ptr_mut(0) else { return };
    // SAFETY: the map's only value; one reader runs this, and calls are not counted before.
    unsafe { (&raw mut (*counts).own_tgid).write_volatile(tgid()) };
}

/// Counts one system call that is about to begin, in the numbers of this CPU: a program of a
/// tracepoint is not moved to another one, nor does another system call begin there meanwhile.
#[inline(always)]
pub fn count() {
    let Some(first) = COUNTS.get_ptr_mut(0) else { return };
    // SAFETY: a value of the map, which is zeroed memory of this size; the number is written
    // before calls are counted.
    let own = unsafe { (&raw const (*first).own_tgid).read_volatile() };
    if own == 0 {
        return;
    }
    // SAFETY: the helper takes nothing.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let Some(counts) = COUNTS.get_ptr_mut(cpu) else { return };
    // SAFETY: as above; nobody else changes these fields of this value now.
    unsafe {
        if tgid() == own {
            (*counts).own_calls += 1;
        } else if is_descendant(own) {
            (*counts).descendant_calls += 1;
        }
    }
}

#[inline(always)]
fn tgid() -> u32 {
    // SAFETY: the helper takes nothing.
    (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
}

/// Whether the current task descends from a process.
#[inline(always)]
fn is_descendant(own: u32) -> bool {
    let (parent, tgid) = (offset!(task_real_parent), offset!(task_tgid));
    if parent == ABSENT || tgid == ABSENT {
        return false;
    }
    // SAFETY: the helper takes nothing; the address it returns is only read through.
    let mut task = unsafe { bpf_get_current_task() };
    let mut generation = 0;
    while generation < GENERATIONS {
        task = read(task.wrapping_add(u64::from(parent)));
        if task == 0 {
            return false;
        }
        // The process's id is the lower half of what is read there.
        if read(task.wrapping_add(u64::from(tgid))) as u32 == own {
            return true;
        }
        generation += 1;
    }
    false
}

/// Eight bytes of kernel memory, 0 where they can't be read. Not [`crib_ebpf::read`]'s way: what it
/// reads lands in one place, and this program runs on all CPUs at once.
#[inline(always)]
fn read(address: u64) -> u64 {
    let mut value = 0_u64;
    // SAFETY: the helper writes eight bytes to the stack, and checks the address itself.
    unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast::<c_void>(),
            size_of::<u64>() as u32,
            address as usize as *const c_void as *mut c_void,
        );
    }
    value
}
