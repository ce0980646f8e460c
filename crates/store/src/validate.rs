//! The bounds of a write, the same for every backend.

use std::collections::HashSet;

use campanile_model::{Audience, Notification, limits};

use crate::{StoreError, Write};

/// Refuses what no backend takes, before any of it looks at its data.
pub(crate) fn validate(write: &Write) -> Result<(), StoreError> {
    let Write::Publish { notifications, idempotency } = write else { return Ok(()) };
    if notifications.is_empty() {
        return Err(StoreError::Internal("a publish holds at least one notification".into()));
    }
    at_most("notifications of one request", notifications.len(), limits::MAX_BATCH)?;
    for notification in notifications {
        validate_notification(notification)?;
    }
    let mut ids = HashSet::with_capacity(notifications.len());
    if let Some(twice) = notifications.iter().find(|n| !ids.insert(n.id)) {
        return Err(id_is_taken(twice));
    }
    let key_bytes = idempotency.as_ref().map_or(0, |i| i.key.len());
    at_most("bytes of an idempotency key", key_bytes, limits::MAX_IDEMPOTENCY_KEY_BYTES)
}

/// An id is drawn by the server, so meeting one again is its defect and no answer to a producer.
pub(crate) fn id_is_taken(notification: &Notification) -> StoreError {
    StoreError::Internal(format!("notification id {} was used before", notification.id))
}

fn validate_notification(notification: &Notification) -> Result<(), StoreError> {
    if let Audience::Users(users) = &notification.audience {
        at_most("users of one entry", users.len(), limits::MAX_USERS_PER_ENTRY)?;
    }
    at_most("users in an exception list", notification.except.len(), limits::MAX_EXCEPT)
}

fn at_most(what: &'static str, got: usize, limit: usize) -> Result<(), StoreError> {
    if got <= limit { Ok(()) } else { Err(StoreError::Limit { what, limit }) }
}
