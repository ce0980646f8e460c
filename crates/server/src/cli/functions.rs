//! `campanile functions`: functions written, run and looked at.

mod server;
mod shown;

use std::path::PathBuf;
use std::time::Duration;

use campanile_model::Slug;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value, json};

use self::server::Server;
use super::bearer::BearerArgs;
use super::endpoint::EndpointArgs;
use super::setup::Setup;
use super::{Failure, output, runtime};
use crate::config::Environment;

/// How often the server is asked for a run that has not ended: after the first, which it answers when it ends.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Functions and runs asked for at once.
const PAGE: usize = 100;

/// Write, run and look at JavaScript functions
#[derive(Debug, Args)]
pub struct Functions {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Put(Put),
    Run(Run),
    /// List the functions of a workspace
    List(List),
    /// List the runs of a function, newest first
    Runs(Runs),
    Log(Log),
}

/// Create a function, or replace its code
///
/// What is not said here stays as it was: its triggers, its parameters, its limits.
#[derive(Debug, Args)]
struct Put {
    /// Its name: letters, digits, hyphens and underscores
    name: String,
    /// The JavaScript
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// For people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Run it on events of this type, such as record_created; may be given several times
    #[arg(long, value_name = "TYPE")]
    on: Vec<String>,
    /// Only if this holds of the event, such as data.collection == 'orders'
    #[arg(long, value_name = "EXPRESSION", requires = "on")]
    when: Option<String>,
    /// Run it at these times: minute, hour, day, month, weekday
    #[arg(long, value_name = "PATTERN")]
    cron: Option<String>,
    /// The zone whose clocks count [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    time_zone: Option<String>,
    #[command(flatten)]
    at: At,
}

/// Run a function
///
/// With --wait the exit status says whether it completed.
#[derive(Debug, Args)]
struct Run {
    /// The function
    name: String,
    /// What it gets as executionParams: a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    params: Option<Value>,
    /// Wait for its end, and print its log and what it returned
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct Runs {
    /// The function
    name: String,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    at: At,
}

/// Show what a run logged, and how it ended
#[derive(Debug, Args)]
struct Log {
    /// The function
    name: String,
    /// The run [default: the newest]
    run: Option<String>,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct At {
    /// The workspace
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Slug,
    /// Print the server's answer, one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bearer: BearerArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    setup: Setup,
}

impl Functions {
    /// Asks the server, and prints the answer.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let ask = async {
            match self.command {
                Command::Put(put) => put.run(environment).await,
                Command::Run(run) => run.run(environment).await,
                Command::List(list) => list.run(environment).await,
                Command::Runs(runs) => runs.run(environment).await,
                Command::Log(log) => log.run(environment).await,
            }
        };
        runtime()?.block_on(ask)
    }
}

impl Put {
    async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let code = std::fs::read_to_string(&self.file)
            .map_err(|error| Failure::caused(self.file.display().to_string(), &error))?;
        let (server, json) = self.at.server(environment)?;
        let path = path(&self.name, "");
        let (mut function, state) = match server.find(&path).await? {
            Some((Value::Object(found), state)) => (found, state),
            _ => (Map::new(), None),
        };
        for given in ["name", "createdAt", "updatedAt"] {
            function.remove(given);
        }
        function.insert("code".into(), code.into());
        if let Some(description) = self.description {
            function.insert("description".into(), description.into());
        }
        if !self.on.is_empty() {
            let mut on = json!({ "types": self.on });
            if let Some(when) = self.when {
                on["when"] = when.into();
            }
            function.insert("on".into(), on);
        }
        if let Some(cron) = self.cron {
            let zone = self.time_zone.unwrap_or_else(|| "UTC".into());
            function.insert("schedule".into(), json!({ "cron": cron, "timeZone": zone }));
        }
        let stored = server.put(&path, &Value::Object(function), state).await?;
        output::line(&if json { stored.to_string() } else { shown::function(&stored) })
    }
}

impl Run {
    async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (server, json) = self.at.server(environment)?;
        let params = self.params.unwrap_or_else(|| json!({}));
        let body = json!({ "executionParams": params, "manual": true });
        let wait = if self.wait { "/run?wait=15" } else { "/run" };
        let mut run = server.ask(Method::POST, &path(&self.name, wait), Some(&body)).await?;
        while self.wait && run["endedAt"].is_null() {
            tokio::time::sleep(ASK_EVERY).await;
            run = server.ask(Method::GET, &run_path(&self.name, text(&run["id"])), None).await?;
        }
        if json {
            output::line(&run.to_string())?;
        } else if self.wait {
            output::line(&shown::run(&run))?;
        } else {
            output::line(text(&run["id"]))?;
        }
        if self.wait && run["status"] != "completed" { Err(Failure::Refused) } else { Ok(()) }
    }
}

impl List {
    async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (server, json) = self.at.server(environment)?;
        let mut after = String::new();
        loop {
            let page = server.ask(Method::GET, &format!("?limit={PAGE}{after}"), None).await?;
            for function in page["functions"].as_array().into_iter().flatten() {
                output::line(&if json { function.to_string() } else { shown::function(function) })?;
            }
            // A name needs no escape in a query.
            let Some(next) = page["next"].as_str() else { return Ok(()) };
            after = format!("&after={next}");
        }
    }
}

impl Runs {
    async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (server, json) = self.at.server(environment)?;
        let path = path(&self.name, &format!("/runs?limit={}", self.limit));
        let page = server.ask(Method::GET, &path, None).await?;
        for run in page["runs"].as_array().into_iter().flatten() {
            output::line(&if json { run.to_string() } else { shown::summary(run) })?;
        }
        Ok(())
    }
}

impl Log {
    async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (server, json) = self.at.server(environment)?;
        let id = match self.run {
            Some(id) => id,
            None => {
                let page = server.ask(Method::GET, &path(&self.name, "/runs?limit=1"), None).await?;
                let newest = page["runs"][0]["id"].as_str();
                newest.ok_or_else(|| Failure::new(format!("{} has not been run", self.name)))?.to_owned()
            }
        };
        let run = server.ask(Method::GET, &run_path(&self.name, &id), None).await?;
        output::line(&if json { run.to_string() } else { shown::run(&run) })
    }
}

impl At {
    fn server(self, environment: &Environment) -> Result<(Server, bool), Failure> {
        let config = self.setup.load(environment)?;
        let endpoint = self.endpoint.endpoint(&config)?;
        Ok((Server::new(&config, endpoint, &self.workspace, self.bearer, environment)?, self.json))
    }
}

/// Below a workspace's functions.
fn path(name: &str, rest: &str) -> String {
    format!("/{}{rest}", in_path(name))
}

fn run_path(name: &str, id: &str) -> String {
    path(name, &format!("/runs/{}", in_path(id)))
}

/// One segment of a path, whatever it holds.
fn in_path(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err("it is no JSON object".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_segment() {
        assert_eq!(path("a/b c?d", "/run"), "/a%2Fb%20c%3Fd/run");
        assert_eq!(run_path("one_1", ".."), "/one_1/runs/%2E%2E");
    }

    #[test]
    fn parameters_are_an_object() {
        assert!(object(r#"{"a": 1}"#).is_ok());
        assert!(object("[1]").is_err() && object("{").is_err());
    }
}
