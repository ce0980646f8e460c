//! HTTP answers that are given before, and instead of, an upgrade, by whoever holds the bare connection.

use bytes::Bytes;

use campanile_ws::HandshakeError;

use super::handshake::Unfit;
use crate::http::problem::{self, Code, DOCS_PATH};

/// How a handshake that is none is refused: the problem, and the headers that go with it.
pub fn handshake(error: HandshakeError) -> Unfit {
    let code = match error.status() {
        405 => &problem::METHOD_NOT_ALLOWED,
        426 => &problem::UPGRADE_REQUIRED,
        _ => &problem::BAD_HANDSHAKE,
    };
    let mut headers = error.headers().to_vec();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-version")) {
        headers.push(("Sec-WebSocket-Version", "13"));
    }
    (code, headers)
}

/// The answer's bytes. The TCP connection is closed after it: bytes behind a refused upgrade are no request.
/// `retry_after` in seconds.
pub fn response(code: &Code, headers: &[(&str, &str)], retry_after: Option<u64>) -> Bytes {
    let body = serde_json::json!({
        "type": format!("{DOCS_PATH}#{}", code.name),
        "title": code.title,
        "status": code.status.as_u16(),
        "code": code.name,
        "detail": code.help,
    })
    .to_string();
    let reason = code.status.canonical_reason().unwrap_or("Refused");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", code.status.as_u16());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(seconds) = retry_after {
        head += &format!("Retry-After: {seconds}\r\n");
    }
    head += &format!(
        "Content-Type: application/problem+json\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    Bytes::from(head + &body)
}
