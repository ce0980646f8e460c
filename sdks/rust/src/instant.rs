//! Instants as the server writes them, in milliseconds since 1970.

/// Milliseconds since 1970 of `2026-01-01T00:00:00.123Z`; the fraction may be absent or longer. `None`: it is no
/// RFC 3339 in UTC.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut whole = whole.split(':').map(number);
    let (hour, minute, second) = (whole.next()??, whole.next()??, whole.next()??);
    // A leap second is one more.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some((((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Days since 1970-01-01. Years begin in March, so that a leap day is the last one.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_what_the_server_writes() {
        assert_eq!(parse("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(parse("2026-01-01T00:00:00.123Z"), Some(1_767_225_600_123));
        assert_eq!(parse("2000-02-29T12:34:56Z"), Some(951_827_696_000));
        assert_eq!(parse("2024-12-31T23:59:59.9999Z"), Some(1_735_689_599_999));
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "Z",
            "2026-01-01",
            "2026-01-01T00:00:00+01:00",
            "2026-13-01T00:00:00Z",
            "x-y-zT1:2:3Z",
            "2026-01-01T18446744073709551615:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
