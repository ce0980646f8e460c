//! The bounds of a write, the same for every backend.

use std::collections::HashSet;
use std::sync::Arc;

use campanile_model::{Audience, Notification, NotificationId, limits};

use crate::{
    Change, DocumentWrite, Idempotency, MAX_CHANGES_READ, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_ID_BYTES,
    MAX_DOCUMENTS_PER_CHANGE, MAX_GROUP_BYTES, MAX_NOTIFICATIONS_PER_CHANGE, MAX_RESOLVED_PER_CHANGE,
    MarkKey, StoreError, Write,
};

/// Refuses what no backend takes, before any of it looks at its data.
pub(crate) fn validate(write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Publish { notifications: none, .. } if none.is_empty() => {
            Err(StoreError::Internal("a publish holds at least one notification".into()))
        }
        Write::Publish { notifications, idempotency } => {
            validate_notifications(notifications, limits::MAX_BATCH)?;
            validate_key(idempotency.as_ref())
        }
        Write::Change(change) => validate_change(change),
        Write::Update { notification, .. } => validate_notification(notification),
        _ => Ok(()),
    }
}

/// Bounds how many documents are asked for at once.
pub(crate) fn ids(ids: &[Arc<str>]) -> Result<(), StoreError> {
    at_most("documents of one read", ids.len(), MAX_DOCUMENTS_PER_CHANGE)
}

/// An id is drawn by the server, so meeting one again is its defect and no answer to a producer.
pub(crate) fn id_is_taken(notification: &Notification) -> StoreError {
    StoreError::Internal(format!("notification id {} was used before", notification.id))
}

fn validate_key(request: Option<&Idempotency>) -> Result<(), StoreError> {
    let bytes = request.map_or(0, |request| request.key.len());
    at_most("bytes of an idempotency key", bytes, limits::MAX_IDEMPOTENCY_KEY_BYTES)
}

/// Bounds how many entries one read of changes looks at.
pub(crate) fn changes_read(count: usize) -> Result<(), StoreError> {
    at_most("changes in the range of one read", count, MAX_CHANGES_READ)
}

/// Bounds the key of a mark.
pub(crate) fn mark_key(key: Option<&MarkKey>) -> Result<(), StoreError> {
    let bytes = key.map_or(0, |key| key.key.len());
    at_most("bytes of a mark's key", bytes, limits::MAX_IDEMPOTENCY_KEY_BYTES)
}

/// Bounds how many notifications a change resolves: for whoever says what would become of one before it is written.
///
/// # Errors
/// [`StoreError::Limit`], as [`append`](crate::Store::append) answers.
pub fn validate_resolved(count: usize) -> Result<(), StoreError> {
    at_most("notifications that one change resolves", count, MAX_RESOLVED_PER_CHANGE)
}

fn validate_change(change: &Change) -> Result<(), StoreError> {
    let access = change.grant.len().max(change.withdraw.len());
    at_most("users whose access one change says", access, limits::MAX_RECIPIENTS_PER_REQUEST)?;
    validate_resolved(change.resolve.len())?;
    at_most("documents of one change", change.documents.len(), MAX_DOCUMENTS_PER_CHANGE)?;
    validate_key(change.idempotency.as_deref())?;
    let mut documents = HashSet::with_capacity(change.documents.len());
    for write in &change.documents {
        validate_document(write)?;
        if !documents.insert((write.kind, &*write.id)) {
            return Err(StoreError::Internal("a change holds one document twice".into()));
        }
    }
    validate_notifications(&change.notifications, MAX_NOTIFICATIONS_PER_CHANGE)
}

fn validate_document(write: &DocumentWrite) -> Result<(), StoreError> {
    if write.id.is_empty() {
        return Err(StoreError::Internal("a document's id is not empty".into()));
    }
    at_most("bytes of a document's id", write.id.len(), MAX_DOCUMENT_ID_BYTES)?;
    let Some(contents) = &write.put else { return Ok(()) };
    at_most("bytes of a document's group", contents.group.len(), MAX_GROUP_BYTES)?;
    at_most("bytes of a document", contents.body.len(), MAX_DOCUMENT_BYTES)
}

fn validate_notifications(notifications: &[Arc<Notification>], limit: usize) -> Result<(), StoreError> {
    at_most("notifications of one request", notifications.len(), limit)?;
    for notification in notifications {
        validate_notification(notification)?;
    }
    let mut ids = HashSet::<NotificationId>::with_capacity(notifications.len());
    match notifications.iter().find(|n| !ids.insert(n.id)) {
        Some(twice) => Err(id_is_taken(twice)),
        None => Ok(()),
    }
}

/// A notification that is said anew reads as whoever says it expects, and stays one to the same people at its old
/// time: they see to that.
pub(crate) fn replaces(
    old: &Notification,
    new: &Notification,
    expected: Option<&Notification>,
) -> Result<(), StoreError> {
    if expected.is_some_and(|expected| expected != old) {
        return Err(StoreError::Changed);
    }
    if (&old.audience, &old.except, old.timestamp) == (&new.audience, &new.except, new.timestamp) {
        Ok(())
    } else {
        Err(StoreError::Internal("an update keeps audience, exceptions and time".into()))
    }
}

fn validate_notification(notification: &Notification) -> Result<(), StoreError> {
    if let Audience::Users(users) = &notification.audience {
        at_most("users of one entry", users.len(), limits::MAX_USERS_PER_ENTRY)?;
    }
    let key = notification.collapse_key.as_ref().map_or(0, |key| key.chars().count());
    at_most("characters of a collapse key", key, limits::MAX_COLLAPSE_KEY_CHARS)?;
    at_most("users in an exception list", notification.except.len(), limits::MAX_EXCEPT)
}

fn at_most(what: &'static str, got: usize, limit: usize) -> Result<(), StoreError> {
    if got <= limit { Ok(()) } else { Err(StoreError::Limit { what, limit }) }
}
