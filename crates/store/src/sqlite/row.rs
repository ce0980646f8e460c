//! Rows of the log: how an entry is written down, and read back with its checksum.

use std::sync::Arc;

use campanile_model::{Cause, Entry, EntryKind, Notification, NotificationId, Seq, Timestamp, Topic, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dead;
use super::failure::{Failure, Outcome};
use super::names::{from_sql, to_sql};
use crate::{StoreError, collapse};

/// What [`Stored::read`] expects of a query, in this order.
pub(super) const COLUMNS: &str = "id, ws, seq, kind, at, source, ord, uid, dead, body, crc, superseded";

const NOTIFICATION: i64 = 1;
const RETRACT: i64 = 2;
const SUBSCRIBE: i64 = 3;
const UNSUBSCRIBE: i64 = 4;
const GRANT: i64 = 5;
const WITHDRAW: i64 = 6;
const UPDATE: i64 = 7;
const SUPERSEDE: i64 = 8;

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
    /// The entry that superseded this notification.
    pub(super) superseded: Option<Seq>,
}

#[derive(Debug)]
pub(super) enum Content {
    Entry(EntryKind),
    /// A notification said anew: how, stands in its own row.
    Update {
        target: NotificationId,
        target_seq: Seq,
    },
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
#[serde(rename_all = "camelCase")]
struct UpdateBody {
    target: NotificationId,
    target_seq: Seq,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SupersedeBody {
    target: NotificationId,
    target_seq: Seq,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<NotificationId>,
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
    let crc = checksum(place, number, uid.as_ref().map(bytes), Life::Live, &body);
    let (expires, collapse) = match kind {
        EntryKind::Notification(notification) => (expires(notification), collapse::digest(notification)),
        _ => (None, None),
    };
    conn.prepare_cached(
        "INSERT INTO entry (id, ws, seq, kind, at, source, ord, uid, dead, body, crc, expires, collapse) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12)",
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
        crc,
        expires,
        collapse
    ])?;
    Ok(())
}

/// Writes a notification in its old place: live, or superseded by the entry at `by`.
pub(super) fn rewrite(
    conn: &Connection,
    place: &Place,
    notification: &Notification,
    by: Option<Seq>,
) -> Outcome<()> {
    let body = json(notification)?;
    let life = by.map_or(Life::Live, Life::Superseded);
    let crc = checksum(place, NOTIFICATION, Some(bytes(&notification.id.0)), life, &body);
    let collapse = if by.is_none() { collapse::digest(notification) } else { None };
    conn.prepare_cached(
        "UPDATE entry SET dead = ?2, body = ?3, crc = ?4, expires = ?5, collapse = ?6, superseded = ?7 \
         WHERE id = ?1",
    )?
    .execute(params![
        place.id,
        life.number(),
        body,
        crc,
        expires(notification),
        collapse,
        by.map(|by| to_sql(by.0))
    ])?;
    Ok(())
}

/// Puts a tombstone in the place of a notification's body.
pub(super) fn bury(conn: &Connection, place: &Place, tombstone: &Tombstone) -> Outcome<()> {
    let body = json(tombstone)?;
    let crc = checksum(place, NOTIFICATION, Some(bytes(&tombstone.retracted.0)), Life::Tombstone, &body);
    conn.prepare_cached(
        "UPDATE entry SET dead = 1, body = ?2, crc = ?3, expires = NULL, collapse = NULL, superseded = NULL \
         WHERE id = ?1",
    )?
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
        let superseded = row.get::<_, Option<i64>>(11)?.map(|by| Seq(from_sql(by)));
        let (kind, life) = (row.get(3)?, Life::of(row.get(8)?, superseded).ok_or_else(damaged)?);
        let uid = row.get_ref(7)?.as_blob_or_null().map_err(|_| damaged())?;
        let body = row.get_ref(9)?.as_blob().map_err(|_| damaged())?;
        if checksum(&place, kind, uid, life, body) != row.get::<_, u32>(10)? {
            return Err(damaged());
        }
        let content = match life {
            Life::Tombstone => serde_json::from_slice(body).ok().map(Content::Tombstone),
            Life::Live | Life::Superseded(_) => decode(kind, body),
        };
        Ok(Self { place, content: content.ok_or_else(damaged)?, superseded })
    }

    /// The notification, unless it was retracted or the entry says something else.
    pub(super) fn notification(&self) -> Option<&Arc<Notification>> {
        match &self.content {
            Content::Entry(EntryKind::Notification(notification)) => Some(notification),
            _ => None,
        }
    }

    /// The notification, unless it was retracted or superseded.
    pub(super) fn live(&self) -> Option<&Arc<Notification>> {
        self.notification().filter(|_| self.superseded.is_none())
    }

    /// The entry as a follower is told it; none if its notification was retracted or superseded.
    pub(super) fn into_entry(self, conn: &Connection) -> Outcome<Option<Entry>> {
        let seq = self.place.seq;
        let kind = match self.content {
            Content::Entry(_) if self.superseded.is_some() => return Ok(None),
            Content::Entry(kind) => kind,
            Content::Tombstone(_) => return Ok(None),
            Content::Update { target, target_seq } => {
                let Some(now) = at(conn, self.place.ws, target_seq)? else { return Ok(None) };
                let Some(notification) = now.live().filter(|n| n.id == target) else { return Ok(None) };
                EntryKind::Update { target_seq, notification: notification.clone() }
            }
        };
        Ok(Some(Entry { seq, kind }))
    }
}

/// What became of a row.
#[derive(Clone, Copy)]
enum Life {
    Live,
    /// Its body is gone.
    Tombstone,
    /// By the entry of this place.
    Superseded(Seq),
}

impl Life {
    fn of(dead: i64, superseded: Option<Seq>) -> Option<Self> {
        match (dead, superseded) {
            (0, None) => Some(Self::Live),
            (dead::TOMBSTONE, None) => Some(Self::Tombstone),
            (dead::SUPERSEDED, Some(by)) => Some(Self::Superseded(by)),
            _ => None,
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Live => 0,
            Self::Tombstone => dead::TOMBSTONE,
            Self::Superseded(_) => dead::SUPERSEDED,
        }
    }
}

fn expires(notification: &Notification) -> Option<i64> {
    notification.expires_at.map(Timestamp::as_millis)
}

fn checksum(place: &Place, kind: i64, uid: Option<&[u8]>, life: Life, body: &[u8]) -> u32 {
    let numbers = [
        place.id,
        place.ws,
        to_sql(place.seq.0),
        kind,
        place.at.as_millis(),
        place.source.unwrap_or(-1),
        place.ord.unwrap_or(-1),
        life.number(),
    ];
    // Rows that were not superseded carry the checksum they always had.
    let by = if let Life::Superseded(by) = life { Some(to_sql(by.0)) } else { None };
    let crc = numbers.iter().chain(&by).fold(0, |crc, n| crc32c::crc32c_append(crc, &n.to_le_bytes()));
    let crc = uid.map_or(crc, |uid| crc32c::crc32c_append(crc, uid));
    crc32c::crc32c_append(crc, body)
}

fn bytes(uid: &Uuid) -> &[u8] {
    uid.as_bytes()
}

fn encode(kind: &EntryKind) -> Outcome<(i64, Option<Uuid>, Vec<u8>)> {
    Ok(match kind {
        EntryKind::Notification(n) => (NOTIFICATION, Some(n.id.0), json(n.as_ref())?),
        EntryKind::Update { target_seq, notification } => {
            (UPDATE, None, json(&UpdateBody { target: notification.id, target_seq: *target_seq })?)
        }
        EntryKind::Supersede { target, target_seq, by, withdrawn: _ } => {
            (SUPERSEDE, None, json(&SupersedeBody { target: *target, target_seq: *target_seq, by: *by })?)
        }
        EntryKind::Retract { target, target_seq, cause, withdrawn: _ } => {
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

fn decode(kind: i64, body: &[u8]) -> Option<Content> {
    Some(Content::Entry(match kind {
        NOTIFICATION => EntryKind::Notification(Arc::new(serde_json::from_slice(body).ok()?)),
        RETRACT => {
            let RetractBody { target, target_seq, cause } = serde_json::from_slice(body).ok()?;
            EntryKind::Retract { target, target_seq, cause, withdrawn: None }
        }
        UPDATE => {
            let UpdateBody { target, target_seq } = serde_json::from_slice(body).ok()?;
            return Some(Content::Update { target, target_seq });
        }
        SUPERSEDE => {
            let SupersedeBody { target, target_seq, by } = serde_json::from_slice(body).ok()?;
            EntryKind::Supersede { target, target_seq, by, withdrawn: None }
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
    }))
}
