//! Events whose rules are asked later: they are committed with what changed, which could not wait.

use std::collections::VecDeque;

use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Document, DocumentKind, Expect, StoreError, more_due};

use super::pipeline::{Cause, Committed, append, prepare_all};
use super::room::Room;
use super::stored::StoredEvent;
use crate::postpone::{is_passing, put_off};
use crate::{Engine, EngineError, page};

/// Looked at in one step.
const AT_ONCE: usize = 100;

/// Commits `cause` without asking anybody. Its events are due: whoever looks [asks](ask_due).
///
/// # Errors
/// Those of the store.
///
/// # Cancel safety
/// A dropped future has committed all of it or nothing.
pub(super) async fn commit(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    now: Timestamp,
) -> Result<Committed, EngineError> {
    let Cause { mut change, events } = cause;
    let count = events.len();
    let events = events.into_iter().map(|event| StoredEvent::new(event, now));
    change.documents.extend(events.map(|event| event.document(engine, Expect::Absent, Some(now), now)));
    let appended = append(engine, workspace, change, Vec::new(), now).await?;
    Ok(Committed { appended, told: vec![Vec::new(); count], failed: vec![0; count] })
}

/// Asks the rules and functions about events that were committed without; whether more are waiting.
pub(crate) async fn ask_due(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    let due = engine.store.due(DocumentKind::Event, now, None, AT_ONCE).await?;
    let mut outcome = Ok(more_due(&due, AT_ONCE));
    for (workspace, document) in due {
        match ask(engine, &workspace, &document, now).await {
            // Somebody had it run again since we looked.
            Ok(()) | Err(EngineError::Store(StoreError::Conflict { .. })) => {}
            // The others have their turn first.
            Err(error) if is_passing(&error) => outcome = Err(error),
            Err(error) => {
                tracing::error!(%workspace, event = %document.id, %error, "the rules can't be asked about an event, and will be in an hour");
                put_off(engine, &workspace, DocumentKind::Event, &document, now).await?;
            }
        }
    }
    outcome
}

async fn ask(
    engine: &Engine,
    workspace: &Slug,
    document: &Document,
    now: Timestamp,
) -> Result<(), EngineError> {
    let event: StoredEvent = page::body(document)?;
    let events = VecDeque::from([(event, Expect::Version(document.version))]);
    let (prepared, _) =
        prepare_all(engine, workspace, Change::default(), events, Room::default(), now).await?;
    prepared.commit(engine, workspace, now).await.map(drop)
}
