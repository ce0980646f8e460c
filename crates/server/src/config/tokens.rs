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
    /// The longest that any token may live, whoever made it, 1 m to 3,650 d in whole seconds: a token must say `iat`,
    /// and from it to `exp` is no longer. So a revocation of a user's tokens can be dropped after that time. `None`
    /// (`"off"`): as long as it says, and such a revocation is kept until it is taken back. Default: off.
    #[serde(with = "duration::or_off")]
    pub longest_life: Option<Duration>,
}

impl Default for Tokens {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        Self {
            issuer: "campanile".into(),
            life: Duration::from_secs(60 * 60),
            key_rotation: Some(days(30)),
            longest_life: None,
        }
    }
}

impl Tokens {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("tokens.issuer", self.issuer.len(), 1..=256)?;
        within_time("tokens.life", Some(self.life), "1m", "24h")?;
        within_time("tokens.key_rotation", self.key_rotation, "1h", "3650d")?;
        within_time("tokens.longest_life", self.longest_life, "1m", "3650d")?;
        let whole = |key, time: Duration| {
            let got = Some(duration::quoted(time));
            let problem = "must be whole seconds, such as \"30m\"";
            if time.subsec_nanos() == 0 { Ok(()) } else { Err(ConfigError::invalid(key, got, problem)) }
        };
        whole("tokens.life", self.life)?;
        let Some(longest) = self.longest_life else { return Ok(()) };
        whole("tokens.longest_life", longest)?;
        if longest < self.life {
            let got = Some(duration::quoted(longest));
            return Err(ConfigError::invalid(
                "tokens.longest_life",
                got,
                "must not be shorter than tokens.life",
            ));
        }
        Ok(())
    }
}
