//! What only `crib-top bench` runs, in an object of its own: the staged way of reading what the
//! nested dump reads, other transports for the table's records, and a count of system calls.

pub mod calls;
pub mod staged;
pub mod transport;

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use crib_common::bench::Counts;

/// `BPF_F_MMAPABLE`, include/uapi/linux/bpf.h.
const MMAPABLE: u32 = 1 << 10;

/// One for each CPU; the reader says how many there are when it loads the programs.
#[map]
static COUNTS: Array<Counts> = Array::with_max_entries(1, MMAPABLE);
