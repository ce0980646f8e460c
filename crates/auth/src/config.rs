//! What an operator may set about tokens, and what is refused at start.

use std::fmt;

use serde::Deserialize;

use crate::Algorithm;

/// Bytes of the shortest shared secret (RFC 7518 §3.2: 256 bits for HS256; the protocol, §7). The same for
/// HS384 and HS512: 256 random bits are out of reach for each of them.
pub(crate) const MIN_SECRET_BYTES: usize = 32;
const MAX_LEEWAY_SECS: u64 = 5;
const MAX_CACHE_ENTRIES: usize = 1 << 20;
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 256..=65_536;

/// How tokens are judged: the section `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The keys that may sign tokens, at least one. Default: none; the server adds its local key.
    pub keys: Vec<KeyConfig>,
    /// Which claims say what.
    pub claims: ClaimNames,
    /// Seconds by which `exp` and `nbf` may be missed, for issuers with another clock. 0 to 5, default 0
    /// (the protocol, §2).
    pub leeway_secs: u64,
    /// How many verified tokens are remembered. 0 (none) to 1,048,576, default 65,536.
    ///
    /// Takes 4 bytes each when empty, some 300 bytes for a token of usual size, and never more than about
    /// `max_token_bytes`.
    pub cache_entries: usize,
    /// Bytes of the longest token that is looked at: a bound on what a stranger makes us read. 256 to 65,536,
    /// default 8,192.
    pub max_token_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            claims: ClaimNames::default(),
            leeway_secs: 0,
            cache_entries: 65_536,
            max_token_bytes: 8_192,
        }
    }
}

impl Config {
    /// The leeway, within its range in any case: time is computed with it.
    pub(crate) fn leeway_millis(&self) -> i64 {
        self.leeway_secs.min(MAX_LEEWAY_SECS) as i64 * 1000
    }

    /// Checks the ranges. The keys are checked where they are read, in [`KeySet::new`](crate::KeySet::new),
    /// which also calls this.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.claims.user.is_empty() {
            return Err(ConfigError::NoUserClaim);
        }
        let in_range = |name, got: usize, least, most| {
            if (least..=most).contains(&got) {
                Ok(())
            } else {
                Err(ConfigError::OutOfRange { name, got, least, most })
            }
        };
        let leeway = usize::try_from(self.leeway_secs).unwrap_or(usize::MAX);
        in_range("leeway_secs", leeway, 0, MAX_LEEWAY_SECS as usize)?;
        in_range("cache_entries", self.cache_entries, 0, MAX_CACHE_ENTRIES)?;
        in_range("max_token_bytes", self.max_token_bytes, *TOKEN_BYTES.start(), *TOKEN_BYTES.end())
    }
}

/// Which claims say what. The defaults are the documented ones (the protocol, §1, §2, §6).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// Who receives: the first of these that the token holds decides, usable or not. Default `userId`, `sub`.
    pub user: Vec<String>,
    /// An array of workspace slugs, `"*"` standing for every existing one. Default `workspaces`.
    pub workspaces: String,
    /// What the bearer may do: words parted by spaces (RFC 8693 §4.2). Default `scope`.
    pub scope: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            user: vec!["userId".into(), "sub".into()],
            workspaces: "workspaces".into(),
            scope: "scope".into(),
        }
    }
}

/// One key that may sign tokens: an algorithm, and either a shared secret or a public key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// The `kid` of the tokens it signs. Without one it is tried for every token of its algorithm whose
    /// `kid` names no other key: issuers send ids that their documentation does not tell.
    #[serde(default)]
    pub id: Option<String>,
    /// The only algorithm this key is ever used with.
    pub algorithm: Algorithm,
    /// The shared secret of HS256, HS384 and HS512: its bytes as written, at least 32.
    #[serde(default)]
    pub secret: Option<String>,
    /// The public key of the other algorithms, as PEM text (`PUBLIC KEY` or `RSA PUBLIC KEY`).
    #[serde(default)]
    pub pem: Option<String>,
}

/// Shows which key it is and how long its texts are, never what they hold.
impl fmt::Debug for KeyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyConfig")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .field("secret_bytes", &self.secret.as_ref().map(String::len))
            .field("pem_bytes", &self.pem.as_ref().map(String::len))
            .finish()
    }
}

/// Why the section `[auth]` is refused at start. Holds no part of a secret.
///
/// `key` counts from 0 in the order of `auth.keys`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No key at all: every token would be refused.
    #[error("auth.keys is empty: without a key every token would be refused")]
    NoKeys,
    /// `claims.user` names no claim: every token would be refused.
    #[error("auth.claims.user is empty: no token could say who its user is")]
    NoUserClaim,
    /// A number is outside its range.
    #[error("auth.{name} is {got}, it may be {least} to {most}")]
    OutOfRange {
        /// The option.
        name: &'static str,
        /// What it was set to.
        got: usize,
        /// The smallest allowed value.
        least: usize,
        /// The largest allowed value.
        most: usize,
    },
    /// An HMAC key without `secret`, or with `pem`.
    #[error("auth.keys[{key}]: {algorithm} takes `secret` and no `pem`")]
    WantsSecret {
        /// Which key.
        key: usize,
        /// Its algorithm.
        algorithm: Algorithm,
    },
    /// A public-key algorithm without `pem`, or with `secret`.
    #[error("auth.keys[{key}]: {algorithm} takes `pem`, the text of a public key, and no `secret`")]
    WantsPem {
        /// Which key.
        key: usize,
        /// Its algorithm.
        algorithm: Algorithm,
    },
    /// A secret that can be guessed.
    #[error(
        "auth.keys[{key}]: the secret has {got} bytes, at least 32 are needed; \
         `openssl rand -hex 32` makes a good one"
    )]
    ShortSecret {
        /// Which key.
        key: usize,
        /// Bytes it has.
        got: usize,
    },
    /// A key in PEM form where a shared secret belongs: whoever has the public key could sign (RFC 8725
    /// §2.1).
    #[error(
        "auth.keys[{key}]: the secret is the text of a PEM key; set `pem` and the algorithm it was made for"
    )]
    PemAsSecret {
        /// Which key.
        key: usize,
    },
    /// A private key where the public one belongs.
    #[error(
        "auth.keys[{key}]: the pem is a private key, which has no business here; \
         `openssl pkey -in FILE -pubout` prints the public one"
    )]
    PrivateKey {
        /// Which key.
        key: usize,
    },
    /// Not a public key, or not one for this algorithm (another kind or curve, RSA under 2048 bits).
    #[error(
        "auth.keys[{key}]: the pem is not a public key for {algorithm}; \
         it begins with `-----BEGIN PUBLIC KEY-----` and holds {needed}"
    )]
    BadPem {
        /// Which key.
        key: usize,
        /// Its algorithm.
        algorithm: Algorithm,
        /// The kind of key that the algorithm needs.
        needed: &'static str,
    },
    /// Two keys with the same id and algorithm: a token could not say which it means.
    #[error("auth.keys[{key}]: an earlier key has the same id and algorithm")]
    Duplicate {
        /// Which key, the later one.
        key: usize,
    },
    /// Asked to sign with a key that can only verify.
    #[error("tokens can be signed with HS256, HS384 and HS512 only, the key is for {algorithm}")]
    CannotSign {
        /// The key's algorithm.
        algorithm: Algorithm,
    },
}
