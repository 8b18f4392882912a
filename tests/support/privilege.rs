//! Decides whether a test that needs BPF can run here: a lack has to be proven.

use std::env;
use std::sync::OnceLock;

use serde_json::Value;

use super::command::crib_top;

/// Whether BPF can be used. Says by name what is skipped, and why, where it can't.
///
/// In CI (`CI=true`) and with `CRIB_REQUIRE_BPF=1` nothing is skipped: there the test goes on
/// and fails by itself. Elsewhere only a lack that `crib-top doctor` proves is an excuse.
pub fn bpf_works_or_is_proven_absent(test: &str) -> bool {
    required() || proven(test, lack(|check| check["required"] == true))
}

/// Whether BPF can be used, with loops (`bpf_loop`, Linux 5.17), which all that looks into queues
/// takes.
///
/// Where nothing may be skipped, a kernel may lack them only if `CRIB_LACKS=bpf_loop` says that
/// it is known to.
pub fn loops_work_or_are_proven_absent(test: &str) -> bool {
    let known = env::var("CRIB_LACKS").is_ok_and(|lacks| lacks == "bpf_loop");
    assert!(!(known && has_loops()), "CRIB_LACKS=bpf_loop, which this kernel has");
    bpf_works_or_is_proven_absent(test)
        && (required() && !known || proven(test, lack(|check| check["name"] == "bpf_loop")))
}

/// Whether BPF can loop here, as `crib-top doctor` says.
pub fn has_loops() -> bool {
    lack(|check| check["name"] == "bpf_loop").is_none()
}

/// Whether BPF's memory counts as locked memory here (before Linux 5.11).
pub fn counts_locked_memory() -> bool {
    checks().iter().any(|check| check["name"] == "memlock")
}

/// Whether nothing may be skipped for want of BPF.
fn required() -> bool {
    let set = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    set("CI", "true") || set("CRIB_REQUIRE_BPF", "1")
}

/// Whether nothing is lacking; says that the test is skipped where something is.
fn proven(test: &str, lack: Option<String>) -> bool {
    if let Some(lack) = &lack {
        super::skipped(test, lack);
    }
    lack.is_none()
}

/// The first of these checks that found something missing.
fn lack(concerns: impl Fn(&Value) -> bool) -> Option<String> {
    checks()
        .iter()
        .find(|check| check["state"] == "missing" && concerns(check))
        .map(|check| format!("{}: {}", check["name"], check["detail"]))
}

/// The checks of `crib-top doctor`, which is asked once.
fn checks() -> &'static [Value] {
    static REPORT: OnceLock<Value> = OnceLock::new();
    let report = REPORT.get_or_init(|| crib_top(["doctor", "-J"]).json());
    report["checks"].as_array().expect("doctor -J lists its checks")
}

/// Returns from the test, saying so, where BPF is proven not to be possible.
#[allow(unused_macros, reason = "a binary of one test needs one of the two")]
macro_rules! needs_bpf {
    ($test:expr) => {
        if !$crate::support::privilege::bpf_works_or_is_proven_absent($test) {
            return;
        }
    };
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use needs_bpf;

/// As [`needs_bpf`], where it takes loops.
macro_rules! needs_loops {
    ($test:expr) => {
        if !$crate::support::privilege::loops_work_or_are_proven_absent($test) {
            return;
        }
    };
}
pub(crate) use needs_loops;
