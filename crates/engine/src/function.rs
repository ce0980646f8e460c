//! Functions of a workspace: their source, and what runs them.

mod cron;
mod head;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use campanile_functions::{CheckError, Limits, MAX_CODE_BYTES};
use campanile_model::{Slug, Timestamp, UserId};
use campanile_rules::{Matcher, On};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, Order, document,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::{Cause, Event, commit};
use crate::limit::{DocumentLimit, Limit};
use crate::page::{self, Page};
use crate::{Engine, EngineError, rule};

pub use cron::Schedule;
pub(crate) use head::{Trigger, triggers};
pub(crate) use schedule::trigger_due;

/// Functions of one workspace: each event is asked for by all of them.
pub const MAX_FUNCTIONS: usize = 500;
const LIMIT: DocumentLimit = DocumentLimit {
    limit: Limit { name: "functions", max: MAX_FUNCTIONS },
    what: "functions of one workspace",
    kind: DocumentKind::Function,
    group: Some(head::GROUP),
};
/// Bytes of a function's name.
pub const MAX_NAME_BYTES: usize = 64;
/// Characters of a description.
const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// Bytes of `triggerParams`: they are kept with the function and copied into each run.
const MAX_TRIGGER_PARAMS_BYTES: usize = 16 * 1024;
/// How often a function that changes under our hands, or is run by its schedule, is looked at again.
const ATTEMPTS: usize = 5;
/// The group of functions among the documents of their kind; their heads and schedules have others.
const GROUP: &str = "function";

/// A function as its author writes it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = Function)]
pub struct Source {
    /// For people. At most 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JavaScript that defines `async function run()`. It sees `executionParams`, `triggerParams` and `api`. At
    /// most 512 KiB.
    #[schema(example = "async function run() { return { ok: true } }")]
    pub code: String,
    /// One that is off is not triggered, and can't be run. Default: on.
    #[serde(default = "on")]
    #[schema(default = true)]
    pub enabled: bool,
    /// What each run gets as `triggerParams`: a JSON object, at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub trigger_params: Option<Box<RawValue>>,
    /// The events that run it, as of a rule; `executionParams` is then `{"event": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    /// When it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What a run may use, where that is less than the server's limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<SourceLimits>,
}

/// What a run may use. Above the server's own limits, those count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = FunctionLimits)]
pub struct SourceLimits {
    /// MiB of the JavaScript heap, at least 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 2)]
    pub memory_mib: Option<u32>,
    /// Milliseconds of processor time, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub cpu_ms: Option<u32>,
    /// Milliseconds from start to end, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub wall_ms: Option<u32>,
}

/// A function with the state it is in.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Unique in its workspace.
    pub name: Arc<str>,
    /// As it was written.
    pub source: Source,
    /// The state.
    pub version: u64,
    /// When it was created and last changed.
    pub created: Timestamp,
    /// See `created`.
    pub updated: Timestamp,
}

fn on() -> bool {
    true
}

/// Whether `name` can be a function's: 1 to 64 of letters, digits, hyphen and underscore.
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Lists the functions of `workspace` by name.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Stored, Arc<str>>, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::Function,
        group: Some(GROUP.into()),
        order: Order::Id(after.map(Into::into)),
        limit: page::limit(limit)?,
    };
    page::by_id(engine, workspace, query, |document| stored(document).map(Some)).await
}

/// One function by its name.
///
/// # Errors
/// [`EngineError::Missing`]; those of the store.
pub async fn read(engine: &Engine, workspace: &Slug, name: &str) -> Result<Stored, EngineError> {
    let found = find(engine, workspace, name).await?;
    stored(&found.ok_or(EngineError::Missing { what: "function" })?)
}

/// Puts `source` in the place of the function of that name, if that is in the state `expected` (any, if none is
/// named). What happens after the return triggers it as it is now. A schedule that stays is neither
/// missed nor run twice by that. If it makes the limit nearly reached, `actor` did that.
///
/// # Errors
/// [`EngineError::Invalid`] with the place in the source, [`EngineError::Rule`] for its trigger,
/// [`EngineError::Changed`], a limit; those of the store.
pub async fn put(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    source: Source,
    expected: Option<u64>,
    actor: &UserId,
    now: Timestamp,
) -> Result<Stored, EngineError> {
    if !is_name(name) {
        let reason =
            format!("a function's name is 1 to {MAX_NAME_BYTES} letters, digits, hyphens and underscores");
        return Err(EngineError::invalid("name", reason));
    }
    let weight = check(engine, workspace, &source).await?;
    let body = serde_json::to_string(&source).unwrap_or_default();
    let put = Contents { group: GROUP.into(), due: None, expires: None, body: body.into() };
    let _turn = engine.counts.turn(workspace).await;
    let book = engine.books.of(engine, workspace).await?;
    rule::refuse_above_weight(book.triggers_without(name) + weight)?;
    for _ in 0..ATTEMPTS {
        let found = find(engine, workspace, name).await?;
        let version = found.as_ref().map_or(0, |document| document.version);
        if expected.is_some_and(|expected| expected != version) {
            return Err(EngineError::Changed { what: "function" });
        }
        let events = match found {
            None => LIMIT.one_more(engine, workspace, actor, now).await?,
            Some(_) => Vec::new(),
        };
        let before = found.as_ref().and_then(|document| stored(document).ok());
        let before = before.as_ref().map(|stored| &stored.source);
        let planned = schedule::planned(engine, workspace, name, before, &source, now).await?;
        let beside = [head::document(name, Some(&source)), planned];
        let documents = documents(name, version, Some(put.clone()), beside);
        match write(engine, workspace, documents, events, now).await {
            // It was changed, or run by its schedule, since we looked: look again.
            Err(EngineError::Changed { .. }) => {}
            Err(error) => return Err(error),
            Ok(version) => {
                let created = found.map_or(now, |document| document.created);
                return Ok(Stored { name: name.into(), source, version, created, updated: now });
            }
        }
    }
    Err(EngineError::Changed { what: "function" })
}

/// Removes the function of that name. Runs of it that wait fail; its past runs stay listed.
///
/// # Errors
/// [`EngineError::Missing`], [`EngineError::Changed`]; those of the store.
pub async fn delete(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    expected: Option<u64>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let _turn = engine.counts.turn(workspace).await;
    let found = find(engine, workspace, name).await?.ok_or(EngineError::Missing { what: "function" })?;
    if expected.is_some_and(|expected| expected != found.version) {
        return Err(EngineError::Changed { what: "function" });
    }
    let beside = [head::document(name, None), schedule::ended(name)];
    let documents = documents(name, found.version, None, beside);
    write(engine, workspace, documents, Vec::new(), now).await.map(drop)
}

impl SourceLimits {
    /// The same for the pool, which takes the lower of these and its own.
    pub(crate) fn limits(self) -> Limits {
        let time = |ms: Option<u32>| ms.map_or(Duration::MAX, |ms| Duration::from_millis(ms.into()));
        Limits {
            memory_bytes: self.memory_mib.map_or(usize::MAX, |mib| (mib as usize) << 20),
            cpu: time(self.cpu_ms),
            wall: time(self.wall_ms),
            result_bytes: usize::MAX,
            host_calls: u32::MAX,
        }
    }
}

/// Checks what stands by itself in `source`; the bytes that its trigger takes.
async fn check(engine: &Engine, workspace: &Slug, source: &Source) -> Result<usize, EngineError> {
    if source.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARS) {
        let reason = format!("a description has at most {MAX_DESCRIPTION_CHARS} characters");
        return Err(EngineError::invalid("description", reason));
    }
    if let Some(params) = &source.trigger_params {
        if !params.get().starts_with('{') || params.get().len() > MAX_TRIGGER_PARAMS_BYTES {
            let reason = format!("triggerParams is an object of at most {MAX_TRIGGER_PARAMS_BYTES} bytes");
            return Err(EngineError::invalid("triggerParams", reason));
        }
        crate::publish::check_json(params)
            .map_err(|fault| EngineError::invalid("triggerParams", format!("triggerParams {fault}")))?;
    }
    if let Some(limits) = source.limits {
        let least =
            [(limits.memory_mib, 2, "memoryMib"), (limits.cpu_ms, 1, "cpuMs"), (limits.wall_ms, 1, "wallMs")];
        for (limit, least, name) in least {
            if limit.is_some_and(|limit| limit < least) {
                return Err(EngineError::invalid("limits", format!("{name} is at least {least}")));
            }
        }
    }
    let mut weight = 0;
    if let Some(on) = &source.on {
        weight = Matcher::compile(on)?.weight();
    }
    match engine.runner.pool().check_of(workspace.as_str(), &source.code).await {
        Ok(()) => Ok(weight),
        Err(CheckError::Syntax(error)) => Err(EngineError::invalid("code", error.to_string())),
        Err(CheckError::TooLarge { .. }) => {
            Err(EngineError::invalid("code", format!("the source has at most {MAX_CODE_BYTES} bytes")))
        }
        Err(error @ CheckError::TooCostly) => Err(EngineError::invalid("code", error.to_string())),
        Err(CheckError::Pool(error)) => {
            tracing::warn!(%error, "a function can't be checked");
            Err(EngineError::NoProcess)
        }
    }
}

pub(crate) async fn find(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
) -> Result<Option<Document>, EngineError> {
    if !is_name(name) {
        return Ok(None);
    }
    Ok(document(&*engine.store, workspace, DocumentKind::Function, name).await?)
}

pub(crate) fn stored(document: &Document) -> Result<Stored, EngineError> {
    Ok(Stored {
        name: Arc::clone(&document.id),
        source: page::body(document)?,
        version: document.version,
        created: document.created,
        updated: document.updated,
    })
}

/// The function together with what stands beside it.
fn documents(
    name: &str,
    version: u64,
    put: Option<Contents>,
    beside: [DocumentWrite; 2],
) -> Vec<DocumentWrite> {
    let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
    let function = DocumentWrite { kind: DocumentKind::Function, id: name.into(), expect, put };
    std::iter::once(function).chain(beside).collect()
}

async fn write(
    engine: &Engine,
    workspace: &Slug,
    documents: Vec<DocumentWrite>,
    events: Vec<Event>,
    now: Timestamp,
) -> Result<u64, EngineError> {
    let change = Change { documents, ..Change::default() };
    let committed = commit(engine, workspace, Cause { change, events }, now).await;
    engine.books.forget(workspace);
    let appended = committed.map_err(|error| error.changed("function"))?.appended;
    Ok(appended.versions.first().copied().unwrap_or(0))
}
