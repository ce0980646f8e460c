//! Close codes, and the body of a close frame (RFC 6455 §5.5.1, §7.4).

use crate::Violation;
use crate::header::MAX_CONTROL;

/// The longest reason in bytes: a control frame's 125 less the code's two.
pub const MAX_REASON: usize = MAX_CONTROL - 2;
/// "No status received": never on the wire, the name of a close frame without a body (§7.4.1).
pub const NO_STATUS: u16 = 1005;

/// Whether a close frame may carry `code`: 1000–1003, 1007–1014 and 3000–4999.
///
/// 1004 is reserved, 1005, 1006 and 1015 are for reporting only; 1012–1014 were registered with IANA
/// after the RFC.
#[must_use]
pub const fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Reads the body of a close frame: its code, if it has one, and its reason.
pub(crate) fn parse(body: &[u8]) -> Result<(Option<u16>, &str), Violation> {
    let Some((code, reason)) = body.split_first_chunk() else {
        return if body.is_empty() { Ok((None, "")) } else { Err(Violation::CloseBody) };
    };
    let code = u16::from_be_bytes(*code);
    if !is_sendable(code) {
        return Err(Violation::CloseCode(code));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
    Ok((Some(code), reason))
}

/// The longest prefix of `reason` that fits in a close frame and ends between two characters.
pub(crate) fn fitting(reason: &str) -> &str {
    reason.split_at(reason.floor_char_boundary(MAX_REASON)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_on_the_wire() {
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            assert!(is_sendable(code), "{code}");
        }
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX] {
            assert!(!is_sendable(code), "{code}");
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(parse(b""), Ok((None, "")));
        assert_eq!(parse(b"\x03"), Err(Violation::CloseBody));
        assert_eq!(parse(b"\x03\xE8"), Ok((Some(1000), "")));
        assert_eq!(parse("\u{3}\u{0}".as_bytes()), Err(Violation::CloseCode(768)));
        assert_eq!(parse(b"\x0F\xA1bye"), Ok((Some(4001), "bye")));
        assert_eq!(parse(b"\x03\xED"), Err(Violation::CloseCode(1005)));
        assert_eq!(parse(b"\x03\xE8\xFF"), Err(Violation::InvalidUtf8));
        assert_eq!(parse(b"\x03\xE8\xE2\x82"), Err(Violation::InvalidUtf8));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(fitting("short"), "short");
        assert_eq!(fitting(&"a".repeat(MAX_REASON)).len(), MAX_REASON);
        assert_eq!(fitting(&"a".repeat(MAX_REASON + 1)).len(), MAX_REASON);
        assert_eq!(fitting(&"é".repeat(MAX_REASON)).len(), MAX_REASON - 1);
        assert_eq!(fitting(&"🔔".repeat(MAX_REASON)).len(), 120);
    }
}
