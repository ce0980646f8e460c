//! What most commands share: where the configuration is.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::config::{Config, Environment, Flags};

/// Where the configuration and the data are.
#[derive(Debug, Clone, Args)]
pub struct Setup {
    /// Configuration file [env: CAMPANILE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory, where the local key is [default: ./campanile-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Setup {
    /// The effective configuration.
    pub fn load(&self, environment: &Environment) -> Result<Config, Failure> {
        let flags = Flags { config: self.config.clone(), data: self.data.clone(), listen: None };
        Ok(Config::load(&flags, environment)?)
    }
}
