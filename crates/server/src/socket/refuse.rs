//! HTTP answers that are given before, and instead of, an upgrade, by whoever holds the bare connection.

use bytes::Bytes;

use crate::http::problem::{Code, DOCS_PATH};

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
