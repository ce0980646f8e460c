//! Whether the database is the log it was: its counter against the one witnessed, at every start.

use rusqlite::Connection;

use super::failure::Outcome;
use super::witness::{Found, Record};
use super::workspace::{self, Workspace};
use crate::Epochs;

/// Reads the lineage and the number of the last durable change.
pub(super) fn read(conn: &Connection) -> rusqlite::Result<Record> {
    let lineage = conn.query_row("SELECT value FROM meta WHERE name = 'lineage'", [], |row| row.get(0))?;
    let counter = counter(conn)?;
    Ok(Record { lineage: i64::cast_unsigned(lineage), counter: counter.cast_unsigned() })
}

/// The number of the last durable change: an entry carries it, whatever else changed is counted apart.
pub(super) fn counter(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row(
        "SELECT max(value, coalesce((SELECT max(id) FROM entry), 0)) FROM meta WHERE name = 'counter'",
        [],
        |row| row.get(0),
    )
}

/// Renews every epoch if the log holds less than was witnessed or came from a backup: a position that a
/// client holds would name other entries. Returns the lineage in force.
pub(super) fn judge(conn: &Connection, found: &Found, epochs: &Epochs) -> Outcome<Record> {
    let database = read(conn)?;
    let backup: bool =
        conn.query_row("SELECT value FROM meta WHERE name = 'backup'", [], |row| row.get(0))?;
    let witnessed = match found {
        Found::Record(witnessed) if witnessed.lineage == database.lineage => Some(witnessed.counter),
        Found::Record(_) => {
            tracing::warn!("campanile.head belongs to another database and is written anew");
            None
        }
        Found::Damaged => {
            tracing::warn!("campanile.head is damaged and is written anew; lost changes would go unnoticed");
            None
        }
        Found::Nothing if database.counter > 0 && !backup => {
            tracing::warn!("campanile.head is missing and is written anew; lost changes would go unnoticed");
            None
        }
        Found::Nothing => None,
    };
    let lost = witnessed.is_some_and(|witnessed| database.counter < witnessed);
    if !lost && !backup {
        return Ok(database);
    }
    if lost {
        tracing::warn!(
            changes = database.counter,
            witnessed,
            "the log holds fewer changes than were acknowledged: some are lost; every epoch is renewed"
        );
    } else {
        tracing::warn!(changes = database.counter, "the log starts from a backup; every epoch is renewed");
    }
    renew(conn, epochs)?;
    Ok(read(conn)?)
}

fn renew(conn: &Connection, epochs: &Epochs) -> Outcome<()> {
    let transaction = conn.unchecked_transaction()?;
    for (_, workspace) in workspace::all(&transaction)? {
        Workspace { epoch: epochs.draw(), ..workspace }.save(&transaction)?;
    }
    let lineage = epochs.draw().0.cast_signed();
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'lineage'", [lineage])?;
    transaction.execute("UPDATE meta SET value = 0 WHERE name = 'backup'", [])?;
    Ok(transaction.commit()?)
}
