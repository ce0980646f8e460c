//! Entries that no longer count: retracted, expired, superseded. Counted without stepping over each.
//!
//! A count reads the index of dead rows only in the two buckets that its ends cut, and one sum for each
//! bucket between them.

use campanile_model::{Audience, Notification, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use super::names::{self, to_sql};
use super::sight::Window;

/// Places in a bucket, as in the migration: a count takes at most two of them step by step, and a log of a
/// million entries is a thousand.
pub(super) const BUCKET: u64 = 1024;

/// Retracted or expired: no body.
pub(super) const TOMBSTONE: i64 = 1;
/// Superseded: those who had read it see it.
pub(super) const SUPERSEDED: i64 = 2;

/// Whether anything is dead in the workspace.
pub(super) fn any(conn: &Connection, ws: i64) -> Outcome<bool> {
    let mut query = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM entry INDEXED BY entry_dead WHERE ws = ?1 AND dead != 0)",
    )?;
    Ok(query.query_row([ws], |row| row.get(0))?)
}

/// Dead entries of a source within the window.
pub(super) fn of_source(conn: &Connection, ws: i64, source: i64, window: Window) -> Outcome<i64> {
    let step_by_step = |from: u64, to: u64| -> Outcome<i64> {
        let mut query = conn.prepare_cached(
            "SELECT count(*) FROM entry INDEXED BY entry_dead \
             WHERE ws = ?1 AND source = ?2 AND seq >= ?3 AND seq < ?4 AND dead != 0",
        )?;
        Ok(query.query_row(params![ws, source, to_sql(from), to_sql(to)], |row| row.get(0))?)
    };
    let whole = |from: u64, to: u64| -> Outcome<i64> {
        let mut query = conn.prepare_cached(
            "SELECT coalesce(sum(n), 0) FROM dead_bucket \
             WHERE ws = ?1 AND source = ?2 AND bucket >= ?3 AND bucket < ?4",
        )?;
        Ok(query.query_row(params![ws, source, to_sql(from), to_sql(to)], |row| row.get(0))?)
    };
    sum(window, step_by_step, whole)
}

/// The same for narrow rows of a user: the sum of their deltas.
pub(super) fn of_user(conn: &Connection, user: i64, window: Window) -> Outcome<i64> {
    let step_by_step = |from: u64, to: u64| -> Outcome<i64> {
        let mut query = conn.prepare_cached(
            "SELECT coalesce(sum(delta), 0) FROM named INDEXED BY named_dead \
             WHERE user = ?1 AND seq >= ?2 AND seq < ?3 AND dead != 0",
        )?;
        Ok(query.query_row(params![user, to_sql(from), to_sql(to)], |row| row.get(0))?)
    };
    let whole = |from: u64, to: u64| -> Outcome<i64> {
        let mut query = conn.prepare_cached(
            "SELECT coalesce(sum(delta), 0) FROM named_dead_bucket \
             WHERE user = ?1 AND bucket >= ?2 AND bucket < ?3",
        )?;
        Ok(query.query_row(params![user, to_sql(from), to_sql(to)], |row| row.get(0))?)
    };
    sum(window, step_by_step, whole)
}

/// Takes the window apart: the ends by places, what is between them by buckets.
fn sum(
    window: Window,
    step_by_step: impl Fn(u64, u64) -> Outcome<i64>,
    whole: impl Fn(u64, u64) -> Outcome<i64>,
) -> Outcome<i64> {
    let (from, to) = (window.after.0 + 1, window.up_to.0 + 1);
    let (first, end) = (from.div_ceil(BUCKET), to / BUCKET);
    if first >= end {
        return step_by_step(from, to);
    }
    Ok(step_by_step(from, first * BUCKET)? + whole(first, end)? + step_by_step(end * BUCKET, to)?)
}

/// Counts an entry that has just died (`by` 1), or a dead one that is removed (`by` -1).
pub(super) fn count(conn: &Connection, ws: i64, source: Option<i64>, seq: Seq, by: i64) -> Outcome<()> {
    let Some(source) = source else { return Ok(()) };
    let bucket = params![ws, source, to_sql(seq.0 / BUCKET), by];
    let left: i64 = conn
        .prepare_cached(
            "INSERT INTO dead_bucket (ws, source, bucket, n) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (ws, source, bucket) DO UPDATE SET n = n + ?4 RETURNING n",
        )?
        .query_row(bucket, |row| row.get(0))?;
    if left == 0 {
        conn.prepare_cached("DELETE FROM dead_bucket WHERE ws = ?1 AND source = ?2 AND bucket = ?3")?
            .execute(params![ws, source, to_sql(seq.0 / BUCKET)])?;
    }
    Ok(())
}

/// The same for a narrow row.
pub(super) fn count_named(conn: &Connection, user: i64, seq: Seq, delta: i64, by: i64) -> Outcome<()> {
    let left: i64 = conn
        .prepare_cached(
            "INSERT INTO named_dead_bucket (user, bucket, n, delta) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (user, bucket) DO UPDATE SET n = n + ?3, delta = delta + ?4 RETURNING n",
        )?
        .query_row(params![user, to_sql(seq.0 / BUCKET), by, by * delta], |row| row.get(0))?;
    if left == 0 {
        conn.prepare_cached("DELETE FROM named_dead_bucket WHERE user = ?1 AND bucket = ?2")?
            .execute(params![user, to_sql(seq.0 / BUCKET)])?;
    }
    Ok(())
}

/// Marks the narrow rows of an entry, which were `from`, as `to`; returns whose they are. Those that were
/// live are counted.
pub(super) fn mark_named(
    conn: &Connection,
    ws: i64,
    seq: Seq,
    notification: &Notification,
    from: i64,
    to: i64,
) -> Outcome<Vec<i64>> {
    let mut users = Vec::new();
    for name in names_in(notification) {
        let Some(user) = names::user(conn, ws, name)? else { continue };
        let mut query = conn.prepare_cached(
            "UPDATE named SET dead = ?4 WHERE user = ?1 AND seq = ?2 AND dead = ?3 RETURNING delta",
        )?;
        let delta: Option<i64> =
            query.query_row(params![user, to_sql(seq.0), from, to], |row| row.get(0)).optional()?;
        let Some(delta) = delta else { continue };
        users.push(user);
        if from == 0 {
            count_named(conn, user, seq, delta, 1)?;
        }
    }
    Ok(users)
}

/// The users who may have a narrow row for the notification.
pub(super) fn names_in(notification: &Notification) -> impl Iterator<Item = &UserId> {
    let users: &[UserId] = match &notification.audience {
        Audience::Users(users) => users,
        Audience::Topic(_) | Audience::Workspace => &[],
    };
    users.iter().chain(&notification.except)
}
