//! Decides whether a test that needs BPF can run here: a lack has to be proven.

use std::env;
use std::sync::OnceLock;

use super::command::crib_top;

/// Whether BPF can be used. Says by name what is skipped, and why, where it can't.
///
/// In CI (`CI=true`) and with `CRIB_REQUIRE_BPF=1` nothing is skipped: there the test goes on
/// and fails by itself. Elsewhere only a lack that `crib-top doctor` proves is an excuse.
pub fn bpf_works_or_is_proven_absent(test: &str) -> bool {
    let set = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    if set("CI", "true") || set("CRIB_REQUIRE_BPF", "1") {
        return true;
    }
    static LACK: OnceLock<Option<String>> = OnceLock::new();
    match LACK.get_or_init(proven_lack) {
        None => true,
        Some(lack) => {
            super::skipped(test, lack);
            false
        }
    }
}

/// The first thing that BPF needs and that doctor found missing.
fn proven_lack() -> Option<String> {
    let report = crib_top(["doctor", "-J"]).json();
    let checks = report["checks"].as_array().expect("doctor -J lists its checks");
    checks
        .iter()
        .find(|check| check["state"] == "missing" && check["required"] == true)
        .map(|check| format!("{}: {}", check["name"], check["detail"]))
}

/// Returns from the test, saying so, where BPF is proven not to be possible.
macro_rules! needs_bpf {
    ($test:literal) => {
        if !$crate::support::privilege::bpf_works_or_is_proven_absent($test) {
            return;
        }
    };
}
pub(crate) use needs_bpf;
