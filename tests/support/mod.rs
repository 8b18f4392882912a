//! What the end-to-end tests share: running crib-top and the workload, and the truth of /proc.

pub mod command;
pub mod differences;
pub mod line;
#[allow(dead_code, reason = "the workload, which shares it, uses the rest")]
pub mod pattern;
pub mod privilege;
pub mod queues;
pub mod terminal;
pub mod truth;
pub mod whole;
pub mod workload;

use std::io::Write;
use std::path::PathBuf;

/// The crib-top that is tested: `CRIB_TOP_BIN`, else the one that Cargo built for this test.
pub fn crib_top_path() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_crib-top");
    std::env::var_os("CRIB_TOP_BIN").map_or_else(|| built.into(), PathBuf::from)
}

/// Whether this runs in the small system of tests/kernels, which has busybox and little else.
pub fn in_qemu() -> bool {
    std::env::var_os("CRIB_IN_QEMU").is_some_and(|value| value == "1")
}

/// Says by name that a test, or a part of it, was not run here.
pub fn skipped(test: &str, why: impl std::fmt::Display) {
    // Past the test harness, which keeps to itself what a test that passes prints.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}
