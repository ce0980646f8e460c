//! `[auth]`: whose tokens are believed.

use std::path::PathBuf;
use std::time::Duration;

use campanile_auth::Algorithm;
use serde::{Deserialize, Serialize};

use super::range::{within, within_time};
use super::{ConfigError, Issuer, Secret, duration};

/// Issuers and keys, and how a token is read. The keys are those of `CAMPANILE_SECRET` and `[[auth.keys]]`; where
/// there are neither keys nor issuers, the local key of the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// How long past `exp`, or before `nbf`, a token is still taken, 0 s to 5 s in whole seconds. Default:
    /// 0 s (the protocol, §2).
    #[serde(with = "duration::text")]
    pub leeway: Duration,
    /// Genuine tokens remembered so that a reconnect costs no signature check, 0 to 1,048,576; 0: none.
    /// Default: 65,536.
    pub cache_entries: usize,
    /// Bytes of the longest token that is looked at, 256 to 65,536. Default: 8,192.
    pub max_token_bytes: usize,
    /// Which claim says what.
    pub claims: Claims,
    /// The keys that tokens of any issuer may be signed with. Default: none.
    pub keys: Vec<Key>,
    /// The issuers whose tokens are believed. Default: none.
    pub issuers: Vec<Issuer>,
    /// `CAMPANILE_SECRET`: one more HS256 key, at least 32 bytes, which never stands in a file.
    #[serde(skip)]
    pub secret: Option<Secret>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            leeway: Duration::ZERO,
            cache_entries: 65_536,
            max_token_bytes: 8_192,
            claims: Claims::default(),
            keys: Vec::new(),
            issuers: Vec::new(),
            secret: None,
        }
    }
}

/// Names of claims; one that begins with `/` is a way into objects (RFC 6901). Defaults: those of the protocol, §1, §2 and §6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The user's id: the first of these that the token holds decides. Default: `userId`, `sub`.
    pub user: Vec<String>,
    /// An array of slugs; `"*"` is every existing one. Default: `workspaces`.
    pub workspaces: String,
    /// Words with spaces between. Default: `scope`.
    pub scope: String,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            user: vec!["userId".into(), "sub".into()],
            workspaces: "workspaces".into(),
            scope: "scope".into(),
        }
    }
}

/// One key that tokens may be signed with, under one fixed algorithm. Exactly one of the three sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The `kid` of the tokens it signs. Without one it is tried for every token of its algorithm whose `kid`
    /// names no other key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The only algorithm this key is ever used with.
    pub algorithm: Algorithm,
    /// HS*: the secret's text. Better kept in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// HS*: a file that holds the secret's text; one line end at its end does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// All others: a PEM file with the public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<PathBuf>,
}

impl Key {
    /// One with everything set, which shows what may stand in `[[auth.keys]]`.
    pub(super) fn with_every_option() -> Self {
        Self {
            id: Some(String::new()),
            algorithm: Algorithm::HS256,
            secret: Some(Secret::new("")),
            secret_file: Some(PathBuf::new()),
            public_key_file: Some(PathBuf::new()),
        }
    }
}

impl Auth {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within_time("auth.leeway", Some(self.leeway), "0s", "5s")?;
        if self.leeway.subsec_nanos() != 0 {
            let got = Some(duration::quoted(self.leeway));
            return Err(ConfigError::invalid("auth.leeway", got, "must be whole seconds, such as \"2s\""));
        }
        within("auth.cache_entries", self.cache_entries, 0..=1_048_576)?;
        within("auth.max_token_bytes", self.max_token_bytes, 256..=65_536)?;
        self.issuers.iter().enumerate().try_for_each(|(index, issuer)| issuer.check(index))?;
        let Claims { user, workspaces, scope } = &self.claims;
        let names = [("auth.claims.workspaces", workspaces), ("auth.claims.scope", scope)];
        let empty = names.into_iter().find(|(_, name)| name.is_empty()).map(|(key, _)| key);
        let no_user = (user.is_empty() || user.iter().any(String::is_empty)).then_some("auth.claims.user");
        match no_user.or(empty) {
            Some(key) => Err(ConfigError::invalid(key, None, "must not be empty")),
            None => Ok(()),
        }
    }
}
