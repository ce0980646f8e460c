//! Rows of the log: how an entry is written down, and read back with its checksum.

use std::sync::Arc;

use campanile_model::{Cause, Entry, EntryKind, Notification, NotificationId, Seq, Timestamp, Topic, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::{Failure, Outcome};
use super::names::{from_sql, to_sql};
use crate::StoreError;

/// What [`Stored::read`] expects of a query, in this order.
pub(super) const COLUMNS: &str = "id, ws, seq, kind, at, source, ord, uid, dead, body, crc";

const NOTIFICATION: i64 = 1;
const RETRACT: i64 = 2;
const SUBSCRIBE: i64 = 3;
const UNSUBSCRIBE: i64 = 4;
const GRANT: i64 = 5;
const WITHDRAW: i64 = 6;

/// Everything of a row but its content and checksum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The number of the change in the whole database.
    pub(super) id: i64,
    pub(super) ws: i64,
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) source: Option<i64>,
    pub(super) ord: Option<i64>,
}

/// A row as it was read, its checksum verified.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) place: Place,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Entry(EntryKind),
    Tombstone(Tombstone),
}

/// What is left of a retracted notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    pub(super) retracted: NotificationId,
    /// The users with a narrow row for it, by number: the prefix that retention removes takes these along.
    pub(super) named: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetractBody {
    target: NotificationId,
    target_seq: Seq,
    #[serde(default)]
    cause: Cause,
}

#[derive(Serialize, Deserialize)]
struct MemberBody {
    topic: Topic,
    user: UserId,
}

#[derive(Serialize, Deserialize)]
struct AccessBody {
    user: UserId,
}

/// Appends `kind` at `place`.
pub(super) fn insert(conn: &Connection, place: &Place, kind: &EntryKind) -> Outcome<()> {
    let (number, uid, body) = encode(kind)?;
    let crc = checksum(place, number, uid.as_ref().map(bytes), false, &body);
    conn.prepare_cached(
        "INSERT INTO entry (id, ws, seq, kind, at, source, ord, uid, dead, body, crc) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10)",
    )?
    .execute(params![
        place.id,
        place.ws,
        to_sql(place.seq.0),
        number,
        place.at.as_millis(),
        place.source,
        place.ord,
        uid.as_ref().map(bytes),
        body,
        crc
    ])?;
    Ok(())
}

/// Puts a tombstone in the place of a notification's body.
pub(super) fn bury(conn: &Connection, place: &Place, tombstone: &Tombstone) -> Outcome<()> {
    let body = json(tombstone)?;
    let crc = checksum(place, NOTIFICATION, Some(bytes(&tombstone.retracted.0)), true, &body);
    conn.prepare_cached("UPDATE entry SET dead = 1, body = ?2, crc = ?3 WHERE id = ?1")?
        .execute(params![place.id, body, crc])?;
    Ok(())
}

/// The row at `seq`, whatever it holds.
pub(super) fn at(conn: &Connection, ws: i64, seq: Seq) -> Outcome<Option<Stored>> {
    let mut query =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE ws = ?1 AND seq = ?2"))?;
    query.query_row(params![ws, to_sql(seq.0)], |row| Ok(Stored::read(row))).optional()?.transpose()
}

/// The notification's row by its public id, retracted or not.
pub(super) fn by_id(conn: &Connection, ws: i64, id: NotificationId) -> Outcome<Option<Stored>> {
    let mut query =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE uid = ?1 AND ws = ?2"))?;
    query.query_row(params![id.0.as_bytes(), ws], |row| Ok(Stored::read(row))).optional()?.transpose()
}

impl Stored {
    /// Reads a row of [`COLUMNS`].
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its checksum or its content is not what was written.
    pub(super) fn read(row: &Row<'_>) -> Outcome<Self> {
        let place = Place {
            id: row.get(0)?,
            ws: row.get(1)?,
            seq: Seq(from_sql(row.get(2)?)),
            at: Timestamp::from_millis(row.get(4)?),
            source: row.get(5)?,
            ord: row.get(6)?,
        };
        let damaged = || Failure::Refused(StoreError::Corrupt { workspace: place.ws, seq: place.seq });
        let (kind, dead): (i64, bool) = (row.get(3)?, row.get(8)?);
        let uid = row.get_ref(7)?.as_blob_or_null().map_err(|_| damaged())?;
        let body = row.get_ref(9)?.as_blob().map_err(|_| damaged())?;
        if checksum(&place, kind, uid, dead, body) != row.get::<_, u32>(10)? {
            return Err(damaged());
        }
        let content = if dead {
            serde_json::from_slice(body).ok().map(Content::Tombstone)
        } else {
            decode(kind, body).map(Content::Entry)
        };
        Ok(Self { place, content: content.ok_or_else(damaged)? })
    }

    /// The notification, unless it was retracted or the entry says something else.
    pub(super) fn notification(&self) -> Option<&Arc<Notification>> {
        match &self.content {
            Content::Entry(EntryKind::Notification(notification)) => Some(notification),
            _ => None,
        }
    }

    /// The entry, unless it was retracted.
    pub(super) fn into_entry(self) -> Option<Entry> {
        match self.content {
            Content::Entry(kind) => Some(Entry { seq: self.place.seq, kind }),
            Content::Tombstone(_) => None,
        }
    }
}

fn checksum(place: &Place, kind: i64, uid: Option<&[u8]>, dead: bool, body: &[u8]) -> u32 {
    let numbers = [
        place.id,
        place.ws,
        to_sql(place.seq.0),
        kind,
        place.at.as_millis(),
        place.source.unwrap_or(-1),
        place.ord.unwrap_or(-1),
        i64::from(dead),
    ];
    let crc = numbers.iter().fold(0, |crc, n| crc32c::crc32c_append(crc, &n.to_le_bytes()));
    let crc = uid.map_or(crc, |uid| crc32c::crc32c_append(crc, uid));
    crc32c::crc32c_append(crc, body)
}

fn bytes(uid: &Uuid) -> &[u8] {
    uid.as_bytes()
}

fn encode(kind: &EntryKind) -> Outcome<(i64, Option<Uuid>, Vec<u8>)> {
    Ok(match kind {
        EntryKind::Notification(n) => (NOTIFICATION, Some(n.id.0), json(n.as_ref())?),
        EntryKind::Update { .. } | EntryKind::Supersede { .. } => {
            return Err(StoreError::Internal("not built".into()).into());
        }
        EntryKind::Retract { target, target_seq, cause } => {
            (RETRACT, None, json(&RetractBody { target: *target, target_seq: *target_seq, cause: *cause })?)
        }
        EntryKind::Subscribe { topic, user } => (SUBSCRIBE, None, member(topic, user)?),
        EntryKind::Unsubscribe { topic, user } => (UNSUBSCRIBE, None, member(topic, user)?),
        EntryKind::Grant { user } => (GRANT, None, json(&AccessBody { user: user.clone() })?),
        EntryKind::Withdraw { user } => (WITHDRAW, None, json(&AccessBody { user: user.clone() })?),
    })
}

fn member(topic: &Topic, user: &UserId) -> Outcome<Vec<u8>> {
    json(&MemberBody { topic: topic.clone(), user: user.clone() })
}

fn json(value: &impl Serialize) -> Outcome<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| StoreError::Internal(error.to_string()).into())
}

fn decode(kind: i64, body: &[u8]) -> Option<EntryKind> {
    Some(match kind {
        NOTIFICATION => EntryKind::Notification(Arc::new(serde_json::from_slice(body).ok()?)),
        RETRACT => {
            let RetractBody { target, target_seq, cause } = serde_json::from_slice(body).ok()?;
            EntryKind::Retract { target, target_seq, cause }
        }
        SUBSCRIBE | UNSUBSCRIBE => {
            let MemberBody { topic, user } = serde_json::from_slice(body).ok()?;
            if kind == SUBSCRIBE {
                EntryKind::Subscribe { topic, user }
            } else {
                EntryKind::Unsubscribe { topic, user }
            }
        }
        GRANT => EntryKind::Grant { user: serde_json::from_slice::<AccessBody>(body).ok()?.user },
        WITHDRAW => EntryKind::Withdraw { user: serde_json::from_slice::<AccessBody>(body).ok()?.user },
        _ => return None,
    })
}
