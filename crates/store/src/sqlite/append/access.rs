//! Access to the workspace: intervals of the log. No record at all means access always.

use campanile_model::{EntryKind, UserId};
use rusqlite::{OptionalExtension, params};

use super::Appending;
use crate::sqlite::failure::Outcome;
use crate::sqlite::names::{self, to_sql};

#[derive(PartialEq, Eq)]
enum Recorded {
    Never,
    Open,
    Closed,
}

/// A grant that comes first changes nothing, but is recorded.
pub(super) fn grant(log: &mut Appending<'_>, name: UserId) -> Outcome<()> {
    let user = names::user_or_create(log.conn, log.workspace.id, &name)?;
    let recorded = recorded(log, user)?;
    if recorded == Recorded::Open {
        return Ok(());
    }
    let seq = log.push(EntryKind::Grant { user: name })?;
    let from = if recorded == Recorded::Never { 0 } else { to_sql(seq.0) };
    log.conn
        .prepare_cached("INSERT INTO access (user, from_seq) VALUES (?1, ?2)")?
        .execute(params![user, from])?;
    Ok(())
}

/// A withdrawal that comes first ends the access that the user always had.
pub(super) fn withdraw(log: &mut Appending<'_>, name: UserId) -> Outcome<()> {
    let user = names::user_or_create(log.conn, log.workspace.id, &name)?;
    let sql = match recorded(log, user)? {
        Recorded::Closed => return Ok(()),
        Recorded::Open => "UPDATE access SET to_seq = ?2 WHERE user = ?1 AND to_seq IS NULL",
        Recorded::Never => "INSERT INTO access (user, from_seq, to_seq) VALUES (?1, 0, ?2)",
    };
    let seq = log.push(EntryKind::Withdraw { user: name })?;
    log.conn.prepare_cached(sql)?.execute(params![user, to_sql(seq.0)])?;
    Ok(())
}

fn recorded(log: &Appending<'_>, user: i64) -> Outcome<Recorded> {
    let mut query = log
        .conn
        .prepare_cached("SELECT to_seq IS NULL FROM access WHERE user = ?1 ORDER BY from_seq DESC LIMIT 1")?;
    let open: Option<bool> = query.query_row([user], |row| row.get(0)).optional()?;
    Ok(match open {
        None => Recorded::Never,
        Some(true) => Recorded::Open,
        Some(false) => Recorded::Closed,
    })
}
