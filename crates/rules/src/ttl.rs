//! Durations as rules write them: `90s`, `15m`, `1h`, `7d`.

use crate::error::Reason;
use crate::limits::MAX_TTL_MS;

/// Milliseconds of a whole number, from 1, and a unit.
pub(crate) fn millis(text: &str) -> Result<i64, Reason> {
    let unit = match text.as_bytes().last() {
        Some(b's') => 1_000,
        Some(b'm') => 60_000,
        Some(b'h') => 3_600_000,
        Some(b'd') => 86_400_000,
        _ => return Err(Reason::Duration),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::Duration);
    }
    let number: i64 = digits.parse().map_err(|_| Reason::Duration)?;
    number.checked_mul(unit).filter(|millis| (1..=MAX_TTL_MS).contains(millis)).ok_or(Reason::Duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        for (text, wanted) in [("90s", 90_000), ("1h", 3_600_000), ("7d", 604_800_000), ("365d", MAX_TTL_MS)]
        {
            assert_eq!(millis(text), Ok(wanted), "{text}");
        }
        for bad in
            ["", "s", "1", "0s", "-1s", "1.5h", "1w", "366d", "999999999999d", "1 h", "é", "１s", "1ms"]
        {
            assert_eq!(millis(bad), Err(Reason::Duration), "{bad}");
        }
    }
}
