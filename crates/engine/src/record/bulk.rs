//! Many records of one collection at once: all or none, and one event.

use std::collections::HashSet;
use std::sync::Arc;

use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Document, DocumentKind, DocumentWrite, Expect, StoreError};

use super::write::{CHANGED, again};
use super::{By, CollectionName, Data, MISSING, Patch, Record, RecordId, told};
use crate::event::{Cause, commit};
use crate::{Engine, EngineError};

/// Records of one bulk change (the store's changes are bounded to hold it).
pub const MAX_BULK: usize = 10_000;

/// A record to be made.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id; `None`: it gets a UUID.
    pub id: Option<RecordId>,
    /// What it says.
    pub data: Data,
}

/// A record to be changed.
#[derive(Debug, Clone)]
pub struct Update {
    /// Which.
    pub id: RecordId,
    /// How.
    pub to: To,
    /// Only if it is in this state.
    pub expected: Option<u64>,
}

/// What a record is to say.
#[derive(Debug, Clone)]
pub enum To {
    /// This.
    Data(Data),
    /// What it says, changed so.
    Patched(Patch),
}

/// A change of many records, each named once: 1 to [`MAX_BULK`].
#[derive(Debug)]
pub enum Bulk {
    /// Make them.
    Create(Vec<Draft>),
    /// Change them.
    Update(Vec<Update>),
    /// Delete them.
    Delete(Vec<RecordId>),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How many records are other than before. Where none is, nothing was told.
    pub changed: usize,
    /// The records, in the order of the request; none where they were deleted.
    pub records: Vec<Saved>,
}

/// A record that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its id.
    pub id: Arc<str>,
    /// The state it is in.
    pub version: u64,
}

/// Changes many records of `collection`: all, or none.
///
/// # Errors
/// As of the changes of one, naming the place in the request; [`EngineError::Invalid`] for an id that is there
/// twice. [`EngineError::Overloaded`] if others kept changing them; those of the store.
///
/// # Cancel safety
/// A dropped future has committed all of it or nothing.
pub async fn bulk(
    engine: &Engine,
    workspace: &Slug,
    collection: &CollectionName,
    bulk: Bulk,
    by: By<'_>,
) -> Result<Outcome, EngineError> {
    let change = Changing { engine, workspace, collection, by };
    match bulk {
        Bulk::Create(drafts) => {
            each_once(drafts.len(), drafts.iter().map(|draft| draft.id.as_ref()))?;
            change.create(drafts).await
        }
        Bulk::Update(updates) => {
            each_once(updates.len(), updates.iter().map(|update| Some(&update.id)))?;
            again(|| change.update(&updates)).await
        }
        Bulk::Delete(ids) => {
            each_once(ids.len(), ids.iter().map(Some))?;
            again(|| change.delete(&ids)).await
        }
    }
}

fn each_once<'a>(count: usize, ids: impl Iterator<Item = Option<&'a RecordId>>) -> Result<(), EngineError> {
    if !(1..=MAX_BULK).contains(&count) {
        return Err(EngineError::invalid("", format!("a bulk change has 1 to {MAX_BULK} records")));
    }
    let mut met = HashSet::with_capacity(count);
    for (place, id) in ids.enumerate() {
        if id.is_some_and(|id| !met.insert(id)) {
            return Err(EngineError::invalid("id", "an id is there twice").at(Some(place)));
        }
    }
    Ok(())
}

struct Changing<'a> {
    engine: &'a Engine,
    workspace: &'a Slug,
    collection: &'a CollectionName,
    by: By<'a>,
}

impl Changing<'_> {
    async fn create(&self, drafts: Vec<Draft>) -> Result<Outcome, EngineError> {
        let records: Vec<Record> =
            drafts.into_iter().map(|draft| draft.record(self.engine, self.collection, self.by.now)).collect();
        let documents = records.iter().map(|record| record.document(Expect::Absent)).collect();
        let ids = records.iter().map(|record| &*record.id);
        let versions =
            self.commit("records_bulk_created", documents, ids).await.map_err(|error| match error {
                EngineError::Store(StoreError::Conflict { kind: DocumentKind::Record, id, .. }) => {
                    let place = records.iter().position(|record| record.id == id);
                    EngineError::Exists { what: "record" }.at(place)
                }
                other => other,
            })?;
        let saved =
            records.into_iter().zip(versions).map(|(record, version)| Saved { id: record.id, version });
        Ok(Outcome { changed: saved.len(), records: saved.collect() })
    }

    async fn update(&self, updates: &[Update]) -> Result<Outcome, EngineError> {
        let found = self.found(updates.iter().map(|update| &update.id)).await?;
        let mut saved = Vec::with_capacity(updates.len());
        let (mut places, mut documents) = (Vec::new(), Vec::new());
        for (place, (update, found)) in updates.iter().zip(found).enumerate() {
            let here = Some(place);
            if update.expected.is_some_and(|expected| expected != found.version) {
                return Err(CHANGED.at(here));
            }
            let data = match &update.to {
                To::Data(data) => data.clone(),
                To::Patched(patch) => found.data.patched(patch).map_err(|error| error.at(here))?,
            };
            saved.push(Saved { id: Arc::clone(&found.id), version: found.version });
            if data != found.data {
                let expect = Expect::Version(found.version);
                documents.push(Record { data, ..found }.document(expect));
                places.push(place);
            }
        }
        if !places.is_empty() {
            let ids = places.iter().map(|place| updates[*place].id.as_str());
            let versions = self.commit("records_bulk_updated", documents, ids).await?;
            for (place, version) in places.iter().zip(versions) {
                saved[*place].version = version;
            }
        }
        Ok(Outcome { changed: places.len(), records: saved })
    }

    async fn delete(&self, ids: &[RecordId]) -> Result<Outcome, EngineError> {
        let found = self.found(ids.iter()).await?;
        let documents = found.iter().map(Record::removal).collect();
        self.commit("records_bulk_deleted", documents, found.iter().map(|record| &*record.id)).await?;
        Ok(Outcome { changed: found.len(), records: Vec::new() })
    }

    /// The records of these ids, all of which have to be there.
    async fn found(&self, ids: impl Iterator<Item = &RecordId>) -> Result<Vec<Record>, EngineError> {
        let ids: Vec<Arc<str>> = ids.map(RecordId::text).collect();
        let found = self.engine.store.documents(self.workspace, DocumentKind::Record, &ids).await?;
        let record = |(place, found): (usize, Option<Document>)| {
            let record = found.as_ref().map(Record::of).transpose()?;
            let record = record.filter(|record| record.is_in(Some(self.collection)));
            record.ok_or_else(|| MISSING.at(Some(place)))
        };
        found.into_iter().enumerate().map(record).collect()
    }

    /// Commits the records' documents with the one event, and returns their versions.
    async fn commit<'i>(
        &self,
        kind: &str,
        documents: Vec<DocumentWrite>,
        ids: impl ExactSizeIterator<Item = &'i str>,
    ) -> Result<Vec<u64>, EngineError> {
        let count = documents.len();
        let events = vec![told::bulk(self.engine, kind, self.collection, ids, self.by)];
        let cause = Cause { change: Change { documents, ..Change::default() }, events };
        let mut versions = commit(self.engine, self.workspace, cause, self.by.now).await?.appended.versions;
        versions.truncate(count);
        Ok(versions)
    }
}

impl Draft {
    pub(super) fn record(self, engine: &Engine, collection: &CollectionName, now: Timestamp) -> Record {
        let id = self.id.unwrap_or_else(|| RecordId::made((engine.ids)(now)));
        Record::new(&id, collection, self.data, now)
    }
}
