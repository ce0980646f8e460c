//! What users do with their notifications: one use case for every surface and every REST route.

use campanile_model::{Counts, Mark, NotificationId, Receipt, Rev, Seq, Slug, Timestamp, UserId};
use campanile_store::{MarkKey, Marked, Store, StoreError};

use crate::{Engine, EngineError};

/// Receipts told to a client that was away; more, and it has to read its inbox again.
const MAX_RECEIPTS: usize = 1_000;

/// Changes `user`'s read state, durably: one entry read, unread or archived, or everything up to a place read or
/// seen. Doing it again changes nothing and answers the same. Under a `key` that was given within 24 hours nothing is
/// done again, whatever happened in between.
///
/// # Errors
/// [`StoreError::NotFound`] if the user sees no such entry, be it somebody else's or none at all;
/// [`StoreError::KeyReused`] if the key was another mark's; else those of the backend.
pub async fn mark(
    engine: &Engine,
    workspace: &Slug,
    user: &UserId,
    mark: Mark,
    key: Option<MarkKey>,
    now: Timestamp,
) -> Result<Marked, EngineError> {
    Ok(engine.store.mark(workspace, user, mark, key.as_ref(), now).await?)
}

/// A user's read state, as of one moment.
#[derive(Debug)]
pub struct ReadState {
    /// The counts.
    pub counts: Counts,
    /// Entries that were touched.
    pub items: Vec<(NotificationId, Seq, Receipt)>,
    /// It is more than is told.
    pub too_many: bool,
}

/// What `user` did after the revision `after`, with the counts of now.
///
/// # Errors
/// Those of the backend.
pub async fn read_state(
    store: &dyn Store,
    workspace: &Slug,
    user: &UserId,
    after: Rev,
) -> Result<ReadState, StoreError> {
    let state = store.receipts(workspace, user, after, MAX_RECEIPTS).await?;
    let items = state.items.iter().map(|item| (item.id, item.seq, item.receipt)).collect();
    Ok(ReadState { counts: state.counts, items, too_many: state.more })
}
