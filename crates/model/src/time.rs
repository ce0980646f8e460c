//! Instants.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// An instant in whole milliseconds since the Unix epoch, UTC.
///
/// Written as RFC 3339 with `Z` and three decimals on every surface (the protocol, §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// An instant by milliseconds since 1970-01-01T00:00:00Z, held within the years 1 to 9998, which a
    /// calendar of four-digit years can write in every zone.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(-62_135_596_800_000, 253_370_764_799_999))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Within the bounds of `from_millis`, jiff can represent every value.
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{instant:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        // The parser's own words quote what it read.
        let wrong = "an instant is a date, a time and a zone, such as 2026-01-31T12:00:00Z";
        let instant: jiff::Timestamp = text.parse().map_err(|_| serde::de::Error::custom(wrong))?;
        Ok(Self::from_millis(instant.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_z_and_milliseconds() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_767_225_600_123).to_string(), "2026-01-01T00:00:00.123Z");
        assert!(Timestamp::from_millis(i64::MAX).to_string().starts_with("9998-12-31T23:59:59.999Z"));
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "0001-01-01T00:00:00.000Z");
    }

    #[test]
    fn json_round_trip() {
        let t = Timestamp::from_millis(1_767_225_600_001);
        let json = serde_json::to_string(&t).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), t);
    }
}
