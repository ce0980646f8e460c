//! HTTP answers that are given before, and instead of, an upgrade.

use bytes::Bytes;

/// A refusal before the upgrade. The TCP connection is closed after it: bytes behind a refused upgrade are
/// no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Stable code of the problem.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub detail: &'static str,
}

/// Too much of a request head.
pub const HEAD_TOO_LARGE: Refused =
    Refused { status: 431, code: "head_too_large", detail: "The request head exceeds 16 KiB or 64 headers." };
/// Too long an address.
pub const URI_TOO_LONG: Refused =
    Refused { status: 414, code: "uri_too_long", detail: "The request target exceeds 8 KiB." };
/// Not HTTP.
pub const BAD_REQUEST: Refused =
    Refused { status: 400, code: "bad_request", detail: "This is not an HTTP/1.1 request." };
/// The head did not come in time.
pub const TIMEOUT: Refused =
    Refused { status: 408, code: "handshake_timeout", detail: "The request head did not arrive in time." };
/// Another live connection of the same user keeps the place.
pub const DUEL: Refused = Refused {
    status: 409,
    code: "connection_in_use",
    detail: "Another connection of this user in this workspace is alive and keeps its place.",
};
/// The same token was refused again and again.
pub const HAMMERING: Refused = Refused {
    status: 429,
    code: "token_refused_repeatedly",
    detail: "This token was refused several times from this address. Come back later, with a new token.",
};
/// No room for another connection.
pub const FULL: Refused = Refused {
    status: 503,
    code: "overloaded",
    detail: "This server has no room for another connection now.",
};

/// The answer's bytes. `retry_after` in seconds.
pub fn response(refused: Refused, headers: &[(&str, &str)], retry_after: Option<u64>) -> Bytes {
    let title = match refused.status {
        400 => "Bad Request",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    // All texts are our own constants without quotes or backslashes.
    let body = format!(
        r#"{{"type":"about:blank","title":"{title}","status":{},"code":"{}","detail":"{}"}}"#,
        refused.status, refused.code, refused.detail
    );
    let mut head = format!("HTTP/1.1 {} {title}\r\n", refused.status);
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(seconds) = retry_after {
        head += &format!("Retry-After: {seconds}\r\n");
    }
    head += &format!(
        "Content-Type: application/problem+json\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    Bytes::from(head + &body)
}
