//! What the tracing programs and user space agree on: who is traced, which system calls make
//! descriptors, and what is noted of each that was made.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// System calls that are told apart, by number; a power of two over the numbers in use.
pub const CALLS: u32 = 1024;
/// Distinct stacks that are kept.
pub const STACKS: u32 = 4096;
/// Copies of the user's stack that are kept, a power of two.
pub const SNAPSHOTS: u32 = 1024;
/// Copies that may be written at the same time: no machine has more processors that are all at it.
pub const WRITERS: u32 = 256;
/// Bytes of the user's stack that are copied at most, a power of two.
pub const SNAPSHOT_BYTES: usize = 8192;

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
    /// Offset of the user's frame pointer.
    pub fp: u32,
    /// Offset of the table in `struct task_struct`; 0 where it is not known.
    pub files: u32,
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
    /// Offset of the first thread in `struct task_struct`; 0 where it is not known.
    pub leader: u32,
    /// Nothing.
    pub reserved: u32,
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
    /// It returns one, which is new unless its two arguments are the same (dup2(2)).
    pub const COPIES: u32 = 6;
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
    /// The stack's number, or a negative errno: EEXIST where another one has its place, which the
    /// stack's hash says. Its bytes may still be there ([`Snapshot`]).
    pub stack: i32,
    /// The thread, as the initial pid namespace numbers it.
    pub tid: u32,
}

/// The user's registers and the top of the stack at the opening of a descriptor: by these the
/// callers are found of functions without a frame pointer. Further descriptors use the same place.
///
/// It is copied from its beginning to its end, while it may be written. Who writes it begins with the
/// end and ends with the beginning, and is alone; so where both have the same time, what was copied
/// between them is of that opening, whole.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Snapshot {
    /// [`Opened::time`] of the opening.
    pub begins: u64,
    /// The instruction pointer.
    pub ip: u64,
    /// The stack pointer, where the bytes begin.
    pub sp: u64,
    /// The frame pointer.
    pub fp: u64,
    /// How many of the bytes there are.
    pub len: u64,
    /// The stack from its top on.
    pub bytes: [u8; SNAPSHOT_BYTES],
    /// The time once more.
    pub ends: u64,
}
