//! Where tokens come from. They are in memory only.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;

use crate::environment::Pending;
use crate::error::Cause;
use crate::state::TokenReason;

/// How long a callback may take.
pub(crate) const TOKEN_LIMIT_MS: u64 = 30_000;
/// One that takes longer has failed.
pub(crate) const LATE: &str = "the token callback did not answer in time";

/// Gives tokens: one that is fixed, or whatever a callback answers, each time that one is needed.
#[derive(Clone)]
pub struct TokenSource(Kind);

/// What a callback answers: a token, or that there is none.
type Answer = Result<Option<String>, Cause>;

#[derive(Clone)]
enum Kind {
    Fixed(Arc<str>),
    Callback(Arc<dyn Fn(TokenReason) -> Pending<Answer> + Send + Sync>),
}

impl TokenSource {
    /// Asks `callback` before every connection and before the token in use expires. It answers a `String`, or an
    /// `Option` of it: where there is none, the client is idle and shows nothing. An answer that takes longer than 30 s is
    /// given up.
    pub fn callback<C, F, T, E>(callback: C) -> Self
    where
        C: Fn(TokenReason) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Option<String>>,
        E: Into<Cause>,
    {
        Self(Kind::Callback(Arc::new(move |reason| {
            let answer = callback(reason);
            Box::pin(async move { answer.await.map(Into::into).map_err(Into::into) })
        })))
    }

    /// A token, for this reason. `None`: there is none.
    pub(crate) async fn token(&self, reason: TokenReason) -> Result<Option<Token>, Cause> {
        let text = match &self.0 {
            Kind::Fixed(text) => Some(text.to_string()),
            Kind::Callback(callback) => callback(reason).await?,
        };
        Ok(text.filter(|text| !text.is_empty()).map(|text| Token::new(&text)))
    }

    /// It stands for no token.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.0, Kind::Fixed(text) if text.is_empty())
    }

    /// Whose they are, by what a fixed one says; a callback says nothing before it is asked.
    pub(crate) fn user(&self) -> Option<String> {
        self.fixed()?.user
    }

    /// A token that is a text: known before it is asked for.
    pub(crate) fn fixed(&self) -> Option<Token> {
        match &self.0 {
            Kind::Fixed(text) => Some(Token::new(text)),
            Kind::Callback(_) => None,
        }
    }

    pub(crate) fn is_fixed(&self) -> bool {
        matches!(self.0, Kind::Fixed(_))
    }
}

/// The same text, or clones of the same callback.
impl PartialEq for TokenSource {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Fixed(one), Kind::Fixed(other)) => one == other,
            (Kind::Callback(one), Kind::Callback(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl From<&str> for TokenSource {
    fn from(token: &str) -> Self {
        Self(Kind::Fixed(token.into()))
    }
}

impl From<String> for TokenSource {
    fn from(token: String) -> Self {
        Self(Kind::Fixed(token.into()))
    }
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_fixed() { "TokenSource::Fixed(…)" } else { "TokenSource::Callback(…)" })
    }
}

/// A token, and what it says of itself. That is a hint: only the server can tell whether it is true.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub text: Arc<str>,
    pub user: Option<String>,
    /// In milliseconds since 1970.
    pub expires_at: Option<u64>,
}

impl Token {
    pub fn new(text: &str) -> Self {
        let claims = claims(text).unwrap_or_default();
        let user =
            claims.get("userId").or_else(|| claims.get("sub")).and_then(Value::as_str).map(str::to_owned);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let expires_at = claims.get("exp").and_then(Value::as_f64).map(|seconds| (seconds * 1000.0) as u64);
        Self { text: text.into(), user, expires_at }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("user", &self.user).finish_non_exhaustive()
    }
}

fn claims(token: &str) -> Option<Value> {
    serde_json::from_slice(&base64url(token.split('.').nth(1)?)?).ok()
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0_u32);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(digit)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xFF) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_user_and_its_end() {
        // {"alg":"none"} . {"userId":"zoé","sub":"other","exp":1767225600.5}
        let token = Token::new(
            "eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJ6b8OpIiwic3ViIjoib3RoZXIiLCJleHAiOjE3NjcyMjU2MDAuNX0.",
        );
        assert_eq!(token.user.as_deref(), Some("zoé"));
        assert_eq!(token.expires_at, Some(1_767_225_600_500));
    }

    #[test]
    fn what_is_no_jwt_tells_nothing() {
        for text in ["", "secret", "a.b.c", "..", "a.!!.c"] {
            let token = Token::new(text);
            assert_eq!((token.user, token.expires_at), (None, None));
        }
    }

    #[test]
    fn nothing_prints_a_token() {
        let source = TokenSource::from("very-secret");
        assert!(!format!("{source:?} {:?}", Token::new("very-secret")).contains("very-secret"));
    }
}
