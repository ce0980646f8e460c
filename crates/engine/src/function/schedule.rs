//! Functions whose time has come. When each is run next stands in a document of its own, so that running it does
//! not change the function.

use campanile_model::{Slug, Timestamp};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentWrite, Expect, StoreError, document, more_due,
};

use super::{Schedule, Source, find, stored};
use crate::event::{Cause, commit_own};
use crate::run::{self, Origin};
use crate::{Engine, EngineError, page};

/// Looked at in one step.
const AT_ONCE: usize = 200;
/// The group of these documents. No function's name has their prefix.
const GROUP: &str = "schedule";
const PREFIX: &str = "schedule:";

/// Says when the function, which was as `before` and will be as `source`, is run next: where its schedule stays, as it
/// was planned, be that instant past or to come. Expects that nobody runs it meanwhile.
pub(super) async fn planned(
    engine: &Engine,
    workspace: &Slug,
    name: &str,
    before: Option<&Source>,
    source: &Source,
    now: Timestamp,
) -> Result<DocumentWrite, EngineError> {
    let id = format!("{PREFIX}{name}");
    let found = document(&*engine.store, workspace, DocumentKind::Function, &id).await?;
    let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
    let plan = found.and_then(|found| found.contents.due);
    let next = in_force(source).and_then(|schedule| match plan {
        Some(due) if before.and_then(in_force) == Some(schedule) => Some(due),
        _ => schedule.next_after(now),
    });
    Ok(write(name, next, expect))
}

/// Says that the function is not run by itself any more.
pub(super) fn ended(name: &str) -> DocumentWrite {
    write(name, None, Expect::Anything)
}

fn in_force(source: &Source) -> Option<&Schedule> {
    source.schedule.as_ref().filter(|_| source.enabled)
}

fn write(name: &str, next: Option<Timestamp>, expect: Expect) -> DocumentWrite {
    let put =
        next.map(|at| Contents { group: GROUP.into(), due: Some(at), expires: None, body: "{}".into() });
    DocumentWrite { kind: DocumentKind::Function, id: format!("{PREFIX}{name}").into(), expect, put }
}

/// Queues a run of each function whose time has come; whether more are waiting. Times that were missed while
/// the server was down are one run.
pub(crate) async fn trigger_due(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    let due = engine.store.due(DocumentKind::Function, now, None, AT_ONCE).await?;
    let mut outcome = Ok(more_due(&due, AT_ONCE));
    for (workspace, documents) in page::by_workspace(due) {
        for document in documents {
            match trigger(engine, &workspace, &document, now).await {
                // It was written anew since we looked: it is due no longer, or at the next step.
                Ok(()) | Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                // The others have their turn first.
                Err(error) => outcome = Err(error),
            }
        }
    }
    outcome
}

async fn trigger(
    engine: &Engine,
    workspace: &Slug,
    document: &Document,
    now: Timestamp,
) -> Result<(), EngineError> {
    let name = document.id.strip_prefix(PREFIX).unwrap_or(&document.id);
    let expect = Expect::Version(document.version);
    let function = match find(engine, workspace, name).await? {
        // One that can't be read can't be run either: its schedule goes, and it is told when it is looked at.
        Some(found) => stored(&found).ok().filter(|function| function.source.enabled),
        None => None,
    };
    let schedule = function.as_ref().and_then(|function| function.source.schedule.as_ref());
    let next = schedule.and_then(|schedule| schedule.next_after(now));
    let mut documents = vec![write(name, next, expect)];
    if schedule.is_some() && engine.runner.is_full(workspace, 0) {
        tracing::warn!(%workspace, function = name, "a scheduled run is left out: too many wait");
    } else if schedule.is_some() {
        let params = serde_json::json!({ "scheduledFor": document.contents.due });
        documents.push(run::queued(engine, name, Origin::Schedule, None, params, 0, now));
    }
    let change = Change { documents, ..Change::default() };
    let runs = run::asked_for(&change).len();
    let events = run::nearly_full(engine, workspace, runs, None, 0, now).into_iter().collect();
    commit_own(engine, workspace, Cause { change, events }, now).await.map(drop)
}
