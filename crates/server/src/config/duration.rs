//! Durations as they are written in a configuration: `"250ms"`, `"25s"`, `"5m"`, `"1h"`, `"90d"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// What a duration may look like, for error messages.
pub const FORM: &str = "must be a whole number and a unit (ms, s, m, h, d), such as \"25s\" or \"5m\"";

/// Milliseconds of each unit, the largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 24 * 60 * 60 * 1000), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Reads a duration.
///
/// # Errors
/// [`FORM`] if it is anything else, or longer than half a billion years.
pub fn parse(text: &str) -> Result<Duration, &'static str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let count: u64 = number.parse().map_err(|_| FORM)?;
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(FORM)?;
    count.checked_mul(millis).map(Duration::from_millis).ok_or(FORM)
}

/// Writes a duration in the largest unit that loses nothing. Below a millisecond is dropped.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".into();
    }
    let (unit, size) =
        UNITS.into_iter().find(|(_, size)| millis.is_multiple_of(u128::from(*size))).unwrap_or(("ms", 1));
    format!("{}{unit}", millis / u128::from(size))
}

/// Writes a duration as it stands in a file, with quotes.
pub(super) fn quoted(duration: Duration) -> String {
    format!("\"{}\"", show(duration))
}

/// For serde: a duration as text.
pub mod text {
    use super::{Deserialize, Deserializer, Duration, Serializer, parse, show};

    /// Writes the text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show(*duration))
    }

    /// Reads the text.
    ///
    /// # Errors
    /// If it is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map_err(serde::de::Error::custom)
    }
}

/// For serde: a duration as text, or `"off"`.
pub mod or_off {
    use super::{Deserialize, Deserializer, Duration, OrOff, Serializer, show};

    /// Writes the text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration.map_or("off".into(), show))
    }

    /// Reads the text.
    ///
    /// # Errors
    /// If it is neither a duration nor `"off"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        OrOff::deserialize(deserializer).map(|read| read.0)
    }
}

/// A duration or `"off"`, read.
pub(super) struct OrOff(pub(super) Option<Duration>);

impl<'de> Deserialize<'de> for OrOff {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "off" => Ok(Self(None)),
            text => parse(text)
                .map(|duration| Self(Some(duration)))
                .map_err(|form| serde::de::Error::custom(format_args!("{form}, or \"off\""))),
        }
    }
}

/// A duration, read.
pub(super) struct Text(pub(super) Duration);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written_alike() {
        for text in ["1ms", "250ms", "25s", "90s", "5m", "1h", "36h", "90d", "0s"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        assert_eq!(show(parse("60s").unwrap()), "1m");
        assert_eq!(show(parse("0d").unwrap()), "0s");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "5", "s", "5x", "5 m", "-5s", "1.5s", "5S", "1h30m", "99999999999999999999s"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("{}d", u64::MAX)).is_err());
    }
}
