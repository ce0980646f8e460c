//! Runs of functions: queued with whatever caused them, started as processes come free, told when they end.
//!
//! A run is executed at most once. One that was under way when the server died is told as failed
//! (`Interrupted`) and can be repeated by whoever knows that this does no harm.

mod execute;
mod host;
mod queue;
mod runner;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use campanile_functions::LogLine;
use campanile_model::{NotificationId, Slug, Timestamp, UserId};
use campanile_store::{Document, DocumentKind, DocumentQuery, Order, document};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::page::{self, Page};
use crate::{Engine, EngineError, event};

pub use queue::{Request, count_waiting, repeat, start};
pub(crate) use queue::{asked_for, nearly_full, queued, start_due, triggered};
pub use runner::Runner;

/// What made a function run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RunOrigin)]
pub enum Origin {
    /// An event.
    Event,
    /// Its schedule.
    Schedule,
    /// A request of a program.
    Http,
    /// A person.
    Manual,
    /// Somebody repeated an earlier run.
    Repeat,
}

impl Origin {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Schedule => "schedule",
            Self::Http => "http",
            Self::Manual => "manual",
            Self::Repeat => "repeat",
        }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RunStatus)]
pub enum Status {
    /// It waits for a process.
    Queued,
    /// It is executed.
    Running,
    /// It returned.
    Completed,
    /// It did not: `error` says why.
    Failed,
    /// It took too long.
    Timeout,
}

/// A run of a function, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Unique in its workspace.
    #[schema(value_type = String)]
    pub id: Arc<str>,
    /// Which function.
    #[schema(value_type = String)]
    pub function: Arc<str>,
    /// How far it has come.
    pub status: Status,
    /// What made it run.
    pub origin: Origin,
    /// Who started it, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub started_by: Option<UserId>,
    /// The run that it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub repeats: Option<Arc<str>>,
    /// How many functions it took to get here: 0 for what people and other programs ask for, at most 8.
    #[serde(default)]
    pub hops: u8,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub queued_at: Timestamp,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The key of the event that triggered it, or the run that it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub event: Option<Arc<str>>,
    /// What it got as `executionParams`. Not there if that was an event that is not kept any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub execution_params: Option<Box<RawValue>>,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Box<RawValue>>,
    /// Why it did not return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// What it logged, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<RunLogLine>)]
    pub log: Vec<LogLine>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<RunUsage>,
}

/// A run in a list: without what it got, returned and logged.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RunSummary)]
pub struct Summary {
    /// Its id.
    #[schema(value_type = String)]
    pub id: Arc<str>,
    /// How far it has come.
    pub status: Status,
    /// What made it run.
    pub origin: Origin,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub queued_at: Timestamp,
    /// When it was begun.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The name of the error it ended with.
    #[serde(default, deserialize_with = "name_of")]
    pub error: Option<String>,
}

fn name_of<'de, D: serde::Deserializer<'de>>(error: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    Ok(Option::<Named>::deserialize(error)?.map(|error| error.name))
}

/// Why a run did not return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunError {
    /// The error's name, such as `TypeError`; of ours: `CpuTimeout`, `WallTimeout`, `MemoryExceeded`, `Crashed`,
    /// `LimitExceeded`, `Interrupted`, `Missing`, `Unavailable`.
    pub name: String,
    /// What it said.
    pub message: String,
    /// Where in the source, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How it got there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stack: String,
}

/// What a run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunUsage {
    /// Milliseconds of processor time.
    pub cpu_ms: u64,
    /// Milliseconds from its start to its end.
    pub wall_ms: u64,
    /// The most bytes its heap held at once; 0 of one that was killed.
    pub memory_peak_bytes: u64,
    /// Calls of `api`.
    pub host_calls: u32,
}

/// One line that a function logged.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "the schema of functions::LogLine, which knows no OpenAPI")]
pub struct RunLogLine {
    /// Milliseconds since the start of the run.
    at_ms: u32,
    /// `info` or `error`.
    level: String,
    /// The line.
    text: String,
}

/// Lists the runs of a function before `before`, newest first.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    function: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<Page<Summary, u64>, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::Run,
        group: Some(function.into()),
        order: Order::Newest(before),
        limit: page::limit(limit)?,
    };
    page::newest(engine, workspace, query, |document| page::body(document).map(Some)).await
}

/// One run of a function.
///
/// # Errors
/// [`EngineError::Missing`] if there is none, or it is no longer kept; those of the store.
pub async fn read(engine: &Engine, workspace: &Slug, function: &str, id: &str) -> Result<Run, EngineError> {
    let missing = || EngineError::Missing { what: "run" };
    if NotificationId::parse(id).is_err() {
        return Err(missing());
    }
    let mut run: Run = page::body(&find(engine, workspace, id).await?.ok_or_else(missing)?)?;
    if &*run.function != function {
        return Err(missing());
    }
    run.execution_params = params(engine, workspace, &run).await?;
    Ok(run)
}

/// Waits for a run to end, at most `patience`; returns it as it is then.
///
/// # Errors
/// As of [`read`].
pub async fn wait(
    engine: &Engine,
    workspace: &Slug,
    function: &str,
    id: &str,
    patience: Duration,
) -> Result<Run, EngineError> {
    let mut ends = engine.runner.ends();
    let ended = async {
        loop {
            let run = read(engine, workspace, function, id).await?;
            if run.ended_at.is_some() {
                return Ok(run);
            }
            // An end that was missed among many others is found by reading again.
            while let Ok(other) = ends.recv().await {
                if &*other == id {
                    break;
                }
            }
        }
    };
    match tokio::time::timeout(patience, ended).await {
        Ok(run) => run,
        Err(_) => read(engine, workspace, function, id).await,
    }
}

/// What a run gets: its own parameters, or the event that triggered it, if that is still kept.
async fn params(engine: &Engine, workspace: &Slug, run: &Run) -> Result<Option<Box<RawValue>>, EngineError> {
    let Some(key) = &run.event else { return Ok(run.execution_params.clone()) };
    let event = event::kept(engine, workspace, key).await?;
    // How it came about is the run's `hops`, and no part of the event: 0 is not written.
    let event = event.map(|event| event::Event { hops: 0, ..event });
    Ok(event.and_then(|event| to_raw_value(&json!({ "event": event })).ok()))
}

async fn find(engine: &Engine, workspace: &Slug, id: &str) -> Result<Option<Document>, EngineError> {
    Ok(document(&*engine.store, workspace, DocumentKind::Run, id).await?)
}
