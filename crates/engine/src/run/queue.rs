//! Runs that wait, and how they are begun.

use std::sync::Arc;

use campanile_functions::MAX_PARAMS_BYTES;
use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{
    Change, Contents, DocumentKind, DocumentWrite, Expect, StoreError, Write, due_place, more_due,
};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::execute::{self, lost};
use super::turns::{LIMIT, MAX_WAITING};
use super::{Origin, Run, Status, find, read};
use crate::event::{Cause, Event, commit};
use crate::{Engine, EngineError, function, page};

/// When a run under way is due: before all that wait, so that whoever looks sees at once which of them nobody
/// executes. There is one node, so that is whatever it does not execute itself.
pub(super) fn under_way() -> Timestamp {
    Timestamp::from_millis(0)
}
/// Documents of runs looked at in one step besides those of runs that are executed.
const LOOKED_AT: usize = 16;
/// Documents of runs that wait read at once.
const SCANNED: usize = 500;

/// A run that somebody asks for.
#[derive(Debug)]
pub struct Request {
    /// What made it run.
    pub origin: Origin,
    /// What it gets: a JSON object.
    pub execution_params: Box<RawValue>,
}

/// Queues a run of the function of that name on behalf of `user`.
///
/// # Errors
/// [`EngineError::Missing`] if there is no such function or it is off, [`EngineError::Invalid`] for parameters
/// that are no object or too long; those of the store.
pub async fn start(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    request: Request,
    user: &UserId,
    now: Timestamp,
) -> Result<Run, EngineError> {
    let params = &request.execution_params;
    if !params.get().starts_with('{') || params.get().len() > MAX_PARAMS_BYTES {
        let reason = format!("executionParams is an object of at most {MAX_PARAMS_BYTES} bytes");
        return Err(EngineError::invalid("executionParams", reason));
    }
    crate::publish::check_json(params)
        .map_err(|fault| EngineError::invalid("executionParams", format!("executionParams {fault}")))?;
    let mut run = new(engine, name, request.origin, Some(request.execution_params), 0, now);
    run.started_by = Some(user.clone());
    enqueue(engine, workspace, run, now).await
}

/// Queues a run with what the run of that id got, of the function as it is now.
///
/// # Errors
/// [`EngineError::Missing`] if the function, the run, or the event that it got is not there any more; those of the
/// store.
pub async fn repeat(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    id: &str,
    user: &UserId,
    now: Timestamp,
) -> Result<Run, EngineError> {
    let before = read(engine, workspace, name, id).await?;
    let Some(params) = before.execution_params else {
        return Err(EngineError::Missing { what: "event" });
    };
    // Where it was an event, that is named again.
    let params = before.event.is_none().then_some(params);
    let mut run = new(engine, name, Origin::Repeat, params, 0, now);
    run.started_by = Some(user.clone());
    run.repeats = Some(before.id);
    run.event = before.event;
    enqueue(engine, workspace, run, now).await
}

async fn enqueue(engine: &Engine, workspace: &Slug, run: Run, now: Timestamp) -> Result<Run, EngineError> {
    let function = function::read(engine, workspace, &run.function).await?;
    if !function.source.enabled {
        return Err(EngineError::invalid("enabled", "the function is off"));
    }
    if engine.runner.is_full(workspace, 0) {
        return Err(StoreError::Limit { what: "runs of one workspace that wait", limit: MAX_WAITING }.into());
    }
    let change = Change { documents: vec![put(&run, Expect::Absent, Some(now), None)], ..Change::default() };
    let events = nearly_full(engine, workspace, 1, run.started_by.as_ref(), 0, now).into_iter().collect();
    commit(engine, workspace, Cause { change, events }, now).await?;
    Ok(run)
}

/// What happens besides when `more` runs are queued: nothing, or that the limit is nearly reached from now on.
pub(crate) fn nearly_full(
    engine: &Engine,
    workspace: &Slug,
    more: usize,
    actor: Option<&UserId>,
    hops: u8,
    now: Timestamp,
) -> Option<Event> {
    let waiting = engine.runner.nearly_full(workspace, more)?;
    Some(LIMIT.event(engine, waiting, actor, hops, now))
}

/// A run to be committed with what makes it run.
pub(crate) fn queued(
    engine: &Engine,
    name: &str,
    origin: Origin,
    started_by: Option<UserId>,
    params: Value,
    hops: u8,
    now: Timestamp,
) -> DocumentWrite {
    let params = to_raw_value(&params).unwrap_or_default();
    let mut run = new(engine, name, origin, Some(params), hops, now);
    run.started_by = started_by;
    put(&run, Expect::Absent, Some(now), None)
}

/// A run that the event of that key triggers: its id, and its document to be committed with the event. It names the
/// event, which may be long and run many functions, instead of holding it.
pub(crate) fn triggered(
    engine: &Engine,
    function: &str,
    event: &str,
    hops: u8,
    now: Timestamp,
) -> (Arc<str>, DocumentWrite) {
    let mut run = new(engine, function, Origin::Event, None, hops, now);
    run.event = Some(event.into());
    (Arc::clone(&run.id), put(&run, Expect::Absent, Some(now), None))
}

/// The runs that `change` asks for: once it is committed, [`Runner::queue`](super::Runner::queue) is to know of them.
pub(crate) fn asked_for(change: &Change) -> Vec<Arc<str>> {
    let asked = |write: &&DocumentWrite| write.kind == DocumentKind::Run && write.expect == Expect::Absent;
    change.documents.iter().filter(asked).map(|write| Arc::clone(&write.id)).collect()
}

/// Counts the runs that wait since before the server started: call it before anybody can ask for one.
///
/// # Errors
/// Those of the store.
pub async fn count_waiting(engine: &Engine) -> Result<(), EngineError> {
    each_waiting(engine, || true, |workspace, run| engine.runner.queue(workspace, vec![run])).await
}

/// Looks at the runs that wait, of all workspaces, the longest waiting first, as long as `goes_on`.
async fn each_waiting(
    engine: &Engine,
    goes_on: impl Fn() -> bool,
    mut look: impl FnMut(&Slug, Arc<str>),
) -> Result<(), EngineError> {
    // Those under way come before all that wait.
    let mut after = Some((under_way(), u64::MAX));
    while goes_on() {
        let up_to = Timestamp::from_millis(i64::MAX);
        let due = engine.store.due(DocumentKind::Run, up_to, after, SCANNED).await?;
        due.iter().for_each(|(workspace, document)| look(workspace, Arc::clone(&document.id)));
        after = due.last().and_then(|(_, document)| due_place(document));
        if !more_due(&due, SCANNED) {
            break;
        }
    }
    Ok(())
}

/// Begins as many runs as there are processes, workspaces in turn, and ends those that nobody executes any more;
/// whether more of these wait.
pub(crate) async fn start_due(engine: &Arc<Engine>, now: Timestamp) -> Result<bool, EngineError> {
    let runner = &engine.runner;
    let more = if runner.looks(now) { end_lost(engine, now).await } else { Ok(false) };
    loop {
        if runner.is_hungry() {
            each_waiting(engine, || runner.wants_more(), |workspace, run| runner.found(workspace, &run))
                .await?;
        }
        let Some((workspace, id)) = runner.next() else { return more };
        if let Err(error) = start_one(engine, &workspace, &id, now).await {
            runner.put_back(&workspace, id);
            return Err(error);
        }
    }
}

async fn start_one(
    engine: &Arc<Engine>,
    workspace: &Slug,
    id: &Arc<str>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let found = find(engine, workspace, id).await?;
    let readable = page::readable::<Run>(engine, workspace, found.into_iter().collect(), now).await?;
    for (document, run) in readable {
        if run.status == Status::Queued && !engine.runner.has(workspace, id) {
            execute::begin(engine, workspace.clone(), run, document.version, now);
        }
    }
    Ok(())
}

/// Ends runs that are under way and that nobody executes any more; whether there are more.
async fn end_lost(engine: &Arc<Engine>, now: Timestamp) -> Result<bool, EngineError> {
    let limit = engine.runner.slots() + LOOKED_AT;
    let due = engine.store.due(DocumentKind::Run, under_way(), None, limit).await?;
    let mut outcome = Ok(more_due(&due, limit));
    for (workspace, document) in due {
        let readable = page::readable::<Run>(engine, &workspace, vec![document], now).await?;
        let Some((document, run)) = readable.into_iter().next() else { continue };
        let version = document.version;
        let handled = match run.status {
            Status::Running if engine.runner.has(&workspace, &run.id) => continue,
            Status::Running => execute::end(engine, &workspace, run, version, lost(), now).await,
            // Neither is ever due so early.
            Status::Queued | Status::Completed | Status::Failed | Status::Timeout => {
                let due = (run.status == Status::Queued).then_some(now);
                let write = put(&run, Expect::Version(version), due, document.contents.expires);
                let change = Change { documents: vec![write], ..Change::default() };
                let appended = engine.store.append(&workspace, Write::Change(change), now).await;
                appended.map(drop).map_err(Into::into)
            }
        };
        match handled {
            // Somebody else did it, or the run has ended meanwhile.
            Ok(()) | Err(EngineError::Store(StoreError::Conflict { .. })) => {}
            // Those that wait are begun all the same.
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

fn new(
    engine: &Engine,
    name: &str,
    origin: Origin,
    params: Option<Box<RawValue>>,
    hops: u8,
    now: Timestamp,
) -> Run {
    Run {
        id: (engine.ids)(now).to_string().into(),
        function: name.into(),
        status: Status::Queued,
        origin,
        started_by: None,
        repeats: None,
        hops,
        event: None,
        queued_at: now,
        started_at: None,
        ended_at: None,
        execution_params: params,
        result: None,
        error: None,
        log: Vec::new(),
        usage: None,
    }
}

/// The run's document.
pub(super) fn put(
    run: &Run,
    expect: Expect,
    due: Option<Timestamp>,
    expires: Option<Timestamp>,
) -> DocumentWrite {
    let body = serde_json::to_string(run).unwrap_or_default();
    let contents = Contents { group: Arc::clone(&run.function), due, expires, body: body.into() };
    DocumentWrite { kind: DocumentKind::Run, id: Arc::clone(&run.id), expect, put: Some(contents) }
}
