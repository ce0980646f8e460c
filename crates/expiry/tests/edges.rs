//! Daylight saving, missing days, leap days, year ends: written out by hand.

use campanile_expiry::{ExpiryDate, Ladder, Rung, TimeOfDay, Zone, plan};

/// A plan as lines of rung and UTC instant, the last line being the end.
#[track_caller]
fn planned(date: &str, zone: &str, rungs: &str, at: &str) -> Vec<String> {
    let rungs: Vec<Rung> = rungs.split_whitespace().map(|text| text.parse().unwrap()).collect();
    let expired = rungs.contains(&Rung::Expired);
    let rungs = rungs.into_iter().filter(|rung| *rung != Rung::Expired).collect();
    let ladder = Ladder::new(rungs, expired, TimeOfDay::parse(at).unwrap()).unwrap();
    let plan = plan(&ExpiryDate::parse(date).unwrap(), &ladder, &Zone::parse(zone).unwrap());
    let rungs =
        plan.rungs.iter().map(|p| format!("{} {}", p.rung, p.at.to_string().replace(":00.000Z", "Z")));
    rungs.chain([format!("end {}", plan.ends_at.to_string().replace(":00.000Z", "Z"))]).collect()
}

const USUAL: &str = "7d 2d 0d expired";

#[test]
fn the_default_ladder() {
    let date = ExpiryDate::parse("2026-01-31").unwrap();
    let json = serde_json::to_string(&plan(&date, &Ladder::default(), &Zone::default())).unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"rungs":[{"rung":"7d","at":"2026-01-24T09:00:00.000Z"},"#,
            r#"{"rung":"2d","at":"2026-01-29T09:00:00.000Z"},"#,
            r#"{"rung":"0d","at":"2026-01-31T09:00:00.000Z"},"#,
            r#"{"rung":"expired","at":"2026-02-01T00:00:00.000Z"}],"endsAt":"2026-02-01T00:00:00.000Z"}"#
        )
    );
}

#[test]
fn berlin_both_edges() {
    // 2026-03-29 02:00 is 03:00: nine o'clock comes an hour sooner, the day has 23 hours.
    assert_eq!(
        planned("2026-03-29", "Europe/Berlin", "7d 2d 0d 24h 23h expired", "09:00"),
        [
            "7d 2026-03-22T08:00Z",
            "2d 2026-03-27T08:00Z",
            "24h 2026-03-28T22:00Z",
            "23h 2026-03-28T23:00Z",
            "0d 2026-03-29T07:00Z",
            "expired 2026-03-29T22:00Z",
            "end 2026-03-29T22:00Z"
        ]
    );
    // 2026-10-25 03:00 is 02:00 again.
    assert_eq!(
        planned("2026-10-25", "Europe/Berlin", "2d 0d 25h expired", "09:00"),
        [
            "2d 2026-10-23T07:00Z",
            "25h 2026-10-24T22:00Z",
            "0d 2026-10-25T08:00Z",
            "expired 2026-10-25T23:00Z",
            "end 2026-10-25T23:00Z"
        ]
    );
}

#[test]
fn a_time_that_never_comes_or_comes_twice() {
    assert_eq!(planned("2026-03-29", "Europe/Berlin", "0d", "02:30")[0], "0d 2026-03-29T01:30Z"); // 03:30
    assert_eq!(planned("2026-10-25", "Europe/Berlin", "0d", "02:30")[0], "0d 2026-10-25T00:30Z"); // the first
    assert_eq!(planned("2026-03-08", "America/New_York", "0d", "02:30")[0], "0d 2026-03-08T07:30Z");
    assert_eq!(planned("2026-11-01", "America/New_York", "0d", "01:30")[0], "0d 2026-11-01T05:30Z");
}

#[test]
fn new_york_both_edges() {
    assert_eq!(
        planned("2026-03-09", "America/New_York", USUAL, "09:00"),
        [
            "7d 2026-03-02T14:00Z",
            "2d 2026-03-07T14:00Z",
            "0d 2026-03-09T13:00Z",
            "expired 2026-03-10T04:00Z",
            "end 2026-03-10T04:00Z"
        ]
    );
    assert_eq!(
        planned("2026-11-01", "America/New_York", USUAL, "09:00"),
        [
            "7d 2026-10-25T13:00Z",
            "2d 2026-10-30T13:00Z",
            "0d 2026-11-01T14:00Z",
            "expired 2026-11-02T05:00Z",
            "end 2026-11-02T05:00Z"
        ]
    );
}

#[test]
fn an_instant_keeps_its_wall_time() {
    // Noon in Berlin, whatever offset the producer wrote; hours are hours.
    assert_eq!(
        planned("2026-03-30T10:00:00Z", "Europe/Berlin", "2d 1d 48h 0d expired", "09:00"),
        [
            "48h 2026-03-28T10:00Z",
            "2d 2026-03-28T11:00Z",
            "1d 2026-03-29T10:00Z",
            "expired 2026-03-30T10:00Z",
            "end 2026-03-30T10:00Z"
        ]
    );
    assert_eq!(
        planned("2026-03-30T05:00:00-05:00", "Europe/Berlin", "1d 0d", "09:00"),
        ["1d 2026-03-29T10:00Z", "0d 2026-03-30T10:00Z", "end 2026-03-30T10:00Z"]
    );
    // 02:30 the day before does not exist; the second 02:30 is an hour after the first.
    assert_eq!(
        planned("2026-03-30T02:30:00+02:00", "Europe/Berlin", "1d expired", "09:00")[0],
        "1d 2026-03-29T01:30Z"
    );
    assert_eq!(
        planned("2026-10-25T02:30:00+01:00", "Europe/Berlin", "0d", "09:00"),
        ["0d 2026-10-25T01:30Z", "end 2026-10-25T01:30Z"]
    );
    assert_eq!(
        planned("2026-10-26T02:30:00+01:00", "Europe/Berlin", "1d expired", "09:00")[0],
        "1d 2026-10-25T00:30Z"
    );
}

#[test]
fn where_midnight_is_jumped_over() {
    let end = |date, zone| planned(date, zone, "expired", "09:00").pop().unwrap();
    // Days that start at 01:00, where midnight is jumped over.
    assert_eq!(end("2018-11-03", "America/Sao_Paulo"), "end 2018-11-04T03:00Z");
    assert_eq!(end("2026-03-28", "Asia/Beirut"), "end 2026-03-28T22:00Z");
    assert_eq!(end("2026-04-23", "Africa/Cairo"), "end 2026-04-23T22:00Z");
    // The jump of Toronto in 1919 went from 23:30 to 00:30: the day starts at half past.
    assert_eq!(end("1919-03-30", "America/Toronto"), "end 1919-03-31T04:30Z");
    // Where midnight comes twice (Havana, from 01:00 to 00:00), the first counts.
    assert_eq!(end("2026-10-31", "America/Havana"), "end 2026-11-01T04:00Z");
    // Where 23:00 comes twice, midnight comes once.
    assert_eq!(end("2018-02-17", "America/Sao_Paulo"), "end 2018-02-18T03:00Z");
}

#[test]
fn never_after_the_end() {
    // 23:45 of that day would be 00:45 of the next, by the jump of 23:30 to 00:30.
    assert_eq!(
        planned("1919-03-30", "America/Toronto", "0d", "23:45"),
        ["0d 1919-03-31T04:30Z", "end 1919-03-31T04:30Z"]
    );
    assert_eq!(
        planned("1919-03-30", "America/Toronto", "0d expired", "23:45"),
        ["expired 1919-03-31T04:30Z", "end 1919-03-31T04:30Z"]
    );
}

#[test]
fn half_an_hour_on_lord_howe() {
    assert_eq!(planned("2026-10-04", "Australia/Lord_Howe", "0d", "02:15")[0], "0d 2026-10-03T15:45Z"); // 02:45
    assert_eq!(planned("2026-04-05", "Australia/Lord_Howe", "0d", "01:45")[0], "0d 2026-04-04T14:45Z");
    assert_eq!(
        planned("2026-10-04", "Australia/Lord_Howe", "1d 0d expired", "09:00"),
        [
            "1d 2026-10-02T22:30Z",
            "0d 2026-10-03T22:00Z",
            "expired 2026-10-04T13:00Z",
            "end 2026-10-04T13:00Z"
        ]
    );
}

#[test]
fn a_day_that_never_was() {
    // Apia went from the 29th of December 2011 to the 31st.
    assert_eq!(
        planned("2011-12-31", "Pacific/Apia", "2d 1d 0d expired", "09:00"),
        [
            "2d 2011-12-29T19:00Z",
            "0d 2011-12-30T19:00Z", // 1d is as far after the jump as nine o'clock is after midnight
            "expired 2011-12-31T10:00Z",
            "end 2011-12-31T10:00Z"
        ]
    );
    assert_eq!(
        planned("2011-12-30", "Pacific/Apia", "1d 0d expired", "09:00"),
        ["1d 2011-12-29T19:00Z", "expired 2011-12-30T10:00Z", "end 2011-12-30T10:00Z"]
    );
    assert_eq!(
        planned("2011-12-29", "Pacific/Apia", "0d expired", "09:00"),
        ["0d 2011-12-29T19:00Z", "expired 2011-12-30T10:00Z", "end 2011-12-30T10:00Z"]
    );
}

#[test]
fn the_first_and_the_last_place_of_a_date() {
    assert_eq!(
        planned("2026-01-01", "Pacific/Kiritimati", "2d 0d expired", "09:00"),
        [
            "2d 2025-12-29T19:00Z",
            "0d 2025-12-31T19:00Z",
            "expired 2026-01-01T10:00Z",
            "end 2026-01-01T10:00Z"
        ]
    );
    assert_eq!(
        planned("2026-12-31", "Pacific/Pago_Pago", "0d expired", "09:00"),
        ["0d 2026-12-31T20:00Z", "expired 2027-01-01T11:00Z", "end 2027-01-01T11:00Z"]
    );
}

#[test]
fn leap_days_and_year_ends() {
    assert_eq!(
        planned("2028-02-29", "UTC", "365d 1d 0d expired", "00:00"),
        [
            "365d 2027-03-01T00:00Z",
            "1d 2028-02-28T00:00Z",
            "0d 2028-02-29T00:00Z",
            "expired 2028-03-01T00:00Z",
            "end 2028-03-01T00:00Z"
        ]
    );
    assert_eq!(planned("2028-03-01", "UTC", "1d", "09:00")[0], "1d 2028-02-29T09:00Z");
    assert_eq!(planned("2027-03-01", "UTC", "1d", "09:00")[0], "1d 2027-02-28T09:00Z");
    assert_eq!(planned("2026-01-01", "UTC", "7d", "09:00")[0], "7d 2025-12-25T09:00Z");
    assert_eq!(planned("2028-02-29", "UTC", "3650d", "09:00")[0], "3650d 2018-03-03T09:00Z");
}

#[test]
fn of_rungs_at_one_instant_the_nearest_to_the_end_stays() {
    assert_eq!(
        planned("2026-06-30", "UTC", "0d 15h 1d 39h expired", "09:00"),
        [
            "39h 2026-06-29T09:00Z",
            "0d 2026-06-30T09:00Z",
            "expired 2026-07-01T00:00Z",
            "end 2026-07-01T00:00Z"
        ]
        .map(|line| line.replace("39h", "1d"))
    );
    assert_eq!(
        planned("2026-06-30T12:00:00Z", "UTC", "1d 24h 0d", "09:00"),
        ["24h 2026-06-29T12:00Z", "0d 2026-06-30T12:00Z", "end 2026-06-30T12:00Z"]
    );
}

#[test]
fn the_ends_of_the_calendar() {
    let last = "9998-12-31T23:59:59.999Z";
    assert_eq!(
        planned("9999-12-31", "Pacific/Pago_Pago", USUAL, "09:00"),
        [format!("expired {last}"), format!("end {last}")]
    );
    assert_eq!(
        planned("0000-01-01", "Pacific/Kiritimati", "3650d 87600h", "09:00"),
        ["87600h 0001-01-01T00:00Z", "end 0001-01-01T00:00Z"]
    );
    assert_eq!(
        planned("9999-12-30T12:00:00Z", "Pacific/Kiritimati", "1d 0d", "09:00"),
        ["1d 9998-12-30T23:59:59.999Z".to_owned(), format!("0d {last}"), format!("end {last}")]
    );
}
