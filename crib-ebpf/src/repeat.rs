//! Loops that the verifier need not unroll: one generic way to call `bpf_loop`.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;

/// What a step of a loop wants next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Go on.
    Continue,
    /// Leave the loop.
    Break,
}

/// Calls `step` up to `times` times, until it breaks (`bpf_loop`, Linux 5.17).
///
/// What `step` captures lives on this function's stack, which the verifier lets the callback
/// reach; a scalar in it is unknown to the verifier after each step, so that every bound has
/// to be checked within the step that relies on it.
#[inline(always)]
pub fn repeat<F: FnMut(u32) -> Step>(times: u32, mut step: F) {
    // SAFETY: the callback has the signature that `bpf_loop` wants, and the context is alive
    // until it returns.
    unsafe {
        bpf_loop(times, trampoline::<F> as *mut c_void, (&raw mut step).cast::<c_void>(), 0);
    }
}

/// Not inlined: its address is what `bpf_loop` takes.
#[inline(never)]
extern "C" fn trampoline<F: FnMut(u32) -> Step>(index: u32, context: *mut c_void) -> i64 {
    // SAFETY: `repeat` passes a pointer to an `F` that outlives the loop and is not used besides.
    let step = unsafe { &mut *context.cast::<F>() };
    i64::from(step(index) == Step::Break)
}
