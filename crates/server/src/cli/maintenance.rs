//! `campanile maintenance`: announcements of maintenance.

use campanile_model::{NotificationId, Slug};
use clap::{Args, Subcommand};
use hyper::Method;

use super::Failure;
use super::errand::{Access, Errand, SAFE, body};
use crate::clock::Clock;
use crate::config::Environment;
use crate::run::random_ids;

/// Who announces where the token is our own.
const AUTHOR: &str = "campanile-maintenance";

/// Announce maintenance, such as a planned restart, to everybody
///
/// Prints what the server answered, one line of JSON. People are told at once; what they did not read no longer
/// counts once the announcement is changed, withdrawn or over.
#[derive(Debug, Args)]
pub struct Maintenance {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Announce
    Announce(Announce),
    /// Say an announcement anew
    Change(Change),
    /// Say that there is no maintenance
    Withdraw(Withdraw),
    /// List the announcements of a workspace
    List(List),
}

#[derive(Debug, Args)]
struct Announce {
    #[command(flatten)]
    at: Where,
    /// The text for people, at most 2,000 characters
    #[arg(long)]
    message: String,
    /// When it starts, such as 2026-03-01T22:00:00Z
    #[arg(long, value_name = "INSTANT")]
    starts: String,
    /// When it ends
    #[arg(long, value_name = "INSTANT")]
    ends: String,
    /// A UUID that makes repeating this very announcement safe; without it one is made, and told if anything fails
    #[arg(long, value_name = "UUID", value_parser = NotificationId::parse)]
    id: Option<NotificationId>,
}

#[derive(Debug, Args)]
struct Change {
    /// The announcement
    #[arg(value_name = "ID", value_parser = NotificationId::parse)]
    id: NotificationId,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    what: Changed,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Changed {
    /// The text for people
    #[arg(long)]
    message: Option<String>,
    /// When it starts
    #[arg(long, value_name = "INSTANT")]
    starts: Option<String>,
    /// When it ends
    #[arg(long, value_name = "INSTANT")]
    ends: Option<String>,
}

#[derive(Debug, Args)]
struct Withdraw {
    /// The announcement
    #[arg(value_name = "ID", value_parser = NotificationId::parse)]
    id: NotificationId,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, Args)]
struct List {
    /// The workspace
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Slug,
    #[command(flatten)]
    access: Access,
}

/// Which workspaces, and how to get there.
#[derive(Debug, Args)]
struct Where {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Reach {
    /// In this workspace
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Option<Slug>,
    /// In every workspace of the server
    #[arg(long)]
    everywhere: bool,
}

impl Maintenance {
    /// Asks the server, and prints the answer.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let ask = |workspace, method, path: &str, body, again| Errand {
            author: AUTHOR,
            workspace,
            method,
            path: format!("/announcements{path}"),
            body,
            again,
            rest: None,
        };
        match self.command {
            Command::Announce(Announce { at, message, starts, ends, id }) => {
                // Made here, so that it is known whatever becomes of the request.
                let id = id.unwrap_or_else(|| random_ids()(Clock::system().now())).to_string();
                let again = format!("with --id {id} that is always safe");
                let body = body([
                    ("message", Some(message)),
                    ("startsAt", Some(starts)),
                    ("endsAt", Some(ends)),
                    ("id", Some(id)),
                ]);
                at.access.send(environment, ask(at.reach.workspace, Method::POST, "", Some(body), &again))
            }
            Command::Change(Change { id, at, what: Changed { message, starts, ends } }) => {
                let body = body([("message", message), ("startsAt", starts), ("endsAt", ends)]);
                let path = format!("/{id}");
                at.access.send(environment, ask(at.reach.workspace, Method::PATCH, &path, Some(body), SAFE))
            }
            Command::Withdraw(Withdraw { id, at }) => {
                let path = format!("/{id}");
                at.access.send(environment, ask(at.reach.workspace, Method::DELETE, &path, None, SAFE))
            }
            Command::List(List { workspace, access }) => {
                access.send(environment, ask(Some(workspace), Method::GET, "", None, SAFE))
            }
        }
    }
}
