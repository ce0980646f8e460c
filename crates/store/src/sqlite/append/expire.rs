//! Notifications whose time is over, of every workspace, withdrawn as [`retract`] does.

use campanile_model::{Cause, Seq, Slug, Timestamp};
use rusqlite::{Connection, params};

use super::{Appending, Done, retract};
use crate::StoreError;
use crate::sqlite::dead;
use crate::sqlite::failure::{Failure, Outcome};
use crate::sqlite::names::{from_sql, to_sql};
use crate::sqlite::row::{self, Stored};
use crate::sqlite::turn::Removed;
use crate::sqlite::workspace::Workspace;

/// Rows that one call writes, about; and notifications it looks at. Either bounds the writer's turn.
pub(in crate::sqlite) const ROWS: usize = 1000;
const LOOKED_AT: usize = 500;

/// What one call withdrew.
#[derive(Default)]
pub(in crate::sqlite) struct Expired {
    /// What each workspace got, in the order of the longest due.
    pub(in crate::sqlite) done: Vec<(Slug, Done)>,
    /// How many are no longer due.
    pub(in crate::sqlite) count: usize,
}

/// Whether anything is due.
pub(in crate::sqlite) fn is_due(conn: &Connection, now: Timestamp) -> Outcome<bool> {
    let mut query = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM entry INDEXED BY entry_by_expiry WHERE expires <= ?1)",
    )?;
    Ok(query.query_row([now.as_millis()], |row| row.get(0))?)
}

/// Withdraws at most `limit` of what is due, and [`Removed`] bytes of bodies, the longest due first. `counter` is that of the database's last
/// change.
pub(in crate::sqlite) fn expire(
    conn: &Connection,
    counter: i64,
    now: Timestamp,
    limit: usize,
) -> Outcome<Expired> {
    let due = due(conn, now, limit.min(LOOKED_AT))?;
    let mut expired = Expired { count: due.sound.len() + due.damaged.len(), ..Expired::default() };
    let mut workspaces: Vec<i64> = Vec::new();
    for stored in &due.sound {
        if !workspaces.contains(&stored.place.ws) {
            workspaces.push(stored.place.ws);
        }
    }
    let mut damaged = due.damaged;
    let mut counter = counter;
    let mut found = Vec::new();
    for ws in workspaces {
        match Workspace::load_by_id(conn, ws) {
            Ok(Some(of)) => found.push(of),
            Ok(None) | Err(Failure::Refused(_)) => {
                let of = |stored: &&Stored| stored.place.ws == ws;
                damaged.extend(due.sound.iter().filter(of).map(|s| (ws, to_sql(s.place.seq.0))));
            }
            Err(failure) => return Err(failure),
        }
    }
    for (slug, workspace) in found {
        let ws = workspace.id;
        let mut log = Appending { conn, workspace, now, counter, entries: Vec::new() };
        for target in due.sound.iter().filter(|stored| stored.place.ws == ws) {
            retract::retract(&mut log, target, Cause::Expired)?;
        }
        let done = log.finish();
        counter = done.counter;
        expired.done.push((slug, done));
    }
    for (ws, seq) in damaged {
        // Whoever reads it is told, and retention removes it.
        conn.prepare_cached("UPDATE entry SET expires = NULL WHERE ws = ?1 AND seq = ?2")?
            .execute([ws, seq])?;
    }
    Ok(expired)
}

#[derive(Default)]
struct Due {
    sound: Vec<Stored>,
    damaged: Vec<(i64, i64)>,
}

fn due(conn: &Connection, now: Timestamp, limit: usize) -> Outcome<Due> {
    let mut query = conn.prepare_cached(
        "SELECT ws, seq, octet_length(body) FROM entry INDEXED BY entry_by_expiry WHERE expires <= ?1 \
         ORDER BY expires, ws, seq LIMIT ?2",
    )?;
    let places: Vec<(i64, i64, Option<i64>)> = query
        .query_map(params![now.as_millis(), to_sql(limit as u64)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let (mut due, mut rows, mut removed) = (Due::default(), 0, Removed::default());
    for (ws, seq, bytes) in places {
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        if rows >= ROWS || !removed.has_room(bytes) {
            break;
        }
        match row::at(conn, ws, Seq(from_sql(seq))) {
            Ok(Some(stored)) if stored.notification().is_some() => {
                rows += 2 + stored.notification().map_or(0, |n| dead::names_in(n).count());
                due.sound.push(stored);
            }
            Ok(_) => due.damaged.push((ws, seq)),
            Err(Failure::Refused(error @ StoreError::Corrupt { .. })) => {
                tracing::warn!(%error, "a damaged entry cannot expire");
                due.damaged.push((ws, seq));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(due)
}
