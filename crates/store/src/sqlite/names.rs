//! Numbers for workspaces, topics and users: rows carry these instead of texts.

use campanile_model::{Epoch, Seq, Slug, Topic, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;

/// The source of entries to a whole workspace; topics are numbered from 1.
pub(super) const WORKSPACE_SOURCE: i64 = 0;

/// A workspace as of the transaction it was read in.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    pub(super) id: i64,
    pub(super) epoch: Epoch,
    pub(super) first: Seq,
    pub(super) head: Seq,
}

/// A number of ours as SQLite stores it: they count rows, so they never come near 2^63.
pub(super) fn to_sql(number: u64) -> i64 {
    number.min(i64::MAX as u64) as i64
}

/// A number of ours as it was stored; a negative one (a damaged row) reads as 0.
pub(super) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Finds a workspace with its head, which is that of its newest row or, where none is retained, the floor.
pub(super) fn workspace(conn: &Connection, slug: &Slug) -> Outcome<Option<Workspace>> {
    let mut query = conn.prepare_cached(
        "SELECT id, epoch, first, max(head, coalesce((SELECT seq FROM entry WHERE ws = workspace.id \
         ORDER BY seq DESC LIMIT 1), 0)) FROM workspace WHERE slug = ?1",
    )?;
    let found = query.query_row([slug.as_str()], |row| {
        Ok(Workspace {
            id: row.get(0)?,
            epoch: Epoch(row.get::<_, i64>(1)?.cast_unsigned()),
            first: Seq(from_sql(row.get(2)?)),
            head: Seq(from_sql(row.get(3)?)),
        })
    });
    Ok(found.optional()?)
}

/// Records a workspace before its first write.
pub(super) fn create_workspace(conn: &Connection, slug: &Slug, epoch: Epoch) -> Outcome<Workspace> {
    conn.prepare_cached("INSERT INTO workspace (slug, epoch, first, head) VALUES (?1, ?2, 1, 0)")?
        .execute(params![slug.as_str(), epoch.0.cast_signed()])?;
    Ok(Workspace { id: conn.last_insert_rowid(), epoch, first: Seq(1), head: Seq::ZERO })
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
    conn.prepare_cached("INSERT INTO user (ws, name) VALUES (?1, ?2)")?
        .execute(params![ws, name.as_str()])?;
    Ok(conn.last_insert_rowid())
}
