//! Receipts of an entry that was retracted or superseded leave the ones that count, in slices: any number of
//! users may have read it. Of a superseded entry they are kept elsewhere ([`kept`]).
//!
//! Until they have left, the entry stands in `unsettled`, and whoever counts leaves its receipts out.

use campanile_model::{Rev, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use super::kept;
use super::names::{from_sql, to_sql};
use super::user::{self, Kept};

/// Takes on the receipts of an entry that was just retracted or superseded. Mostly there are none, and nothing
/// is to be done: nobody who counts need look at it.
pub(super) fn begin(conn: &Connection, ws: i64, seq: Seq) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO unsettled (ws, seq) SELECT ?1, ?2 \
         WHERE EXISTS (SELECT 1 FROM receipt INDEXED BY receipt_by_entry WHERE ws = ?1 AND seq = ?2) \
         OR EXISTS (SELECT 1 FROM kept INDEXED BY kept_by_entry WHERE ws = ?1 AND seq = ?2)",
    )?
    .execute(params![ws, to_sql(seq.0)])?;
    Ok(())
}

/// Settles about `slice` receipts; whether anything may be left.
pub(super) fn go_on(conn: &Connection, slice: usize) -> Outcome<bool> {
    let mut left = slice.max(1);
    while left > 0 {
        let mut query = conn.prepare_cached("SELECT ws, seq FROM unsettled LIMIT 1")?;
        let next: Option<(i64, i64)> =
            query.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((ws, seq)) = next else { return Ok(false) };
        let place = Seq(from_sql(seq));
        let gone = of_entry(conn, ws, place, left)?;
        if gone < left {
            conn.prepare_cached("DELETE FROM unsettled WHERE ws = ?1 AND seq = ?2")?.execute([ws, seq])?;
        }
        left = left.saturating_sub(gone + 1);
    }
    Ok(true)
}

fn of_entry(conn: &Connection, ws: i64, seq: Seq, limit: usize) -> Outcome<usize> {
    if kept::successor(conn, ws, seq)?.is_none() {
        return remove(conn, ws, seq, seq, limit);
    }
    let receipts = receipts(conn, ws, seq, seq, limit)?;
    for (user, _, receipt, rev) in &receipts {
        kept::keep(conn, ws, *user, seq, *receipt, *rev)?;
        user::forget(conn, *user, seq, receipt.read)?;
    }
    Ok(receipts.len())
}

/// Settles one receipt of an entry that is gone or superseded.
pub(super) fn one(
    conn: &Connection,
    ws: i64,
    user: i64,
    seq: Seq,
    (receipt, rev): (Kept, Rev),
) -> Outcome<()> {
    if kept::successor(conn, ws, seq)?.is_some() {
        kept::keep(conn, ws, user, seq, receipt, rev)?;
    }
    user::forget(conn, user, seq, receipt.read)
}

/// Removes at most `limit` receipts of the entries from `from` to `to`, wherever they are kept; returns how
/// many went.
pub(super) fn remove(conn: &Connection, ws: i64, from: Seq, to: Seq, limit: usize) -> Outcome<usize> {
    let receipts = receipts(conn, ws, from, to, limit)?;
    for (user, seq, receipt, _) in &receipts {
        user::forget(conn, *user, *seq, receipt.read)?;
    }
    let left = limit - receipts.len();
    Ok(receipts.len() + if left > 0 { kept::remove(conn, ws, from, to, left)? } else { 0 })
}

fn receipts(
    conn: &Connection,
    ws: i64,
    from: Seq,
    to: Seq,
    limit: usize,
) -> Outcome<Vec<(i64, Seq, Kept, Rev)>> {
    let mut query = conn.prepare_cached(
        "SELECT user, seq, read, archived, rev FROM receipt INDEXED BY receipt_by_entry \
         WHERE ws = ?1 AND seq >= ?2 AND seq <= ?3 LIMIT ?4",
    )?;
    let bounds = params![ws, to_sql(from.0), to_sql(to.0), limit as i64];
    let rows = query.query_map(bounds, |row| {
        let kept = Kept { read: row.get(2)?, archived: row.get(3)? };
        Ok((row.get(0)?, Seq(from_sql(row.get(1)?)), kept, Rev(from_sql(row.get(4)?))))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
