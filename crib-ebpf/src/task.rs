//! A task's ids, as the reader's pid namespace numbers them.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use crib_common::offsets::ABSENT;

use crate::read::{Kptr, Raw, Typed, Value, offset};

/// The ids of a task.
#[derive(Clone, Copy)]
pub struct Ids {
    /// Of its process.
    pub tgid: u32,
    /// Its own.
    pub tid: u32,
}

/// The ids of a task in the pid namespace that is `level` deep; 0 where it has none there.
#[inline(always)]
pub fn ids(task: Kptr<Typed>, level: u32) -> Ids {
    if level == 0 {
        return Ids {
            tgid: task.get(offset!(task_tgid)).or_zero(),
            tid: task.get(offset!(task_pid)).or_zero(),
        };
    }
    let tgid = match task.follow(offset!(task_group_leader)) {
        Some(leader) => number(leader, level).or_zero(),
        None => 0,
    };
    Ids { tgid, tid: number(task, level).or_zero() }
}

/// The reader's own task.
#[inline(always)]
pub fn current() -> Option<Kptr<Raw>> {
    // SAFETY: the helper takes nothing; the address it returns is only read through.
    Kptr::to(unsafe { bpf_get_current_task() })
}

/// How deep the pid namespace of the reader is: 0 for the initial one. An iterator's program
/// runs in the process that reads.
#[inline(always)]
pub fn reader_level() -> u32 {
    match current().and_then(|task| task.follow(offset!(task_thread_pid))) {
        Some(pid) => pid.get(offset!(pid_level)).or_zero(),
        None => 0,
    }
}

/// `task_pid_nr_ns()`: a `struct pid` has a number in each namespace down to its own.
#[inline(always)]
fn number(task: Kptr<Typed>, level: u32) -> Value<u32> {
    // Read as a number, not as a typed pointer: Linux 6.1 refuses to add an unbounded number
    // to one of those.
    let Some(pid) = task.raw().follow(offset!(task_thread_pid)) else { return Value::unknown() };
    let Some(deepest) = pid.get::<u32>(offset!(pid_level)).ok() else { return Value::unknown() };
    let size = offset!(upid_size);
    if level > deepest || size == ABSENT {
        return Value::unknown();
    }
    let Some(numbers) = pid.member(offset!(pid_numbers)) else { return Value::unknown() };
    match Kptr::to(numbers.address() + u64::from(level) * u64::from(size)) {
        Some(upid) => upid.get(offset!(upid_nr)),
        None => Value::unknown(),
    }
}
