//! Functions whose time has come. When each is run next stands in a document of its own, so that running it does
//! not change the function.

use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Contents, Document, DocumentKind, DocumentWrite, Expect, StoreError};

use super::{find, stored};
use crate::event::{Cause, commit};
use crate::run::{self, Origin};
use crate::{Engine, EngineError, page};

/// Looked at in one step.
const AT_ONCE: usize = 200;
/// The group of these documents. No function's name has their prefix.
const GROUP: &str = "schedule";
const PREFIX: &str = "schedule:";

/// Says when the function is run next; `None`: not by itself.
pub(super) fn document(name: &str, next: Option<Timestamp>) -> DocumentWrite {
    write(name, next, Expect::Anything)
}

fn write(name: &str, next: Option<Timestamp>, expect: Expect) -> DocumentWrite {
    let put =
        next.map(|at| Contents { group: GROUP.into(), due: Some(at), expires: None, body: "{}".into() });
    DocumentWrite { kind: DocumentKind::Function, id: format!("{PREFIX}{name}").into(), expect, put }
}

/// Queues a run of each function whose time has come; whether more are waiting. Times that were missed while
/// the server was down are one run.
pub(crate) async fn trigger_due(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    let due = engine.store.due(DocumentKind::Function, now, AT_ONCE).await?;
    let mut outcome = Ok(due.len() == AT_ONCE);
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
    if schedule.is_some() {
        let params = serde_json::json!({ "scheduledFor": document.contents.due });
        documents.push(run::queued(engine, name, Origin::Schedule, None, params, 0, now));
    }
    let change = Change { documents, ..Change::default() };
    let runs = run::asked_for(&change).len();
    let events = run::nearly_full(engine, workspace, runs, None, 0, now).into_iter().collect();
    commit(engine, workspace, Cause { change, events }, now).await.map(drop)
}
