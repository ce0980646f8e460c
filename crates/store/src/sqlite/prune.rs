//! Retention: the oldest entries go, a prefix, in bounded steps.

use campanile_model::{Seq, Slug, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::{Failure, Outcome};
use super::names::{self, from_sql, to_sql};
use super::row::{self, Content, Stored};
use super::turn::Removed;
use super::workspace::Workspace;
use super::{dead, settle};
use crate::{Retention, StoreError};

/// Removes at most about `limit` rows (one entry's narrow rows stay together) of what `keep` does not
/// cover, and [`Removed`] bytes of bodies; returns how many rows.
///
/// Receipts of entries that went are removed by the calls after, as their number has no bound; whoever
/// counts leaves them out.
pub(super) fn prune(
    conn: &Connection,
    slug: &Slug,
    keep: Retention,
    limit: usize,
    now: Timestamp,
) -> Outcome<usize> {
    let Some(ws) = Workspace::load(conn, slug)? else { return Ok(0) };
    let limit = limit.max(1);
    let mut gone = 0;
    if ws.first > Seq(1) {
        gone += settle::remove(conn, ws.id, Seq::ZERO, ws.before_first(), limit)?;
    }
    let mut first = ws.first;
    let mut removed = Removed::default();
    for (seq, committed, bytes) in oldest(conn, &ws, limit)? {
        if gone >= limit || covered(&ws, keep, seq, committed, now) || !removed.has_room(bytes) {
            break;
        }
        gone += remove(conn, &ws, seq)?;
        first = seq.next();
    }
    if first > ws.first {
        // The head is that of the newest row, which may be among what went.
        Workspace { first, ..ws.clone() }.save(conn)?;
        conn.prepare_cached("DELETE FROM unsettled WHERE ws = ?1 AND seq < ?2")?
            .execute(params![ws.id, to_sql(first.0)])?;
    }
    Ok(gone)
}

fn covered(ws: &Workspace, keep: Retention, seq: Seq, committed: Timestamp, now: Timestamp) -> bool {
    let age = now.as_millis().saturating_sub(committed.as_millis());
    keep.max_age_ms.is_none_or(|max| age <= max) && keep.max_entries.is_none_or(|max| ws.head.0 - seq.0 < max)
}

/// The first entries: place, time and length.
fn oldest(conn: &Connection, ws: &Workspace, limit: usize) -> Outcome<Vec<(Seq, Timestamp, usize)>> {
    let mut query = conn.prepare_cached(
        "SELECT seq, at, octet_length(body) FROM entry WHERE ws = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let rows = query.query_map(params![ws.id, to_sql(ws.first.0), to_sql(limit as u64)], |row| {
        let bytes = row.get::<_, Option<i64>>(2)?.unwrap_or(0);
        let (seq, at) = (Seq(from_sql(row.get(0)?)), Timestamp::from_millis(row.get(1)?));
        Ok((seq, at, usize::try_from(bytes).unwrap_or(0)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes an entry with its narrow rows; returns how many rows that were.
fn remove(conn: &Connection, ws: &Workspace, seq: Seq) -> Outcome<usize> {
    let named = match row::at(conn, ws.id, seq) {
        Ok(Some(stored)) => named(conn, ws.id, &stored)?,
        Ok(None) => Vec::new(),
        Err(Failure::Refused(error @ StoreError::Corrupt { .. })) => {
            // Narrow rows left behind stand below the retained prefix, where nobody counts them.
            tracing::warn!(%error, "a damaged entry is removed by retention");
            Vec::new()
        }
        Err(failure) => return Err(failure),
    };
    let mut query =
        conn.prepare_cached("DELETE FROM entry WHERE ws = ?1 AND seq = ?2 RETURNING source, dead != 0")?;
    let gone: Option<(Option<i64>, bool)> =
        query.query_row(params![ws.id, to_sql(seq.0)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((source, is_dead)) = gone else { return Ok(0) };
    if is_dead {
        dead::count(conn, ws.id, source, seq, -1)?;
    }
    let mut rows = 1;
    for user in named {
        let mut query =
            conn.prepare_cached("DELETE FROM named WHERE user = ?1 AND seq = ?2 RETURNING delta, dead != 0")?;
        let gone: Option<(i64, bool)> =
            query.query_row(params![user, to_sql(seq.0)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        rows += usize::from(gone.is_some());
        if let Some((delta, true)) = gone {
            dead::count_named(conn, user, seq, delta, -1)?;
        }
    }
    Ok(rows)
}

/// The users who may have a narrow row for the entry, by number.
fn named(conn: &Connection, ws: i64, stored: &Stored) -> Outcome<Vec<i64>> {
    if let Content::Tombstone(tombstone) = &stored.content {
        return Ok(tombstone.named.clone());
    }
    let Some(notification) = stored.notification() else { return Ok(Vec::new()) };
    let mut numbers = Vec::new();
    for name in dead::names_in(notification) {
        numbers.extend(names::user(conn, ws, name)?);
    }
    Ok(numbers)
}
