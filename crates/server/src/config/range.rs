//! Bounds on single options, with errors that name them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{ConfigError, duration};

/// Refuses a `got` outside of `allowed`.
pub(super) fn within<T: PartialOrd + Display>(
    key: &'static str,
    got: T,
    allowed: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if allowed.contains(&got) {
        return Ok(());
    }
    let problem = format!("must be {} to {}", allowed.start(), allowed.end());
    Err(ConfigError::invalid(key, Some(got.to_string()), problem))
}

/// Refuses a `got` outside of `least` and `most`, given as they are written in a file; `None` is `"off"`
/// and allowed wherever the type is an option.
pub(super) fn within_time(
    key: &'static str,
    got: Option<Duration>,
    least: &'static str,
    most: &'static str,
) -> Result<(), ConfigError> {
    let (Some(got), Ok(low), Ok(high)) = (got, duration::parse(least), duration::parse(most)) else {
        return Ok(());
    };
    if (low..=high).contains(&got) {
        return Ok(());
    }
    Err(ConfigError::invalid(key, Some(duration::quoted(got)), format!("must be \"{least}\" to \"{most}\"")))
}
