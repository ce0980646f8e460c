//! A notification withdrawn: its body is erased, a tombstone stays, and its receipts go.

use campanile_model::{Audience, Cause, EntryKind};
use rusqlite::params;

use super::Appending;
use crate::sqlite::failure::Outcome;
use crate::sqlite::names::{self, to_sql};
use crate::sqlite::row::{self, Stored, Tombstone};
use crate::sqlite::settle;

/// `target` holds a notification.
pub(super) fn retract(log: &mut Appending<'_>, target: &Stored) -> Outcome<()> {
    let Some(notification) = target.notification() else { return Ok(()) };
    let (ws, seq) = (log.workspace.id, target.place.seq);
    let users = match &notification.audience {
        Audience::Users(users) => users.as_slice(),
        Audience::Topic(_) | Audience::Workspace => &[],
    };
    let mut named = Vec::new();
    for name in users.iter().chain(&notification.except) {
        let Some(user) = names::user(log.conn, ws, name)? else { continue };
        let rows = log
            .conn
            .prepare_cached("UPDATE named SET dead = 1 WHERE user = ?1 AND seq = ?2 AND dead = 0")?
            .execute(params![user, to_sql(seq.0)])?;
        if rows > 0 {
            named.push(user);
        }
    }
    row::bury(log.conn, &target.place, &Tombstone { retracted: notification.id, named })?;
    settle::begin(log.conn, ws, seq)?;
    log.push(EntryKind::Retract { target: notification.id, target_seq: seq, cause: Cause::Retracted })?;
    Ok(())
}
