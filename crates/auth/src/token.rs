//! A token taken apart: three segments and a header, nothing believed yet.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Refusal;
use crate::members::{Members, string};

/// Header members that would change how the rest is read. A verifier that does not know them must not
/// guess: `crit` (RFC 7515 §4.1.11), `b64` (RFC 7797), `zip` and `enc` (both of encrypted tokens).
const UNSUPPORTED: [&str; 4] = ["crit", "b64", "zip", "enc"];

/// The parts of a token in compact form (RFC 7515 §7.1).
#[derive(Clone, Copy)]
pub(crate) struct Token<'a> {
    header: &'a str,
    payload: &'a str,
    /// What the signature is over: header, dot, payload.
    pub(crate) message: &'a str,
    /// Base64url, perhaps empty.
    pub(crate) signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes `text` apart: exactly three segments of the base64url alphabet.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !text.bytes().all(in_alphabet) {
            return Err(Refusal::Malformed);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        if header.is_empty() || payload.is_empty() || payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        Ok(Self { header, payload, message, signature })
    }

    /// Reads the header.
    pub(crate) fn header(&self) -> Result<Header, Refusal> {
        Header::parse(&decode(self.header)?)
    }

    /// The `iss` it claims, if its payload is fit to be read: nothing to believe, only to be compared, so that a
    /// token is judged by the rules of its issuer.
    pub(crate) fn issuer(&self) -> Option<String> {
        let payload = self.payload().ok()?;
        let members = Members::parse(&payload)?;
        members.get("iss").and_then(string).map(Cow::into_owned)
    }

    /// The payload's bytes. But for `iss`, nothing in them counts before the signature holds.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, Refusal> {
        decode(self.payload)
    }
}

/// What of a header is used: to find a key by comparison, no more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// `alg`, any text.
    pub(crate) algorithm: String,
    /// `kid`, any text.
    pub(crate) key_id: Option<String>,
    /// `typ`, any text.
    pub(crate) typ: Option<String>,
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, Refusal> {
        let members = Members::parse(json).ok_or(Refusal::Malformed)?;
        let text = |name| members.get(name).map(|v| string(v).ok_or(Refusal::Malformed)).transpose();

        if let Some(name) = UNSUPPORTED.into_iter().find(|name| members.get(name).is_some()) {
            return Err(Refusal::UnsupportedHeader(name));
        }
        if text("cty")?.is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")) {
            return Err(Refusal::UnsupportedHeader("cty")); // a token within a token
        }
        Ok(Self {
            algorithm: text("alg")?.map(Cow::into_owned).ok_or(Refusal::Malformed)?,
            key_id: text("kid")?.map(Cow::into_owned),
            typ: text("typ")?.map(Cow::into_owned),
        })
    }
}

/// Strict: no padding, no other alphabet, no bits left over, so that no token has two spellings.
fn decode(segment: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Refusal::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_segments_of_base64url() {
        let token = Token::parse("aa.bb.cc").unwrap();
        assert_eq!((token.message, token.signature), ("aa.bb", "cc"));
        assert!(Token::parse("aa.bb.").is_ok(), "an empty signature is a bad one, not a bad form");
        for bad in
            ["", ".", "..", "a", "a.b", "a..c", ".b.c", "a.b.c.d", "a.b.c.d.e", "a.b.c=", "a b.c.d", "a+.b.c"]
        {
            assert_eq!(Token::parse(bad).err(), Some(Refusal::Malformed), "{bad}");
        }
    }

    #[test]
    fn no_segment_has_two_spellings() {
        assert_eq!(decode("YQ"), Ok(b"a".to_vec()));
        for bad in ["YR", "YQ==", "YQ=", "Y"] {
            assert_eq!(decode(bad), Err(Refusal::Malformed), "{bad}");
        }
    }

    #[test]
    fn headers() {
        let header = Header::parse(br#"{"alg":"HS256","kid":"k","jku":"https://evil.example"}"#).unwrap();
        assert_eq!((header.algorithm.as_str(), header.key_id.as_deref()), ("HS256", Some("k")));
        for (json, refusal) in [
            (r#"{"typ":"JWT"}"#, Refusal::Malformed),
            (r#"{"alg":null}"#, Refusal::Malformed),
            (r#"{"alg":"HS256","kid":null}"#, Refusal::Malformed),
            (r#"{"alg":"HS256","typ":7}"#, Refusal::Malformed),
            (r#"{"alg":"HS256","crit":[]}"#, Refusal::UnsupportedHeader("crit")),
            (r#"{"alg":"HS256","cty":"jwt"}"#, Refusal::UnsupportedHeader("cty")),
        ] {
            assert_eq!(Header::parse(json.as_bytes()), Err(refusal), "{json}");
        }
    }
}
