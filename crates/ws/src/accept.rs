//! The answer to an upgrade that is accepted (RFC 6455 §4.2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha1_smol::Sha1;

/// Appended to the client's key, so that only a WebSocket server gives the right answer (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A valid upgrade request, and how to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    key: String,
    protocols: Vec<String>,
}

impl Accept {
    /// For a key and protocols that the handshake has judged.
    pub(crate) fn new(key: &[u8], protocols: Vec<String>) -> Self {
        let mut sha1 = Sha1::new();
        sha1.update(key);
        sha1.update(GUID);
        Self { key: STANDARD.encode(sha1.digest().bytes()), protocols }
    }

    /// The value of `Sec-WebSocket-Accept`, for those who write the response themselves.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The subprotocols offered, the client's favourite first; at most
    /// [`MAX_PROTOCOLS`](crate::handshake::MAX_PROTOCOLS), each an HTTP token.
    #[must_use]
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// The whole `101` response. Extensions are declined by silence.
    ///
    /// `subprotocol` is named if it was offered and left out otherwise, as a client has to fail a connection
    /// that selects what it did not offer (§4.1).
    #[must_use]
    pub fn response(&self, subprotocol: Option<&str>) -> Bytes {
        let mut response = String::with_capacity(192);
        response
            .push_str("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        response.push_str("Sec-WebSocket-Accept: ");
        response.push_str(&self.key);
        if let Some(selected) = self.protocols.iter().find(|offered| Some(offered.as_str()) == subprotocol) {
            response.push_str("\r\nSec-WebSocket-Protocol: ");
            response.push_str(selected);
        }
        response.push_str("\r\n\r\n");
        response.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let accept = Accept::new(b"dGhlIHNhbXBsZSBub25jZQ==", vec!["chat".into(), "superchat".into()]);
        assert_eq!(accept.key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let response = "HTTP/1.1 101 Switching Protocols\r\n\
            Upgrade: websocket\r\n\
            Connection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert_eq!(accept.response(None), format!("{response}\r\n"));
        let chat = format!("{response}Sec-WebSocket-Protocol: chat\r\n\r\n");
        assert_eq!(accept.response(Some("chat")), chat);
    }

    #[test]
    fn what_was_not_offered_is_not_selected() {
        let accept = Accept::new(b"dGhlIHNhbXBsZSBub25jZQ==", vec!["chat".into()]);
        assert_eq!(accept.response(Some("other")), accept.response(None));
        assert_eq!(accept.response(Some("chat\r\nX: y")), accept.response(None));
    }
}
