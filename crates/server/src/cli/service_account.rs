//! `campanile service-account`: machine clients of a workspace.

use campanile_model::Slug;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::Failure;
use super::errand::{Access, Errand, SAFE, body};
use crate::config::Environment;

/// Who does it where the token is our own.
const AUTHOR: &str = "campanile-service-account";

/// Arrange the machine clients of a workspace
///
/// Prints what the server answered, one line of JSON. A secret is in it once, where it was made: keep it at once.
#[derive(Debug, Args)]
pub struct ServiceAccount {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one, and print its secret
    Create(Create),
    /// List those of a workspace
    List(List),
    /// Give one another secret, and print it
    Rotate(Rotate),
    /// Remove one, and end its tokens and sockets
    Delete(One),
}

#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    one: One,
    /// What it may do, such as "notifications:write events:write"
    #[arg(long, value_name = "WORDS")]
    scope: String,
    /// What it is for, at most 500 characters
    #[arg(long)]
    description: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    one: One,
    /// How much longer the former secret is good, such as 1h, at most 24h [default: not at all]
    #[arg(long, value_name = "SPAN")]
    overlap: Option<String>,
}

#[derive(Debug, Args)]
struct One {
    /// Its name: 1 to 40 lower-case letters, digits and hyphens
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    #[command(flatten)]
    at: Where,
}

/// Which workspace, and how to get there.
#[derive(Debug, Args)]
struct Where {
    /// The workspace
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Slug,
    /// Print JSON, which is what is printed anyhow
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl ServiceAccount {
    /// Asks the server, and prints the answer.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (at, method, path, body, again) = match self.command {
            Command::Create(Create { one: One { name, at }, scope, description }) => {
                let scopes: Vec<&str> = scope.split_ascii_whitespace().collect();
                let mut draft = json!({ "name": name, "scopes": scopes });
                if let Some(description) = description {
                    draft["description"] = Value::String(description);
                }
                let again = "if it was made after all, its secret is lost: rotate it";
                (at, Method::POST, String::new(), Some(draft), again)
            }
            Command::List(List { at }) => (at, Method::GET, "?limit=1000".to_owned(), None, SAFE),
            Command::Rotate(Rotate { one: One { name, at }, overlap }) => {
                let again = "the last secret counts";
                (at, Method::POST, format!("/{name}/rotate"), Some(body([("overlap", overlap)])), again)
            }
            Command::Delete(One { name, at }) => (at, Method::DELETE, format!("/{name}"), None, SAFE),
        };
        let path = format!("/service-accounts{path}");
        at.access.send(
            environment,
            Errand { author: AUTHOR, workspace: Some(at.workspace), method, path, body, again, rest: None },
        )
    }
}

/// It goes into a path.
fn name(text: &str) -> Result<String, &'static str> {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=40).contains(&text.len()) && text.bytes().all(is_fit);
    if is_name { Ok(text.to_owned()) } else { Err("must be 1 to 40 lower-case letters, digits and hyphens") }
}
