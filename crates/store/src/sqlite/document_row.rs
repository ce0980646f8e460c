//! Rows of documents: how one is written down, and read back with its checksum.

use std::sync::Arc;

use campanile_model::Timestamp;
use rusqlite::{Connection, Row, params};

use super::failure::{Failure, Outcome};
use super::names::from_sql;
use crate::{Contents, Document, DocumentKind, StoreError};

/// What [`DocumentRow::read`] expects of a query, in this order.
pub(super) const COLUMNS: &str =
    "number, ws, kind, id, grp, version, created, updated, due, expires, body, crc";

/// A row but for its checksum, which is right: it was verified, or is made when the row is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct DocumentRow<'a> {
    pub(super) number: i64,
    pub(super) ws: i64,
    pub(super) kind: i64,
    pub(super) id: &'a str,
    pub(super) group: &'a str,
    pub(super) version: i64,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) due: Option<i64>,
    pub(super) expires: Option<i64>,
    pub(super) body: &'a str,
}

/// The row of this number does not carry what was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damaged(pub(super) i64);

impl From<Damaged> for StoreError {
    fn from(Damaged(number): Damaged) -> Self {
        Self::Internal(format!("document row {number} is damaged"))
    }
}

impl From<Damaged> for Failure {
    fn from(damaged: Damaged) -> Self {
        Self::Refused(damaged.into())
    }
}

/// Which columns an update changes besides the body: the fewer, the fewer indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Body,
    Due,
    Whole,
}

impl<'a> DocumentRow<'a> {
    /// Reads a row of [`COLUMNS`].
    pub(super) fn read(row: &'a Row<'_>) -> rusqlite::Result<Result<Self, Damaged>> {
        let number = row.get(0)?;
        Ok(Self::verified(row, number).ok_or(Damaged(number)))
    }

    /// `None` as well where a column is not even of its type.
    fn verified(row: &'a Row<'_>, number: i64) -> Option<Self> {
        let integer = |column: usize| row.get_ref(column).ok()?.as_i64().ok();
        let optional = |column: usize| row.get_ref(column).ok()?.as_i64_or_null().ok();
        let text = |column: usize| row.get_ref(column).ok()?.as_str().ok();
        let read = Self {
            number,
            ws: integer(1)?,
            kind: integer(2)?,
            id: text(3)?,
            group: text(4)?,
            version: integer(5)?,
            created: integer(6)?,
            updated: integer(7)?,
            due: optional(8)?,
            expires: optional(9)?,
            body: std::str::from_utf8(row.get_ref(10).ok()?.as_blob().ok()?).ok()?,
        };
        (integer(11)? == i64::from(read.checksum())).then_some(read)
    }

    /// The document it holds.
    pub(super) fn document(&self) -> Result<Document, Damaged> {
        let kind = DocumentKind::ALL.into_iter().find(|kind| kind.number() == self.kind);
        Ok(Document {
            kind: kind.ok_or(Damaged(self.number))?,
            id: self.id.into(),
            version: from_sql(self.version),
            number: from_sql(self.number),
            created: Timestamp::from_millis(self.created),
            updated: Timestamp::from_millis(self.updated),
            contents: Contents {
                group: self.group.into(),
                due: self.due.map(Timestamp::from_millis),
                expires: self.expires.map(Timestamp::from_millis),
                body: Arc::from(self.body),
            },
        })
    }

    pub(super) fn insert(&self, conn: &Connection) -> Outcome<()> {
        conn.prepare_cached(
            "INSERT INTO document (number, ws, kind, id, grp, version, created, updated, due, expires, body, crc) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            self.number,
            self.ws,
            self.kind,
            self.id,
            self.group,
            self.version,
            self.created,
            self.updated,
            self.due,
            self.expires,
            self.body.as_bytes(),
            self.checksum()
        ])?;
        Ok(())
    }

    /// Writes what changed since the row of this number was written last; the caller says what may have.
    pub(super) fn update(&self, conn: &Connection, extent: Extent) -> Outcome<()> {
        let (number, version, updated) = (self.number, self.version, self.updated);
        let (body, crc, due) = (self.body.as_bytes(), self.checksum(), self.due);
        match extent {
            Extent::Body => conn
                .prepare_cached(
                    "UPDATE document SET version = ?2, updated = ?3, body = ?4, crc = ?5 WHERE number = ?1",
                )?
                .execute(params![number, version, updated, body, crc])?,
            Extent::Due => conn
                .prepare_cached(
                    "UPDATE document SET version = ?2, updated = ?3, body = ?4, crc = ?5, due = ?6 \
                     WHERE number = ?1",
                )?
                .execute(params![number, version, updated, body, crc, due])?,
            Extent::Whole => conn
                .prepare_cached(
                    "UPDATE document SET version = ?2, updated = ?3, body = ?4, crc = ?5, due = ?6, \
                     expires = ?7, grp = ?8 WHERE number = ?1",
                )?
                .execute(params![number, version, updated, body, crc, due, self.expires, self.group])?,
        };
        Ok(())
    }

    fn checksum(&self) -> u32 {
        let flag = |instant: Option<i64>| i64::from(instant.is_some());
        let numbers = [
            self.number,
            self.ws,
            self.kind,
            self.version,
            self.created,
            self.updated,
            flag(self.due),
            self.due.unwrap_or(0),
            flag(self.expires),
            self.expires.unwrap_or(0),
            // So that a byte cannot move from one text to the next.
            self.id.len() as i64,
            self.group.len() as i64,
        ];
        let mut bytes = [0; 8 * 12];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        [self.id, self.group, self.body]
            .iter()
            .fold(crc32c::crc32c(&bytes), |crc, text| crc32c::crc32c_append(crc, text.as_bytes()))
    }
}
