//! `doctor` says what is possible here, and is right about it.

use crate::support::command::{crib_top, has_control};
use crate::support::privilege::needs_bpf;

#[test]
fn doctor_is_content_where_bpf_works() {
    needs_bpf!("doctor_is_content_where_bpf_works");
    let run = crib_top(["doctor"]).expect_code(0);
    assert!(run.text().lines().count() > 3, "it lists its checks:\n{}", run.text());
    assert!(!run.text().lines().any(has_control), "no controls outside a terminal");
    // What it says of tracing is what `leaks` gets.
    assert!(run.text().lines().any(|line| line.starts_with("tracing")), "{}", run.text());
    // Where it is content, BPF indeed works.
    crib_top(["files", "-p", &std::process::id().to_string(), "--source", "bpf"]).expect_code(0);
}

#[test]
fn doctor_speaks_json() {
    let report = crib_top(["doctor", "-J"]).json();
    let checks = report["checks"].as_array().expect("doctor -J lists its checks");
    assert!(checks.len() > 3, "{report}");
    for check in checks {
        for field in ["name", "state", "detail"] {
            assert!(check[field].is_string(), "{field} in {check}");
        }
        let state = check["state"].as_str().unwrap_or_default();
        assert!(["ok", "missing", "unknown"].contains(&state), "{check}");
    }
}
