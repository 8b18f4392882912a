//! Who opens files: each new descriptor of one process, with the user's stack. The only programs
//! that run when others do something, and not when they are asked.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::sync::atomic::{Ordering, compiler_fence};

use aya_ebpf::bindings::{BPF_ANY, BPF_F_USER_STACK, BPF_NOEXIST, bpf_pidns_info};
use aya_ebpf::helpers::generated::{
    bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_current_task_btf,
    bpf_get_ns_current_pid_tgid, bpf_get_stackid, bpf_ktime_get_ns, bpf_probe_read_kernel,
    bpf_probe_read_user, bpf_task_pt_regs,
};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, StackTrace};
use crib_common::trace::{CALLS as MAX_CALLS, SNAPSHOTS as MAX_SNAPSHOTS};
use crib_common::trace::{Opened, Snapshot, Target, call};
use crib_common::trace::{STACKS as MAX_STACKS, WRITERS as MAX_WRITERS};

/// Who is traced; nobody while the process is 0.
#[map]
static TARGET: Array<Target> = Array::with_max_entries(1, 0);

/// What each system call does, by its number ([`call`]).
#[map]
static CALLS: Array<u32> = Array::with_max_entries(MAX_CALLS, 0);

/// What is known of each descriptor; user space says how many there may be.
#[map]
static OPENED: HashMap<u32, Opened> = HashMap::with_max_entries(1024, 0);

/// The stacks.
#[map]
static STACKS: StackTrace = StackTrace::with_max_entries(MAX_STACKS, 0);

/// The stacks' own bytes, by the last bits of the descriptor.
#[map]
static SNAPSHOTS: Array<Snapshot> = Array::with_max_entries(MAX_SNAPSHOTS, 0);

/// The places of [`SNAPSHOTS`] that are being written. Some kernels lack what else would do for a lock.
#[map]
static WRITING: HashMap<u32, u8> = HashMap::with_max_entries(MAX_WRITERS, 0);

/// How many openings could not be noted.
#[map]
static LOST: Array<u64> = Array::with_max_entries(1, 0);

/// The arguments of a tracepoint or a function, of which each takes eight bytes.
pub type Arguments = *const u64;

/// At the end of a system call: `sys_exit(struct pt_regs *regs, long ret)`.
///
/// # Safety
/// The context must be what the kernel hands to a program at that tracepoint.
#[inline(always)]
pub unsafe fn sys_exit(arguments: Arguments) {
    let Some(target) = traced() else { return };
    // SAFETY: the caller's; the tracepoint has two arguments.
    let (regs, returned) =
        unsafe { (arguments.read_volatile(), arguments.add(1).read_volatile() as i64) };
    if returned < 0 {
        return;
    }
    let (Some(nr), Some(mode)) = (register(regs, target.nr), register(regs, target.mode)) else {
        return;
    };
    if mode != target.native {
        return;
    }
    let Some(&what) = CALLS.get(nr as u32) else { return };
    let call = Call { context: arguments.cast(), target, regs };
    match what {
        call::RETURNS => call.note(returned as u32, true),
        call::COPIES => {
            let (from, to) = (target.argument_0, target.argument_1);
            if register(regs, from).is_some_and(|from| register(regs, to) != Some(from)) {
                call.note(returned as u32, true);
            }
        }
        // 0 is what the others of these return, and nobody opens what a shell has open.
        call::MAY_RETURN if returned > 2 && returned < i64::from(i32::MAX) => {
            call.note(returned as u32, false);
        }
        call::PAIR_AT_0 => call.note_pair(target.argument_0),
        call::PAIR_AT_3 => call.note_pair(target.argument_3),
        call::COMMAND_AT_1 => {
            if let Some(command) = register(regs, target.argument_1)
                && (command == call::DUP_COMMANDS[0] || command == call::DUP_COMMANDS[1])
            {
                call.note(returned as u32, true);
            }
        }
        _ => {}
    }
}

/// When a descriptor is given its file: `fd_install(unsigned int fd, struct file *file)`, which all
/// pass but those of dup2(2) and dup3(2).
///
/// # Safety
/// The context must be what the kernel hands to a program at that function's entry.
#[inline(always)]
pub unsafe fn fd_install(arguments: Arguments) {
    let Some(target) = traced() else { return };
    // SAFETY: the caller's; the function has two arguments.
    let fd = unsafe { arguments.read_volatile() } as u32;
    Call { context: arguments.cast(), target, regs: users_registers() }.note(fd, true);
}

/// The address of the running task's `struct pt_regs`, 0 where it can't be had.
#[inline(always)]
fn users_registers() -> u64 {
    // SAFETY: the helpers take and return the running task, and what is its own.
    let regs = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as u64;
    let mut number = 0u64;
    // SAFETY: eight bytes are read from a number of eight bytes into another. The verifier knows
    // the address as a typed pointer, to which it lets no number be added that is not constant;
    // what is read from memory is a number to it.
    let failed = unsafe {
        let (to, from) = ((&raw mut number).cast(), (&raw const regs).cast());
        bpf_probe_read_kernel(to, size_of::<u64>() as u32, from)
    };
    if failed == 0 { number } else { 0 }
}

/// The request, if it is the traced process that runs.
#[inline(always)]
fn traced() -> Option<&'static Target> {
    let target = TARGET.get(0)?;
    let tgid = if target.ns_ino == 0 {
        // SAFETY: the helper takes nothing.
        (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
    } else {
        let mut info = bpf_pidns_info { pid: 0, tgid: 0 };
        let size = size_of::<bpf_pidns_info>() as u32;
        // SAFETY: the helper fills in a structure of this size.
        let failed = unsafe {
            bpf_get_ns_current_pid_tgid(target.ns_dev, target.ns_ino, &raw mut info, size)
        };
        if failed != 0 {
            return None;
        }
        info.tgid
    };
    (target.tgid != 0 && tgid == target.tgid).then_some(target)
}

/// Whether the running thread's table is the process's own, which is that of the first thread unless it
/// has ended. In another one the same numbers are other files.
#[inline(always)]
fn has_own_table(target: &Target) -> bool {
    if target.files == 0 || target.leader == 0 {
        return true;
    }
    // SAFETY: the helper takes nothing.
    let task = unsafe { bpf_get_current_task() };
    let Some(leader) = register(task, target.leader) else { return false };
    match register(leader, target.files) {
        Some(0) => true,
        Some(table) => register(task, target.files) == Some(table),
        None => false,
    }
}

/// Bytes of the stack that are tried one after the other: all or nothing is copied, and the stack
/// may end before. Unsafe: `to` must have room for the largest of the sizes.
macro_rules! first_that_can_be_read {
    ($to:expr, $from:expr, [$($bytes:literal),*]) => {
        $(if bpf_probe_read_user($to, $bytes, $from) == 0 {
            $bytes
        } else)* {
            0
        }
    };
}

/// What opens a descriptor.
struct Call {
    context: *const c_void,
    target: &'static Target,
    regs: u64,
}

impl Call {
    /// Notes two descriptors that the call has written to where an argument points.
    #[inline(always)]
    fn note_pair(&self, argument: u32) {
        let Some(address) = register(self.regs, argument) else { return };
        let Some(pair) = read_user::<[u32; 2]>(address) else { return };
        self.note(pair[0], true);
        self.note(pair[1], true);
    }

    /// Notes a descriptor; `sure` that it is one, it takes the place of what was noted before.
    #[inline(always)]
    fn note(&self, fd: u32, sure: bool) {
        if !has_own_table(self.target) {
            return;
        }
        // SAFETY: the context is this program's own, and the map one of stacks.
        let stack = unsafe {
            let map = (&raw const STACKS).cast_mut().cast::<c_void>();
            bpf_get_stackid(self.context.cast_mut(), map, u64::from(BPF_F_USER_STACK))
        };
        // SAFETY: the helpers take nothing.
        let (time, tid) = unsafe { (bpf_ktime_get_ns(), bpf_get_current_pid_tgid() as u32) };
        self.copy_stack(fd, time);
        let opened = Opened { time, stack: stack as i32, tid };
        let flags = if sure { BPF_ANY } else { BPF_NOEXIST };
        // One that may be none, and has been noted before, is not lost.
        if OPENED.insert(fd, opened, u64::from(flags)).is_err() && sure {
            lose();
        }
    }
}

impl Call {
    /// Copies the registers and the top of the stack.
    #[inline(always)]
    fn copy_stack(&self, fd: u32, time: u64) {
        let Some(snapshot) = SNAPSHOTS.get_ptr_mut(fd & (MAX_SNAPSHOTS - 1)) else { return };
        let get = |offset| register(self.regs, offset).unwrap_or(0);
        let sp = get(self.target.sp);
        let place = fd & (MAX_SNAPSHOTS - 1);
        // Where another CPU writes to the same place, this one's copy is left out.
        if WRITING.insert(place, 0, u64::from(BPF_NOEXIST)).is_err() {
            return;
        }
        // SAFETY: the pointer is to a value of the map, which the kernel keeps for the program. The
        // bytes have room for what is read, and a bad address is an error. For the order of the times
        // see [`Snapshot`]; nothing is moved over the fences.
        unsafe {
            (&raw mut (*snapshot).ends).write_volatile(time);
            compiler_fence(Ordering::SeqCst);
            (*snapshot).ip = get(self.target.ip);
            (*snapshot).sp = sp;
            (*snapshot).fp = get(self.target.fp);
            let to = (&raw mut (*snapshot).bytes).cast::<c_void>();
            let from = sp as *const c_void;
            (*snapshot).len =
                first_that_can_be_read!(to, from, [8192, 6144, 4096, 3072, 2048, 1024, 512, 256]);
            compiler_fence(Ordering::SeqCst);
            (&raw mut (*snapshot).begins).write_volatile(time);
        }
        let _ = WRITING.remove(place);
    }
}

#[inline(always)]
fn lose() {
    if let Some(lost) = LOST.get_ptr_mut(0) {
        // SAFETY: as in `Call::copy_stack`; what two CPUs add at the same time may count once.
        unsafe { *lost += 1 };
    }
}

/// A register of the user's.
#[inline(always)]
fn register(regs: u64, offset: u32) -> Option<u64> {
    let mut value = 0u64;
    // SAFETY: eight bytes are written to a number of eight bytes; a bad address is an error.
    let failed = unsafe {
        let from = (regs + u64::from(offset)) as *const c_void;
        bpf_probe_read_kernel((&raw mut value).cast(), size_of::<u64>() as u32, from)
    };
    (failed == 0).then_some(value)
}

/// Something in the user's memory.
#[inline(always)]
fn read_user<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: as many bytes are written as there are; a bad address is an error. All uses are of
    // numbers, which are valid for any bits.
    unsafe {
        let size = size_of::<T>() as u32;
        let failed = bpf_probe_read_user(value.as_mut_ptr().cast(), size, address as *const c_void);
        (failed == 0).then_some(value.assume_init())
    }
}
