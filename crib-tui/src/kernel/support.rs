//! What this kernel and this user allow: for `crib-top doctor` and for error messages.
//!
//! Facts are kept apart from decisions. [`facts`] looks and says yes, no or can't tell;
//! [`decide`] makes checks with remedies of that; neither tries anything out. [`tracing`] does.

pub mod decide;
pub mod facts;
pub mod names;

use std::io;

use serde::Serialize;

use super::trace::Tracer;
use crate::model::ReadError;
use crate::privileges;
use facts::{Facts, Roots};

/// One thing that reading by BPF needs, or is better with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, the same in every version.
    pub name: &'static str,
    /// What can't be had without it.
    pub needed_for: &'static str,
    /// Whether nothing can be read by BPF without it.
    pub required: bool,
    /// Whether it is there.
    pub state: CheckState,
    /// What was found, in plain words.
    pub detail: String,
    /// How to get it: one command that can be pasted, or one sentence; none where it is there,
    /// and where nothing helps.
    pub remedy: Option<String>,
}

impl Check {
    fn is_missing(&self) -> bool {
        self.state == CheckState::Missing
    }

    /// The error of what can't be had for want of this.
    fn refuses(&self, what: &str) -> ReadError {
        ReadError::Missing {
            what: format!("{what}: {}", self.detail),
            remedy: self.remedy.clone().unwrap_or_else(|| "--source procfs does without".into()),
        }
    }
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// It is there.
    Ok,
    /// It is not.
    Missing,
    /// That can't be told; the detail says why.
    Unknown,
}

impl CheckState {
    /// `ok`, `missing` or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// Checks everything on the running system.
pub fn checks() -> Vec<Check> {
    decide::checks(&as_at_first(Facts::gather(&Roots::default())))
}

/// With the capabilities that the process began with: what it has given up since is no lack.
fn as_at_first(facts: Facts) -> Facts {
    Facts { capabilities: privileges::first().or(facts.capabilities), ..facts }
}

/// Tries out whether it can be traced who opens files, and where: on this very process, since
/// nothing else proves that a program may be attached.
pub fn tracing() -> Check {
    let (state, detail, remedy) = match Tracer::start(std::process::id(), None) {
        Ok(tracer) => (CheckState::Ok, tracer.at().in_words().to_owned(), None),
        Err(ReadError::Missing { what, .. }) => (CheckState::Missing, what, None),
        Err(error) => (CheckState::Missing, error.to_string(), None),
    };
    Check {
        name: "tracing",
        needed_for: "leaks: who opens files",
        required: false,
        state,
        detail,
        remedy,
    }
}

/// Checks all but symbols, which are never the reason of a refusal, and take the longest to look
/// through.
fn checks_of_what_is_needed() -> Vec<Check> {
    decide::checks(&as_at_first(Facts::gather_required(&Roots::default())))
}

/// The first thing that reading by BPF can't do without and that is proved to be missing.
pub fn lacking() -> Option<Check> {
    checks_of_what_is_needed().into_iter().find(|check| check.required && check.is_missing())
}

/// That a check of this name is proved to have found something missing, and so `what` can't be
/// had; none where it has not.
pub fn lack_of(name: &str, what: &str) -> Option<ReadError> {
    let checks = checks_of_what_is_needed();
    let check = checks.iter().find(|check| check.name == name && check.is_missing())?;
    Some(check.refuses(what))
}

/// Why the kernel refused what BPF needs: names the first required thing that is missing, in
/// the order in which this error makes it likely. `what` says what was refused, in plain words.
pub fn explain(what: &str, error: &io::Error) -> ReadError {
    explain_by(&checks_of_what_is_needed(), what, error)
}

fn explain_by(checks: &[Check], what: &str, error: &io::Error) -> ReadError {
    let likely = likely_reasons(error);
    let reason = likely
        .iter()
        .filter_map(|name| checks.iter().find(|check| check.name == *name))
        .chain(checks)
        .find(|check| check.required && check.is_missing());
    match reason {
        Some(check) => check.refuses(what),
        None => ReadError::Missing {
            what: format!("{what}: {error}"),
            remedy: suspected(checks, error).unwrap_or_else(|| {
                "`crib-top doctor` says what this kernel allows, and --source procfs does without"
                    .into()
            }),
        },
    }
}

/// The names of the checks that an error points to.
fn likely_reasons(error: &io::Error) -> &'static [&'static str] {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            &["privileges", "user namespace", "lockdown", "memlock"]
        }
        Some(libc::ENOENT) => &["btf"],
        Some(libc::ENOSYS) => &["bpf"],
        _ => &["btf", "iterator", "ring buffer"],
    }
}

/// What may stand behind a refusal where nothing is known to be missing.
fn suspected(checks: &[Check], error: &io::Error) -> Option<String> {
    const SUSPECTS: [(&str, &str); 2] =
        [("seccomp", "by a seccomp filter"), ("lockdown", "by the kernel's lockdown")];
    if !matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)) {
        return None;
    }
    SUSPECTS.iter().find_map(|(name, whom)| {
        let unknown = |check: &&Check| check.name == *name && check.state == CheckState::Unknown;
        let Check { detail, remedy, .. } = checks.iter().find(unknown)?;
        let remedy = remedy.as_deref().unwrap_or("--source procfs does without");
        Some(format!("perhaps {whom} ({detail}): {remedy}"))
    })
}

#[cfg(test)]
mod tests;
