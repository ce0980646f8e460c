//! Whose calendar counts.

use std::fmt;

use campanile_model::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::text::written_as_text;

/// A time zone of the IANA database, by name; the default is UTC.
///
/// The rules are those compiled into the binary, never the system's: the same input gives the same plan on
/// every machine. A change of law takes effect with the build that knows it, for what is planned from then on.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The text names no zone. Carries no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a zone is UTC or a name of the IANA time zone database, such as Europe/Berlin or America/New_York")]
pub struct ZoneError;

/// No name in the database is longer than half of this.
const MAX_NAME_BYTES: usize = 64;

impl Zone {
    /// The zone of that name, in either case. Offsets (`+02:00`) and abbreviations that are no names of the
    /// database (`CEST`) are refused: they have no calendar of their own.
    ///
    /// # Errors
    /// [`ZoneError`] if the database has no such name.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        if name.len() > MAX_NAME_BYTES {
            return Err(ZoneError);
        }
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| ZoneError)?;
        // `Etc/Unknown` and `Factory` are the database's names for "not set".
        if zone.is_unknown() || zone.iana_name().is_none_or(|name| name == "Factory") {
            return Err(ZoneError);
        }
        Ok(Self(zone))
    }

    /// The name as the database writes it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The calendar day at `instant`.
    pub(crate) fn date_at(&self, instant: Timestamp) -> Date {
        self.civil_at(instant).date()
    }

    /// The wall time at `instant`.
    pub(crate) fn civil_at(&self, instant: Timestamp) -> DateTime {
        // Within the years of `Timestamp`, jiff can represent every value.
        let instant = jiff::Timestamp::from_millisecond(instant.as_millis()).unwrap_or_default();
        self.0.to_datetime(instant)
    }

    /// When the clocks show `wall`: the first time, if they do twice; if they never do, as long after they
    /// jumped as `wall` is after the time they jumped from (02:30 is 03:30), as RFC 5545 has it.
    pub(crate) fn instant_of(&self, wall: DateTime) -> Timestamp {
        within_years(self.0.to_timestamp(wall), wall)
    }

    /// The first instant of `date`: midnight, or where the clocks jump over it, the moment they jump.
    pub(crate) fn start_of(&self, date: Date) -> Timestamp {
        let midnight = date.to_datetime(jiff::civil::Time::midnight());
        let ambiguous = self.0.to_ambiguous_timestamp(midnight);
        if let AmbiguousOffset::Gap { after, .. } = ambiguous.offset()
            && let Ok(before_jump) = after.to_timestamp(midnight)
            && let Some(jump) = self.0.following(before_jump).find(|jump| jump.offset() == after)
        {
            return within_years(Ok(jump.timestamp()), midnight);
        }
        within_years(ambiguous.compatible(), midnight)
    }
}

/// Beyond what jiff can represent there is only the first or the last instant.
fn within_years(instant: Result<jiff::Timestamp, jiff::Error>, wall: DateTime) -> Timestamp {
    let beyond = if wall.year() > 0 { i64::MAX } else { i64::MIN };
    Timestamp::from_millis(instant.map_or(beyond, |instant| instant.as_millisecond()))
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

written_as_text!(
    Zone,
    ZoneError,
    "A time zone: `UTC` or a name of the IANA time zone database.",
    "Europe/Berlin"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_database_only() {
        for (text, name) in
            [("UTC", "UTC"), ("utc", "UTC"), ("europe/berlin", "Europe/Berlin"), ("Etc/GMT-5", "Etc/GMT-5")]
        {
            assert_eq!(Zone::parse(text).unwrap().name(), name);
        }
        let long = "Europe/".repeat(100);
        for bad in
            ["", "CEST", "+02:00", "Europe", "Europe/Atlantis", "Etc/Unknown", "Factory", "Local", &long]
        {
            assert_eq!(Zone::parse(bad), Err(ZoneError), "{bad}");
        }
    }

    #[test]
    fn every_zone_is_in_the_binary() {
        let database = TimeZoneDatabase::bundled();
        let names: Vec<_> = database.available().collect();
        assert!(names.len() > 400, "{} zones", names.len());
        for name in names {
            let name = name.as_str();
            if name != "Factory" {
                assert_eq!(Zone::parse(name).unwrap().name(), name);
                assert!(name.len() * 2 <= MAX_NAME_BYTES, "{name}");
            }
        }
    }

    #[test]
    fn json_is_the_name() {
        let zone: Zone = serde_json::from_str("\"America/New_York\"").unwrap();
        assert_eq!(serde_json::to_string(&zone).unwrap(), "\"America/New_York\"");
        let error = serde_json::from_str::<Zone>("\"EDT\"").unwrap_err().to_string();
        assert!(error.contains("such as Europe/Berlin"), "{error}");
    }
}
