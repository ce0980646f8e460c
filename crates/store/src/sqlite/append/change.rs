//! What a source writes: its documents, and the entries of the log that they cause.

use rusqlite::{Connection, params};

use super::{Appending, Done, access, idempotency, publish, supersede};
use crate::sqlite::document_row::{COLUMNS, Damaged, DocumentRow, Extent};
use crate::sqlite::failure::Outcome;
use crate::sqlite::names::from_sql;
use crate::{Appended, Change, Contents, DocumentWrite, Expect, StoreError};

/// What becomes of one document.
pub(super) enum Step {
    /// There is none to delete.
    Nothing,
    Insert,
    Update {
        number: i64,
        created: i64,
        extent: Extent,
    },
    Delete {
        number: i64,
    },
    /// What is there cannot be read: it goes, and a new one takes its place.
    Renew {
        damaged: i64,
    },
}

/// Judges the documents' expectations. `ws` is the workspace if there is one.
///
/// # Errors
/// [`StoreError::Conflict`] names the first that does not hold.
pub(super) fn judge(conn: &Connection, ws: Option<i64>, writes: &[DocumentWrite]) -> Outcome<Vec<Step>> {
    let mut query = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM document WHERE ws = ?1 AND kind = ?2 AND id = ?3"))?;
    let mut steps = Vec::with_capacity(writes.len());
    for write in writes {
        let Some(ws) = ws else {
            steps.push(step(None, write)?);
            continue;
        };
        let mut rows = query.query(params![ws, write.kind.number(), write.id])?;
        let found = rows.next()?.map(DocumentRow::read).transpose()?;
        steps.push(step(found, write)?);
    }
    Ok(steps)
}

fn step(found: Option<Result<DocumentRow<'_>, Damaged>>, write: &DocumentWrite) -> Outcome<Step> {
    let found = match (found.transpose(), &write.put) {
        (Ok(found), _) => found,
        // Whoever expects anything need not read what is there.
        (Err(Damaged(number)), None) if write.expect == Expect::Anything => {
            return Ok(Step::Delete { number });
        }
        (Err(Damaged(damaged)), Some(_)) if write.expect == Expect::Anything => {
            return Ok(Step::Renew { damaged });
        }
        (Err(damaged), _) => return Err(damaged.into()),
    };
    let version = found.map(|row| from_sql(row.version));
    let holds = match write.expect {
        Expect::Anything => true,
        Expect::Absent => version.is_none(),
        Expect::Version(expected) => version == Some(expected),
    };
    if !holds {
        return Err(StoreError::Conflict { kind: write.kind, id: write.id.clone(), version }.into());
    }
    Ok(match (found, &write.put) {
        (None, None) => Step::Nothing,
        (None, Some(_)) => Step::Insert,
        (Some(row), None) => Step::Delete { number: row.number },
        (Some(row), Some(contents)) => {
            Step::Update { number: row.number, created: row.created, extent: extent(&row, contents) }
        }
    })
}

fn extent(row: &DocumentRow<'_>, contents: &Contents) -> Extent {
    let [due, expires] = [contents.due, contents.expires].map(|t| t.map(|t| t.as_millis()));
    if (row.group, row.expires) != (&*contents.group, expires) {
        Extent::Whole
    } else if row.due != due {
        Extent::Due
    } else {
        Extent::Body
    }
}

/// Does what was judged, in the order that [`Change`] states.
pub(super) fn change(mut log: Appending<'_>, change: Change, steps: &[Step]) -> Outcome<Done> {
    for user in change.grant {
        access::grant(&mut log, user)?;
    }
    let mut versions = Vec::with_capacity(steps.len());
    for (write, step) in change.documents.iter().zip(steps) {
        versions.push(write_one(&mut log, write, step)?);
    }
    let published = publish::publish(&mut log, change.notifications)?;
    for id in change.resolve {
        supersede::resolve(&mut log, id)?;
    }
    for user in change.withdraw {
        access::withdraw(&mut log, user)?;
    }
    let appended = Appended { versions, ..log.done(published) };
    if let Some(request) = &change.idempotency {
        idempotency::keep(&log, request, &appended)?;
    }
    Ok(log.told(appended))
}

/// The new version, 0 if there is none any more.
fn write_one(log: &mut Appending<'_>, write: &DocumentWrite, step: &Step) -> Outcome<u64> {
    let delete = |number: i64| -> Outcome<()> {
        log.conn.prepare_cached("DELETE FROM document WHERE number = ?1")?.execute([number])?;
        Ok(())
    };
    let version = log.counter + 1;
    let (number, created) = match *step {
        Step::Nothing => return Ok(0),
        Step::Update { number, created, .. } => (number, created),
        Step::Delete { number } => {
            delete(number)?;
            log.counter = version;
            return Ok(0);
        }
        Step::Renew { damaged } => {
            delete(damaged)?;
            (version, log.now.as_millis())
        }
        Step::Insert => (version, log.now.as_millis()),
    };
    let Some(contents) = &write.put else { return Ok(0) };
    let row = DocumentRow {
        number,
        ws: log.workspace.id,
        kind: write.kind.number(),
        id: &write.id,
        group: &contents.group,
        version,
        created,
        updated: log.now.as_millis(),
        due: contents.due.map(|t| t.as_millis()),
        expires: contents.expires.map(|t| t.as_millis()),
        body: &contents.body,
    };
    match step {
        Step::Update { extent, .. } => row.update(log.conn, *extent)?,
        _ => row.insert(log.conn)?,
    }
    log.counter = version;
    Ok(from_sql(version))
}
