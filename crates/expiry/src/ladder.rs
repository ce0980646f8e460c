//! How long before the end one is told.

use serde::{Deserialize, Serialize};

use crate::{Rung, RungError, TimeOfDay};

/// Rungs of one ladder, besides `expired`: a notification for each is more than anybody reads.
pub const MAX_RUNGS: usize = 20;

/// When a product's expiry is told: each rung once, and the end. A member that is absent or `null` has its
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "Written")]
pub struct Ladder {
    /// How long before the end: calendar days (`7d`, at most `3650d`; `0d` is on the day) or hours (`12h`, at
    /// most `87600h`). In any order, each once, at most 20. Default: `7d`, `2d`, `0d`.
    #[schema(required = false, value_type = Vec<String>, max_items = 20, example = json!(["7d", "2d", "0d"]))]
    rungs: Vec<Rung>,
    /// Whether the end itself is told. Default: `true`.
    #[schema(required = false, default = true)]
    expired: bool,
    /// The local time of day at which the days before a *date* are told. Default: `09:00`.
    #[schema(required = false, value_type = String, default = "09:00")]
    at: TimeOfDay,
}

/// A ladder as somebody writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rungs: Option<Vec<Rung>>,
    expired: Option<bool>,
    at: Option<TimeOfDay>,
}

/// Why rungs make no ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// Too many rungs.
    #[error("a ladder has at most {MAX_RUNGS} rungs, not {got}")]
    TooMany {
        /// How many were given.
        got: usize,
    },
    /// A rung is there twice.
    #[error("the rung {0} is named twice")]
    Twice(Rung),
    /// `expired` among the rungs.
    #[error("expired is not named among the rungs: it is told unless expired is false")]
    Expired,
    /// A rung's number is out of range.
    #[error(transparent)]
    Rung(#[from] RungError),
}

impl Ladder {
    /// A ladder of these rungs, in any order; `expired`: whether the end itself is told; `at`: when the days
    /// before a date are. No rungs and no `expired` is a ladder that tells nothing.
    ///
    /// # Errors
    /// [`LadderError`] names the rung that is wrong.
    pub fn new(mut rungs: Vec<Rung>, expired: bool, at: TimeOfDay) -> Result<Self, LadderError> {
        if rungs.len() > MAX_RUNGS {
            return Err(LadderError::TooMany { got: rungs.len() });
        }
        rungs.sort_unstable();
        if let Some(pair) = rungs.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(LadderError::Twice(pair[0]));
        }
        for rung in &rungs {
            if rung.checked()? == Rung::Expired {
                return Err(LadderError::Expired);
            }
        }
        Ok(Self { rungs, expired, at })
    }

    /// Its rungs, what is told first first; the last is `expired` unless that is off.
    pub fn rungs(&self) -> impl Iterator<Item = Rung> + '_ {
        self.rungs.iter().copied().chain(self.expired.then_some(Rung::Expired))
    }

    /// The local time of day at which the days before a date are told.
    pub fn at(&self) -> TimeOfDay {
        self.at
    }
}

impl Default for Ladder {
    fn default() -> Self {
        let rungs = vec![Rung::Days(7), Rung::Days(2), Rung::Days(0)];
        Self { rungs, expired: true, at: TimeOfDay::default() }
    }
}

impl TryFrom<Written> for Ladder {
    type Error = LadderError;

    fn try_from(written: Written) -> Result<Self, LadderError> {
        let rungs = written.rungs.unwrap_or_else(|| Self::default().rungs);
        Self::new(rungs, written.expired.unwrap_or(true), written.at.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Ladder, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_absent_has_its_default() {
        for json in ["{}", r#"{"rungs":null,"expired":null,"at":null}"#] {
            assert_eq!(read(json), Ok(Ladder::default()), "{json}");
        }
        let written = serde_json::to_string(&Ladder::default()).unwrap();
        assert_eq!(written, r#"{"rungs":["7d","2d","0d"],"expired":true,"at":"09:00"}"#);
        assert_eq!(read(&written), Ok(Ladder::default()));
    }

    #[test]
    fn sorted_by_itself() {
        let ladder = read(r#"{"rungs":["0d","12h","30d"],"at":"18:30"}"#).unwrap();
        let rungs: Vec<_> = ladder.rungs().map(|rung| rung.to_string()).collect();
        assert_eq!(rungs, ["30d", "12h", "0d", "expired"]);
        assert_eq!(ladder.at().to_string(), "18:30");
        assert_eq!(read(r#"{"rungs":[],"expired":false}"#).unwrap().rungs().count(), 0);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let many = (0..21).map(|n| format!("\"{n}d\"")).collect::<Vec<_>>().join(",");
        let many = format!(r#"{{"rungs":[{many}]}}"#);
        for (json, part) in [
            (many.as_str(), "at most 20 rungs, not 21"),
            (r#"{"rungs":["7d","2d","7d"]}"#, "the rung 7d is named twice"),
            (r#"{"rungs":["expired"]}"#, "told unless expired is false"),
            (r#"{"rungs":["4000d"]}"#, "not 4000d"),
            (r#"{"rungs":["7 days"]}"#, "a number of days (7d)"),
            (r#"{"rung":["7d"]}"#, "unknown field `rung`"),
            (r#"{"at":"9 am"}"#, "00:00 to 23:59"),
            (r#"{"expired":"no"}"#, "expected a boolean"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
        let out = Ladder::new(vec![Rung::Hours(0)], true, TimeOfDay::default());
        assert_eq!(out, Err(LadderError::Rung(RungError::Hours { got: 0 })));
    }
}
