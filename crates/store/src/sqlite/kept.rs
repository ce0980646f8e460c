//! Who had read an entry when it was superseded (docs/decisions/0010-supersede.md).
//!
//! A receipt says so, kept as it was then; where there is none, the watermark says so, as it stood then. A
//! receipt is moved out of the way of those that count, by [`settle`](super::settle); until then it stands
//! where it did.

use campanile_model::{Receipt, Rev, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use super::names::{from_sql, to_sql};
use super::user::{self, Kept, UserState};
use super::workspace::Workspace;

/// Whether anything superseded is retained in the workspace.
pub(super) fn any(conn: &Connection, ws: i64) -> Outcome<bool> {
    let mut query = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM entry INDEXED BY entry_by_successor \
         WHERE ws = ?1 AND superseded IS NOT NULL)",
    )?;
    Ok(query.query_row([ws], |row| row.get(0))?)
}

/// The entry that superseded the one at `seq`, if one did.
pub(super) fn successor(conn: &Connection, ws: i64, seq: Seq) -> Outcome<Option<Seq>> {
    let mut query = conn.prepare_cached("SELECT superseded FROM entry WHERE ws = ?1 AND seq = ?2")?;
    let found = query.query_row(params![ws, to_sql(seq.0)], |row| row.get::<_, Option<i64>>(0)).optional()?;
    Ok(found.flatten().map(|by| Seq(from_sql(by))))
}

/// What the user did with the entry at `seq`, which `by` superseded. `None`: it had not been read by then,
/// so the user does not see it.
pub(super) fn receipt(conn: &Connection, state: &UserState, seq: Seq, by: Seq) -> Outcome<Option<Receipt>> {
    if state.id == 0 {
        return Ok(None);
    }
    let mut query = conn.prepare_cached("SELECT read, archived FROM kept WHERE user = ?1 AND seq = ?2")?;
    let moved = query
        .query_row(params![state.id, to_sql(seq.0)], |row| {
            Ok(Kept { read: row.get(0)?, archived: row.get(1)? })
        })
        .optional()?;
    let kept = match moved {
        Some(kept) => Some(kept),
        None => user::kept(conn, state.id, seq)?,
    };
    let Kept { read, archived } = match kept {
        Some(kept) => kept,
        None => Kept { read: seq <= watermark(conn, state, by)?, archived: false },
    };
    Ok(read.then_some(Receipt { seen: true, read: true, archived }))
}

/// How far the user had read when `by` was written.
fn watermark(conn: &Connection, state: &UserState, by: Seq) -> Outcome<Seq> {
    let mut query = conn.prepare_cached(
        "SELECT read_upto FROM watermark WHERE user = ?1 AND until >= ?2 ORDER BY until LIMIT 1",
    )?;
    let then: Option<i64> = query.query_row(params![state.id, to_sql(by.0)], |row| row.get(0)).optional()?;
    Ok(then.map_or(state.read_upto, |place| Seq(from_sql(place))))
}

/// How far a user had read, at any entry that superseded another.
#[derive(Debug, Default)]
pub(super) struct Watermarks {
    /// Ascending: at entries up to the first number, as far as the second.
    past: Vec<(Seq, Seq)>,
    now: Seq,
}

impl Watermarks {
    pub(super) fn load(conn: &Connection, state: &UserState) -> Outcome<Self> {
        let mut query =
            conn.prepare_cached("SELECT until, read_upto FROM watermark WHERE user = ?1 ORDER BY until")?;
        let past = query
            .query_map([state.id], |row| Ok((Seq(from_sql(row.get(0)?)), Seq(from_sql(row.get(1)?)))))?;
        Ok(Self { past: past.collect::<Result<_, _>>()?, now: state.read_upto })
    }

    pub(super) fn at(&self, by: Seq) -> Seq {
        let next = self.past.partition_point(|(until, _)| *until < by);
        self.past.get(next).map_or(self.now, |(_, read_upto)| *read_upto)
    }
}

/// Remembers how far the user has read, before that moves on: for whatever was superseded since it last did.
pub(super) fn remember_watermark(
    conn: &Connection,
    ws: &Workspace,
    user: i64,
    read_upto: Seq,
) -> Outcome<()> {
    let mut query = conn.prepare_cached(
        "SELECT superseded FROM entry INDEXED BY entry_by_successor \
         WHERE ws = ?1 AND superseded IS NOT NULL ORDER BY superseded DESC LIMIT 1",
    )?;
    let newest: Option<i64> = query.query_row([ws.id], |row| row.get(0)).optional()?;
    let Some(newest) = newest else { return Ok(()) };
    conn.prepare_cached(
        "INSERT INTO watermark (user, until, read_upto) SELECT ?1, ?2, ?3 \
         WHERE NOT EXISTS (SELECT 1 FROM watermark WHERE user = ?1 AND until >= ?2)",
    )?
    .execute(params![user, newest, to_sql(read_upto.0)])?;
    // What was superseded before the retained prefix is gone.
    conn.prepare_cached("DELETE FROM watermark WHERE user = ?1 AND until < ?2")?
        .execute(params![user, to_sql(ws.first.0)])?;
    Ok(())
}

/// Keeps what a user did with a superseded entry, and by which revision.
pub(super) fn keep(conn: &Connection, ws: i64, user: i64, seq: Seq, kept: Kept, rev: Rev) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO kept (user, seq, ws, read, archived, rev) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (user, seq) DO UPDATE SET read = ?4, archived = ?5, rev = ?6",
    )?
    .execute(params![user, to_sql(seq.0), ws, kept.read, kept.archived, to_sql(rev.0)])?;
    Ok(())
}

/// Removes at most `limit` of what is kept of the entries from `from` to `to`; returns how many went.
pub(super) fn remove(conn: &Connection, ws: i64, from: Seq, to: Seq, limit: usize) -> Outcome<usize> {
    let mut query = conn.prepare_cached(
        "DELETE FROM kept WHERE (user, seq) IN (SELECT user, seq FROM kept INDEXED BY kept_by_entry \
         WHERE ws = ?1 AND seq >= ?2 AND seq <= ?3 LIMIT ?4)",
    )?;
    Ok(query.execute(params![ws, to_sql(from.0), to_sql(to.0), limit as i64])?)
}
