//! One step of a ladder.

use std::cmp::{Ordering, Reverse};
use std::fmt;

use crate::text::written_as_text;

/// Calendar days before the end, at most: ten years.
pub const MAX_DAYS: u16 = 3_650;
/// Hours before the end, at most: ten years.
pub const MAX_HOURS: u32 = 87_600;

/// How long before the end one is told, or that it has come. Written `7d`, `12h`, `expired`.
///
/// Ordered as on a ladder: what is told earlier is less. Days stand before as many hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// Calendar days before the last day: 0 (on the day) to [`MAX_DAYS`].
    Days(u16),
    /// Hours of 3,600 seconds before the end: 1 to [`MAX_HOURS`].
    Hours(u32),
    /// The end.
    Expired,
}

/// Why a text is no rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RungError {
    /// Neither `Nd` nor `Nh`. Carries no part of the text.
    #[error("a rung is a number of days (7d) or of hours (12h) before the end")]
    Shape,
    /// Too many days.
    #[error("a rung is at most {MAX_DAYS}d before the end, not {got}d")]
    Days {
        /// The number given.
        got: u64,
    },
    /// No hours, or too many.
    #[error("a rung is 1h to {MAX_HOURS}h before the end, not {got}h")]
    Hours {
        /// The number given.
        got: u64,
    },
}

impl Rung {
    /// Reads `7d`, `12h` or `expired`. A number has no sign and no leading zero, so a rung has one spelling.
    ///
    /// # Errors
    /// [`RungError`], which says the range if only that was wrong.
    pub fn parse(text: &str) -> Result<Self, RungError> {
        if text == "expired" {
            return Ok(Self::Expired);
        }
        let split = text.len().checked_sub(1).and_then(|at| text.split_at_checked(at));
        let (number, unit) = split.ok_or(RungError::Shape)?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if !digits || (number.len() > 1 && number.starts_with('0')) {
            return Err(RungError::Shape);
        }
        // Digits that are no number are too large a one.
        let got = number.parse().unwrap_or(u64::MAX);
        match unit {
            "d" => {
                u16::try_from(got).map_err(|_| RungError::Days { got }).and_then(|n| Self::Days(n).checked())
            }
            "h" => u32::try_from(got)
                .map_err(|_| RungError::Hours { got })
                .and_then(|n| Self::Hours(n).checked()),
            _ => Err(RungError::Shape),
        }
    }

    /// Itself, if its number is in range.
    pub(crate) fn checked(self) -> Result<Self, RungError> {
        match self {
            Self::Days(days) if days > MAX_DAYS => Err(RungError::Days { got: days.into() }),
            Self::Hours(hours) if !(1..=MAX_HOURS).contains(&hours) => {
                Err(RungError::Hours { got: hours.into() })
            }
            rung => Ok(rung),
        }
    }

    /// Its place on a ladder: first by time before the end, days of 24 hours.
    fn place(self) -> (Reverse<u32>, u8) {
        match self {
            Self::Days(days) => (Reverse(u32::from(days) * 24), 0),
            Self::Hours(hours) => (Reverse(hours), 1),
            Self::Expired => (Reverse(0), 2),
        }
    }
}

impl Ord for Rung {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Rung {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::Hours(hours) => write!(f, "{hours}h"),
            Self::Expired => f.write_str("expired"),
        }
    }
}

written_as_text!(
    Rung,
    RungError,
    "How long before the end one is told: calendar days (`7d`; `0d` is on the day), hours (`12h`), or \
     `expired`, the end itself.",
    "7d"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_each() {
        for good in ["0d", "1d", "3650d", "1h", "87600h", "expired"] {
            assert_eq!(Rung::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "d", "7", "07d", "00h", "+7d", "-1d", "7 d", "7D", "7days", "1w", "7é", "Expired"] {
            assert_eq!(Rung::parse(bad), Err(RungError::Shape), "{bad}");
        }
    }

    #[test]
    fn the_range_is_named() {
        assert_eq!(Rung::parse("3651d"), Err(RungError::Days { got: 3_651 }));
        assert_eq!(Rung::parse("0h"), Err(RungError::Hours { got: 0 }));
        assert_eq!(Rung::parse("87601h"), Err(RungError::Hours { got: 87_601 }));
        assert_eq!(Rung::parse(&format!("{}d", "9".repeat(50))), Err(RungError::Days { got: u64::MAX }));
        let error = Rung::parse("4000d").unwrap_err().to_string();
        assert_eq!(error, "a rung is at most 3650d before the end, not 4000d");
    }

    #[test]
    fn ordered_as_on_a_ladder() {
        let mut rungs = ["expired", "1h", "0d", "24h", "1d", "7d", "169h"].map(|t| Rung::parse(t).unwrap());
        rungs.sort();
        assert_eq!(rungs.map(|r| r.to_string()), ["169h", "7d", "1d", "24h", "1h", "0d", "expired"]);
    }
}
