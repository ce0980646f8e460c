//! `campanile drain`: the planned end of the server.

use clap::Args;
use hyper::Method;

use super::Failure;
use super::errand::{Access, Errand, SAFE, body};
use crate::config::Environment;

/// Who plans where the token is our own.
const AUTHOR: &str = "campanile-drain";
/// What becomes of workspaces that could not be told that the plan was taken back.
const UNTOLD: &str = "the server tells them as soon as it can";

/// Plan the end of the server, tell everybody, or take it back
///
/// Prints what the server answered, one line of JSON. With neither --in, --at nor --cancel, it shows what is planned.
/// At the instant the server closes every connection and exits with status 0, as on SIGTERM. A plan replaces the one
/// before; it goes with the process.
#[derive(Debug, Args)]
pub struct Drain {
    #[command(flatten)]
    when: When,
    /// A text for people, at most 2,000 characters [default: that connections are closed, and when]
    #[arg(long, requires = "when", conflicts_with = "cancel")]
    message: Option<String>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Args)]
#[group(id = "when", multiple = false)]
struct When {
    /// In how long, 1s to 7d, such as 10m
    #[arg(long = "in", value_name = "SPAN")]
    after: Option<String>,
    /// When, such as 2026-03-01T22:00:00Z
    #[arg(long, value_name = "INSTANT")]
    at: Option<String>,
    /// Take the plan back
    #[arg(long)]
    cancel: bool,
}

impl Drain {
    /// Asks the server, and prints the answer.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let When { after, at, cancel } = self.when;
        let (method, body) = match (&after, &at) {
            (None, None) if cancel => (Method::DELETE, None),
            (None, None) => (Method::GET, None),
            _ => (Method::POST, Some(body([("after", after), ("at", at), ("message", self.message)]))),
        };
        let again = if body.is_some() { "the last plan counts" } else { SAFE };
        // What was taken back can't be taken back again.
        let rest = (method == Method::DELETE).then_some(UNTOLD);
        let path = "/drain".to_owned();
        let errand = Errand { author: AUTHOR, workspace: None, method, path, body, again, rest };
        self.access.send(environment, errand)
    }
}
