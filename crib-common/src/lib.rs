//! What crib-top's BPF programs and its user space must agree on: the wire records, the offsets
//! of kernel structures that are injected at load time, and every limit.
//!
//! Both sides are built from this crate, so a record's layout can't differ between them. There
//! are no features: what one side sees, the other sees.
#![no_std]

pub mod bench;
pub mod dump;
pub mod limits;
pub mod offsets;
pub mod record;
pub mod trace;
