//! Many products at once, from a table.

use std::borrow::Cow;
use std::collections::HashMap;

use campanile_model::{NotificationId, Slug, Timestamp};
use campanile_store::{DocumentKind, DocumentWrite, Expect, StoreError, validate_resolved};

use super::draft::Patch;
use super::kept::{Found, Kept};
use super::write::{ATTEMPTS, commit, key};
use super::{MAX_PRODUCTS, ProductId, Status};
use crate::settings::Settings;
use crate::{Engine, EngineError};

/// Errors that an answer lists; the others are counted.
pub const MAX_LISTED_ERRORS: usize = 100;

/// One row of a table, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number, as its writer counts.
    pub row: usize,
    /// What it says of one product: what it does not name stays as it is.
    pub said: Result<Patch, RowError>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Its number.
    pub row: usize,
    /// The column or member concerned; empty: the row as a whole.
    pub field: Cow<'static, str>,
    /// What is wrong, without echoing values.
    pub detail: String,
}

/// How to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Takes the good rows where others are bad; otherwise it is all of them or none.
    pub partial: bool,
    /// Judges every row and writes nothing.
    pub dry_run: bool,
}

/// What became of a table: what was done, or with bad rows and without [`Options::partial`], or in a dry run,
/// what would have been.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Products that were not there before.
    pub created: usize,
    /// Products that are different now; also those that came back after they were removed.
    pub updated: usize,
    /// Products that are as the table says already.
    pub unchanged: usize,
    /// Rows that are wrong.
    pub refused: usize,
    /// The first [`MAX_LISTED_ERRORS`] of them, by row.
    pub errors: Vec<RowError>,
}

/// Makes or changes the products of `rows`, at most [`MAX_PRODUCTS`], in one transaction. Doing it again changes
/// nothing.
///
/// # Errors
/// [`EngineError::Invalid`] for too many rows; a limit, in a dry run too, where more notifications would be taken back
/// than one transaction [may](campanile_store::MAX_RESOLVED_PER_CHANGE); those of the store. Bad rows are part of the
/// answer.
///
/// # Cancel safety
/// A dropped future may or may not have taken effect, never for some rows.
pub async fn import(
    engine: &Engine,
    workspace: &Slug,
    rows: Vec<Row>,
    options: Options,
    now: Timestamp,
) -> Result<Imported, EngineError> {
    if rows.len() > MAX_PRODUCTS {
        return Err(EngineError::invalid("", format!("an import has at most {MAX_PRODUCTS} rows")));
    }
    let (named, errors) = named(rows);
    let ids: Vec<_> = named.iter().map(|(_, id, _)| key(id)).collect();
    for _ in 0..ATTEMPTS {
        let settings = engine.books.of(engine, workspace).await?.settings.clone();
        let documents = engine.store.documents(workspace, DocumentKind::Product, &ids).await?;
        let mut table = Table::new(engine, settings, errors.clone(), now);
        for ((row, id, patch), document) in named.iter().zip(&documents) {
            let found = document.as_ref().map(Found::read).transpose()?;
            table.take(*row, id, patch, found);
        }
        let Table { writes, told, errors, mut imported, .. } = table;
        imported.report(errors);
        if imported.refused > 0 && !options.partial {
            return Ok(imported);
        }
        // A dry run answers as the import would.
        validate_resolved(told.len())?;
        if options.dry_run || writes.is_empty() {
            return Ok(imported);
        }
        match commit(engine, workspace, writes, told, now).await {
            Ok(_) => return Ok(imported),
            // One of them fired or was changed since it was read.
            Err(EngineError::Store(StoreError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Err(EngineError::Overloaded)
}

/// The rows that can be read and name a product of their own, and the errors of the others.
fn named(rows: Vec<Row>) -> (Vec<(usize, ProductId, Patch)>, Vec<RowError>) {
    let mut first: HashMap<ProductId, usize> = HashMap::with_capacity(rows.len());
    let (mut named, mut errors) = (Vec::with_capacity(rows.len()), Vec::new());
    for Row { row, said } in rows {
        let wrong = |detail: String| RowError { row, field: "id".into(), detail };
        let result = said.and_then(|mut patch| match patch.id.take() {
            None => Err(wrong("an import names every product, so that it can be repeated".to_owned())),
            Some(id) => match first.get(&id) {
                Some(other) => Err(wrong(format!("row {other} has the same id"))),
                None => Ok((row, id, patch)),
            },
        });
        match result {
            Ok(good) => {
                first.insert(good.1.clone(), row);
                named.push(good);
            }
            Err(error) => errors.push(error),
        }
    }
    (named, errors)
}

/// A table while it is read.
struct Table<'a> {
    engine: &'a Engine,
    settings: Settings,
    now: Timestamp,
    writes: Vec<DocumentWrite>,
    told: Vec<NotificationId>,
    errors: Vec<RowError>,
    imported: Imported,
}

impl<'a> Table<'a> {
    fn new(engine: &'a Engine, settings: Settings, errors: Vec<RowError>, now: Timestamp) -> Self {
        let imported = Imported::default();
        Self { engine, settings, now, writes: Vec::new(), told: Vec::new(), errors, imported }
    }

    fn take(&mut self, row: usize, id: &ProductId, patch: &Patch, found: Option<Found>) {
        match self.next(patch.clone(), found.as_ref()) {
            Err(error) => self.errors.push(refused(row, error)),
            Ok(kept) => {
                let expect = match &found {
                    Some(found) if found.kept == kept => {
                        self.imported.unchanged += 1;
                        return;
                    }
                    Some(found) => {
                        self.imported.updated += 1;
                        Expect::Version(found.version)
                    }
                    None => {
                        self.imported.created += 1;
                        Expect::Absent
                    }
                };
                self.writes.push(kept.write(self.engine, id, expect, self.now));
            }
        }
    }

    fn next(&mut self, patch: Patch, found: Option<&Found>) -> Result<Kept, EngineError> {
        let removes = patch.status.is_some();
        let Some(found) = found else {
            if removes {
                return Err(EngineError::invalid("status", "there is no such product to be removed"));
            }
            return Ok(Kept::new(patch.complete()?, &self.settings, self.now));
        };
        let mut kept = found.kept.clone();
        let said = patch.apply(&kept.said)?;
        if removes {
            if kept.status != Status::Removed {
                kept.said = said;
            }
            self.told.extend(kept.remove());
        } else {
            self.told.extend(kept.say(said, &self.settings, self.now));
        }
        Ok(kept)
    }
}

impl Imported {
    fn report(&mut self, mut errors: Vec<RowError>) {
        self.refused = errors.len();
        errors.sort_by_key(|error| error.row);
        errors.truncate(MAX_LISTED_ERRORS);
        self.errors = errors;
    }
}

fn refused(row: usize, error: EngineError) -> RowError {
    match error {
        EngineError::Invalid { field, reason, .. } => RowError { row, field: field.into(), detail: reason },
        other => RowError { row, field: "".into(), detail: other.to_string() },
    }
}
