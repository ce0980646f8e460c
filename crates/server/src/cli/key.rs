//! `campanile key`: the key that signs the tokens of service accounts.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::json;

use super::Failure;
use super::errand::{Access, Errand};
use crate::config::Environment;

/// Who does it where the token is our own.
const AUTHOR: &str = "campanile-key";

/// Replace the key that signs the tokens of service accounts
#[derive(Debug, Args)]
pub struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Have another key sign from now on; prints what the server answered, one line of JSON
    Rotate(Rotate),
}

#[derive(Debug, Args)]
struct Rotate {
    /// Refuse every token that was given so far, because a key was stolen, and close its sockets
    #[arg(long)]
    forget_former: bool,
    #[command(flatten)]
    access: Access,
}

impl Key {
    /// Asks the server, and prints the answer.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let Command::Rotate(Rotate { forget_former, access }) = self.command;
        let body = Some(json!({ "forgetFormer": forget_former }));
        let again = "it rotates once more, which harms nobody";
        let path = "/keys/rotate".to_owned();
        access.send(
            environment,
            Errand { author: AUTHOR, workspace: None, method: Method::POST, path, body, again, rest: None },
        )
    }
}
