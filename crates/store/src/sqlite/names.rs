//! Numbers for topics and users: rows carry these instead of texts. They belong to one workspace each.

use campanile_model::{Topic, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use super::user::UserState;

/// The source of entries to a whole workspace; topics are numbered from 1.
pub(super) const WORKSPACE_SOURCE: i64 = 0;

/// A number of ours as SQLite stores it: they count rows, so they never come near 2^63.
pub(super) fn to_sql(number: u64) -> i64 {
    number.min(i64::MAX as u64) as i64
}

/// A number of ours as it was stored; a negative one (a damaged row) reads as 0.
pub(super) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn topic(conn: &Connection, ws: i64, name: &Topic) -> Outcome<Option<i64>> {
    let mut query = conn.prepare_cached("SELECT id FROM topic WHERE ws = ?1 AND name = ?2")?;
    Ok(query.query_row(params![ws, name.as_str()], |row| row.get(0)).optional()?)
}

pub(super) fn topic_or_create(conn: &Connection, ws: i64, name: &Topic) -> Outcome<i64> {
    if let Some(id) = topic(conn, ws, name)? {
        return Ok(id);
    }
    conn.prepare_cached("INSERT INTO topic (ws, name) VALUES (?1, ?2)")?
        .execute(params![ws, name.as_str()])?;
    Ok(conn.last_insert_rowid())
}

pub(super) fn user(conn: &Connection, ws: i64, name: &UserId) -> Outcome<Option<i64>> {
    let mut query = conn.prepare_cached("SELECT id FROM user WHERE ws = ?1 AND name = ?2")?;
    Ok(query.query_row(params![ws, name.as_str()], |row| row.get(0)).optional()?)
}

pub(super) fn user_or_create(conn: &Connection, ws: i64, name: &UserId) -> Outcome<i64> {
    if let Some(id) = user(conn, ws, name)? {
        return Ok(id);
    }
    UserState::new(ws).insert(conn, name)
}
