//! A notification that no longer holds: a later one of its key took its place, or its source says so.
//! From then on only those see it who had read it.

use std::sync::Arc;

use campanile_model::{EntryKind, Notification, NotificationId, Seq};
use rusqlite::params;

use super::Appending;
use crate::StoreError;
use crate::collapse;
use crate::sqlite::failure::{Failure, Outcome};
use crate::sqlite::names::to_sql;
use crate::sqlite::row::{self, COLUMNS, Stored};
use crate::sqlite::{dead, settle};

/// Supersedes what the notifications, which have just got their places, take the place of, in their order.
pub(super) fn supersede_older(
    log: &mut Appending<'_>,
    published: &[(Arc<Notification>, Seq)],
) -> Outcome<()> {
    for (notification, seq) in published {
        if let Some(older) = newest_before(log, notification, *seq)? {
            supersede(log, &older, Some(notification.id))?;
        }
    }
    Ok(())
}

/// Says that a notification no longer holds. An unknown, retracted or superseded one is passed over.
pub(super) fn resolve(log: &mut Appending<'_>, id: NotificationId) -> Outcome<()> {
    match sound(row::by_id(log.conn, log.workspace.id, id))?.flatten() {
        Some(stored) if stored.live().is_some() => supersede(log, &stored, None),
        _ => Ok(()),
    }
}

/// The newest live notification of the same key and to the same people, before `seq`.
fn newest_before(log: &Appending<'_>, notification: &Notification, seq: Seq) -> Outcome<Option<Stored>> {
    let Some(digest) = collapse::digest(notification) else { return Ok(None) };
    let mut query = log.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entry INDEXED BY entry_by_collapse \
         WHERE ws = ?1 AND collapse = ?2 AND seq < ?3 ORDER BY seq DESC"
    ))?;
    let mut rows = query.query(params![log.workspace.id, digest, to_sql(seq.0)])?;
    while let Some(row) = rows.next()? {
        let Some(stored) = sound(Stored::read(row))? else { continue };
        if stored.live().is_some_and(|older| collapse::collapse(older, notification)) {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

/// A damaged row supersedes nothing and is not superseded: it is found out by whoever reads it, and must not
/// cost the writer its turn.
fn sound<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Refused(error @ StoreError::Corrupt { .. })) => {
            tracing::warn!(%error, "a damaged entry is not superseded");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn supersede(log: &mut Appending<'_>, target: &Stored, by: Option<NotificationId>) -> Outcome<()> {
    let Some(notification) = target.live().cloned() else { return Ok(()) };
    let (conn, ws, target_seq) = (log.conn, log.workspace.id, target.place.seq);
    let (target_id, withdrawn) = (notification.id, Some(notification.clone()));
    let seq = log.push(EntryKind::Supersede { target: target_id, target_seq, by, withdrawn })?;
    dead::mark_named(conn, ws, target_seq, &notification, 0, dead::SUPERSEDED)?;
    dead::count(conn, ws, target.place.source, target_seq, 1)?;
    row::rewrite(conn, &target.place, &notification, Some(seq))?;
    settle::begin(conn, ws, target_seq)
}
