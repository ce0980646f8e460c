//! Numbered migrations, each applied once and in its own transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::failure::{Outcome, store_error};
use crate::{Epochs, StoreError};

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; the version of a schema is how many of these it went through. Append only: a published
/// migration is never edited, its checksum is in every database.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_log", sql: include_str!("migrations/0001_log.sql") },
    Migration { name: "0002_documents", sql: include_str!("migrations/0002_documents.sql") },
    Migration { name: "0003_lifecycle", sql: include_str!("migrations/0003_lifecycle.sql") },
    Migration { name: "0004_replay", sql: include_str!("migrations/0004_replay.sql") },
];

/// Brings the database to the newest schema.
///
/// # Errors
/// [`StoreError::Unavailable`] if a newer program wrote it, or if it was migrated by other texts than ours.
pub(super) fn migrate(conn: &Connection, epochs: &Epochs) -> Result<(), StoreError> {
    let applied = applied(conn).map_err(|e| store_error(&e))?;
    if applied.len() > MIGRATIONS.len() {
        return refuse(format!(
            "the database has schema {}, this program knows schemas up to {}: run a newer campanile",
            applied.len(),
            MIGRATIONS.len()
        ));
    }
    for ((name, checksum), ours) in applied.iter().zip(MIGRATIONS) {
        if name != ours.name || *checksum != ours.checksum() {
            return refuse(format!("the database was migrated by another {name} than this program's"));
        }
    }
    for (number, migration) in (1..).zip(MIGRATIONS).skip(applied.len()) {
        apply(conn, number, migration, epochs).map_err(|e| store_error(&e))?;
    }
    Ok(())
}

/// Refuses a database that was not brought to the newest schema.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(super) fn refuse_older(conn: &Connection) -> Outcome<()> {
    let applied = applied(conn)?.len();
    if applied < MIGRATIONS.len() {
        let reason = format!(
            "the database has schema {applied}, this program works on schema {}: start campanile on it first",
            MIGRATIONS.len()
        );
        return Err(StoreError::Unavailable { reason }.into());
    }
    Ok(())
}

fn refuse<T>(reason: String) -> Result<T, StoreError> {
    Err(StoreError::Unavailable { reason })
}

fn applied(conn: &Connection) -> rusqlite::Result<Vec<(String, u32)>> {
    let exists = conn
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'migration'", [], |_| Ok(()))
        .optional()?
        .is_some();
    if !exists {
        return Ok(Vec::new());
    }
    let mut query = conn.prepare("SELECT name, checksum FROM migration ORDER BY number")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn apply(conn: &Connection, number: i64, migration: &Migration, epochs: &Epochs) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    if number == 1 {
        transaction.execute_batch(
            "CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT",
        )?;
    }
    transaction.execute_batch(migration.sql)?;
    if number == 1 {
        let lineage = epochs.draw().0.cast_signed();
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES ('lineage', ?1), ('counter', 0), ('backup', 0)",
            [lineage],
        )?;
    }
    transaction.execute(
        "INSERT INTO migration (number, name, checksum) VALUES (?1, ?2, ?3)",
        params![number, migration.name, migration.checksum()],
    )?;
    transaction.commit()
}

impl Migration {
    fn checksum(&self) -> u32 {
        crc32c::crc32c(self.sql.as_bytes())
    }
}
