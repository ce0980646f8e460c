//! How long: `ttl`, and whatever else is a length of time in a request.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A length of time as people write it: `"90s"`, `"15m"`, `"12h"`, `"7d"`, or a whole number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    millis: i64,
}

/// What can be written; the units' names are those of the configuration.
const EXPECTED: &str = "a whole number of seconds, or a text like \"90s\", \"15m\", \"12h\" or \"7d\"";

/// So long that nothing is longer: 1,000 years of 366 days.
const LONGEST_SECS: u64 = 1_000 * 366 * 24 * 60 * 60;

impl Span {
    /// Reads a text.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let secs = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return None,
        };
        // `parse` takes a sign, which no length of time has.
        let plain = number.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| number.parse::<u64>().ok())??.checked_mul(secs).and_then(Self::from_secs)
    }

    /// Whole seconds of so many milliseconds, if they are a length of time.
    pub fn from_millis(millis: i64) -> Option<Self> {
        Self::from_secs(u64::try_from(millis).ok()? / 1_000)
    }

    fn from_secs(secs: u64) -> Option<Self> {
        let millis = i64::try_from(secs.checked_mul(1_000)?).ok()?;
        (secs <= LONGEST_SECS).then_some(Self { millis })
    }

    /// Milliseconds, not negative.
    pub fn as_millis(self) -> i64 {
        self.millis
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
            fn visit_u64<E: Error>(self, secs: u64) -> Result<Span, E> {
                Span::from_secs(secs).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(secs), &self))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl Serialize for Span {
    /// In the largest unit that says it whole.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let secs = self.millis / 1_000;
        let (number, unit) = [(86_400, 'd'), (3_600, 'h'), (60, 'm')]
            .into_iter()
            .find(|(unit, _)| secs > 0 && secs % unit == 0)
            .map_or((secs, 's'), |(unit, name)| (secs / unit, name));
        serializer.collect_str(&format_args!("{number}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers() {
        for (text, secs) in [("0s", 0), ("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(Span::parse(text).unwrap().as_millis(), secs * 1_000, "{text}");
        }
        let read = |json: &str| serde_json::from_str::<Span>(json).map(|span| span.as_millis());
        assert_eq!(read("90").unwrap(), 90_000);
        for bad in
            ["\"\"", "\"s\"", "\"+1s\"", "\"1.5h\"", "\"1w\"", "-1", "1.5", "\"1é\"", "99999999999999999999"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(Span::parse("18446744073709551615d").is_none());
    }

    #[test]
    fn written_in_the_largest_unit() {
        let written = |text: &str| serde_json::to_string(&Span::parse(text).unwrap()).unwrap();
        assert_eq!(written("86400s"), "\"1d\"");
        assert_eq!(written("90m"), "\"90m\"");
        assert_eq!(written("0h"), "\"0s\"");
    }
}
