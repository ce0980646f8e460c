//! What is due and can't be done now.

use std::sync::Arc;

use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Document, DocumentKind, DocumentWrite, Expect, StoreError, Write};

use crate::{Engine, EngineError};

/// What can't be done now is looked at again after an hour: it must not stand in the way of what is behind it.
const PUT_OFF_MS: i64 = 60 * 60 * 1_000;

/// Looks again after an hour at a document with which nothing can be done now.
pub(crate) async fn put_off(
    engine: &Engine,
    workspace: &Slug,
    kind: DocumentKind,
    document: &Document,
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut contents = document.contents.clone();
    contents.due = Some(Timestamp::from_millis(now.as_millis().saturating_add(PUT_OFF_MS)));
    let id = Arc::clone(&document.id);
    let write = DocumentWrite { kind, id, expect: Expect::Version(document.version), put: Some(contents) };
    let change = Change { documents: vec![write], ..Change::default() };
    match engine.store.append(workspace, Write::Change(change), now).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether trying the same again later may do.
pub(crate) fn is_passing(error: &EngineError) -> bool {
    use StoreError::{Busy, Full, Unavailable};
    matches!(error, EngineError::Overloaded | EngineError::Store(Busy { .. } | Full | Unavailable { .. }))
}
