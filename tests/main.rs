//! End to end: the real crib-top looks into real processes, and what it says is held against
//! /proc, against what those processes know, and against a terminal.
//!
//! `CRIB_TOP_BIN` and `CRIB_WORKLOAD` name other binaries than the ones Cargo built, as
//! tests/kernels does; `CI=true` or `CRIB_REQUIRE_BPF=1` forbids skipping for want of BPF.

mod asked;
mod bench;
mod doctor;
mod drill;
mod faults;
mod flux;
mod hostile;
mod kinds;
mod large_dump;
mod leaks;
mod lifetimes;
mod lints;
mod namespaces;
mod parity;
mod pcap;
mod peers;
mod privileges;
mod ps;
mod queues;
mod scale;
mod secrets;
mod ss;
mod support;
mod terminal;
mod threads;
mod watching;
mod written;
