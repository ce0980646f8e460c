//! `[log]`: what is logged, and how it looks.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// What is logged to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or `target=level` pairs with commas
    /// between. Default: `info`.
    pub level: String,
    /// How a line looks. Default: [`Format::Auto`].
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: Format::default() }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people; in colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Log {
    /// A bare word that is no level would be taken for a target and silence everything else, so it is
    /// refused: it is a misspelt level.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_level = |word: &str| LEVELS.contains(&word);
        let good = self.level.split(',').map(str::trim).all(|directive| match directive.rsplit_once('=') {
            Some((target, level)) => !target.trim().is_empty() && is_level(level.trim()),
            None => is_level(directive),
        });
        if good && self.level.parse::<tracing_subscriber::EnvFilter>().is_ok() {
            return Ok(());
        }
        let problem = "must be off, error, warn, info, debug or trace, or pairs such as \"info,campanile_server=debug\"";
        Err(ConfigError::invalid("log.level", Some(format!("{:?}", self.level)), problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_pairs() {
        let check = |level: &str| Log { level: level.into(), ..Log::default() }.check();
        for good in ["info", "off", "warn,campanile_server::socket=debug", "hyper=error, trace"] {
            check(good).unwrap();
        }
        for bad in ["", "inof", "INFO!", "campanile_server", "a=", "=debug", "info,", "a=loud"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
