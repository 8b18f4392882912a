//! What the programs that only `crib-top bench` runs share with it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What those programs count: a value for each CPU in a memory-mapped map, so that reading them
/// takes no system call. All but the calls are in the first.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Counts {
    /// Records in the memory-mapped array, from one iteration.
    pub records: u64,
    /// System calls that the reader's process began.
    pub own_calls: u64,
    /// System calls that its children and their descendants began.
    pub descendant_calls: u64,
    /// The reader's process in the initial pid namespace; 0 until it is known.
    pub own_tgid: u32,
    /// Nothing.
    pub reserved: u32,
}

/// How many generations of descendants are told from other processes.
pub const GENERATIONS: u32 = 4;
