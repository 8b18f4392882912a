//! What options are given: processes, times, numbers of bytes.

use std::time::Duration;

use super::{SettingsError, Target};
use crate::model::filter::parse_number;

const MIN_DELAY: Duration = Duration::from_millis(10);
const MAX_DELAY: Duration = Duration::from_secs(60 * 60);

/// Process ids and names, with commas between them.
pub fn targets(list: &str) -> Result<Vec<Target>, SettingsError> {
    let mut targets = Vec::new();
    for item in list.split(',') {
        let target = if item.is_empty() {
            return Err(SettingsError::EmptyTarget(list.to_owned()));
        } else if item.bytes().all(|byte| byte.is_ascii_digit()) {
            let pid = item.parse();
            Target::Pid(pid.map_err(|_| SettingsError::PidTooLarge(item.to_owned()))?)
        } else {
            Target::Name(item.to_owned())
        };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    Ok(targets)
}

/// The time between two readings.
pub fn delay(text: &str) -> Result<Duration, SettingsError> {
    let delay = time(text).map_err(|error| match error {
        TimeError::NoUnit => SettingsError::DelayUnit(text.to_owned()),
        TimeError::NoTime => SettingsError::Delay(text.to_owned()),
        TimeError::TooLong => SettingsError::DelayRange(text.to_owned()),
    })?;
    let range = MIN_DELAY..=MAX_DELAY;
    if range.contains(&delay) { Ok(delay) } else { Err(SettingsError::DelayRange(text.to_owned())) }
}

/// What is wrong with a time.
pub enum TimeError {
    /// It is none.
    NoTime,
    /// It has no unit.
    NoUnit,
    /// It is too long to be counted.
    TooLong,
}

/// A number with a unit.
pub fn time(text: &str) -> Result<Duration, TimeError> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| TimeError::NoTime)?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        "" => return Err(TimeError::NoUnit),
        _ => return Err(TimeError::NoTime),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| TimeError::TooLong)
}

/// A number of bytes; no message has as many as 32 bits can count.
pub fn payload(text: &str) -> Result<u32, SettingsError> {
    parse_number(text)
        .and_then(|number| u64::try_from(number).ok())
        .map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        .ok_or_else(|| SettingsError::Payload(text.to_owned()))
}
