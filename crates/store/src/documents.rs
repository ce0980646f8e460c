//! What sources keep beside the log: products, records, rules, runs. JSON of a kind, under an id.

use std::sync::Arc;

use async_trait::async_trait;
use campanile_model::{Slug, Timestamp};

use crate::StoreError;

/// What a document is about. Each kind has ids of its own within a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKind {
    /// A workspace's settings; one of them.
    Settings,
    /// A product with its expiry date. Due: when its next rung fires.
    Product,
    /// A record. Group: its collection.
    Record,
    /// An event that was taken in, with what its rules made of it. Group: its type.
    Event,
    /// A rule.
    Rule,
    /// A function. Due: when its schedule runs it next.
    Function,
    /// A run of a function. Group: the function. Due: when it is to be started.
    Run,
    /// A notification that is to be sent later. Due: when.
    Schedule,
    /// An announcement of maintenance. Due: when it ends.
    Announcement,
    /// Work of the server itself that goes on in steps. Due: at once.
    Job,
    /// The answer to a request, remembered under its idempotency key.
    Answer,
    /// Whether a user was given access or had it taken away. Id: the user.
    Access,
    /// What a workspace was told of a planned drain; one of them. Due: the drain's instant.
    Drain,
    /// A machine client, by its name. Due: once it is deleted, when the last of its tokens has expired.
    ServiceAccount,
    /// Tokens that are not believed any more. Due: when the last of them has expired.
    Revocation,
}

impl DocumentKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Settings,
        Self::Product,
        Self::Record,
        Self::Event,
        Self::Rule,
        Self::Function,
        Self::Run,
        Self::Schedule,
        Self::Announcement,
        Self::Job,
        Self::Answer,
        Self::Access,
        Self::Drain,
        Self::ServiceAccount,
        Self::Revocation,
    ];

    /// The number it is stored under: never another one.
    pub fn number(self) -> i64 {
        match self {
            Self::Settings => 1,
            Self::Product => 2,
            Self::Record => 3,
            Self::Event => 4,
            Self::Rule => 5,
            Self::Function => 6,
            Self::Run => 7,
            Self::Schedule => 8,
            Self::Announcement => 9,
            Self::Job => 10,
            Self::Answer => 11,
            Self::Access => 12,
            Self::Drain => 13,
            Self::ServiceAccount => 14,
            Self::Revocation => 15,
        }
    }
}

/// Bytes of a document's id, at least 1 (validated by `append`).
pub const MAX_DOCUMENT_ID_BYTES: usize = 256;
/// Bytes of a document's group; it may be empty.
pub const MAX_GROUP_BYTES: usize = 256;
/// Bytes of a document's body: twice a request's, since a job keeps one with what came of it so far.
pub const MAX_DOCUMENT_BYTES: usize = 2 * campanile_model::limits::MAX_BODY_BYTES;
/// Bytes of the bodies of one page: [`Documents::list_documents`] and [`Documents::due`] end it with the document
/// that reaches this, whatever their limit. As much as the longest document has.
pub const MAX_PAGE_BYTES: usize = MAX_DOCUMENT_BYTES;
/// Bytes of the bodies that one [`Documents::documents`] reads: a bulk change of ten thousand records of 6 KiB.
pub const MAX_READ_BYTES: usize = 64 * 1024 * 1024;
/// Documents of one change: the bulk limit of the protocol's sources, and their event.
pub const MAX_DOCUMENTS_PER_CHANGE: usize = 20_001;
/// Notifications of one change: what ten rules make of a thousand events.
pub const MAX_NOTIFICATIONS_PER_CHANGE: usize = 10_000;
/// Notifications that one change resolves: ten of each of ten thousand products, more than twice what the default
/// ladder tells. Seconds of the writer: everybody else's writes wait for them.
pub const MAX_RESOLVED_PER_CHANGE: usize = 100_000;

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is about.
    pub kind: DocumentKind,
    /// Unique among those of its kind in its workspace.
    pub id: Arc<str>,
    /// Names this state of it: grows with each change, and no two states of any document share one, so that
    /// one that was deleted and made again is told from the first.
    pub version: u64,
    /// Its place in the order of creation among all documents of the store. Constant.
    pub number: u64,
    /// When it was created and last changed: `now` of those writes.
    pub created: Timestamp,
    /// See `created`.
    pub updated: Timestamp,
    /// What it says.
    pub contents: Contents,
}

/// What a document says, and how it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// What it is listed under, such as a collection; may be empty.
    pub group: Arc<str>,
    /// When its source is to look at it again ([`Documents::due`]).
    pub due: Option<Timestamp>,
    /// When it may be removed ([`Documents::purge`]).
    pub expires: Option<Timestamp>,
    /// JSON text.
    pub body: Arc<str>,
}

/// One document's part in a [`Change`](crate::Change).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentWrite {
    /// Which kind.
    pub kind: DocumentKind,
    /// Which one.
    pub id: Arc<str>,
    /// What must hold of it, or nothing of the change happens.
    pub expect: Expect,
    /// What to do; `None`: delete it.
    pub put: Option<Contents>,
}

/// What must hold of a document for a change to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Whatever there is, or nothing.
    Anything,
    /// There is none of that id.
    Absent,
    /// It is in this state, by its `version`.
    Version(u64),
}

/// Which documents of one workspace and kind to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentQuery {
    /// The kind.
    pub kind: DocumentKind,
    /// Only those of this group.
    pub group: Option<Arc<str>>,
    /// In which order, from where.
    pub order: Order,
    /// At most this many, at least one.
    pub limit: usize,
}

/// The order of a list, with the place it goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Ascending by the bytes of the id, after this one.
    Id(Option<Arc<str>>),
    /// The newest created first, before this `number`.
    Newest(Option<u64>),
}

/// A place in the order of what is due: the instant, and the document's `number`.
pub type DuePlace = (Timestamp, u64);

/// The place of a document among what is due, if it is ever due.
pub fn due_place(document: &Document) -> Option<DuePlace> {
    document.contents.due.map(|due| (due, document.number))
}

/// A durable home for documents. They are written by [`Store::append`](crate::Store::append) of a
/// [`Write::Change`](crate::Write), in one transaction with the entries of the log that they cause.
///
/// # Order and isolation
/// As of [`Store`](crate::Store): a read sees one commit, and one that starts after a write returned sees it.
/// Every method but [`due`](Documents::due) and [`purge`](Documents::purge), which serve the node itself,
/// takes the workspace.
///
/// # Damage
/// A document is read as it was written or not at all: a read that meets a damaged one fails with
/// [`StoreError::Internal`]. One that is written with [`Expect::Anything`] is made anew, or deleted.
#[async_trait]
pub trait Documents: Send + Sync + 'static {
    /// The documents of these ids, in their order; `None` where there is none. At most
    /// [`MAX_DOCUMENTS_PER_CHANGE`] ids, and [`StoreError::Limit`] for more than [`MAX_READ_BYTES`].
    async fn documents(
        &self,
        workspace: &Slug,
        kind: DocumentKind,
        ids: &[Arc<str>],
    ) -> Result<Vec<Option<Document>>, StoreError>;

    /// A page of a list: at most `limit` documents and [`MAX_PAGE_BYTES`], at least one if there is any;
    /// [`has_more`] tells whether to go on. Costs the page, not the list.
    async fn list_documents(
        &self,
        workspace: &Slug,
        query: DocumentQuery,
    ) -> Result<Vec<Document>, StoreError>;

    /// What is due at `up_to` or before, of every workspace, the longest due first (ties: by `number`), behind
    /// the place `after` if one is named ([`due_place`]), at most `limit` and [`MAX_PAGE_BYTES`] as of a list. Costs what it returns, however many documents there are. One that is damaged is passed
    /// over and named in the log: it must not stop those behind it.
    async fn due(
        &self,
        kind: DocumentKind,
        up_to: Timestamp,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Result<Vec<(Slug, Document)>, StoreError>;

    /// Removes at most `limit` documents whose `expires` is at `now` or before, the longest expired first, in as many
    /// writes as keep others from waiting; returns how many went. Zero: nothing is left to do, and no write was
    /// queued.
    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;
}

/// Whether there may be more behind a page that was asked for with `limit`.
pub fn has_more<'a>(page: impl ExactSizeIterator<Item = &'a Document>, limit: usize) -> bool {
    page.len() >= limit || page.map(|document| document.contents.body.len()).sum::<usize>() >= MAX_PAGE_BYTES
}

/// As [`has_more`], of what is due.
pub fn more_due(due: &[(Slug, Document)], limit: usize) -> bool {
    has_more(due.iter().map(|(_, document)| document), limit)
}

/// Counts the bytes of a page that is being read.
#[derive(Default)]
pub(crate) struct PageBytes(usize);

impl PageBytes {
    /// Adds a document; whether the page ends with it.
    pub(crate) fn ends_with(&mut self, document: &Document) -> bool {
        self.0 += document.contents.body.len();
        self.0 >= MAX_PAGE_BYTES
    }
}

/// Counts the bytes of documents that are read by their ids.
#[derive(Default)]
pub(crate) struct ReadBytes(usize);

impl ReadBytes {
    /// Adds a document, unless it is one too many.
    pub(crate) fn add(&mut self, document: &Document) -> Result<(), StoreError> {
        self.0 += document.contents.body.len();
        if self.0 > MAX_READ_BYTES {
            return Err(StoreError::Limit { what: "bytes of documents read at once", limit: MAX_READ_BYTES });
        }
        Ok(())
    }
}

/// One document of [`Documents::documents`].
///
/// # Errors
/// Those of the store.
pub async fn document(
    documents: &(impl Documents + ?Sized),
    workspace: &Slug,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<Document>, StoreError> {
    let found = documents.documents(workspace, kind, &[id.into()]).await?;
    Ok(found.into_iter().next().flatten())
}
