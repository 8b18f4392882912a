//! Moments as text: RFC 3339, UTC, in microseconds.

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
