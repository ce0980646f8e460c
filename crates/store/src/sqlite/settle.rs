//! Receipts of a retracted entry are removed in slices: any number of users may have read it.
//!
//! Until they are gone the entry stands in `unsettled`, and whoever counts leaves its receipts out.

use campanile_model::Seq;
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use super::names::{from_sql, to_sql};
use super::user;

/// Takes on the receipts of an entry that was just retracted.
pub(super) fn begin(conn: &Connection, ws: i64, seq: Seq) -> Outcome<()> {
    conn.prepare_cached("INSERT INTO unsettled (ws, seq) VALUES (?1, ?2)")?
        .execute(params![ws, to_sql(seq.0)])?;
    Ok(())
}

/// Removes about `slice` receipts; whether anything may be left.
pub(super) fn go_on(conn: &Connection, slice: usize) -> Outcome<bool> {
    let mut left = slice.max(1);
    while left > 0 {
        let mut query = conn.prepare_cached("SELECT ws, seq FROM unsettled LIMIT 1")?;
        let next: Option<(i64, i64)> =
            query.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((ws, seq)) = next else { return Ok(false) };
        let place = Seq(from_sql(seq));
        let gone = remove(conn, ws, place, place, left)?;
        if gone < left {
            conn.prepare_cached("DELETE FROM unsettled WHERE ws = ?1 AND seq = ?2")?.execute([ws, seq])?;
        }
        left = left.saturating_sub(gone + 1);
    }
    Ok(true)
}

/// Removes at most `limit` receipts of the entries from `from` to `to`; returns how many went.
pub(super) fn remove(conn: &Connection, ws: i64, from: Seq, to: Seq, limit: usize) -> Outcome<usize> {
    let mut query = conn.prepare_cached(
        "SELECT user, seq, read FROM receipt INDEXED BY receipt_by_entry \
         WHERE ws = ?1 AND seq >= ?2 AND seq <= ?3 LIMIT ?4",
    )?;
    let bounds = params![ws, to_sql(from.0), to_sql(to.0), limit as i64];
    let receipts: Vec<(i64, i64, bool)> = query
        .query_map(bounds, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (user, seq, read) in &receipts {
        user::forget(conn, *user, Seq(from_sql(*seq)), *read)?;
    }
    Ok(receipts.len())
}
