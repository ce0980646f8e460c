//! Rungs as instants.

use campanile_model::Timestamp;
use jiff::ToSpan;
use serde::Serialize;

use crate::date::End;
use crate::{ExpiryDate, Ladder, Rung, Zone};

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// When a product is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What is told when, ascending, no two at one instant; none after the end.
    pub rungs: Vec<Planned>,
    /// The first instant at which the product is over.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

/// A rung and its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Planned {
    /// What is told.
    pub rung: Rung,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// When each rung of `ladder` is due for a product that ends on `date` by the calendar of `zone`.
///
/// A *date* lasts to the first instant of the day after it. `Nd` is due N calendar days before it, at the
/// ladder's time of day. An *instant* ends as it is, and `Nd` is due at the same wall time N days before
/// (`0d` is the end itself). `Nh` is due N times 3,600 seconds before the end, whatever the clocks do.
///
/// A wall time that comes twice means the first; one that is jumped over means as long after the jump as it
/// is after the time jumped from (02:30 is 03:30), but never after the end. Of rungs at one instant, the one
/// nearest to the end stays.
pub fn plan(date: &ExpiryDate, ladder: &Ladder, zone: &Zone) -> Plan {
    let ends_at = date.ends_at(zone);
    let due = |rung| match rung {
        Rung::Days(days) => days_before(days, date, ladder, zone).min(ends_at),
        Rung::Hours(hours) => Timestamp::from_millis(ends_at.as_millis() - i64::from(hours) * HOUR_MS),
        Rung::Expired => ends_at,
    };
    let mut rungs: Vec<_> = ladder.rungs().map(|rung| Planned { rung, at: due(rung) }).collect();
    rungs.sort_unstable_by_key(|planned| (planned.at, planned.rung));
    rungs.dedup_by(|next, kept| {
        let same = next.at == kept.at;
        if same {
            *kept = *next;
        }
        same
    });
    Plan { rungs, ends_at }
}

fn days_before(days: u16, date: &ExpiryDate, ladder: &Ladder, zone: &Zone) -> Timestamp {
    let wall = match date.end() {
        End::Date(date) => date.to_datetime(ladder.at().time()),
        End::Instant(instant) if days == 0 => return instant,
        End::Instant(instant) => zone.civil_at(instant),
    };
    zone.instant_of(wall.saturating_sub(i64::from(days).days()))
}
