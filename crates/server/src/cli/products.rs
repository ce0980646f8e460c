//! `campanile products`: products from a file.

mod chunks;

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use campanile_model::{Slug, UserId};
use clap::{Args, Subcommand};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};

use self::chunks::{Chunk, Format};
use super::bearer::{Bearer, BearerArgs, Purpose};
use super::endpoint::{Endpoint, EndpointArgs};
use super::http_client::{Answer, request};
use super::refusal::{has_code, refusal};
use super::setup::Setup;
use super::{Failure, output, runtime};
use crate::config::{Config, Environment};
use crate::http::problem::LIMIT_EXCEEDED;

const SCOPE: &str = "products:write";
/// Who imports where the token is our own.
const IMPORTER: &str = "campanile-products";
/// What there is to know about repeating.
const AGAIN: &str = "running the same command again is safe: what is in already stays as it is";
/// Wrong rows that are listed; the others are counted.
const MAX_LISTED: usize = 100;

/// Look after products whose expiry is told
#[derive(Debug, Args)]
pub struct Products {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(Import),
}

/// Import products from a file, of any size
///
/// Every row is judged before anything is written, and nothing is if one is wrong. A CSV has a header with some of
/// id, name, owners (divided by ;), topic, expiryDate, quantity, notes; a JSON file is an array of objects with these
/// members, owners an array. A column that is not there leaves what the product says of it as it is.
#[derive(Debug, Args)]
struct Import {
    /// A CSV, or an array of JSON where the name ends in .json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The workspace
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Slug,
    /// Take the good rows where others are wrong
    #[arg(long)]
    partial: bool,
    /// Print what was done as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bearer: BearerArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    setup: Setup,
}

impl Products {
    /// Does it, and prints what was done.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.command {
            Command::Import(import) => import.run(environment),
        }
    }
}

/// What was done, or would be; rows as in the file.
#[derive(Debug, Default, Deserialize)]
struct Outcome {
    created: usize,
    updated: usize,
    unchanged: usize,
    refused: usize,
    errors: Vec<WrongRow>,
}

#[derive(Debug, Deserialize)]
struct WrongRow {
    row: usize,
    #[serde(default)]
    field: String,
    detail: String,
}

impl Outcome {
    fn add(&mut self, more: Self) {
        self.created += more.created;
        self.updated += more.updated;
        self.unchanged += more.unchanged;
        self.refused += more.refused;
        let room = MAX_LISTED - self.errors.len();
        self.errors.extend(more.errors.into_iter().take(room));
    }

    fn tell_errors(&self) {
        for WrongRow { row, field, detail } in &self.errors {
            let place = if field.is_empty() { String::new() } else { format!(", {field}") };
            eprintln!("row {row}{place}: {detail}");
        }
        if self.refused > self.errors.len() {
            eprintln!("… and {} more", self.refused - self.errors.len());
        }
    }
}

impl Import {
    fn run(self, environment: &Environment) -> Result<(), Failure> {
        let config = self.setup.load(environment)?;
        let endpoint = self.endpoint.endpoint(&config)?;
        let user = UserId::new(IMPORTER).map_err(|error| Failure::caused(IMPORTER, &error))?;
        let purpose = Purpose {
            user,
            workspace: Some(self.workspace.clone()),
            scope: SCOPE,
            ttl: Duration::from_secs(60),
        };
        let bearer = self.bearer.source(environment, purpose);
        let format = Format::of(&self.file);
        let path = format!("/v1/workspaces/{}/products/import", self.workspace);
        let server = Server { config: &config, endpoint: &endpoint, bearer: &bearer, path, format };
        runtime()?.block_on(import(&server, &self.file, self.partial, self.json))
    }
}

async fn import(server: &Server<'_>, file: &Path, partial: bool, json: bool) -> Result<(), Failure> {
    let (judged, twice) = judge(server, file).await?;
    if judged.refused > 0 && !partial {
        judged.tell_errors();
        let rows =
            if judged.refused == 1 { "1 row is".to_owned() } else { format!("{} rows are", judged.refused) };
        return Err(Failure::with_hint(
            format!("{rows} wrong, and nothing was imported"),
            "mend them, or take the good ones with --partial",
        ));
    }
    let bar = bar("importing", std::fs::metadata(file).map_or(0, |file| file.len()));
    let query = if partial { "?partial=true" } else { "" };
    let (mut done, mut last) = (Outcome::default(), None);
    for chunk in chunks::read(file, server.format)? {
        let sent = server.send(chunk?.without(&twice), query, |chunk, outcome| {
            done.add(outcome);
            last = chunk.rows.last().copied();
            bar.set_position(chunk.end);
        });
        if let Err(failure) = sent.await {
            bar.finish_and_clear();
            return Err(match last {
                None => failure,
                Some(last) => failure.after(&format!("the rows up to {last} are in, and {AGAIN}")),
            });
        }
    }
    bar.finish_and_clear();
    done.refused += twice.len();
    done.errors = judged.errors;
    report(&done, json)
}

/// Judges every row, and changes nothing. Rows whose product another row above has are judged here, as the server sees
/// only some of the file at a time: which these are comes along.
async fn judge(server: &Server<'_>, file: &Path) -> Result<(Outcome, HashSet<usize>), Failure> {
    let bar = bar("checking", std::fs::metadata(file).map_or(0, |file| file.len()));
    let mut all = Outcome::default();
    let (mut first, mut twice) = (HashMap::new(), HashSet::new());
    for chunk in chunks::read(file, server.format)? {
        let chunk = chunk?;
        let mut repeated = Vec::new();
        let named = chunk.rows.iter().zip(&chunk.ids).filter(|(_, id)| !id.is_empty());
        for (row, id) in named {
            if let Some(other) = first.get(id) {
                let detail = format!("row {other} has the same id");
                repeated.push(WrongRow { row: *row, field: "id".to_owned(), detail });
                twice.insert(*row);
            } else {
                first.insert(id.clone(), *row);
            }
        }
        let mut outcome = Outcome::default();
        let judging = server.send(chunk.without(&twice), "?dryRun=true&partial=true", |chunk, judged| {
            outcome.add(judged);
            bar.set_position(chunk.end);
        });
        judging.await?;
        outcome.refused += repeated.len();
        outcome.errors.extend(repeated);
        outcome.errors.sort_by_key(|error| error.row);
        all.add(outcome);
    }
    bar.finish_and_clear();
    Ok((all, twice))
}

fn report(done: &Outcome, json: bool) -> Result<(), Failure> {
    let Outcome { created, updated, unchanged, refused, errors } = done;
    if json {
        let errors: Vec<Value> = errors
            .iter()
            .map(|error| json!({ "row": error.row, "field": error.field, "detail": error.detail }))
            .collect();
        let told = json!({
            "created": created, "updated": updated, "unchanged": unchanged, "refused": refused, "errors": errors,
        });
        return output::line(&told.to_string());
    }
    done.tell_errors();
    output::line(&format!("created {created}, updated {updated}, unchanged {unchanged}, refused {refused}"))
}

/// Where rows go.
struct Server<'a> {
    config: &'a Config,
    endpoint: &'a Endpoint,
    bearer: &'a Bearer,
    path: String,
    format: Format,
}

impl Server<'_> {
    /// Sends a chunk, and tells `done` what became of it; rows are those of the file. What is more than the server does
    /// at once is sent in halves, each of which `done` is told.
    async fn send(
        &self,
        chunk: Chunk,
        query: &str,
        mut done: impl FnMut(&Chunk, Outcome),
    ) -> Result<(), Failure> {
        let mut waiting = vec![chunk];
        while let Some(chunk) = waiting.pop() {
            if chunk.rows.is_empty() {
                continue;
            }
            let answer = self.request(&chunk, query).await?;
            if answer.status == StatusCode::OK {
                done(&chunk, outcome(&answer, &chunk)?);
            } else if chunk.rows.len() > 1 && has_code(&answer, LIMIT_EXCEEDED.name) {
                waiting.extend(chunk.halves());
            } else {
                return Err(refusal(self.endpoint, &answer, SCOPE, AGAIN));
            }
        }
        Ok(())
    }

    async fn request(&self, chunk: &Chunk, query: &str) -> Result<Answer, Failure> {
        let built = Request::post(format!("{}{query}", self.path))
            .header(HOST, &self.endpoint.authority)
            .header(CONTENT_TYPE, self.format.media_type())
            .header(AUTHORIZATION, self.bearer.header(self.config)?)
            .body(Full::new(chunk.body.clone()))
            .map_err(|error| Failure::caused("the request cannot be sent", &error))?;
        request(self.endpoint, built).await
    }
}

/// What an answer says, with rows as in the file.
fn outcome(answer: &Answer, chunk: &Chunk) -> Result<Outcome, Failure> {
    let mut outcome: Outcome = serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::caused("the server's answer is not understood", &error))?;
    for error in &mut outcome.errors {
        error.row = chunk.row_in_file(error.row);
    }
    Ok(outcome)
}

fn bar(doing: &'static str, length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent:>3} %, {eta} left");
    // The template is a constant; a test proves that it is understood.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_message(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_understood() {
        assert!(ProgressStyle::with_template("{msg} {bar:40} {percent:>3} %, {eta} left").is_ok());
    }
}
