//! Whether the database holds what was written.

use rusqlite::Connection;

use super::failure::Outcome;
use super::names::to_sql;
use super::row::{COLUMNS, Stored};
use crate::StoreError;

/// Rows looked at by a start: those of the last turns, which a crash may have touched.
const TAIL: i64 = 64;

/// Looks at the end of the log: checksums, and that each row is found where its index says. A start does
/// this, so it takes milliseconds at any size.
pub(super) fn tail(conn: &Connection) -> Result<(), StoreError> {
    tail_rows(conn).map_err(StoreError::from)
}

fn tail_rows(conn: &Connection) -> Outcome<()> {
    let mut query = conn.prepare(&format!("SELECT {COLUMNS} FROM entry ORDER BY id DESC LIMIT {TAIL}"))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let place = Stored::read(row)?.place;
        let indexed: bool = conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM workspace WHERE id = ?1 AND first <= ?2) \
                 AND ?3 IS (SELECT id FROM entry INDEXED BY entry_by_seq WHERE ws = ?1 AND seq = ?2)",
            )?
            .query_row((place.ws, to_sql(place.seq.0), place.id), |row| row.get(0))?;
        if !indexed {
            return Err(StoreError::Corrupt { workspace: place.ws, seq: place.seq }.into());
        }
    }
    Ok(())
}
