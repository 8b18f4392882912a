//! The lint about a process as a whole: its limit on descriptors.

use super::{Finding, Lint, LintSet};
use crate::model::Process;

/// From this part of the soft limit on, in percent, the count is near it.
const NEAR: u128 = 80;

pub(super) const SUMMARY: &str = "a process with 80% or more of the descriptors that it may have";
pub(super) const MEANS: &str = "at the limit open(2), socket(2) and accept(2) fail with EMFILE; what can't be accepted stays \
     in the queue";

/// What there is to say of a process with so many descriptors.
pub fn of_process(process: &Process, fd_count: u64, wanted: LintSet) -> Vec<Finding> {
    let limit = process.fd_limit.filter(|_| wanted.has(Lint::FdLimit));
    let near = |&limit: &u64| u128::from(fd_count) * 100 >= u128::from(limit) * NEAR;
    let Some(limit) = limit.filter(near) else { return Vec::new() };
    // Of a limit of 0, which may be set on a process that has some open, nothing is a share.
    let share = (u128::from(fd_count) * 100).checked_div(limit.into());
    let share = share.map(|percent| format!(", {percent}%")).unwrap_or_default();
    let pid = process.pid;
    vec![Finding {
        lint: Lint::FdLimit,
        seen: format!("{fd_count} of {limit} descriptors are in use{share}"),
        means: MEANS,
        look: format!(
            "whether they grow: crib-top leaks -p {pid}; else raise the limit (LimitNOFILE=, \
             ulimit -n, prlimit -p {pid} --nofile)"
        ),
    }]
}
