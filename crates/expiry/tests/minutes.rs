//! The reference: what the clocks of a place show, minute by minute. It asks the database only for the wall
//! time at an instant, never the other way round, so it knows neither gaps nor folds.

use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Milliseconds of a minute and of a day.
const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;

/// Where plans are compared: each kind of jump, both hemispheres, both sides of the date line.
pub const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Toronto",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Kiritimati",
    "Antarctica/Troll",
];

/// The clocks of one place.
pub struct Clocks(pub TimeZone);

impl Clocks {
    pub fn of(zone: &str) -> Self {
        Self(TimeZoneDatabase::bundled().get(zone).unwrap())
    }

    /// What they show at this many milliseconds since 1970.
    pub fn show(&self, millis: i64) -> DateTime {
        self.0.to_datetime(jiff::Timestamp::from_millisecond(millis).unwrap())
    }

    /// The first minute of a day after `date`.
    pub fn end_of(&self, date: Date) -> i64 {
        minutes_about(date).find(|t| self.show(*t).date() > date).unwrap()
    }

    /// The first minute at which they show `wall` (to the second); if they never do, as long after the jump
    /// as `wall` is after the time they jumped from.
    pub fn first(&self, wall: DateTime) -> i64 {
        let seconds = i64::from(wall.second()) * 1_000 + i64::from(wall.subsec_nanosecond()) / 1_000_000;
        let minute = wall.with().second(0).subsec_nanosecond(0).build().unwrap();
        if let Some(t) = minutes_about(wall.date()).find(|t| self.show(*t) == minute) {
            return t + seconds;
        }
        let jumped = minutes_about(wall.date())
            .find(|t| self.show(t - MINUTE) < minute && self.show(*t) > minute)
            .unwrap();
        let beyond = self.show(jumped - MINUTE).duration_until(minute).as_millis();
        jumped - MINUTE + i64::try_from(beyond).unwrap() + seconds
    }
}

/// The minutes of four days, with `date` inside wherever one is.
fn minutes_about(date: Date) -> impl Iterator<Item = i64> {
    let days = i64::from(jiff::civil::date(1970, 1, 1).until(date).unwrap().get_days());
    ((days - 1) * DAY..(days + 3) * DAY).step_by(MINUTE as usize)
}
