//! `[tokens]`: tokens that this server makes, and those that it takes back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::range::{within, within_time};
use super::{ConfigError, duration};

/// Tokens that this server makes for service accounts, and those that it takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// The `iss` of the tokens it makes, such as the server's public URL: 1 to 256 bytes. Default: `campanile`.
    pub issuer: String,
    /// How long they are good, 1 m to 24 h in whole seconds. Default: 1 h.
    #[serde(with = "duration::text")]
    pub life: Duration,
    /// How long one key signs them until another one does, 1 h to 3,650 d; `None` (`"off"`): until somebody rotates it.
    /// Default: 30 d.
    #[serde(with = "duration::or_off")]
    pub key_rotation: Option<Duration>,
    /// The longest life of a token that any issuer makes, 1 m to 3,650 d: so long is a revocation kept that names no
    /// end. Default: 30 d.
    #[serde(with = "duration::text")]
    pub longest_life: Duration,
}

impl Default for Tokens {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        Self {
            issuer: "campanile".into(),
            life: Duration::from_secs(60 * 60),
            key_rotation: Some(days(30)),
            longest_life: days(30),
        }
    }
}

impl Tokens {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("tokens.issuer", self.issuer.len(), 1..=256)?;
        within_time("tokens.life", Some(self.life), "1m", "24h")?;
        if self.life.subsec_nanos() != 0 {
            let got = Some(duration::quoted(self.life));
            return Err(ConfigError::invalid("tokens.life", got, "must be whole seconds, such as \"30m\""));
        }
        within_time("tokens.key_rotation", self.key_rotation, "1h", "3650d")?;
        within_time("tokens.longest_life", Some(self.longest_life), "1m", "3650d")
    }
}
