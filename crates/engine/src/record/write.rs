//! One record is made, replaced, patched, deleted.

use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, DocumentKind, Expect, StoreError};

use super::{By, CollectionName, Data, Draft, MISSING, Patch, Record, RecordId, find, told};
use crate::event::{Cause, Event, commit};
use crate::{Engine, EngineError};

/// How often a record that changes under our hands is looked at again.
const ATTEMPTS: usize = 5;

/// Makes a record. One without an id gets a UUID.
///
/// # Errors
/// [`EngineError::Invalid`], [`EngineError::Exists`] (in whatever collection); those of the store.
pub async fn create(
    engine: &Engine,
    workspace: &Slug,
    collection: &CollectionName,
    draft: Draft,
    by: By<'_>,
) -> Result<Record, EngineError> {
    let record = draft.record(engine, collection, by.now);
    let event = told::created(engine, &record, by);
    match store(engine, workspace, record, Expect::Absent, event, by.now).await {
        Err(error) if is_race(&error) => Err(EXISTS),
        other => other,
    }
}

/// Puts `data` in the place of what the record says, and makes the record if there is none: if it is in the state
/// `expected` (0: there is none; any, if none is named). Says whether it was made. Data that is as it was changes
/// nothing, and nothing is told.
///
/// # Errors
/// [`EngineError::Exists`] if it is in another collection, [`EngineError::Changed`] if it is not as
/// `expected`; [`EngineError::Overloaded`] if others kept changing it; those of the store.
pub async fn put(
    engine: &Engine,
    workspace: &Slug,
    collection: &CollectionName,
    id: &RecordId,
    data: Data,
    expected: Option<u64>,
    by: By<'_>,
) -> Result<(Record, bool), EngineError> {
    again(|| async {
        let found = find(engine, workspace, id).await?;
        if found.as_ref().is_some_and(|found| !found.is_in(Some(collection))) {
            return Err(EXISTS);
        }
        let version = found.as_ref().map_or(0, |found| found.version);
        if expected.is_some_and(|expected| expected != version) {
            return Err(CHANGED);
        }
        match found {
            Some(found) => {
                let saved = save(engine, workspace, found, data.clone(), by).await?;
                Ok((saved, false))
            }
            None => {
                let record = Record::new(id, collection, data.clone(), by.now);
                let event = told::created(engine, &record, by);
                let made = store(engine, workspace, record, Expect::Absent, event, by.now).await?;
                Ok((made, true))
            }
        }
    })
    .await
}

/// Changes what the record says, in `collection` or wherever it is: no change of anybody else's is lost. A patch
/// that changes nothing is told to nobody.
///
/// # Errors
/// [`EngineError::Missing`]; [`EngineError::Changed`] if it is not in the state `expected`, where one is named;
/// [`EngineError::Invalid`] if it would grow too long; [`EngineError::Overloaded`] if others kept changing it;
/// those of the store.
pub async fn patch(
    engine: &Engine,
    workspace: &Slug,
    collection: Option<&CollectionName>,
    id: &RecordId,
    patch: &Patch,
    expected: Option<u64>,
    by: By<'_>,
) -> Result<Record, EngineError> {
    again(|| async {
        let found = expect(engine, workspace, collection, id, expected).await?;
        let data = found.data.patched(patch)?;
        save(engine, workspace, found, data, by).await
    })
    .await
}

/// Deletes the record, in `collection` or wherever it is.
///
/// # Errors
/// [`EngineError::Missing`]; [`EngineError::Changed`] if it is not in the state `expected`, where one is named;
/// [`EngineError::Overloaded`] if others kept changing it; those of the store.
pub async fn delete(
    engine: &Engine,
    workspace: &Slug,
    collection: Option<&CollectionName>,
    id: &RecordId,
    expected: Option<u64>,
    by: By<'_>,
) -> Result<(), EngineError> {
    again(|| async {
        let found = expect(engine, workspace, collection, id, expected).await?;
        let change = Change { documents: vec![found.removal()], ..Change::default() };
        let events = vec![told::deleted(engine, &found, by)];
        commit(engine, workspace, Cause { change, events }, by.now).await.map(drop)
    })
    .await
}

const EXISTS: EngineError = EngineError::Exists { what: "record" };
pub(super) const CHANGED: EngineError = EngineError::Changed { what: "record" };

async fn expect(
    engine: &Engine,
    workspace: &Slug,
    collection: Option<&CollectionName>,
    id: &RecordId,
    expected: Option<u64>,
) -> Result<Record, EngineError> {
    let found = find(engine, workspace, id).await?.filter(|found| found.is_in(collection)).ok_or(MISSING)?;
    if expected.is_some_and(|expected| expected != found.version) { Err(CHANGED) } else { Ok(found) }
}

/// Writes a record that was found with other data, if it is other.
async fn save(
    engine: &Engine,
    workspace: &Slug,
    found: Record,
    data: Data,
    by: By<'_>,
) -> Result<Record, EngineError> {
    if found.data == data {
        return Ok(found);
    }
    let expect = Expect::Version(found.version);
    let before = found.data.clone();
    let record = Record { data, updated: by.now, ..found };
    let event = told::updated(engine, &before, &record, by);
    store(engine, workspace, record, expect, event, by.now).await
}

async fn store(
    engine: &Engine,
    workspace: &Slug,
    mut record: Record,
    expect: Expect,
    event: Event,
    now: Timestamp,
) -> Result<Record, EngineError> {
    let change = Change { documents: vec![record.document(expect)], ..Change::default() };
    let cause = Cause { change, events: vec![event] };
    let committed = commit(engine, workspace, cause, now).await?;
    record.version = committed.appended.versions.first().copied().unwrap_or(0);
    Ok(record)
}

/// Somebody else changed a record since it was read.
pub(super) fn is_race(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(StoreError::Conflict { kind: DocumentKind::Record, .. }))
}

/// Does `step` again while somebody else is faster: each reads what is there then.
pub(super) async fn again<T, F>(step: impl Fn() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    for _ in 0..ATTEMPTS {
        match step().await {
            Err(error) if is_race(&error) => {}
            other => return other,
        }
    }
    Err(EngineError::Overloaded)
}
