//! The functions of expressions.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::eval::wants;
use super::meter::Meter;
use super::value::Val;
use crate::error::Reason;

/// A function, found when the expression is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    ToText,
    ToInt,
    ToUint,
    ToDouble,
    ToBool,
    ToInstant,
    ToSpan,
    /// A part of an instant in UTC, or of a duration.
    Part(Part),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Function {
    /// The function of that name and number of arguments, the target of a method among them.
    pub(super) fn find(name: &str, method: bool, args: usize) -> Option<Self> {
        Some(match (name, args) {
            ("size", 1) => Self::Size,
            ("contains", 2) if method => Self::Contains,
            ("startsWith", 2) if method => Self::StartsWith,
            ("endsWith", 2) if method => Self::EndsWith,
            ("string", 1) if !method => Self::ToText,
            ("int", 1) if !method => Self::ToInt,
            ("uint", 1) if !method => Self::ToUint,
            ("double", 1) if !method => Self::ToDouble,
            ("bool", 1) if !method => Self::ToBool,
            ("timestamp", 1) if !method => Self::ToInstant,
            ("duration", 1) if !method => Self::ToSpan,
            (_, 1) if method => Self::Part(match name {
                "getFullYear" => Part::FullYear,
                "getMonth" => Part::Month,
                "getDate" => Part::Date,
                "getDayOfMonth" => Part::DayOfMonth,
                "getDayOfWeek" => Part::DayOfWeek,
                "getDayOfYear" => Part::DayOfYear,
                "getHours" => Part::Hours,
                "getMinutes" => Part::Minutes,
                "getSeconds" => Part::Seconds,
                "getMilliseconds" => Part::Milliseconds,
                _ => return None,
            }),
            _ => return None,
        })
    }

    pub(super) fn call<'a>(self, args: &[Val<'a>], meter: &Meter) -> Result<Val<'a>, Reason> {
        let [first, rest @ ..] = args else { return Err(Reason::Arithmetic("an argument is missing")) };
        match self {
            Self::Size => {
                if let Val::Text(text) = first {
                    meter.looked_at(text.len())?;
                }
                let size = first.len().ok_or_else(|| wants("size", "a text, a list or an object", first))?;
                Ok(Val::Int(i64::try_from(size).unwrap_or(i64::MAX)))
            }
            Self::Contains | Self::StartsWith | Self::EndsWith => {
                let (Val::Text(text), Some(Val::Text(part))) = (first, rest.first()) else {
                    let other = rest.first().filter(|_| matches!(first, Val::Text(_))).unwrap_or(first);
                    return Err(wants("a comparison of texts", "texts", other));
                };
                Ok(Val::Bool(match self {
                    Self::Contains => {
                        meter.looked_at(text.len() + part.len())?;
                        text.contains(&**part)
                    }
                    Self::StartsWith => {
                        meter.looked_at(part.len())?;
                        text.starts_with(&**part)
                    }
                    _ => {
                        meter.looked_at(part.len())?;
                        text.ends_with(&**part)
                    }
                }))
            }
            Self::ToText => text(first, meter),
            Self::ToInt => int(first),
            Self::ToUint => match int(first)? {
                Val::Int(i) => u64::try_from(i).map(Val::Uint).map_err(|_| RANGE),
                other => Ok(other),
            },
            Self::ToDouble => double(first),
            Self::ToBool => match first {
                Val::Bool(b) => Ok(Val::Bool(*b)),
                Val::Text(text) => text.parse().map(Val::Bool).map_err(|_| UNREADABLE),
                other => Err(wants("bool", "a text", other)),
            },
            Self::ToInstant => instant(first),
            Self::ToSpan => match first {
                Val::Span(span) => Ok(Val::Span(*span)),
                Val::Text(text) if text.len() <= MAX_TIME_BYTES => {
                    text.parse::<SignedDuration>().map(Val::Span).map_err(|_| UNREADABLE)
                }
                Val::Text(_) => Err(UNREADABLE),
                other => Err(wants("duration", "a text", other)),
            },
            Self::Part(part) => part.of(first),
        }
    }
}

/// Bytes of a written instant or duration.
const MAX_TIME_BYTES: usize = 128;
const RANGE: Reason = Reason::Arithmetic("the number does not fit");
const UNREADABLE: Reason = Reason::Arithmetic("the text cannot be read as that type");

fn text<'a>(value: &Val<'a>, meter: &Meter) -> Result<Val<'a>, Reason> {
    let text = match value {
        Val::Text(text) => return Ok(Val::Text(text.clone())),
        Val::Bool(b) => b.to_string(),
        Val::Int(i) => i.to_string(),
        Val::Uint(u) => u.to_string(),
        Val::Double(d) => d.to_string(),
        Val::Instant(instant) => instant.to_string(),
        Val::Span(span) => format!("{}s", span.as_secs_f64()),
        other => return Err(wants("string", "a number, a truth value or a time", other)),
    };
    meter.made(text.len())?;
    Ok(Val::made(&text))
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
fn int<'a>(value: &Val<'a>) -> Result<Val<'a>, Reason> {
    match value {
        Val::Int(i) => Ok(Val::Int(*i)),
        Val::Uint(u) => Ok(i64::try_from(*u).map_or(Val::Uint(*u), Val::Int)),
        // 2^63 is a real number, and the first that does not fit.
        Val::Double(d) if d.is_finite() && d.abs() < 9_223_372_036_854_775_808.0 => Ok(Val::Int(*d as i64)),
        Val::Double(_) => Err(RANGE),
        Val::Text(text) => text.parse().map(Val::Int).map_err(|_| UNREADABLE),
        Val::Instant(instant) => Ok(Val::Int(instant.as_second())),
        other => Err(wants("int", "a number, a text or a timestamp", other)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what double() is for")]
fn double<'a>(value: &Val<'a>) -> Result<Val<'a>, Reason> {
    match value {
        Val::Int(i) => Ok(Val::Double(*i as f64)),
        Val::Uint(u) => Ok(Val::Double(*u as f64)),
        Val::Double(d) => Ok(Val::Double(*d)),
        Val::Text(text) if text.len() <= MAX_TIME_BYTES => {
            text.parse().map(Val::Double).map_err(|_| UNREADABLE)
        }
        Val::Text(_) => Err(UNREADABLE),
        other => Err(wants("double", "a number or a text", other)),
    }
}

fn instant<'a>(value: &Val<'a>) -> Result<Val<'a>, Reason> {
    match value {
        Val::Instant(instant) => Ok(Val::Instant(*instant)),
        Val::Int(seconds) => Timestamp::from_second(*seconds).map(Val::Instant).map_err(|_| RANGE),
        Val::Text(text) if text.len() <= MAX_TIME_BYTES => {
            text.parse::<Timestamp>().map(Val::Instant).map_err(|_| UNREADABLE)
        }
        Val::Text(_) => Err(UNREADABLE),
        other => Err(wants("timestamp", "a text or seconds since 1970", other)),
    }
}

impl Part {
    fn of<'a>(self, value: &Val<'a>) -> Result<Val<'a>, Reason> {
        match value {
            Val::Instant(instant) => Ok(Val::Int(self.of_instant(TimeZone::UTC.to_datetime(*instant)))),
            Val::Span(span) => match self {
                Self::Hours => Ok(Val::Int(span.as_hours())),
                Self::Minutes => Ok(Val::Int(span.as_mins())),
                Self::Seconds => Ok(Val::Int(span.as_secs())),
                Self::Milliseconds => Ok(Val::Int(i64::from(span.subsec_millis()))),
                _ => Err(wants("a part of a date", "a timestamp", value)),
            },
            other => Err(wants("a part of a time", "a timestamp", other)),
        }
    }

    /// Months, days of the month and of the year count from 0, days of the week from Sunday, as CEL has it;
    /// `getDate` counts from 1.
    fn of_instant(self, at: DateTime) -> i64 {
        match self {
            Self::FullYear => i64::from(at.year()),
            Self::Month => i64::from(at.month()) - 1,
            Self::Date => i64::from(at.day()),
            Self::DayOfMonth => i64::from(at.day()) - 1,
            Self::DayOfWeek => i64::from(at.weekday().to_sunday_zero_offset()),
            Self::DayOfYear => i64::from(at.day_of_year()) - 1,
            Self::Hours => i64::from(at.hour()),
            Self::Minutes => i64::from(at.minute()),
            Self::Seconds => i64::from(at.second()),
            Self::Milliseconds => i64::from(at.millisecond()),
        }
    }
}
