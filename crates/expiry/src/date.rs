//! When a product ends.

use std::fmt;

use campanile_model::Timestamp;
use jiff::civil::Date;

use crate::Zone;
use crate::text::written_as_text;

/// The end of a product as its producer wrote it: a date (`2026-01-31`), which lasts to the end of that day
/// wherever the reader's calendar is kept, or an instant with its offset (`2026-01-31T12:00:00+02:00`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ExpiryDate {
    text: Box<str>,
    end: End,
}

/// What the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// The last day.
    Date(Date),
    /// The end itself.
    Instant(Timestamp),
}

/// The text is neither a date nor an instant. Carries no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an expiry date is a date (2026-01-31) or an instant with its zone (2026-01-31T12:00:00Z)")]
pub struct ExpiryDateError;

impl ExpiryDate {
    /// Reads a date or an RFC 3339 instant; the text is kept to the letter. Fractions of a millisecond
    /// count as a whole one, so nothing is over before its instant.
    ///
    /// # Errors
    /// [`ExpiryDateError`] for anything else: no such day, no offset, annotations (`[Europe/Berlin]`).
    pub fn parse(text: &str) -> Result<Self, ExpiryDateError> {
        // The parsers also read annotations and other spellings that clients' own parsers would not.
        if !text.bytes().all(|b| b.is_ascii_digit() || b"-+:.TZ".contains(&b)) {
            return Err(ExpiryDateError);
        }
        let end = match text.len() {
            10 => End::Date(text.parse().map_err(|_| ExpiryDateError)?),
            20..=35 => End::Instant(rounded_up(text.parse().map_err(|_| ExpiryDateError)?)),
            _ => return Err(ExpiryDateError),
        };
        Ok(Self { text: text.into(), end })
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first instant at which the product is over: the instant itself, or of a date, the first instant
    /// of the day after it in `zone`.
    pub fn ends_at(&self, zone: &Zone) -> Timestamp {
        match self.end {
            End::Instant(instant) => instant,
            End::Date(date) => match date.tomorrow() {
                Ok(next) => zone.start_of(next),
                Err(_) => Timestamp::from_millis(i64::MAX),
            },
        }
    }

    /// The day that "expires today" means in `zone`.
    pub(crate) fn last_day(&self, zone: &Zone) -> Date {
        match self.end {
            End::Date(date) => date,
            End::Instant(instant) => zone.date_at(instant),
        }
    }

    pub(crate) fn end(&self) -> End {
        self.end
    }
}

fn rounded_up(instant: jiff::Timestamp) -> Timestamp {
    // Milliseconds are cut off towards zero, which is up before 1970.
    let more = instant.subsec_nanosecond() % 1_000_000 > 0;
    Timestamp::from_millis(instant.as_millisecond() + i64::from(more))
}

impl fmt::Display for ExpiryDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ExpiryDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExpiryDate({})", self.text)
    }
}

written_as_text!(
    ExpiryDate,
    ExpiryDateError,
    "When the product expires: a date, which lasts to the end of that day, or an instant with its zone \
     (RFC 3339). Kept as written.",
    "2026-01-31"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_or_an_instant_kept_to_the_letter() {
        for good in [
            "2026-01-31",
            "2028-02-29",
            "9999-12-31",
            "0000-01-01",
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00+02:00",
            "2026-01-31T12:00:00.123456789-11:30",
        ] {
            let date = ExpiryDate::parse(good).unwrap();
            assert_eq!(date.as_str(), good);
            let json = format!("\"{good}\"");
            assert_eq!(serde_json::to_string(&date).unwrap(), json);
            assert_eq!(serde_json::from_str::<ExpiryDate>(&json).unwrap(), date);
        }
        for bad in [
            "",
            "soon",
            "2026-02-30",
            "2027-02-29",
            "31.01.2026",
            "2026-1-31",
            "20260131",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00Z[UTC]",
            "2026-01-31T12:00:00+02:00[Europe/Berlin]",
            "2026-01-31 12:00:00Z",
            "２０２６-01-31",
        ] {
            assert_eq!(ExpiryDate::parse(bad), Err(ExpiryDateError), "{bad}");
        }
    }

    #[test]
    fn nothing_is_over_before_its_instant() {
        let millis = |text| ExpiryDate::parse(text).unwrap().ends_at(&Zone::default()).as_millis();
        assert_eq!(millis("1970-01-01T00:00:00.001Z"), 1);
        assert_eq!(millis("1970-01-01T00:00:00.001000001Z"), 2);
        assert_eq!(millis("1969-12-31T23:59:59.998000001Z"), -1);
        assert_eq!(millis("1970-01-01T02:00:00+02:00"), 0);
    }

    #[test]
    fn the_last_days_of_the_calendar_end_with_it() {
        let end = |text| ExpiryDate::parse(text).unwrap().ends_at(&Zone::default());
        let last = Timestamp::from_millis(i64::MAX);
        assert_eq!(end("9999-12-31"), last);
        assert_eq!(end("9999-12-30T23:00:00+11:00"), last);
        assert!(end("9998-12-30") < last);
        assert_eq!(end("0000-01-01"), Timestamp::from_millis(i64::MIN));
    }
}
