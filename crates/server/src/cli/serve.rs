//! `campanile serve`

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::setup::Setup;
use super::welcome::Welcome;
use super::{Failure, failure};
use crate::config::{Config, ConfigError, Environment, Flags, data_directory};
use crate::logging::{self, Terminal};

/// Run the server
///
/// Runs until SIGTERM or ctrl-C; a second one does not wait for connections to be closed.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    setup: Setup,
    /// Address and port to listen on [default: 127.0.0.1:8700]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

impl Serve {
    /// Prepares what the assembly needs, and hands over to it.
    pub fn run(self, environment: &Environment, program: &str) -> Result<(), Failure> {
        let Setup { config: file, data } = self.setup;
        let file = file.or_else(|| environment.config_file().map(PathBuf::from));
        let config = Config::load(&Flags { config: file.clone(), data, listen: self.listen }, environment)?;
        let is_terminal = std::io::stderr().is_terminal();
        logging::start(&config.log, Terminal { is_terminal, no_color: environment.no_color })?;

        let fresh = data_directory::prepare(&config)?;
        // Its commands sign tokens: where all keys only verify, they would fail.
        let can_try = fresh && config.signing_key().is_ok();
        let welcome = can_try.then(|| Welcome::new(program, file.as_deref(), &config));
        let on_listening = move |listen: SocketAddr| {
            if let Some(welcome) = welcome {
                eprintln!("{}", welcome.text(listen));
            }
        };
        crate::run::serve(&config, on_listening).map_err(|error| match error.downcast::<ConfigError>() {
            Ok(refused) => refused.into(),
            Err(error) => Failure::new(failure::chain(error.as_ref())),
        })
    }
}
