//! Documents read in one transaction, and removed when their time is over.

use std::collections::HashMap;
use std::sync::Arc;

use campanile_model::{Slug, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::document_row::{COLUMNS, Damaged, DocumentRow};
use super::failure::Outcome;
use super::names::to_sql;
use super::turn::Removed;
use super::workspace::Workspace;
use crate::documents::{PageBytes, ReadBytes};
use crate::{Document, DocumentKind, DocumentQuery, DuePlace, Order};

/// The documents of these ids, in their order.
pub(super) fn documents(
    conn: &Connection,
    slug: &Slug,
    kind: DocumentKind,
    ids: &[Arc<str>],
) -> Outcome<Vec<Option<Document>>> {
    let Some(ws) = Workspace::load(conn, slug)? else { return Ok(vec![None; ids.len()]) };
    let mut query = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM document WHERE ws = ?1 AND kind = ?2 AND id = ?3"))?;
    let (mut found, mut bytes) = (Vec::with_capacity(ids.len()), ReadBytes::default());
    for id in ids {
        let mut rows = query.query(params![ws.id, kind.number(), id])?;
        found.push(match rows.next()? {
            Some(row) => {
                let document = DocumentRow::read(row)??.document()?;
                bytes.add(&document)?;
                Some(document)
            }
            None => None,
        });
    }
    Ok(found)
}

/// A page of a list, along the index that has its order.
pub(super) fn list(conn: &Connection, slug: &Slug, query: &DocumentQuery) -> Outcome<Vec<Document>> {
    let Some(ws) = Workspace::load(conn, slug)? else { return Ok(Vec::new()) };
    let group = query.group.as_deref();
    let (kind, limit) = (query.kind.number(), to_sql(query.limit as u64));
    let own_index = group.is_some_and(|group| !group.is_empty());
    let in_group = match group {
        None => "?4 IS NULL",
        Some("") => "grp = ?4",
        // The second half says to SQLite that the index holds them all.
        Some(_) => "grp = ?4 AND grp != ''",
    };
    match &query.order {
        Order::Id(after) => {
            let index = if own_index { "document_by_group_id" } else { "document_by_id" };
            let sql = format!(
                "SELECT {COLUMNS} FROM document INDEXED BY {index} \
                 WHERE ws = ?1 AND kind = ?2 AND {in_group} AND id > ?3 ORDER BY id LIMIT ?5"
            );
            page(conn, &sql, params![ws.id, kind, after.as_deref().unwrap_or(""), group, limit])
        }
        Order::Newest(before) => {
            let index = if own_index { "document_by_group_number" } else { "document_by_number" };
            let sql = format!(
                "SELECT {COLUMNS} FROM document INDEXED BY {index} \
                 WHERE ws = ?1 AND kind = ?2 AND {in_group} AND number < ?3 ORDER BY number DESC LIMIT ?5"
            );
            page(conn, &sql, params![ws.id, kind, before.map_or(i64::MAX, to_sql), group, limit])
        }
    }
}

fn page(conn: &Connection, sql: &str, bounds: impl Params) -> Outcome<Vec<Document>> {
    let mut query = conn.prepare_cached(sql)?;
    let mut rows = query.query(bounds)?;
    let (mut documents, mut bytes) = (Vec::new(), PageBytes::default());
    while let Some(row) = rows.next()? {
        let document = DocumentRow::read(row)??.document()?;
        let ended = bytes.ends_with(&document);
        documents.push(document);
        if ended {
            break;
        }
    }
    Ok(documents)
}

/// What is due, the longest due first. A damaged row is passed over: it must not stop those behind it.
pub(super) fn due(
    conn: &Connection,
    kind: DocumentKind,
    up_to: Timestamp,
    after: Option<DuePlace>,
    limit: usize,
) -> Outcome<Vec<(Slug, Document)>> {
    let mut query = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM document INDEXED BY document_by_due \
         WHERE kind = ?1 AND due <= ?2 AND (due, number) > (?3, ?4) ORDER BY due, number"
    ))?;
    let (due, number) = after.map_or((i64::MIN, 0), |(due, number)| (due.as_millis(), to_sql(number)));
    let mut rows = query.query(params![kind.number(), up_to.as_millis(), due, number])?;
    let (mut due, mut slugs) = (Vec::new(), HashMap::new());
    let (mut bytes, mut ended) = (PageBytes::default(), false);
    while due.len() < limit
        && !ended
        && let Some(row) = rows.next()?
    {
        let number: i64 = row.get(0)?;
        let document = match DocumentRow::read(row)?.and_then(|row| Ok((row.ws, row.document()?))) {
            Ok((ws, document)) => slug(conn, &mut slugs, ws)?.map(|slug| (slug, document)),
            Err(Damaged(_)) => None,
        };
        if document.is_none() {
            tracing::error!(document = number, "a document that is due is damaged, and is passed over");
        }
        if let Some((_, document)) = &document {
            ended = bytes.ends_with(document);
        }
        due.extend(document);
    }
    Ok(due)
}

/// The slug of a workspace's number, looked up once.
fn slug(conn: &Connection, known: &mut HashMap<i64, Slug>, ws: i64) -> Outcome<Option<Slug>> {
    if let Some(slug) = known.get(&ws) {
        return Ok(Some(slug.clone()));
    }
    let mut query = conn.prepare_cached("SELECT slug FROM workspace WHERE id = ?1")?;
    let text: Option<String> = query.query_row([ws], |row| row.get(0)).optional()?;
    let slug = text.and_then(|text| Slug::new(&text).ok());
    known.extend(slug.clone().map(|slug| (ws, slug)));
    Ok(slug)
}

/// Whether [`purge`] has anything to do.
pub(super) fn has_expired(conn: &Connection, now: Timestamp) -> Outcome<bool> {
    let mut query = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM document INDEXED BY document_by_expiry WHERE expires <= ?1)",
    )?;
    Ok(query.query_row([now.as_millis()], |row| row.get(0))?)
}

/// Removes at most `limit` documents that expired, and [`Removed`] bytes of them, the first to expire first.
pub(super) fn purge(conn: &Connection, now: Timestamp, limit: usize) -> Outcome<usize> {
    let mut query = conn.prepare_cached(
        "SELECT number, octet_length(body) FROM document INDEXED BY document_by_expiry \
         WHERE expires <= ?1 ORDER BY expires, number LIMIT ?2",
    )?;
    let expired: Vec<(i64, Option<i64>)> = query
        .query_map(params![now.as_millis(), to_sql(limit as u64)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let (mut removed, mut gone) = (Removed::default(), 0);
    for (number, bytes) in expired {
        if !removed.has_room(bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)) {
            break;
        }
        gone += conn.prepare_cached("DELETE FROM document WHERE number = ?1")?.execute([number])?;
    }
    Ok(gone)
}
