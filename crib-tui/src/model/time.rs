//! Times as text: moments by RFC 3339 (UTC, in microseconds), rates and lengths of time in words.

use std::fmt;
use std::time::SystemTime;

use serde::Serializer;

/// A moment. One outside the years that RFC 3339 can write becomes null.
///
/// # Errors
/// Those of the serializer.
pub fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::try_from(*time) {
        Ok(time) => serializer.collect_str(&format_args!("{time:.6}")),
        Err(_) => serializer.serialize_none(),
    }
}

/// A moment that may be unknown.
///
/// # Errors
/// Those of the serializer.
pub fn rfc3339_option<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// A growth a second as a person reads it: `+10.0/s`, `+1.0/min` or `+0.5/h`, whatever has a digit
/// before the point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerSecond(pub f64);

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = [(1.0, "s"), (60.0, "min"), (3600.0, "h")];
        let fits = |&(factor, _): &(f64, &str)| (self.0 * factor).abs() >= 0.95;
        let (factor, name) = unit.into_iter().find(fits).unwrap_or((3600.0, "h"));
        match self.0 == 0.0 {
            true => f.pad("0"),
            false => f.pad(&format!("{:+.1}/{name}", self.0 * factor)),
        }
    }
}

/// A length of time in seconds as a person reads it: `29.5s`, `13m32s`, `5h07m` or `12d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds(pub f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.round() as u64;
        f.pad(&match whole {
            0..60 => format!("{:.1}s", self.0),
            60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
            3600..172_800 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
            _ => format!("{}d", whole / 86_400),
        })
    }
}
