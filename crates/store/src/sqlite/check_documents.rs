//! The part of a full check that looks at documents.

use std::collections::HashSet;

use rusqlite::Connection;

use super::document_row::{COLUMNS, Damaged, DocumentRow};
use super::failure::Outcome;
use super::lineage;
use crate::StoreError;

/// Goes through the table itself, so that no index stands in for it: whether each index says the same is
/// SQLite's own check. Returns how many documents there are; `problem` hears of each that is not as it was
/// written.
pub(super) fn documents(conn: &Connection, mut problem: impl FnMut(String)) -> Outcome<u64> {
    let workspaces: HashSet<i64> = conn
        .prepare("SELECT id FROM workspace")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let last = lineage::counter(conn)?;
    let mut query = conn.prepare(&format!("SELECT {COLUMNS} FROM document NOT INDEXED ORDER BY number"))?;
    let mut rows = query.query([])?;
    let (mut documents, mut versions) = (0, HashSet::new());
    while let Some(row) = rows.next()? {
        documents += 1;
        let row = match DocumentRow::read(row)?.and_then(|row| row.document().map(|_| row)) {
            Ok(row) => row,
            Err(damaged @ Damaged(_)) => {
                problem(StoreError::from(damaged).to_string());
                continue;
            }
        };
        let number = row.number;
        if !workspaces.contains(&row.ws) {
            problem(format!("document row {number} belongs to no workspace"));
        }
        if !(1..=row.version).contains(&number) || row.version > last {
            problem(format!("document row {number} is of a change that was not counted"));
        }
        if !versions.insert(row.version) {
            problem(format!("document row {number} shares its version with another"));
        }
    }
    Ok(documents)
}
