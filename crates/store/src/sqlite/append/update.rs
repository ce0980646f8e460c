//! A notification said anew, in its old place.

use std::sync::Arc;

use campanile_model::{EntryKind, Notification};
use rusqlite::Connection;

use super::Appending;
use crate::StoreError;
use crate::sqlite::failure::Outcome;
use crate::sqlite::read;
use crate::sqlite::row::{self, Stored};
use crate::sqlite::workspace::Workspace;
use crate::validate;

/// Finds what is to be said anew.
///
/// # Errors
/// [`StoreError::NotFound`] unless it is live; [`StoreError::Changed`] unless it reads as `expected`.
pub(super) fn target(
    conn: &Connection,
    ws: &Workspace,
    notification: &Notification,
    expected: Option<&Notification>,
) -> Outcome<Stored> {
    let stored = read::retained(conn, ws, notification.id)?;
    let old = stored.live().ok_or(StoreError::NotFound)?;
    validate::replaces(old, notification, expected)?;
    Ok(stored)
}

pub(super) fn update(
    log: &mut Appending<'_>,
    target: &Stored,
    notification: Arc<Notification>,
) -> Outcome<()> {
    row::rewrite(log.conn, &target.place, &notification, None)?;
    log.push(EntryKind::Update { target_seq: target.place.seq, notification })?;
    Ok(())
}
