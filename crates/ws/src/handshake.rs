//! Judging an upgrade request (RFC 6455 §4.2.1). Parsing HTTP, paths, origins and tokens are others' work.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use crate::Accept;

/// Subprotocols read from one request. A client names one or two; a bound keeps thousands from being stored.
pub const MAX_PROTOCOLS: usize = 16;

/// Clients exist that fill the key's last, unused bits with noise; there is nothing to gain by refusing them.
const KEY: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Why a request is not upgraded. Answer with [`status`](Self::status), [`headers`](Self::headers) and the
/// message, then close the TCP connection: bytes after a refused upgrade are not a request.
///
/// Carries nothing of the request: it may be logged and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Any method but GET.
    #[error("a websocket handshake is a GET request")]
    Method,
    /// HTTP/1.0.
    #[error("a websocket handshake needs HTTP/1.1")]
    HttpVersion,
    /// No `Upgrade` header, or none that names `websocket`.
    #[error("this address speaks websocket: upgrade needed")]
    NotAnUpgrade,
    /// `Connection` does not list `upgrade`.
    #[error("the connection header does not list upgrade")]
    Connection,
    /// A header that must be there once is missing.
    #[error("the {0} header is missing")]
    Missing(&'static str),
    /// A header that must be there once is there twice.
    #[error("the {0} header is repeated")]
    Repeated(&'static str),
    /// `Sec-WebSocket-Version` is missing or not 13.
    #[error("the websocket version is not 13")]
    Version,
    /// `Sec-WebSocket-Key` is not the base64 form of 16 bytes.
    #[error("the websocket key is not 16 bytes in base64")]
    Key,
    /// `Sec-WebSocket-Protocol` is not a list of tokens, or of more than [`MAX_PROTOCOLS`].
    #[error("the subprotocols offered are not a short list of tokens")]
    Protocols,
    /// `Transfer-Encoding`, or a `Content-Length` other than 0: the end of the request is in doubt, so what
    /// follows could be taken for frames here and for a request elsewhere.
    #[error("a websocket handshake has no body")]
    Body,
}

impl HandshakeError {
    /// The HTTP status: 405, 426, and 400 for the rest.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Method => 405,
            Self::NotAnUpgrade | Self::Version => 426,
            _ => 400,
        }
    }

    /// Headers that the status calls for (RFC 6455 §4.2.2, RFC 9110 §15.5.6 and §15.5.22).
    #[must_use]
    pub fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self.status() {
            405 => &[("Allow", "GET")],
            426 => &[("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"), ("Connection", "Upgrade")],
            _ => &[],
        }
    }
}

/// Judges a request of HTTP/1.`minor_version`. Header names in any case, values as they came.
///
/// Extensions are not looked at, and so declined. `Host` must be there once; `Origin` is the caller's.
///
/// # Errors
/// The first [`HandshakeError`]: of the request line, then of repeated headers, then of the values.
pub fn check<'a>(
    method: &str,
    minor_version: u8,
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Accept, HandshakeError> {
    if method != "GET" {
        return Err(HandshakeError::Method);
    }
    if minor_version == 0 {
        return Err(HandshakeError::HttpVersion);
    }
    let request = Request::read(headers)?;
    if request.body {
        return Err(HandshakeError::Body);
    }
    if !request.upgrade.is_some_and(|value| lists(value, "websocket")) {
        return Err(HandshakeError::NotAnUpgrade);
    }
    if !request.connection_upgrade {
        return Err(HandshakeError::Connection);
    }
    if request.version != Some(b"13") {
        return Err(HandshakeError::Version);
    }
    if request.host.is_none() {
        return Err(HandshakeError::Missing("Host"));
    }
    let key = request.key.ok_or(HandshakeError::Missing("Sec-WebSocket-Key"))?;
    if KEY.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(HandshakeError::Key);
    }
    Ok(Accept::new(key, request.protocols))
}

/// The headers that matter, gathered in one pass.
#[derive(Default)]
struct Request<'a> {
    host: Option<&'a [u8]>,
    upgrade: Option<&'a [u8]>,
    connection_upgrade: bool,
    version: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    protocols: Vec<String>,
    content_length: Option<&'a [u8]>,
    body: bool,
}

impl<'a> Request<'a> {
    fn read(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Self, HandshakeError> {
        let mut request = Self::default();
        for (name, value) in headers {
            let value = value.trim_ascii();
            let is = |expected: &str| name.eq_ignore_ascii_case(expected);
            if is("Host") {
                once(&mut request.host, value, "Host")?;
            } else if is("Upgrade") {
                once(&mut request.upgrade, value, "Upgrade")?;
            } else if is("Connection") {
                request.connection_upgrade |= lists(value, "upgrade");
            } else if is("Sec-WebSocket-Version") {
                once(&mut request.version, value, "Sec-WebSocket-Version")?;
            } else if is("Sec-WebSocket-Key") {
                once(&mut request.key, value, "Sec-WebSocket-Key")?;
            } else if is("Sec-WebSocket-Protocol") {
                request.add_protocols(value)?;
            } else if is("Content-Length") {
                once(&mut request.content_length, value, "Content-Length")?;
                request.body |= value != b"0";
            } else if is("Transfer-Encoding") {
                request.body = true;
            }
        }
        Ok(request)
    }

    fn add_protocols(&mut self, value: &[u8]) -> Result<(), HandshakeError> {
        for token in elements(value) {
            if self.protocols.len() == MAX_PROTOCOLS || !token.iter().all(|byte| is_token_byte(*byte)) {
                return Err(HandshakeError::Protocols);
            }
            self.protocols.push(token.iter().map(|byte| char::from(*byte)).collect());
        }
        Ok(())
    }
}

fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8], name: &'static str) -> Result<(), HandshakeError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(HandshakeError::Repeated(name)),
    }
}

/// The elements of a comma-separated list; empty ones do not count (RFC 9110 §5.6.1).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

fn lists(value: &[u8], token: &str) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers = Vec<(&'static str, &'static [u8])>;

    fn valid() -> Headers {
        vec![
            ("Host", b"server.example.com"),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", b"13"),
            ("Origin", b"http://example.com"),
        ]
    }

    fn with(name: &'static str, value: &'static [u8]) -> Headers {
        let mut headers = without(name);
        headers.push((name, value));
        headers
    }

    fn and(name: &'static str, value: &'static [u8]) -> Headers {
        let mut headers = valid();
        headers.push((name, value));
        headers
    }

    fn without(name: &str) -> Headers {
        valid().into_iter().filter(|header| header.0 != name).collect()
    }

    fn judge(headers: &Headers) -> Result<Accept, HandshakeError> {
        check("GET", 1, headers.iter().copied())
    }

    #[test]
    fn accepted() {
        let accept = judge(&valid()).unwrap();
        assert_eq!(accept.key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for headers in [
            with("Upgrade", b"WebSocket"),
            with("Upgrade", b"h2c, websocket"),
            with("Connection", b"keep-alive, upgrade"),
            with("Connection", b" UPGRADE ,"),
            and("Connection", b"keep-alive"),
            with("Sec-WebSocket-Version", b" 13 "),
            with("Sec-WebSocket-Key", b" dGhlIHNhbXBsZSBub25jZR== "),
            and("Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits"),
            and("Content-Length", b"0"),
        ] {
            assert!(judge(&headers).is_ok(), "{headers:?}");
        }
        let lower = [
            ("host", &b"a"[..]),
            ("upgrade", b"websocket"),
            ("connection", b"keep-alive"),
            ("connection", b"upgrade"),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", b"13"),
        ];
        assert!(check("GET", 1, lower.into_iter()).is_ok());
    }

    #[test]
    fn refused() {
        use HandshakeError::*;
        for (headers, error) in [
            (without("Host"), Missing("Host")),
            (and("Host", b"other"), Repeated("Host")),
            (without("Upgrade"), NotAnUpgrade),
            (with("Upgrade", b"h2c"), NotAnUpgrade),
            (with("Upgrade", b"websockets"), NotAnUpgrade),
            (and("Upgrade", b"websocket"), Repeated("Upgrade")),
            (without("Connection"), Connection),
            (with("Connection", b"keep-alive"), Connection),
            (without("Sec-WebSocket-Version"), Version),
            (with("Sec-WebSocket-Version", b"8"), Version),
            (with("Sec-WebSocket-Version", b"013"), Version),
            (with("Sec-WebSocket-Version", b"13, 8"), Version),
            (and("Sec-WebSocket-Version", b"13"), Repeated("Sec-WebSocket-Version")),
            (without("Sec-WebSocket-Key"), Missing("Sec-WebSocket-Key")),
            (and("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="), Repeated("Sec-WebSocket-Key")),
            (with("Sec-WebSocket-Key", b""), Key),
            (with("Sec-WebSocket-Key", b"c2hvcnQ="), Key),
            (with("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ"), Key),
            (with("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZSE="), Key),
            (with("Sec-WebSocket-Key", b"\xFFGhlIHNhbXBsZSBub25jZQ=="), Key),
            (and("Transfer-Encoding", b"chunked"), Body),
            (and("Transfer-Encoding", b"identity"), Body),
            (and("Content-Length", b"5"), Body),
            (and("Content-Length", b""), Body),
            (and("Content-Length", b"0, 0"), Body),
            (and("Sec-WebSocket-Protocol", b"a b"), Protocols),
            (and("Sec-WebSocket-Protocol", b"caf\xC3\xA9"), Protocols),
            (and("Sec-WebSocket-Protocol", b"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), Protocols),
        ] {
            assert_eq!(judge(&headers), Err(error), "{headers:?}");
        }
        let mut twice = and("Content-Length", b"0");
        twice.push(("content-length", b"0"));
        assert_eq!(judge(&twice), Err(Repeated("Content-Length")));
        assert_eq!(check("POST", 1, valid().into_iter()), Err(Method));
        assert_eq!(check("get", 1, valid().into_iter()), Err(Method));
        assert_eq!(check("GET", 0, valid().into_iter()), Err(HttpVersion));
    }

    #[test]
    fn statuses() {
        assert_eq!(HandshakeError::Method.status(), 405);
        assert_eq!(HandshakeError::Method.headers(), [("Allow", "GET")]);
        for error in [HandshakeError::NotAnUpgrade, HandshakeError::Version] {
            assert_eq!(error.status(), 426);
            assert!(error.headers().contains(&("Sec-WebSocket-Version", "13")));
        }
        assert_eq!(HandshakeError::Repeated("Upgrade").status(), 400);
        assert_eq!(HandshakeError::Repeated("Upgrade").headers(), []);
    }

    #[test]
    fn offered_protocols_are_listed_and_none_is_selected() {
        let mut headers = and("Sec-WebSocket-Protocol", b"campanile.v1, other");
        headers.push(("sec-websocket-protocol", b"third"));
        let accept = judge(&headers).unwrap();
        assert_eq!(accept.protocols(), ["campanile.v1", "other", "third"]);
        assert!(!accept.response(None).windows(12).any(|window| window == b"et-Protocol:"));
    }
}
