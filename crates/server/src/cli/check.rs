//! `campanile check`: validates a configuration and prints the effective one.

use campanile_auth::KeySet;
use clap::Args;

use super::setup::Setup;
use super::{Failure, output};
use crate::config::{self, Environment, local_key};

/// Validate a configuration and print the effective one, without secrets
///
/// The key files that it names are read too.
#[derive(Debug, Args)]
pub struct Check {
    /// Print JSON in place of TOML
    #[arg(long)]
    json: bool,
    /// Print the commented defaults instead: a file to start from
    #[arg(long, conflicts_with_all = ["json", "config", "data"])]
    defaults: bool,
    #[command(flatten)]
    setup: Setup,
}

impl Check {
    /// Prints the configuration, or says why it is refused.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        if self.defaults {
            return output::line(config::DEFAULT_FILE.trim_end());
        }
        let config = self.setup.load(environment)?;
        // The local key is made by the first start; until then there is none to check.
        let is_due = config.needs_local_key() && !config.server.data.join(local_key::FILE).exists();
        if !is_due {
            KeySet::new(&config.auth()?).map_err(config::ConfigError::from)?;
        }
        let text = if self.json {
            serde_json::to_string_pretty(&config)
                .map_err(|error| Failure::caused("cannot write JSON", &error))
        } else {
            toml::to_string(&config).map_err(|error| Failure::caused("cannot write TOML", &error))
        };
        output::line(text?.trim_end())
    }
}
