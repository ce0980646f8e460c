//! What a user did after some revision: the watermarks, and the receipts that changed since.
//!
//! That together it is the whole state holds by how [`mark`](super::mark) writes. A watermark only rises, and where it
//! passes over a receipt without `read`, that receipt is rewritten or its entry is seen by nobody. Where it passes over
//! others, they stay as they were. A receipt that leaves those that count takes its revision along.

use campanile_model::{NotificationId, Receipt, Rev, Seq, Slug, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::dead;
use super::failure::Outcome;
use super::names::{from_sql, to_sql};
use super::sight::Sight;
use super::unread;
use super::user::{Kept, UserState};
use super::workspace::Workspace;
use crate::{ReadState, ReceiptChange, StoreError};

/// Costs a few seeks for each receipt, and one for each that it passes over because its entry is gone.
pub(super) fn receipts(
    conn: &Connection,
    slug: &Slug,
    name: &UserId,
    after: Rev,
    limit: usize,
) -> Outcome<ReadState> {
    let Some(ws) = Workspace::load(conn, slug)? else { return Ok(ReadState::default()) };
    let state = UserState::load(conn, ws.id, name)?;
    let sight = Sight::load(conn, state.id)?;
    let state = unread::settled(conn, &ws, state)?;
    let counts = unread::counts(conn, &ws, &state, &sight)?;
    let mut read_state = ReadState { counts, ..ReadState::default() };
    if sight.visibility.access.is_open() {
        (read_state.items, read_state.more) = changed(conn, &ws, state.id, after, limit)?;
    } else {
        read_state.counts.rev = after.min(state.rev);
    }
    Ok(read_state)
}

/// At most `limit` receipts above `after` whose entries the user still sees, and whether there are more.
fn changed(
    conn: &Connection,
    ws: &Workspace,
    user: i64,
    after: Rev,
    limit: usize,
) -> Outcome<(Vec<ReceiptChange>, bool)> {
    // Both halves come in this order by their indexes, so nothing is sorted.
    let mut query = conn.prepare_cached(
        "SELECT rev, seq, read, archived FROM receipt INDEXED BY receipt_by_rev WHERE user = ?1 AND rev > ?2 \
         UNION ALL SELECT rev, seq, read, archived FROM kept INDEXED BY kept_by_rev WHERE user = ?1 AND rev > ?2 \
         ORDER BY 1, 2",
    )?;
    let mut rows = query.query(params![user, to_sql(after.0)])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = Seq(from_sql(row.get(1)?));
        let Kept { read, archived } = Kept { read: row.get(2)?, archived: row.get(3)? };
        let Some(id) = still_seen(conn, ws, seq, read)? else { continue };
        if items.len() == limit {
            return Ok((items, true));
        }
        items.push(ReceiptChange { id, seq, receipt: Receipt { seen: true, read, archived } });
    }
    Ok((items, false))
}

/// The entry's id, unless it is gone, or superseded and not read by then. Whoever has a receipt was among those
/// whom it reaches, which nothing changes.
fn still_seen(conn: &Connection, ws: &Workspace, seq: Seq, read: bool) -> Outcome<Option<NotificationId>> {
    if seq < ws.first {
        return Ok(None);
    }
    let mut query = conn.prepare_cached("SELECT dead, uid FROM entry WHERE ws = ?1 AND seq = ?2")?;
    let found: Option<(i64, Option<Vec<u8>>)> =
        query.query_row(params![ws.id, to_sql(seq.0)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((life, uid)) = found else { return Ok(None) };
    if life == dead::TOMBSTONE || life == dead::SUPERSEDED && !read {
        return Ok(None);
    }
    let uid = uid.and_then(|uid| Uuid::from_slice(&uid).ok());
    let uid = uid.ok_or(StoreError::Corrupt { workspace: ws.id, seq })?;
    Ok(Some(NotificationId(uid)))
}
