//! `[tokens]`: how long tokens that are taken back are remembered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::range::within_time;
use super::{ConfigError, duration};

/// Tokens that this server takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// The longest life of a token that any issuer makes, 1 m to 3,650 d: so long is a revocation kept that names no
    /// end. Default: 30 d.
    #[serde(with = "duration::text")]
    pub longest_life: Duration,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { longest_life: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

impl Tokens {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within_time("tokens.longest_life", Some(self.longest_life), "1m", "3650d")
    }
}
