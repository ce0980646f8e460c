//! When a function is run: a cron pattern in a time zone.

use std::str::FromStr;

use campanile_expiry::Zone;
use campanile_model::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use serde::{Deserialize, Serialize};

/// Bytes of a pattern.
const MAX_PATTERN_BYTES: usize = 256;

/// When a function is run.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "Written", into = "Written")]
#[schema(as = FunctionSchedule)]
pub struct Schedule {
    /// Five fields: minute, hour, day of the month, month, day of the week.
    #[schema(value_type = String, example = "0 9 * * MON-FRI")]
    cron: Cron,
    /// The IANA name of the zone whose clocks count. Default: `UTC`. An hour that is skipped is made up for when
    /// it ends; one that comes twice counts once.
    #[schema(value_type = String, required = false, default = "UTC")]
    time_zone: Zone,
    #[serde(skip)]
    #[schema(ignore)]
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    cron: String,
    #[serde(default)]
    time_zone: Zone,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cron pattern has five fields (minute, hour, day, month, weekday), such as \"0 9 * * MON-FRI\"")]
struct CronError;

impl TryFrom<Written> for Schedule {
    type Error = CronError;

    fn try_from(written: Written) -> Result<Self, CronError> {
        let Written { cron: text, time_zone } = written;
        if text.len() > MAX_PATTERN_BYTES {
            return Err(CronError);
        }
        // Seconds would make a busy loop of what is meant to be looked at now and then.
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let cron = parser.parse(&text).map_err(|_| CronError)?;
        Ok(Self { cron, time_zone, text })
    }
}

impl From<Schedule> for Written {
    fn from(schedule: Schedule) -> Self {
        Self { cron: schedule.text, time_zone: schedule.time_zone }
    }
}

/// Of the same text: what was written otherwise may well mean the same.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.time_zone == other.time_zone
    }
}

impl FromStr for Schedule {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json)
    }
}

impl Schedule {
    /// The first time after `now`; `None`: never again.
    pub(crate) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = jiff::tz::TimeZone::get(self.time_zone.name()).ok()?;
        let from = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?.to_zoned(zone);
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(Timestamp::from_millis(next.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(json: &str, after: &str) -> String {
        let schedule: Schedule = serde_json::from_str(json).unwrap();
        let after: Timestamp = serde_json::from_str(&format!("\"{after}\"")).unwrap();
        schedule.next_after(after).map_or_else(|| "never".to_owned(), |at| at.to_string())
    }

    #[test]
    fn the_clocks_of_the_zone_count() {
        let berlin = r#"{"cron":"0 9 * * *","timeZone":"Europe/Berlin"}"#;
        assert_eq!(next(berlin, "2026-01-01T08:00:00Z"), "2026-01-02T08:00:00.000Z");
        assert_eq!(next(berlin, "2026-07-01T06:59:59Z"), "2026-07-01T07:00:00.000Z");
        assert_eq!(next(r#"{"cron":"*/5 * * * *"}"#, "2026-01-01T00:01:00Z"), "2026-01-01T00:05:00.000Z");
    }

    #[test]
    fn both_edges_of_summer_time_run_it_once() {
        let berlin = r#"{"cron":"30 2 * * *","timeZone":"Europe/Berlin"}"#;
        // 02:30 does not exist on 29 March 2026.
        let spring = next(berlin, "2026-03-28T12:00:00Z");
        assert_eq!(spring, "2026-03-29T01:00:00.000Z");
        assert_eq!(next(berlin, &spring), "2026-03-30T00:30:00.000Z");
        // It comes twice on 25 October 2026.
        let autumn = next(berlin, "2026-10-24T12:00:00Z");
        assert_eq!(autumn, "2026-10-25T00:30:00.000Z");
        assert_eq!(next(berlin, &autumn), "2026-10-26T01:30:00.000Z");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "* * * *", "* * * * * *", "61 * * * *", "x", "@reboot"] {
            let json = serde_json::json!({ "cron": bad }).to_string();
            assert!(serde_json::from_str::<Schedule>(&json).is_err(), "{bad}");
        }
        assert_eq!(next(r#"{"cron":"0 0 30 2 *"}"#, "2026-01-01T00:00:00Z"), "never");
        let written = r#"{"cron":"0 9 * * MON","timeZone":"Europe/Berlin"}"#;
        let schedule: Schedule = serde_json::from_str(written).unwrap();
        assert_eq!(serde_json::to_string(&schedule).unwrap(), written);
    }
}
