//! When in a day one is told.

use std::fmt;

use jiff::civil::Time;

use crate::text::written_as_text;

/// A local time of day in whole minutes, `00:00` to `23:59`; the default is `09:00`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeOfDay(Time);

/// The text is no time of day. Carries no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time of day is two digits of hours and two of minutes, 00:00 to 23:59")]
pub struct TimeOfDayError;

impl TimeOfDay {
    /// Reads `HH:MM`.
    ///
    /// # Errors
    /// [`TimeOfDayError`] for anything else, `24:00` and seconds included.
    pub fn parse(text: &str) -> Result<Self, TimeOfDayError> {
        let number = |tens: u8, ones: u8| {
            let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
            // Two digits are at most 99.
            digits.then(|| ((tens - b'0') * 10 + (ones - b'0')) as i8)
        };
        if let &[h, i, b':', m, n] = text.as_bytes()
            && let (Some(hour), Some(minute)) = (number(h, i), number(m, n))
            && let Ok(time) = Time::new(hour, minute, 0, 0)
        {
            return Ok(Self(time));
        }
        Err(TimeOfDayError)
    }

    pub(crate) fn time(self) -> Time {
        self.0
    }
}

impl Default for TimeOfDay {
    fn default() -> Self {
        Self(Time::constant(9, 0, 0, 0))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeOfDay({self})")
    }
}

written_as_text!(TimeOfDay, TimeOfDayError, "A local time of day, `00:00` to `23:59`.", "09:00");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_minutes() {
        for good in ["00:00", "09:00", "23:59"] {
            assert_eq!(TimeOfDay::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "9:00", "09:0", "24:00", "12:60", "09:00:00", "+9:00", "09.00", " 9:00", "9 am"] {
            assert_eq!(TimeOfDay::parse(bad), Err(TimeOfDayError), "{bad}");
        }
        assert_eq!(TimeOfDay::default().to_string(), "09:00");
    }
}
