//! Subscriptions to topics: intervals of the log.

use campanile_model::{EntryKind, Topic, UserId, limits};
use rusqlite::{Connection, params};

use super::Appending;
use crate::StoreError;
use crate::sqlite::failure::Outcome;
use crate::sqlite::names::{self, to_sql};

pub(super) fn is_subscribed(conn: &Connection, topic: i64, name: &UserId) -> Outcome<bool> {
    let mut query =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM subscriber WHERE topic = ?1 AND name = ?2)")?;
    Ok(query.query_row(params![topic, name.as_str()], |row| row.get(0))?)
}

/// Refuses if one of the users would be subscribed to too many topics.
pub(super) fn refuse_above_limit(conn: &Connection, ws: i64, topic: &Topic, users: &[UserId]) -> Outcome<()> {
    let topic = names::topic(conn, ws, topic)?;
    let mut query =
        conn.prepare_cached("SELECT count(*) FROM membership WHERE user = ?1 AND to_seq IS NULL")?;
    for name in users {
        let Some(user) = names::user(conn, ws, name)? else { continue };
        let topics: i64 = query.query_row([user], |row| row.get(0))?;
        if topics >= limits::MAX_TOPICS_PER_USER as i64
            && !topic.map_or(Ok(false), |topic| is_subscribed(conn, topic, name))?
        {
            let limit = limits::MAX_TOPICS_PER_USER;
            return Err(StoreError::Limit { what: "topics of one user", limit }.into());
        }
    }
    Ok(())
}

pub(super) fn subscribe(log: &mut Appending<'_>, name: &Topic, users: Vec<UserId>) -> Outcome<()> {
    let topic = names::topic_or_create(log.conn, log.workspace.id, name)?;
    for user in users {
        if is_subscribed(log.conn, topic, &user)? {
            continue;
        }
        let id = names::user_or_create(log.conn, log.workspace.id, &user)?;
        let seq = log.push(EntryKind::Subscribe { topic: name.clone(), user: user.clone() })?;
        log.conn
            .prepare_cached("INSERT INTO membership (user, topic, from_seq) VALUES (?1, ?2, ?3)")?
            .execute(params![id, topic, to_sql(seq.0)])?;
        log.conn
            .prepare_cached("INSERT INTO subscriber (topic, name, user) VALUES (?1, ?2, ?3)")?
            .execute(params![topic, user.as_str(), id])?;
    }
    Ok(())
}

pub(super) fn unsubscribe(log: &mut Appending<'_>, name: &Topic, users: Vec<UserId>) -> Outcome<()> {
    let Some(topic) = names::topic(log.conn, log.workspace.id, name)? else { return Ok(()) };
    for user in users {
        if !is_subscribed(log.conn, topic, &user)? {
            continue;
        }
        let id = names::user_or_create(log.conn, log.workspace.id, &user)?;
        let seq = log.push(EntryKind::Unsubscribe { topic: name.clone(), user: user.clone() })?;
        log.conn
            .prepare_cached(
                "UPDATE membership SET to_seq = ?3 WHERE user = ?1 AND topic = ?2 AND to_seq IS NULL",
            )?
            .execute(params![id, topic, to_sql(seq.0)])?;
        log.conn
            .prepare_cached("DELETE FROM subscriber WHERE topic = ?1 AND name = ?2")?
            .execute(params![topic, user.as_str()])?;
        forget_pruned(log, id)?;
    }
    Ok(())
}

/// Removes the user's stretches that ended before the oldest retained entry: they show nothing any more.
fn forget_pruned(log: &Appending<'_>, user: i64) -> Outcome<()> {
    log.conn
        .prepare_cached("DELETE FROM membership WHERE user = ?1 AND to_seq < ?2")?
        .execute(params![user, to_sql(log.workspace.first.0)])?;
    Ok(())
}
