//! Which lints are wanted, and how `crib-top lint` is to watch.

use std::time::Duration;

use super::leaks::parse_duration;
use super::{DEFAULT_DELAY, Output, Print, SettingsError, Target, values};
use crate::cli::{Flags, LintArgs};
use crate::model::Files;
use crate::model::lint::{Lint, LintSet};

/// In place of a name: every lint.
const ALL: &str = "all";
/// Readings after the first where nobody says how often to read, unless they would be more than
/// [`DEFAULT_DELAY`] or less than [`LEAST_DELAY`] apart.
const READINGS: u32 = 30;
const LEAST_DELAY: Duration = Duration::from_millis(50);

/// How to watch a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LintWatch {
    /// How long.
    pub duration: Duration,
    /// Time from one reading to the next.
    pub interval: Duration,
}

/// The lints that are left.
pub(super) fn wanted(flags: &Flags) -> Result<LintSet, SettingsError> {
    let Some(list) = &flags.no_lint else { return Ok(LintSet::ALL) };
    list.split(',').map(str::trim).try_fold(LintSet::ALL, |left, name| match name {
        ALL => Ok(LintSet::NONE),
        name => match Lint::from_name(name) {
            Some(lint) => Ok(left.without(lint)),
            None => {
                let names = Lint::ALL.map(Lint::name).join(", ");
                Err(SettingsError::NoSuchLint(name.to_owned(), names))
            }
        },
    })
}

/// What to print, from the flags of `lint` and the delay.
pub(super) fn print(
    args: &LintArgs,
    delay: Option<&str>,
    targets: Vec<Target>,
    output: Output<Files>,
) -> Result<Print, SettingsError> {
    let several = targets.len();
    let [target] =
        <[Target; 1]>::try_from(targets).map_err(|_| SettingsError::SeveralLinted(several))?;
    let delay = delay.map(values::delay).transpose()?;
    let watch = args.duration.as_deref().map(|text| {
        let duration = parse_duration(text)?;
        let usual = (duration / READINGS).clamp(LEAST_DELAY, DEFAULT_DELAY);
        Ok(LintWatch { duration, interval: delay.unwrap_or(usual) })
    });
    Ok(Print::Lint { target, watch: watch.transpose()?, output })
}
