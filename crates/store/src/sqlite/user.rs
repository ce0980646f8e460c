//! What is recorded about one user: watermarks, counters, receipts.

use campanile_model::{Receipt, Rev, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::Outcome;
use super::names::{from_sql, to_sql};
use crate::StoreError;

/// A row of `user`. Its three counters always say what a count of the user's receipts would:
/// they change in the transaction that changes a receipt or a watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserState {
    /// 0: nothing is recorded about the user.
    pub(super) id: i64,
    ws: i64,
    pub(super) rev: Rev,
    /// Entries up to here were read, unless a receipt says otherwise.
    pub(super) read_upto: Seq,
    /// Entries up to here were seen.
    pub(super) seen_upto: Seq,
    /// Receipts with `read` above `read_upto`.
    pub(super) read_above: i64,
    /// Receipts without `read` at or below `read_upto`.
    pub(super) unread_below: i64,
    /// Receipts above both watermarks.
    pub(super) above_seen: i64,
}

/// A receipt as it is kept: what stands here was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) read: bool,
    pub(super) archived: bool,
}

const COLUMNS: &str = "id, ws, rev, read_upto, seen_upto, read_above, unread_below, above_seen, crc";

impl UserState {
    /// Of a user about whom nothing is recorded.
    pub(super) fn new(ws: i64) -> Self {
        Self {
            id: 0,
            ws,
            rev: Rev(0),
            read_upto: Seq::ZERO,
            seen_upto: Seq::ZERO,
            read_above: 0,
            unread_below: 0,
            above_seen: 0,
        }
    }

    /// Of the user of that name; [`new`](Self::new) where nothing is recorded.
    pub(super) fn load(conn: &Connection, ws: i64, name: &UserId) -> Outcome<Self> {
        let mut query =
            conn.prepare_cached(&format!("SELECT {COLUMNS} FROM user WHERE ws = ?1 AND name = ?2"))?;
        let found = query.query_row(params![ws, name.as_str()], |row| Ok(Self::read(row))).optional()?;
        found.unwrap_or_else(|| Ok(Self::new(ws)))
    }

    fn load_by_id(conn: &Connection, id: i64) -> Outcome<Option<Self>> {
        let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM user WHERE id = ?1"))?;
        query.query_row([id], |row| Ok(Self::read(row))).optional()?.transpose()
    }

    fn read(row: &Row<'_>) -> Outcome<Self> {
        let state = Self {
            id: row.get(0)?,
            ws: row.get(1)?,
            rev: Rev(from_sql(row.get(2)?)),
            read_upto: Seq(from_sql(row.get(3)?)),
            seen_upto: Seq(from_sql(row.get(4)?)),
            read_above: row.get(5)?,
            unread_below: row.get(6)?,
            above_seen: row.get(7)?,
        };
        if state.checksum() == row.get::<_, u32>(8)? {
            Ok(state)
        } else {
            Err(StoreError::Internal(format!("the read state of user row {} is damaged", state.id)).into())
        }
    }

    /// Records the user; returns the number.
    pub(super) fn insert(&self, conn: &Connection, name: &UserId) -> Outcome<i64> {
        conn.prepare_cached(
            "INSERT INTO user (ws, rev, read_upto, seen_upto, read_above, unread_below, above_seen, crc, name) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            self.ws,
            to_sql(self.rev.0),
            to_sql(self.read_upto.0),
            to_sql(self.seen_upto.0),
            self.read_above,
            self.unread_below,
            self.above_seen,
            self.checksum(),
            name.as_str()
        ])?;
        Ok(conn.last_insert_rowid())
    }

    pub(super) fn save(&self, conn: &Connection) -> Outcome<()> {
        conn.prepare_cached(
            "UPDATE user SET rev = ?2, read_upto = ?3, seen_upto = ?4, read_above = ?5, \
             unread_below = ?6, above_seen = ?7, crc = ?8 WHERE id = ?1",
        )?
        .execute(params![
            self.id,
            to_sql(self.rev.0),
            to_sql(self.read_upto.0),
            to_sql(self.seen_upto.0),
            self.read_above,
            self.unread_below,
            self.above_seen,
            self.checksum()
        ])?;
        Ok(())
    }

    fn checksum(&self) -> u32 {
        let numbers = [
            self.ws,
            to_sql(self.rev.0),
            to_sql(self.read_upto.0),
            to_sql(self.seen_upto.0),
            self.read_above,
            self.unread_below,
            self.above_seen,
        ];
        numbers.iter().fold(0, |crc, n| crc32c::crc32c_append(crc, &n.to_le_bytes()))
    }

    /// Entries up to here were seen: what was read was.
    pub(super) fn seen_watermark(&self) -> Seq {
        self.read_upto.max(self.seen_upto)
    }

    /// Takes one receipt into the counters (`by` 1) or out of them (`by` -1).
    pub(super) fn count(&mut self, seq: Seq, read: bool, by: i64) {
        if read && seq > self.read_upto {
            self.read_above += by;
        }
        if !read && seq <= self.read_upto {
            self.unread_below += by;
        }
        if seq > self.seen_watermark() {
            self.above_seen += by;
        }
    }

    /// What the user did with the entry at `seq`, whose kept receipt is `kept`.
    pub(super) fn receipt(&self, seq: Seq, kept: Option<Kept>) -> Receipt {
        match kept {
            Some(Kept { read, archived }) => Receipt { seen: true, read, archived },
            None => {
                Receipt { seen: seq <= self.seen_watermark(), read: seq <= self.read_upto, archived: false }
            }
        }
    }
}

/// Reads every user's state for its checksum.
pub(super) fn all_sound(conn: &Connection) -> Outcome<()> {
    let mut query = conn.prepare(&format!("SELECT {COLUMNS} FROM user"))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        UserState::read(row)?;
    }
    Ok(())
}

/// The receipt that is kept for one entry.
pub(super) fn kept(conn: &Connection, user: i64, seq: Seq) -> Outcome<Option<Kept>> {
    let mut query = conn.prepare_cached("SELECT read, archived FROM receipt WHERE user = ?1 AND seq = ?2")?;
    let found = query
        .query_row(params![user, to_sql(seq.0)], |row| Ok(Kept { read: row.get(0)?, archived: row.get(1)? }));
    Ok(found.optional()?)
}

/// Keeps a receipt, in place of the one before. The counters are the caller's.
pub(super) fn keep(conn: &Connection, ws: i64, user: i64, seq: Seq, kept: Kept, rev: Rev) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO receipt (user, seq, ws, read, archived, rev) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (user, seq) DO UPDATE SET read = ?4, archived = ?5, rev = ?6",
    )?
    .execute(params![user, to_sql(seq.0), ws, kept.read, kept.archived, to_sql(rev.0)])?;
    Ok(())
}

/// Removes a receipt whose entry is gone, and takes it out of its user's counters.
pub(super) fn forget(conn: &Connection, user: i64, seq: Seq, read: bool) -> Outcome<()> {
    conn.prepare_cached("DELETE FROM receipt WHERE user = ?1 AND seq = ?2")?
        .execute(params![user, to_sql(seq.0)])?;
    if let Some(mut state) = UserState::load_by_id(conn, user)? {
        state.count(seq, read, -1);
        state.save(conn)?;
    }
    Ok(())
}
