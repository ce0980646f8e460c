//! Workspaces: which log a slug names, and where it stands.

use campanile_model::{Epoch, Seq, Slug};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{Failure, Outcome};
use super::names::{from_sql, to_sql};
use crate::{Head, StoreError};

/// A workspace as of the transaction it was read in.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    pub(super) id: i64,
    pub(super) epoch: Epoch,
    /// The oldest retained entry; head + 1 where nothing is retained.
    pub(super) first: Seq,
    pub(super) head: Seq,
}

/// The head is that of the newest row, or the recorded floor where retention took that row: so an append
/// need not touch this table.
const COLUMNS: &str = "id, epoch, first, head, crc, slug, \
     coalesce((SELECT seq FROM entry WHERE ws = workspace.id ORDER BY seq DESC LIMIT 1), 0)";

impl Workspace {
    /// The workspace of that slug, if it was ever written to.
    pub(super) fn load(conn: &Connection, slug: &Slug) -> Outcome<Option<Self>> {
        let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM workspace WHERE slug = ?1"))?;
        query.query_row([slug.as_str()], |row| Ok(Self::read(row))).optional()?.transpose()
    }

    /// The workspace of that row, with its slug.
    pub(super) fn load_by_id(conn: &Connection, id: i64) -> Outcome<Option<(Slug, Self)>> {
        let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM workspace WHERE id = ?1"))?;
        query.query_row([id], |row| Ok(Self::read_named(row))).optional()?.transpose()
    }

    /// Records a workspace before its first write.
    pub(super) fn create(conn: &Connection, slug: &Slug, epoch: Epoch) -> Outcome<Self> {
        let new = Self { id: 0, epoch, first: Seq(1), head: Seq::ZERO };
        conn.prepare_cached(
            "INSERT INTO workspace (slug, epoch, first, head, crc) VALUES (?1, ?2, 1, 0, ?3)",
        )?
        .execute(params![slug.as_str(), epoch.0.cast_signed(), new.checksum()])?;
        Ok(Self { id: conn.last_insert_rowid(), ..new })
    }

    /// Records the epoch, the first entry and the head as they are here.
    pub(super) fn save(&self, conn: &Connection) -> Outcome<()> {
        conn.prepare_cached(
            "UPDATE workspace SET epoch = ?2, first = ?3, head = ?4, crc = ?5 WHERE id = ?1",
        )?
        .execute(params![
            self.id,
            self.epoch.0.cast_signed(),
            to_sql(self.first.0),
            to_sql(self.head.0),
            self.checksum()
        ])?;
        Ok(())
    }

    /// The place before the oldest retained entry.
    pub(super) fn before_first(&self) -> Seq {
        Seq(self.first.0.saturating_sub(1))
    }

    fn read_named(row: &Row<'_>) -> Outcome<(Slug, Self)> {
        let workspace = Self::read(row)?;
        let slug = Slug::new(&row.get::<_, String>(5)?).map_err(|_| damaged(workspace.id))?;
        Ok((slug, workspace))
    }

    fn read(row: &Row<'_>) -> Outcome<Self> {
        let recorded = Self {
            id: row.get(0)?,
            epoch: Epoch(row.get::<_, i64>(1)?.cast_unsigned()),
            first: Seq(from_sql(row.get(2)?)),
            head: Seq(from_sql(row.get(3)?)),
        };
        if recorded.checksum() != row.get::<_, u32>(4)? {
            return Err(damaged(recorded.id));
        }
        let newest = Seq(from_sql(row.get(6)?));
        Ok(Self { head: recorded.head.max(newest), ..recorded })
    }

    fn checksum(&self) -> u32 {
        let numbers = [self.epoch.0, self.first.0, self.head.0];
        numbers.iter().fold(0, |crc, n| crc32c::crc32c_append(crc, &n.to_le_bytes()))
    }
}

/// Every workspace, ascending by name.
pub(super) fn all(conn: &Connection) -> Outcome<Vec<(Slug, Workspace)>> {
    let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM workspace ORDER BY slug"))?;
    let mut rows = query.query([])?;
    let mut workspaces = Vec::new();
    while let Some(row) = rows.next()? {
        workspaces.push(Workspace::read_named(row)?);
    }
    Ok(workspaces)
}

/// Every workspace with where its log stands.
pub(super) fn heads(conn: &Connection) -> Outcome<Vec<Head>> {
    let head =
        |(workspace, Workspace { epoch, first, head, .. })| Head { workspace, epoch, first, seq: head };
    Ok(all(conn)?.into_iter().map(head).collect())
}

fn damaged(id: i64) -> Failure {
    StoreError::Internal(format!("the record of workspace row {id} is damaged")).into()
}
