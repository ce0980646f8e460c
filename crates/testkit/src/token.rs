//! Tokens as issuers make them, and as nobody should.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The HS256 secret of every test server.
pub const SECRET: &str = "a-secret-for-tests-only-0123456789abcdef";

/// The claims of a token, with a user and nothing else that is wrong.
#[derive(Debug, Clone)]
pub struct Token(pub Value);

impl Token {
    /// A token of `user` for workspace `acme`, good for an hour from `now_secs`.
    pub fn of(user: &str, now_secs: i64) -> Self {
        Self(json!({"userId": user, "workspaces": ["acme"], "exp": now_secs + 3600}))
    }

    /// Sets one claim.
    #[must_use]
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.0[claim] = value.into();
        self
    }

    /// Removes one claim.
    #[must_use]
    pub fn without(mut self, claim: &str) -> Self {
        self.0.as_object_mut().expect("claims are an object").remove(claim);
        self
    }

    /// Signed with the test servers' secret.
    pub fn sign(&self) -> String {
        forge(r#"{"alg":"HS256","typ":"JWT"}"#, &self.0.to_string(), SECRET)
    }
}

/// A token of any header and payload, signed by HMAC-SHA-256 under `secret`.
pub fn forge(header: &str, payload: &str, secret: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
