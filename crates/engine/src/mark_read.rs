//! Marking one entry read: one use case for the sockets and for every REST route that does it.

use campanile_model::{NotificationId, Slug, Timestamp, UserId};
use campanile_store::{Mark, Marked};

use crate::{Engine, EngineError};

/// Marks `user`'s own entry `id` read, durably. Doing it again changes nothing and answers the same.
///
/// # Errors
/// [`StoreError::NotFound`](campanile_store::StoreError::NotFound) if the user sees no such entry, be it
/// somebody else's or none at all; else those of the backend.
pub async fn mark_read(
    engine: &Engine,
    workspace: &Slug,
    user: &UserId,
    id: NotificationId,
    now: Timestamp,
) -> Result<Marked, EngineError> {
    Ok(engine.store.mark(workspace, user, Mark::Read(id), None, now).await?)
}
