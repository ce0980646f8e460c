//! What an operator may set about tokens, and what is refused at start.

use std::fmt;

use serde::Deserialize;

use crate::{Algorithm, ConfigError};

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
    /// The keys that may sign tokens whatever their `iss` says. Default: none; where there are no
    /// [issuers](crate::Issuer) either, the server adds its local key.
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
    /// Seconds that a token may live at the longest, from its `iat` to its `exp`, and every token must have both: so
    /// whoever takes tokens back knows when the last of them has ended. Default `None`: as long as it says.
    pub longest_life_secs: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            claims: ClaimNames::default(),
            leeway_secs: 0,
            cache_entries: 65_536,
            max_token_bytes: 8_192,
            longest_life_secs: None,
        }
    }
}

impl Config {
    /// The leeway, within its range in any case: time is computed with it.
    pub(crate) fn leeway_millis(&self) -> i64 {
        self.leeway_secs.min(MAX_LEEWAY_SECS) as i64 * 1000
    }

    /// The longest life, in milliseconds.
    pub(crate) fn longest_life_millis(&self) -> Option<i64> {
        self.longest_life_secs.map(|secs| i64::try_from(secs.saturating_mul(1000)).unwrap_or(i64::MAX))
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
///
/// A name that begins with `/` is a way into an object (a JSON Pointer, RFC 6901): `/realm_access/roles` is the
/// member `roles` of the claim `realm_access`. In such a name `~1` stands for `/`, and `~0` for `~`. Every other name
/// is the whole name of a claim, whatever dots and slashes it holds.
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
