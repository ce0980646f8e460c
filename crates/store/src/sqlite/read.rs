//! What is read in one transaction and without writing.

use campanile_model::{Counts, Entry, EntryKind, NotificationId, Receipt, Seq, Slug, Topic, UserId};
use rusqlite::{Connection, params};

use super::failure::{Failure, Outcome};
use super::kept;
use super::names::{self, to_sql};
use super::row::{self, COLUMNS, Stored};
use super::sight::Sight;
use super::unread;
use super::user::{self, UserState};
use super::workspace::Workspace;
use crate::{Item, Snapshot, StoreError};

pub(super) fn snapshot(conn: &Connection, slug: &Slug, name: &UserId) -> Outcome<Snapshot> {
    let Some(ws) = Workspace::load(conn, slug)? else {
        return Ok(Snapshot { first: Seq(1), counts: Counts::default(), visibility: Default::default() });
    };
    let state = UserState::load(conn, ws.id, name)?;
    let sight = Sight::load(conn, state.id)?;
    let state = unread::settled(conn, &ws, state)?;
    Ok(Snapshot {
        first: ws.first,
        counts: unread::counts(conn, &ws, &state, &sight)?,
        visibility: sight.visibility,
    })
}

/// Every row of `(after, up_to]` down to the retained prefix is there, or the database is damaged:
/// a follower must not take a hole for silence.
pub(super) fn entries(
    conn: &Connection,
    ws: &Workspace,
    after: Seq,
    up_to: Seq,
    limit: usize,
) -> Outcome<Vec<Entry>> {
    let mut expected = after.next().max(ws.first);
    let up_to = up_to.min(ws.head);
    let mut entries = Vec::new();
    let mut query = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entry WHERE ws = ?1 AND seq >= ?2 AND seq <= ?3 ORDER BY seq"
    ))?;
    let mut rows = query.query(params![ws.id, to_sql(expected.0), to_sql(up_to.0)])?;
    let hole = |seq| Failure::Refused(StoreError::Corrupt { workspace: ws.id, seq });
    while entries.len() < limit {
        let Some(row) = rows.next()? else {
            return if expected > up_to { Ok(entries) } else { Err(hole(expected)) };
        };
        let stored = Stored::read(row)?;
        if stored.place.seq != expected {
            return Err(hole(expected));
        }
        expected = expected.next();
        entries.extend(stored.into_entry(conn)?);
    }
    Ok(entries)
}

/// A notification that `name` sees, or a producer where no user is given.
pub(super) fn find(
    conn: &Connection,
    slug: &Slug,
    name: Option<&UserId>,
    id: NotificationId,
) -> Outcome<Item> {
    let ws = Workspace::load(conn, slug)?.ok_or(StoreError::NotFound)?;
    let Some(name) = name else {
        let stored = retained(conn, &ws, id)?;
        let notification = stored.notification().ok_or(StoreError::NotFound)?.clone();
        return Ok(Item {
            seq: stored.place.seq,
            notification,
            receipt: Receipt::default(),
            superseded: stored.superseded.is_some(),
        });
    };
    let state = UserState::load(conn, ws.id, name)?;
    let sight = Sight::load(conn, state.id)?;
    seen(conn, &ws, name, &state, &sight, id)
}

/// A notification that the user sees, judged by the predicate itself.
pub(super) fn seen(
    conn: &Connection,
    ws: &Workspace,
    name: &UserId,
    state: &UserState,
    sight: &Sight,
    id: NotificationId,
) -> Outcome<Item> {
    let stored = retained(conn, ws, id)?;
    let (seq, notification) = (stored.place.seq, stored.notification().ok_or(StoreError::NotFound)?);
    if !sight.visibility.sees(name, seq, notification) {
        return Err(StoreError::NotFound.into());
    }
    let receipt = match stored.superseded {
        Some(by) => kept::receipt(conn, state, seq, by)?.ok_or(StoreError::NotFound)?,
        None => state.receipt(seq, user::kept(conn, state.id, seq)?),
    };
    Ok(Item { seq, notification: notification.clone(), receipt, superseded: stored.superseded.is_some() })
}

/// The row of a notification that was not retracted.
pub(super) fn retained(conn: &Connection, ws: &Workspace, id: NotificationId) -> Outcome<Stored> {
    let stored = row::by_id(conn, ws.id, id)?.ok_or(StoreError::NotFound)?;
    match stored.content {
        row::Content::Entry(EntryKind::Notification(_)) => Ok(stored),
        _ => Err(StoreError::NotFound.into()),
    }
}

pub(super) fn subscribers(
    conn: &Connection,
    slug: &Slug,
    topic: &Topic,
    after: Option<&UserId>,
    limit: usize,
) -> Outcome<Vec<UserId>> {
    let Some(ws) = Workspace::load(conn, slug)? else { return Ok(Vec::new()) };
    let Some(topic) = names::topic(conn, ws.id, topic)? else { return Ok(Vec::new()) };
    let mut query = conn.prepare_cached(
        "SELECT name FROM subscriber WHERE topic = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
    )?;
    let bounds = params![topic, after.map_or("", UserId::as_str), to_sql(limit as u64)];
    let rows = query.query_map(bounds, |row| row.get::<_, String>(0))?;
    rows.map(|name| UserId::new(&name?).map_err(|_| damaged_name())).collect()
}

fn damaged_name() -> Failure {
    StoreError::Internal("a stored name breaks its own bounds: the database file is damaged".into()).into()
}
