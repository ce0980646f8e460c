//! Notifications into the log: one body each, and a narrow row for each user it names.

use std::collections::HashSet;
use std::sync::Arc;

use campanile_model::{Audience, EntryKind, Notification, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::membership::is_subscribed;
use super::{Appending, supersede};
use crate::sqlite::failure::Outcome;
use crate::sqlite::names::{self, WORKSPACE_SOURCE, to_sql};
use crate::{Published, validate};

/// Refuses a notification whose id is in the log already.
pub(super) fn refuse_known_ids(conn: &Connection, notifications: &[Arc<Notification>]) -> Outcome<()> {
    let mut query = conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM entry WHERE uid = ?1)")?;
    for notification in notifications {
        if query.query_row([notification.id.0.as_bytes()], |row| row.get(0))? {
            return Err(validate::id_is_taken(notification).into());
        }
    }
    Ok(())
}

pub(super) fn publish(
    log: &mut Appending<'_>,
    notifications: Vec<Arc<Notification>>,
) -> Outcome<Vec<Published>> {
    let mut published = Vec::with_capacity(notifications.len());
    let mut keyed = Vec::new();
    for notification in notifications {
        let has_key = notification.collapse_key.is_some();
        let one = publish_one(log, &notification)?;
        published.push(one);
        if has_key {
            keyed.push((notification, one.seq));
        }
    }
    // A write's notifications have consecutive places, so this comes after all of them.
    supersede::supersede_older(log, &keyed)?;
    Ok(published)
}

fn publish_one(log: &mut Appending<'_>, notification: &Arc<Notification>) -> Outcome<Published> {
    let ws = log.workspace.id;
    let source = match &notification.audience {
        Audience::Users(_) => None,
        Audience::Topic(topic) => Some(names::topic_or_create(log.conn, ws, topic)?),
        Audience::Workspace => Some(WORKSPACE_SOURCE),
    };
    let ord = source.map(|source| next_ordinal(log.conn, ws, source)).transpose()?;
    let (id, timestamp) = (notification.id, notification.timestamp);
    let seq = log.push_from(EntryKind::Notification(notification.clone()), source, ord)?;

    let mut once = HashSet::new();
    if let Audience::Users(users) = &notification.audience {
        for user in users.iter().filter(|u| once.insert(*u) && !notification.except.contains(u)) {
            name(log, user, seq, 1)?;
        }
    } else {
        for user in notification.except.iter().filter(|u| once.insert(*u)) {
            // An exception counts only against an entry that the user would otherwise see.
            let would_see = match (&notification.audience, source) {
                (Audience::Topic(_), Some(topic)) => is_subscribed(log.conn, topic, user)?,
                _ => true,
            };
            if would_see {
                name(log, user, seq, -1)?;
            }
        }
    }
    Ok(Published { id, seq, timestamp })
}

/// The running number of a source's next entry. It begins anew where nothing of the source is retained;
/// only differences count.
fn next_ordinal(conn: &Connection, ws: i64, source: i64) -> Outcome<i64> {
    let mut query = conn.prepare_cached(
        "SELECT ord FROM entry INDEXED BY entry_by_source WHERE ws = ?1 AND source = ?2 \
         ORDER BY seq DESC LIMIT 1",
    )?;
    let last: Option<i64> = query.query_row([ws, source], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0) + 1)
}

fn name(log: &Appending<'_>, user: &UserId, seq: Seq, delta: i64) -> Outcome<()> {
    let user = names::user_or_create(log.conn, log.workspace.id, user)?;
    log.conn
        .prepare_cached(
            "INSERT INTO named (user, seq, delta, balance, dead) VALUES (?1, ?2, ?3, ?3 + coalesce(\
             (SELECT balance FROM named WHERE user = ?1 ORDER BY seq DESC LIMIT 1), 0), 0)",
        )?
        .execute(params![user, to_sql(seq.0), delta])?;
    Ok(())
}
