//! What the tracing programs and user space agree on: who is traced, which system calls make
//! descriptors, and what is noted of each that was made.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// System calls that are told apart, by number; a power of two over the numbers in use.
pub const CALLS: u32 = 1024;
/// Distinct stacks that are kept.
pub const STACKS: u32 = 4096;
/// Places of system calls whose caller's place on the stack is known.
pub const CALLERS: u32 = 1024;

/// Says of a place that makes system calls that it has a frame, by which its caller is found.
pub const IN_FRAME: u32 = u32::MAX;

/// Who is traced, and where its registers are.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Target {
    /// The process, as the namespace below numbers it; in the initial one where there is none.
    pub tgid: u32,
    /// Offset of the number of the system call in `struct pt_regs`.
    pub nr: u32,
    /// The device and inode of a pid namespace (/proc/self/ns/pid); 0 for the initial one.
    pub ns_dev: u64,
    /// See there.
    pub ns_ino: u64,
    /// Offset of the user's instruction pointer in `struct pt_regs`.
    pub ip: u32,
    /// Offset of the user's stack pointer.
    pub sp: u32,
    /// Offset of the first argument.
    pub argument_0: u32,
    /// Offset of the second argument.
    pub argument_1: u32,
    /// Offset of the fourth argument.
    pub argument_3: u32,
    /// Offset of what tells the two instruction sets of a processor apart.
    pub mode: u32,
    /// What stands there where the numbers of system calls are those of [`call`].
    pub native: u64,
}

/// What a system call does with descriptors.
pub mod call {
    /// It makes none.
    pub const NONE: u32 = 0;
    /// It returns a new descriptor.
    pub const RETURNS: u32 = 1;
    /// It returns a new descriptor, or something else, by its arguments.
    pub const MAY_RETURN: u32 = 2;
    /// It writes two to where the first argument points.
    pub const PAIR_AT_0: u32 = 3;
    /// It writes two to where the fourth argument points.
    pub const PAIR_AT_3: u32 = 4;
    /// It returns one where the second argument is one of [`DUP_COMMANDS`] (fcntl(2)).
    pub const COMMAND_AT_1: u32 = 5;
    /// F_DUPFD and F_DUPFD_CLOEXEC.
    pub const DUP_COMMANDS: [u64; 2] = [0, 1030];
}

/// What is noted of the last opening of a descriptor.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Opened {
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    pub time: u64,
    /// The stack's number, or a negative errno where it was lost.
    pub stack: i32,
    /// The thread, as the initial pid namespace numbers it.
    pub tid: u32,
    /// The word on the stack where the function that made the call returns to: the unwinder
    /// finds the caller of each function but of that one, where it has no frame of its own. 0
    /// where it has one.
    pub caller: u64,
    /// Whether that word is known to be the return address; else it is the top of the stack.
    pub exact: u32,
    /// Nothing.
    pub reserved: u32,
}

/// What was lost.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Lost {
    /// Openings whose stack could not be kept.
    pub stacks: u64,
    /// Openings that could not be noted at all.
    pub descriptors: u64,
}
