//! What was said of notifications that reached a user: updates, retractions, supersessions.
//!
//! Of a withdrawn notification no body is left to ask about. But its row still says which source it was of, and
//! its narrow rows whom it named or left out: as much as the predicate knows.

use std::collections::HashMap;

use campanile_model::{EntryKind, NotificationId, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::{Failure, Outcome};
use super::kept;
use super::names::{WORKSPACE_SOURCE, to_sql};
use super::read;
use super::row::{COLUMNS, Content, Stored};
use super::sight::{Sight, Window};
use super::user::UserState;
use super::workspace::Workspace;
use crate::{MAX_CHANGES_READ, StoreError, VisibleChange, VisibleChangeKind, validate};

/// Costs a read of each entry of these kinds in the range, and a few seeks for what it is said of.
pub(super) fn changes(
    conn: &Connection,
    ws: &Workspace,
    name: &UserId,
    window: Window,
    limit: usize,
) -> Outcome<Vec<VisibleChange>> {
    let state = UserState::load(conn, ws.id, name)?;
    let sight = Sight::load(conn, state.id)?;
    let said = said(conn, ws, window)?;
    if !sight.visibility.access.is_open() {
        return Ok(Vec::new());
    }
    let updates = said.iter().filter_map(|stored| match stored.content {
        Content::Update { target_seq, .. } => Some((target_seq, stored.place.seq)),
        _ => None,
    });
    // The last of each target stays.
    let newest: HashMap<Seq, Seq> = updates.collect();
    let reader = Reader { conn, ws, name, state, sight, after: window.after };
    let mut changes = Vec::new();
    for stored in said {
        if changes.len() == limit {
            break;
        }
        let seq = stored.place.seq;
        let kind = match stored.content {
            Content::Update { target_seq, .. } if newest.get(&target_seq) != Some(&seq) => None,
            Content::Update { target, .. } => reader.update(target)?,
            Content::Entry(kind) => reader.withdrawal(&kind)?,
            Content::Tombstone(_) => None,
        };
        changes.extend(kind.map(|kind| VisibleChange { seq, kind }));
    }
    Ok(changes)
}

/// The entries in the window that say something of others.
fn said(conn: &Connection, ws: &Workspace, window: Window) -> Outcome<Vec<Stored>> {
    let mut query = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entry INDEXED BY entry_change \
         WHERE ws = ?1 AND seq > ?2 AND seq <= ?3 AND kind IN (2, 7, 8) ORDER BY seq LIMIT ?4"
    ))?;
    let after = to_sql(window.after.max(ws.before_first()).0);
    let one_more = to_sql(MAX_CHANGES_READ as u64 + 1);
    let mut rows = query.query(params![ws.id, after, to_sql(window.up_to.0), one_more])?;
    let mut said = Vec::new();
    while let Some(row) = rows.next()? {
        validate::changes_read(said.len() + 1)?;
        said.push(Stored::read(row)?);
    }
    Ok(said)
}

/// The one who asks.
struct Reader<'a> {
    conn: &'a Connection,
    ws: &'a Workspace,
    name: &'a UserId,
    state: UserState,
    sight: Sight,
    after: Seq,
}

impl Reader<'_> {
    fn update(&self, target: NotificationId) -> Outcome<Option<VisibleChangeKind>> {
        match read::seen(self.conn, self.ws, self.name, &self.state, &self.sight, target) {
            Ok(item) => Ok(Some(VisibleChangeKind::Update { item })),
            Err(Failure::Refused(StoreError::NotFound)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn withdrawal(&self, said: &EntryKind) -> Outcome<Option<VisibleChangeKind>> {
        match *said {
            EntryKind::Retract { target, target_seq, cause, withdrawn: _ } => {
                let told = target_seq <= self.after && self.is_reached(target_seq)?;
                Ok(told.then_some(VisibleChangeKind::Retract { target, target_seq, cause }))
            }
            EntryKind::Supersede { target, target_seq, by, withdrawn: _ } => {
                if !self.is_reached(target_seq)? {
                    return Ok(None);
                }
                // Not so once it was retracted as well.
                let still_seen = match kept::successor(self.conn, self.ws.id, target_seq)? {
                    Some(by) => kept::receipt(self.conn, &self.state, target_seq, by)?.is_some(),
                    None => false,
                };
                let kind = VisibleChangeKind::Supersede { target, target_seq, by, still_seen };
                Ok((target_seq <= self.after || still_seen).then_some(kind))
            }
            _ => Ok(None),
        }
    }

    /// Whether the notification at `seq` reaches the user, by what is left of it.
    fn is_reached(&self, seq: Seq) -> Outcome<bool> {
        if seq < self.ws.first || !self.sight.visibility.access.contains(seq) {
            return Ok(false);
        }
        let mut query =
            self.conn.prepare_cached("SELECT source FROM entry WHERE ws = ?1 AND seq = ?2 AND kind = 1")?;
        let source: Option<Option<i64>> =
            query.query_row(params![self.ws.id, to_sql(seq.0)], |row| row.get(0)).optional()?;
        let mut query = self.conn.prepare_cached("SELECT delta FROM named WHERE user = ?1 AND seq = ?2")?;
        let named: Option<i64> =
            query.query_row(params![self.state.id, to_sql(seq.0)], |row| row.get(0)).optional()?;
        Ok(match source {
            None => false,
            Some(None) => named.is_some_and(|delta| delta > 0),
            // A narrow row is an exception here.
            Some(Some(WORKSPACE_SOURCE)) => named.is_none(),
            Some(Some(topic)) => named.is_none() && self.was_subscribed(topic, seq),
        })
    }

    fn was_subscribed(&self, topic: i64, seq: Seq) -> bool {
        let name = self.sight.topics.iter().find(|(number, _)| *number == topic).map(|(_, name)| name);
        let intervals = name.and_then(|name| self.sight.visibility.topics.get(name));
        intervals.is_some_and(|intervals| intervals.contains(seq))
    }
}
