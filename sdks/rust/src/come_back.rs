//! Whether a client should come back, after a close or an answer in place of a socket.

use crate::close_codes::{CLOSE_CODES, ComeBack};

/// What was answered in place of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The code of the problem document, if it is one.
    pub problem: Option<&'a str>,
    /// After how many milliseconds to come back, where the answer says so.
    pub retry_after_ms: Option<u64>,
}

/// Without another token there is no way back that takes one.
pub(crate) fn settled(come_back: ComeBack, renewable: bool) -> ComeBack {
    if come_back == ComeBack::WithNewToken && !renewable { ComeBack::No } else { come_back }
}

/// What an answer in place of a socket means. Whoever answers without a problem of ours is a proxy, and passes.
pub fn come_back_after(status: u16, problem: Option<&str>) -> ComeBack {
    match (status, problem) {
        (_, Some("token_expired")) => ComeBack::WithNewToken,
        (401 | 403, Some(_)) => ComeBack::No,
        _ => ComeBack::Yes,
    }
}

/// What the registry says about a close. One that it does not know is worth coming back.
pub fn come_back(code: u16, reason: &str) -> ComeBack {
    let mut same_code = CLOSE_CODES.iter().filter(|entry| entry.code == code);
    if let Some(entry) = same_code.clone().find(|entry| entry.reason == reason) {
        return entry.come_back;
    }
    // Other systems word their reasons otherwise. The code alone decides where it has one meaning.
    match (same_code.next(), same_code.next()) {
        (Some(entry), None) => entry.come_back,
        _ if code == 1008 && reason.to_ascii_lowercase().contains("expired") => ComeBack::WithNewToken,
        _ if code == 1008 => ComeBack::No,
        _ => ComeBack::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_problem_of_the_server_is_final_before_the_socket() {
        assert_eq!(come_back_after(401, Some("token_invalid")), ComeBack::No);
        assert_eq!(come_back_after(403, Some("origin_refused")), ComeBack::No);
        assert_eq!(come_back_after(401, Some("token_expired")), ComeBack::WithNewToken);
        assert_eq!(come_back_after(409, Some("connection_in_use")), ComeBack::Yes);
        assert_eq!(come_back_after(401, None), ComeBack::Yes);
        assert_eq!(come_back_after(403, None), ComeBack::Yes);
    }

    #[test]
    fn what_the_registry_does_not_know_is_judged_by_its_code() {
        assert_eq!(come_back(4999, "whatever"), ComeBack::Yes);
        assert_eq!(come_back(4001, "Unauthorized: bad token"), ComeBack::No);
        assert_eq!(come_back(1008, "Token has expired"), ComeBack::WithNewToken);
    }

    #[test]
    fn without_another_token_an_expired_one_is_the_last() {
        assert_eq!(settled(ComeBack::WithNewToken, false), ComeBack::No);
        assert_eq!(settled(ComeBack::WithNewToken, true), ComeBack::WithNewToken);
        assert_eq!(settled(ComeBack::Yes, false), ComeBack::Yes);
    }
}
