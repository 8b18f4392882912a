//! How `crib-top leaks` is to watch.

use std::time::Duration;

use super::values;
use super::{DEFAULT_DELAY, Format, Print, SettingsError, Target};
use crate::cli::LeaksArgs;

/// How long to watch where nobody says.
const DEFAULT_DURATION: &str = "30s";
const MIN_DURATION: Duration = Duration::from_millis(200);
const MAX_DURATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Readings after the first that a watch has room for at least: fewer are never judged.
const LEAST_READINGS: u32 = 4;
/// Readings after the first that a watch takes even if that takes longer.
const ENOUGH_READINGS: u64 = 12;
/// Readings after the first where nobody says how often to read, unless they would be more than
/// [`DEFAULT_DELAY`] or less than [`LEAST_DELAY`] apart.
const READINGS: u32 = 30;
const LEAST_DELAY: Duration = Duration::from_millis(50);

/// How to watch a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaks {
    /// How long.
    pub duration: Duration,
    /// Time from one reading to the next.
    pub interval: Duration,
    /// Whether to trace who opens files.
    pub trace: bool,
}

impl Leaks {
    /// Readings after the first without which a watch is not over, also where the machine is too
    /// busy to take them in time.
    pub fn least_readings(&self) -> u64 {
        let room = self.duration.as_nanos() / self.interval.as_nanos().max(1);
        ENOUGH_READINGS.min(room as u64)
    }
}

/// What to print, from the flags of `leaks`, the delay, and whether tables have headings.
pub(super) fn print(
    args: &LeaksArgs,
    delay: Option<&str>,
    targets: Vec<Target>,
    format: Format,
    headings: bool,
) -> Result<Print, SettingsError> {
    let several = targets.len();
    let [target] =
        <[Target; 1]>::try_from(targets).map_err(|_| SettingsError::SeveralWatched(several))?;
    let text = args.duration.as_deref().unwrap_or(DEFAULT_DURATION);
    let duration = parse_duration(text)?;
    let interval = match delay {
        Some(delay) => values::delay(delay)?,
        None => (duration / READINGS).clamp(LEAST_DELAY, DEFAULT_DELAY),
    };
    if interval.saturating_mul(LEAST_READINGS) > duration {
        return Err(SettingsError::FewReadings {
            duration: text.to_owned(),
            delay: delay.unwrap_or_default().to_owned(),
            least: LEAST_READINGS,
        });
    }
    Ok(Print::Leaks {
        target,
        leaks: Leaks { duration, interval, trace: !args.no_trace },
        format,
        headings,
    })
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, SettingsError> {
    let duration = values::time(text).map_err(|error| match error {
        values::TimeError::NoUnit => SettingsError::ForUnit(text.to_owned()),
        values::TimeError::NoTime => SettingsError::For(text.to_owned()),
        values::TimeError::TooLong => SettingsError::ForRange(text.to_owned()),
    })?;
    let range = MIN_DURATION..=MAX_DURATION;
    if range.contains(&duration) {
        Ok(duration)
    } else {
        Err(SettingsError::ForRange(text.to_owned()))
    }
}
