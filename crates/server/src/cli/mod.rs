//! The command line: one command, one file.

mod backup;
mod bearer;
mod check;
mod drain;
mod endpoint;
mod errand;
mod failure;
mod functions;
mod http_client;
mod key;
mod listen;
mod maintenance;
mod output;
mod products;
mod reconnect;
mod refusal;
mod revoke;
mod send;
mod serve;
mod service_account;
mod setup;
mod token;
mod trust;
mod verdict;
mod verify;
pub mod welcome;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Environment;

pub use failure::Failure;

const EXAMPLES: &str = "\
Try it, in three terminals:
  campanile serve
  campanile listen --workspace demo --user alice
  campanile send --workspace demo --user alice --title Hello --message 'It works'

Exit status: 0 done, 1 refused or failed (standard error says why), 2 wrong usage.
Tokens are never taken from the command line, where every user of the machine can read them:
set CAMPANILE_TOKEN or name a file.";

/// Notifications that arrive: live over WebSocket, or later in the inbox.
#[derive(Debug, Parser)]
#[command(name = "campanile", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Each is described by its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Token(token::Token),
    Send(send::Send),
    Listen(listen::Listen),
    Products(products::Products),
    Functions(functions::Functions),
    Maintenance(maintenance::Maintenance),
    Drain(drain::Drain),
    Revoke(revoke::Revoke),
    ServiceAccount(service_account::ServiceAccount),
    Key(key::Key),
    Check(check::Check),
    Backup(backup::Backup),
}

/// Runs the command that `arguments` (the program's own name first) ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = arguments.first().map_or("campanile".into(), |name| name.to_string_lossy().into_owned());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli.run(&program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// A runtime for the commands that talk to the server.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("cannot start", &error))
}

impl Cli {
    fn run(self, program: &str) -> Result<(), Failure> {
        let environment = Environment::of_process()?;
        match self.command {
            Command::Serve(serve) => serve.run(&environment, program),
            Command::Token(token) => token.run(&environment),
            Command::Send(send) => send.run(&environment),
            Command::Listen(listen) => listen.run(&environment),
            Command::Maintenance(maintenance) => maintenance.run(&environment),
            Command::Drain(drain) => drain.run(&environment),
            Command::Revoke(revoke) => revoke.run(&environment),
            Command::ServiceAccount(account) => account.run(&environment),
            Command::Key(key) => key.run(&environment),
            Command::Products(products) => products.run(&environment),
            Command::Functions(functions) => functions.run(&environment),
            Command::Check(check) => check.run(&environment),
            Command::Backup(backup) => backup.run(&environment),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
