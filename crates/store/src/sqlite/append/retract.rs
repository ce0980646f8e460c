//! A notification withdrawn: its body is erased, a tombstone stays, and its receipts go.

use campanile_model::{Cause, EntryKind};

use super::Appending;
use crate::sqlite::failure::Outcome;
use crate::sqlite::row::{self, Stored, Tombstone};
use crate::sqlite::{dead, settle};

/// `target` holds a notification, superseded or not.
pub(super) fn retract(log: &mut Appending<'_>, target: &Stored, cause: Cause) -> Outcome<()> {
    let Some(notification) = target.notification() else { return Ok(()) };
    let (ws, seq) = (log.workspace.id, target.place.seq);
    let before = if target.superseded.is_some() { dead::SUPERSEDED } else { 0 };
    let named = dead::mark_named(log.conn, ws, seq, notification, before, dead::TOMBSTONE)?;
    if target.superseded.is_none() {
        dead::count(log.conn, ws, target.place.source, seq, 1)?;
    }
    row::bury(log.conn, &target.place, &Tombstone { retracted: notification.id, named })?;
    settle::begin(log.conn, ws, seq)?;
    let withdrawn = Some(notification.clone());
    log.push(EntryKind::Retract { target: notification.id, target_seq: seq, cause, withdrawn })?;
    Ok(())
}
