//! `Retry-After`: when the server, or whoever is before it, wants a request again (RFC 9110, section 10.2.3).

use std::time::UNIX_EPOCH;

/// The pause that it asks for from `now` on, both in milliseconds: a number of seconds, or up to a date in any of the three
/// forms of HTTP. `None`: it is neither, or a date that is over, which says nothing.
pub(crate) fn pause_ms(value: Option<&[u8]>, now: u64) -> Option<u64> {
    let text = std::str::from_utf8(value?).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1000));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX).checked_sub(now)
}

#[cfg(test)]
mod tests {
    use super::pause_ms;

    /// 2026-01-01T00:00:00Z.
    const NOW: u64 = 1_767_225_600_000;

    fn pause(text: &str) -> Option<u64> {
        pause_ms(Some(text.as_bytes()), NOW)
    }

    #[test]
    fn it_is_a_number_of_seconds_or_a_date() {
        assert_eq!((pause("120"), pause(" 0 ")), (Some(120_000), Some(0)));
        for date in
            ["Thu, 01 Jan 2026 00:01:30 GMT", "Thursday, 01-Jan-26 00:01:30 GMT", "Thu Jan  1 00:01:30 2026"]
        {
            assert_eq!(pause(date), Some(90_000), "{date}");
        }
        for endless in [u64::MAX.to_string(), "9".repeat(30)] {
            assert_eq!(pause(&endless), Some(u64::MAX));
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "soon",
            "-5",
            "+5",
            "1.5",
            "2026-01-01T00:01:30Z",
            "Thu, 32 Jan 2026 00:01:30 GMT",
            "Wed, 31 Dec 2025 23:59:59 GMT",
        ] {
            assert_eq!(pause(text), None, "{text}");
        }
        assert_eq!((pause_ms(None, NOW), pause_ms(Some(b"\xff"), NOW)), (None, None));
    }
}
