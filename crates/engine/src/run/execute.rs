//! One run, from its beginning to its end, each of which is an event.

use std::sync::Arc;
use std::time::Duration;

use campanile_functions::{Call, Finished, LogLine, PoolError, Spent, Verdict};
use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Expect, StoreError};
use serde_json::json;
use serde_json::value::RawValue;

use super::host::RunHost;
use super::queue::{put, under_way};
use super::{Run, RunError, RunUsage, Status, params};
use crate::event::{Cause, Event, commit_own, source};
use crate::function::{self, Source, SourceLimits};
use crate::{Engine, EngineError};

/// How often it is tried to write the end of a run.
const ATTEMPTS: usize = 5;
/// How long a run whose beginning or end can't be written keeps its slot until that is tried again.
const LATER: Duration = Duration::from_secs(1);

/// How a run ended.
#[derive(Clone)]
pub(super) struct End {
    status: Status,
    result: Option<Box<RawValue>>,
    error: Option<RunError>,
    finished: Option<(Vec<LogLine>, RunUsage)>,
}

/// A run that is begun, and what to execute.
struct Begun {
    run: Run,
    version: u64,
    source: Source,
    params: Box<RawValue>,
}

/// Nobody knows how far it came.
pub(super) fn lost() -> End {
    End::failed(
        "Interrupted",
        "the server ended while the function ran: it may have done anything or nothing",
    )
}

/// Takes a slot for the run, and goes on in the background: notes that it is begun, tells so, and executes it.
pub(super) fn begin(engine: &Arc<Engine>, workspace: Slug, run: Run, version: u64, now: Timestamp) {
    let slot = engine.runner.begin(&workspace, &run.id);
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        let id = Arc::clone(&run.id);
        match started(&engine, &workspace, run, version, now).await {
            Ok(Some(begun)) => execute(&engine, &workspace, begun).await,
            // There is nothing to execute, or somebody else has begun.
            Ok(None) | Err(EngineError::Store(StoreError::Conflict { .. })) => {}
            Err(error) => {
                tracing::warn!(%workspace, run = %id, %error, "a run can't be begun now");
                tokio::time::sleep(LATER).await;
                engine.runner.put_back(&workspace, id);
            }
        }
        drop(slot);
    });
}

/// Commits that the run is begun; it, its state and what to execute, unless that is not there any more.
async fn started(
    engine: &Engine,
    workspace: &Slug,
    mut run: Run,
    version: u64,
    now: Timestamp,
) -> Result<Option<Begun>, EngineError> {
    let found = match function::find(engine, workspace, &run.function).await? {
        Some(document) => Some(function::stored(&document)?).filter(|function| function.source.enabled),
        None => None,
    };
    let Some(function) = found else {
        let end = End::failed("Missing", "the function is not there any more, or it is off");
        self::end(engine, workspace, run, version, end, now).await?;
        return Ok(None);
    };
    if engine.runner.is_stopped() {
        return Ok(None);
    }
    let Some(params) = params(engine, workspace, &run).await? else {
        let end = End::failed("Missing", "the event that triggered it is not kept any more");
        self::end(engine, workspace, run, version, end, now).await?;
        return Ok(None);
    };
    run.status = Status::Running;
    run.started_at = Some(now);
    let documents = vec![put(&run, Expect::Version(version), Some(under_way()), None)];
    let events = vec![event(engine, &run, "function_started", now)];
    let change = Change { documents, ..Change::default() };
    let committed = commit_own(engine, workspace, Cause { change, events }, now).await?;
    let version = committed.appended.versions.first().copied().unwrap_or(version);
    Ok(Some(Begun { run, version, source: function.source, params }))
}

/// Runs it, and tells how it ended.
async fn execute(engine: &Arc<Engine>, workspace: &Slug, begun: Begun) {
    let Begun { run, version, source, params } = begun;
    let host = RunHost::new(Arc::clone(engine), workspace.clone(), &run);
    let call = Call {
        code: source.code.into(),
        execution_params: params,
        trigger_params: source.trigger_params.unwrap_or_else(empty),
        limits: source.limits.map(SourceLimits::limits),
    };
    let end = match engine.runner.pool().run(call, Arc::new(host)).await {
        Ok(finished) => End::from(finished),
        Err(PoolError::Closed) => lost(),
        Err(error) => {
            tracing::error!(%error, "a function can't be run");
            End::failed("Unavailable", "no process for it could be had")
        }
    };
    for attempt in 1.. {
        let now = engine.runner.now();
        match self::end(engine, workspace, run.clone(), version, end.clone(), now).await {
            Err(error) if attempt < ATTEMPTS => {
                tracing::warn!(%workspace, run = %run.id, %error, "the end of a run can't be written now");
                tokio::time::sleep(LATER).await;
            }
            Err(error) => {
                // It is found once the slot is free, and told as interrupted.
                tracing::error!(%workspace, run = %run.id, %error, "the end of a run can't be written");
                return;
            }
            Ok(()) => return,
        }
    }
}

/// Writes and tells the end of a run in the state `version`.
pub(super) async fn end(
    engine: &Engine,
    workspace: &Slug,
    mut run: Run,
    version: u64,
    end: End,
    now: Timestamp,
) -> Result<(), EngineError> {
    run.status = end.status;
    run.ended_at = Some(now);
    run.result = end.result;
    run.error = end.error;
    if let Some((log, usage)) = end.finished {
        (run.log, run.usage) = (log, Some(usage));
    }
    let kept = engine.workspaces.config().event_retention_ms;
    let expires = Timestamp::from_millis(now.as_millis().saturating_add(kept));
    let write = put(&run, Expect::Version(version), None, Some(expires));
    let kind = match run.status {
        Status::Completed => "function_complete",
        Status::Timeout => "function_timeout",
        Status::Queued | Status::Running | Status::Failed => "function_failed",
    };
    let events = vec![event(engine, &run, kind, now)];
    let change = Change { documents: vec![write], ..Change::default() };
    commit_own(engine, workspace, Cause { change, events }, now).await.map(drop)
}

/// What rules see of a run. Its error is there for a rule that names it; its log and result are not.
fn event(engine: &Engine, run: &Run, kind: &str, now: Timestamp) -> Event {
    let mut data = json!({
        "function": run.function,
        "runId": run.id,
        "trigger": run.origin,
        "startedBy": run.started_by,
    });
    if let Some(usage) = run.usage {
        data["durationMs"] = usage.wall_ms.into();
    }
    if let Some(error) = &run.error {
        data["error"] = json!({ "name": error.name, "message": error.message });
    }
    Event {
        id: (engine.ids)(now).to_string(),
        source: source::function(&run.function),
        kind: kind.to_owned(),
        subject: Some(run.id.to_string()),
        time: now,
        actor: run.started_by.clone(),
        hops: run.hops,
        data: data.into(),
    }
}

fn empty() -> Box<RawValue> {
    serde_json::value::to_raw_value(&json!({})).unwrap_or_default()
}

impl End {
    fn failed(name: &str, message: &str) -> Self {
        Self::unreturned(Status::Failed, name, message)
    }

    fn unreturned(status: Status, name: &str, message: &str) -> Self {
        let error =
            RunError { name: name.to_owned(), message: message.to_owned(), line: None, stack: String::new() };
        Self { status, result: None, error: Some(error), finished: None }
    }
}

impl From<Finished> for End {
    fn from(finished: Finished) -> Self {
        let Finished { verdict, log, usage } = finished;
        let mut end = match verdict {
            Verdict::Completed(result) => {
                Self { status: Status::Completed, result: Some(result), error: None, finished: None }
            }
            Verdict::Failed { name, message, line, stack } => Self {
                status: Status::Failed,
                result: None,
                error: Some(RunError { name, message, line, stack }),
                finished: None,
            },
            Verdict::TimedOut(Spent::Cpu) => {
                Self::unreturned(Status::Timeout, "CpuTimeout", "it used more processor time than it may")
            }
            Verdict::TimedOut(Spent::Wall) => {
                Self::unreturned(Status::Timeout, "WallTimeout", "it took longer than it may")
            }
            Verdict::MemoryExceeded => Self::failed("MemoryExceeded", "it used more memory than it may"),
            Verdict::Crashed => Self::failed("Crashed", "its process died"),
            Verdict::Refused(limit) => {
                Self::failed("LimitExceeded", &format!("it asked for too much: {limit:?}"))
            }
        };
        let usage = RunUsage {
            cpu_ms: usage.cpu_ms,
            wall_ms: usage.wall_ms,
            memory_peak_bytes: usage.memory_peak_bytes,
            host_calls: usage.host_calls,
        };
        end.finished = Some((log, usage));
        end
    }
}
