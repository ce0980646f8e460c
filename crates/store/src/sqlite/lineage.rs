//! Whether the database is the log it was: its counter against the one witnessed, at every start.

use rusqlite::{Connection, params};

use super::witness::{Found, Record};
use crate::Epochs;

/// Reads the lineage and the number of the last row ever appended.
pub(super) fn read(conn: &Connection) -> rusqlite::Result<Record> {
    let lineage = conn.query_row("SELECT value FROM meta WHERE name = 'lineage'", [], |row| row.get(0))?;
    let counter = counter(conn)?;
    Ok(Record { lineage: i64::cast_unsigned(lineage), counter: counter.cast_unsigned() })
}

/// The number of the last row ever appended, also where retention has removed it since.
pub(super) fn counter(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row(
        "SELECT max(value, coalesce((SELECT max(id) FROM entry), 0)) FROM meta WHERE name = 'counter'",
        [],
        |row| row.get(0),
    )
}

/// Renews every epoch if the log holds less than was witnessed or came from a backup: a position that a
/// client holds would name other entries. Returns the lineage in force.
pub(super) fn judge(conn: &Connection, found: &Found, epochs: &Epochs) -> rusqlite::Result<Record> {
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
            tracing::warn!("campanile.head is damaged and is written anew; lost entries would go unnoticed");
            None
        }
        Found::Nothing if database.counter > 0 && !backup => {
            tracing::warn!("campanile.head is missing and is written anew; lost entries would go unnoticed");
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
            rows = database.counter,
            witnessed,
            "the log holds fewer rows than were written: acknowledged entries are lost; every epoch is renewed"
        );
    } else {
        tracing::warn!(rows = database.counter, "the log starts from a backup; every epoch is renewed");
    }
    renew(conn, epochs)?;
    read(conn)
}

fn renew(conn: &Connection, epochs: &Epochs) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    let workspaces: Vec<i64> = transaction
        .prepare("SELECT id FROM workspace")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for workspace in workspaces {
        let epoch = epochs.draw().0.cast_signed();
        transaction.execute("UPDATE workspace SET epoch = ?2 WHERE id = ?1", params![workspace, epoch])?;
    }
    let lineage = epochs.draw().0.cast_signed();
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'lineage'", [lineage])?;
    transaction.execute("UPDATE meta SET value = 0 WHERE name = 'backup'", [])?;
    transaction.commit()
}
