//! The workload makes every kind of file that the interface names.

use std::collections::BTreeSet;

use crate::support::{skipped, workload::Workload};

/// The interface's kinds, without `unknown`, which nobody can make.
const KINDS: &[&str] = &[
    "regular",
    "directory",
    "char",
    "block",
    "fifo",
    "pipe",
    "socket",
    "symlink",
    "eventpoll",
    "eventfd",
    "timerfd",
    "signalfd",
    "inotify",
    "fanotify",
    "pidfd",
    "memfd",
    "io_uring",
    "userfaultfd",
    "perf_event",
    "bpf_map",
    "bpf_prog",
    "bpf_link",
    "namespace",
    "dmabuf",
    "anon",
];

/// What a machine may refuse to make: it takes a driver, a module or a newer kernel.
const MAY_BE_REFUSED: &[&str] =
    &["dmabuf", "vsock", "regular-direct", "anon-landlock", "io_uring", "userfaultfd"];

#[test]
fn workload_makes_every_kind() {
    let workload = Workload::start(["all"]);
    let mut seen: BTreeSet<&str> = workload.files().map(|file| file.kind).collect();
    for (label, why) in workload.skipped() {
        assert!(MAY_BE_REFUSED.contains(&label), "{label} could not be made: {why}");
        skipped(&format!("workload {label}"), why);
        seen.insert(label);
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "the workload lacks {missing:?}");
}
