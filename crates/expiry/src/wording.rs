//! What a rung says when it is told.

use std::borrow::Cow;

use campanile_model::{Level, Timestamp};

use crate::{ExpiryDate, Rung, Zone};

/// With so many days left or fewer, it is a warning.
const WARNING_DAYS: u32 = 2;

/// What is said of a product: how long it lasts as of the moment it is told, not as of the rung, which may be
/// late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wording {
    days_left: Option<u32>,
}

impl Wording {
    /// What `rung` says at `now`: calendar days of `zone` from now to the last day, or that it is over. The
    /// rung `expired` always says the latter.
    pub fn new(rung: Rung, date: &ExpiryDate, zone: &Zone, now: Timestamp) -> Self {
        if rung == Rung::Expired || now >= date.ends_at(zone) {
            return Self { days_left: None };
        }
        let left = date.last_day(zone).duration_since(zone.date_at(now)).as_hours() / 24;
        // Before the end, only clocks that are turned back over midnight can show a later day.
        Self { days_left: Some(u32::try_from(left).unwrap_or(0)) }
    }

    /// Days from today to the last day; 0 is today. `None`: it is over.
    pub fn days_left(self) -> Option<u32> {
        self.days_left
    }

    /// Info; a warning in the last two days; an error once it is over (the protocol, §1).
    pub fn level(self) -> Level {
        match self.days_left {
            None => Level::Error,
            Some(days) if days <= WARNING_DAYS => Level::Warning,
            Some(_) => Level::Info,
        }
    }

    /// The notification's type: `product_expiring`, or once it is over `product_expired` (the protocol, §1).
    pub fn kind(self) -> &'static str {
        if self.days_left.is_some() { "product_expiring" } else { "product_expired" }
    }

    /// The sentence that follows the product's name, without a full stop.
    pub fn phrase(self) -> Cow<'static, str> {
        match self.days_left {
            None => "has expired".into(),
            Some(0) => "expires today".into(),
            Some(1) => "expires in 1 day".into(),
            Some(days) => format!("expires in {days} days").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(date: &str, zone: &str, rung: Rung, now: &str) -> String {
        let now = serde_json::from_str(&format!("\"{now}\"")).unwrap();
        let date = ExpiryDate::parse(date).unwrap();
        let wording = Wording::new(rung, &date, &Zone::parse(zone).unwrap(), now);
        format!("{}/{}/{}", wording.phrase(), wording.level().as_str(), wording.kind())
    }

    #[test]
    fn days_left_by_the_calendar() {
        let of = |now| says("2026-01-31", "Europe/Berlin", Rung::Days(7), now);
        assert_eq!(of("2026-01-24T08:00:00Z"), "expires in 7 days/info/product_expiring");
        assert_eq!(of("2026-01-28T22:59:59.999Z"), "expires in 3 days/info/product_expiring");
        assert_eq!(of("2026-01-28T23:00:00Z"), "expires in 2 days/warning/product_expiring");
        assert_eq!(of("2026-01-30T22:59:59.999Z"), "expires in 1 day/warning/product_expiring");
        assert_eq!(of("2026-01-30T23:00:00Z"), "expires today/warning/product_expiring");
        assert_eq!(of("2026-01-31T22:59:59.999Z"), "expires today/warning/product_expiring");
        assert_eq!(of("2026-01-31T23:00:00Z"), "has expired/error/product_expired");
        assert_eq!(of("2030-01-31T23:00:00Z"), "has expired/error/product_expired");
    }

    #[test]
    fn an_instant_is_over_at_its_instant() {
        let of = |now| says("2026-01-31T12:00:00-10:00", "Pacific/Kiritimati", Rung::Hours(1), now);
        // 22:00Z is noon of the first of February there.
        assert_eq!(of("2026-01-30T10:00:00Z"), "expires in 1 day/warning/product_expiring");
        assert_eq!(of("2026-01-31T21:59:59.999Z"), "expires today/warning/product_expiring");
        assert_eq!(of("2026-01-31T22:00:00Z"), "has expired/error/product_expired");
    }

    #[test]
    fn the_end_says_so_whatever_the_rules_say_now() {
        let said = says("2026-01-31", "UTC", Rung::Expired, "2026-01-31T23:00:00Z");
        assert_eq!(said, "has expired/error/product_expired");
    }

    #[test]
    fn clocks_turned_back_over_midnight() {
        // On 2010-11-07 in St. John's, at 00:01 it was 23:01 of the sixth again.
        let of = |now| says("2010-11-06T23:30:00-03:30", "America/St_Johns", Rung::Hours(1), now);
        assert_eq!(of("2010-11-07T02:30:30Z"), "expires today/warning/product_expiring");
        assert_eq!(of("2010-11-07T02:59:59Z"), "expires today/warning/product_expiring");
        assert_eq!(of("2010-11-07T03:00:00Z"), "has expired/error/product_expired");
    }
}
