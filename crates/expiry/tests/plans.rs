//! Any plan, compared with the reference.

use std::collections::BTreeMap;

use campanile_expiry::{ExpiryDate, Ladder, Plan, Rung, TimeOfDay, Zone, plan};
use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;

use crate::minutes::{Clocks, ZONES};

/// What is planned, by hand: instant to rung, later rungs in the place of earlier ones.
fn reference(end: &End, rungs: &[Rung], expired: bool, at: &str, zone: &str) -> (BTreeMap<i64, Rung>, i64) {
    let clocks = Clocks::of(zone);
    let ends_at = match end {
        End::Date(date) => clocks.end_of(*date),
        End::Instant(millis) => *millis,
    };
    let mut rungs = rungs.to_vec();
    // Hours and days at one instant: the one nearer to the end by its own number stays.
    rungs.sort_by_key(|rung| match rung {
        Rung::Days(n) => (-i64::from(*n) * 24, 0),
        Rung::Hours(n) => (-i64::from(*n), 1),
        Rung::Expired => unreachable!("not among the rungs"),
    });
    let mut planned = BTreeMap::new();
    for rung in rungs {
        let instant = match (rung, end) {
            (Rung::Hours(n), _) => ends_at - i64::from(n) * 3_600_000,
            (Rung::Days(0), End::Instant(millis)) => *millis,
            (Rung::Days(n), End::Instant(millis)) => {
                clocks.first(clocks.show(*millis).checked_sub(i64::from(n).days()).unwrap())
            }
            (Rung::Days(n), End::Date(date)) => {
                let day = date.checked_sub(i64::from(n).days()).unwrap();
                clocks.first(day.to_datetime(at.parse().unwrap()))
            }
            (Rung::Expired, _) => unreachable!("not among the rungs"),
        };
        planned.insert(instant.min(ends_at), rung);
    }
    if expired {
        planned.insert(ends_at, Rung::Expired);
    }
    (planned, ends_at)
}

#[derive(Debug, Clone)]
enum End {
    Date(Date),
    Instant(i64),
}

impl End {
    fn text(&self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::Instant(millis) => jiff::Timestamp::from_millisecond(*millis).unwrap().to_string(),
        }
    }
}

/// Days near a change of the clocks in `zone` half of the time, else any of 1950 to 2050.
fn day(zone: &'static str) -> impl Strategy<Value = Date> {
    let any = (-7_305_i64..29_000).prop_map(|days| jiff::civil::date(1970, 1, 1) + days.days());
    let changes: Vec<Date> = Clocks::of(zone)
        .0
        .following("1950-01-01T00:00:00Z".parse().unwrap())
        .take_while(|change| change.timestamp().as_second() < 2_500_000_000)
        .map(|change| change.offset().to_datetime(change.timestamp()).date())
        .collect();
    if changes.is_empty() {
        return any.boxed();
    }
    let near = (prop::sample::select(changes), -3_i64..9).prop_map(|(day, n)| day + n.days());
    prop_oneof![near, any].boxed()
}

fn end(zone: &'static str) -> impl Strategy<Value = End> {
    let instant = (day(zone), 0_i64..86_400_000).prop_map(|(day, ms)| {
        let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond();
        End::Instant(midnight + ms)
    });
    prop_oneof![day(zone).prop_map(End::Date), instant]
}

pub fn rungs() -> impl Strategy<Value = Vec<Rung>> {
    let rung = prop_oneof![
        (0_u16..12).prop_map(Rung::Days),
        (1_u32..100).prop_map(Rung::Hours),
        prop::sample::select(vec![Rung::Days(365), Rung::Days(3_650), Rung::Hours(87_600)]),
    ];
    prop::collection::hash_set(rung, 0..12).prop_map(|set| set.into_iter().collect())
}

/// Nights have the changes: most times of day are near midnight.
fn time_of_day() -> impl Strategy<Value = String> {
    let minutes = prop_oneof![0_u32..240, 0_u32..1_440, 1_380_u32..1_440];
    minutes.prop_map(|n| format!("{:02}:{:02}", n / 60, n % 60))
}

fn whole() -> impl Strategy<Value = (&'static str, End, Vec<Rung>, bool, String)> {
    prop::sample::select(ZONES)
        .prop_flat_map(|zone| (Just(zone), end(zone), rungs(), any::<bool>(), time_of_day()))
}

fn planned(end: &End, rungs: &[Rung], expired: bool, at: &str, zone: &str) -> Plan {
    let ladder = Ladder::new(rungs.to_vec(), expired, TimeOfDay::parse(at).unwrap()).unwrap();
    plan(&ExpiryDate::parse(&end.text()).unwrap(), &ladder, &Zone::parse(zone).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_minutes_counted((zone, end, rungs, expired, at) in whole()) {
        let plan = planned(&end, &rungs, expired, &at, zone);
        let (expected, ends_at) = reference(&end, &rungs, expired, &at, zone);
        prop_assert_eq!(plan.ends_at.as_millis(), ends_at);
        let got: Vec<_> = plan.rungs.iter().map(|p| (p.at.as_millis(), p.rung)).collect();
        prop_assert_eq!(got, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn ascending_and_never_after_the_end((zone, end, rungs, expired, at) in whole()) {
        let plan = planned(&end, &rungs, expired, &at, zone);
        prop_assert!(plan.rungs.windows(2).all(|pair| pair[0].at < pair[1].at));
        prop_assert!(plan.rungs.iter().all(|p| p.at <= plan.ends_at));
        let last = plan.rungs.last().map(|p| (p.rung, p.at));
        if expired {
            prop_assert_eq!(last, Some((Rung::Expired, plan.ends_at)));
        } else {
            prop_assert!(plan.rungs.iter().all(|p| p.rung != Rung::Expired));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(date in "[-+:.TZ0-9]{9,36}", zone in "[A-Za-z/_+-]{0,70}") {
        let zone = Zone::parse(&zone).unwrap_or_default();
        if let Ok(date) = ExpiryDate::parse(&date) {
            prop_assert!(!plan(&date, &Ladder::default(), &zone).rungs.is_empty());
        }
    }

    #[test]
    fn any_day_and_offset_has_a_plan(
        y in 0_u32..=9_999, m in 1_u32..=12, d in 1_u32..=28, offset in -23_i32..=23,
        zone in prop::sample::select(ZONES), rungs in rungs(), instant in any::<bool>(),
    ) {
        let day = format!("{y:04}-{m:02}-{d:02}");
        let text = if instant { format!("{day}T00:00:00{offset:+03}:00") } else { day };
        // Beyond the last instant that can be represented, an instant is refused.
        let Ok(date) = ExpiryDate::parse(&text) else { return Ok(()) };
        let ladder = Ladder::new(rungs, true, TimeOfDay::default()).unwrap();
        let plan = plan(&date, &ladder, &Zone::parse(zone).unwrap());
        prop_assert!(plan.rungs.windows(2).all(|pair| pair[0].at < pair[1].at));
        prop_assert_eq!(plan.rungs.last().unwrap().at, plan.ends_at);
    }
}

/// Every day on which the clocks of a place change, from 1950 on.
#[test]
fn every_change_of_the_clocks() {
    let rungs = [Rung::Days(2), Rung::Days(1), Rung::Days(0), Rung::Hours(24)];
    let mut days = 0;
    for zone in ZONES {
        let from = "1950-01-01T00:00:00Z".parse().unwrap();
        let clocks = Clocks::of(zone);
        let days_of = clocks.0.following(from).map(|c| c.offset().to_datetime(c.timestamp()).date());
        let changes: Vec<Date> = days_of.take_while(|day| day.year() < 2_040).collect();
        // A few of each, spread over the years.
        for day in changes.iter().step_by(changes.len() / 40 + 1) {
            for (n, at) in [(-1, "23:45"), (0, "00:15"), (0, "02:30"), (1, "09:00")] {
                let end = End::Date(*day + n.days());
                let (expected, ends_at) = reference(&end, &rungs, true, at, zone);
                let plan = planned(&end, &rungs, true, at, zone);
                let got: Vec<_> = plan.rungs.iter().map(|p| (p.at.as_millis(), p.rung)).collect();
                assert_eq!(got, expected.into_iter().collect::<Vec<_>>(), "{zone} {end:?} {at}");
                assert_eq!(plan.ends_at.as_millis(), ends_at, "{zone} {end:?}");
                days += 1;
            }
        }
    }
    assert!(days > 400, "{days}");
}
