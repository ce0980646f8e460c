//! Records: JSON objects in collections, whose every change is told.
//!
//! A record's change and the event that tells of it are one commit. A change of many records is one event.

mod bulk;
mod data;
mod list;
mod name;
mod told;
mod write;

use std::sync::Arc;

use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{Contents, Document, DocumentKind, DocumentWrite, Expect, document};

pub use bulk::{Bulk, Draft, MAX_BULK, Outcome, Saved, To, Update, bulk};
pub use data::{Data, MAX_DATA_BYTES, MAX_DATA_DEPTH, Patch};
pub use list::{DEFAULT_PAGE, Listed, MAX_PAGE, list};
pub use name::{CollectionName, RecordId};
pub use write::{create, delete, patch, put};

use crate::{Engine, EngineError, page};

/// A record, in one of its states.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Unique among the records of its workspace, whatever their collections.
    pub id: Arc<str>,
    /// The collection it is in, for good.
    pub collection: Arc<str>,
    /// Names this state of it: no two states of any record share one.
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// What it says.
    pub data: Data,
}

/// Who changes a record, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The user: the event's actor, who is told nothing of it by the rules that every workspace has.
    pub user: &'a UserId,
    /// The function that does it for them, if one does. The event's data names it, so that a function can tell
    /// its own changes from others'.
    pub function: Option<&'a str>,
    /// As of [`Event::hops`](crate::event::Event::hops).
    pub hops: u8,
    /// The time it is.
    pub now: Timestamp,
}

impl<'a> By<'a> {
    /// The user themselves.
    pub fn user(user: &'a UserId, now: Timestamp) -> Self {
        Self { user, function: None, hops: 0, now }
    }
}

/// The record of that id: in `collection`, or wherever it is.
///
/// # Errors
/// [`EngineError::Missing`] if there is none, or it is in another collection; those of the store.
pub async fn read(
    engine: &Engine,
    workspace: &Slug,
    collection: Option<&CollectionName>,
    id: &RecordId,
) -> Result<Record, EngineError> {
    let found = find(engine, workspace, id).await?;
    found.filter(|record| record.is_in(collection)).ok_or(MISSING)
}

/// How a record that is not there is answered.
const MISSING: EngineError = EngineError::Missing { what: "record" };

async fn find(engine: &Engine, workspace: &Slug, id: &RecordId) -> Result<Option<Record>, EngineError> {
    let found = document(&*engine.store, workspace, DocumentKind::Record, id.as_str()).await?;
    found.as_ref().map(Record::of).transpose()
}

impl Record {
    /// One that is to be made.
    fn new(id: &RecordId, collection: &CollectionName, data: Data, now: Timestamp) -> Self {
        Self { id: id.text(), collection: collection.text(), version: 0, created: now, updated: now, data }
    }

    fn of(document: &Document) -> Result<Self, EngineError> {
        Ok(Self {
            id: Arc::clone(&document.id),
            collection: Arc::clone(&document.contents.group),
            version: document.version,
            created: document.created,
            updated: document.updated,
            data: Data::stored(page::body(document)?, &document.contents.body),
        })
    }

    fn is_in(&self, collection: Option<&CollectionName>) -> bool {
        collection.is_none_or(|collection| collection.as_str() == &*self.collection)
    }

    /// The write that makes this record of one in the state `expect`.
    fn document(&self, expect: Expect) -> DocumentWrite {
        let group = Arc::clone(&self.collection);
        let put = Contents { group, due: None, expires: None, body: Arc::clone(self.data.text()) };
        DocumentWrite { kind: DocumentKind::Record, id: Arc::clone(&self.id), expect, put: Some(put) }
    }

    /// The write that deletes this record, if it is still in this state.
    fn removal(&self) -> DocumentWrite {
        DocumentWrite {
            kind: DocumentKind::Record,
            id: Arc::clone(&self.id),
            expect: Expect::Version(self.version),
            put: None,
        }
    }
}
