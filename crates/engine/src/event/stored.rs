//! Events that were taken, for those who want to know what became of them.

use std::collections::VecDeque;
use std::sync::Arc;

use campanile_model::{NotificationId, Slug, Timestamp};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, Order, document,
};
use serde::{Deserialize, Serialize};

use super::Event;
use super::key::key;
use super::pipeline::{Prepared, prepare_all};
use super::room::Room;
use crate::page::{self, Page};
use crate::{Engine, EngineError};

/// An event with what its rules made of it, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// What happened.
    pub event: Event,
    /// The rules that made something of it, or failed. Those that were not for it are not there.
    pub rules: Vec<TriedRule>,
    /// The functions that it runs, or could not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<TriedFunction>,
    /// When it was taken in.
    pub taken: Timestamp,
}

/// What one rule made of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedRule {
    /// Its name.
    pub rule: String,
    /// What it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<NotificationId>,
    /// Why it failed: the member and place in the rule, never a value of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of one function that an event is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedFunction {
    /// Its name.
    pub function: String,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Arc<str>>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl TriedFunction {
    pub(super) fn runs(function: &str, run: Arc<str>) -> Self {
        Self { function: function.to_owned(), run: Some(run), error: None }
    }

    pub(super) fn failed(function: &str, error: &str) -> Self {
        Self { function: function.to_owned(), run: None, error: Some(error.to_owned()) }
    }
}

impl TriedRule {
    pub(super) fn told(rule: String, notification: NotificationId) -> Self {
        Self { rule, notification: Some(notification), error: None }
    }

    pub(super) fn failed(rule: String, error: String) -> Self {
        Self { rule, notification: None, error: Some(error) }
    }
}

impl StoredEvent {
    /// One that nothing was made of yet.
    pub(super) fn new(event: Event, taken: Timestamp) -> Self {
        Self { event, rules: Vec::new(), functions: Vec::new(), taken }
    }

    /// How many rules failed on it, and how many functions it could not run.
    pub fn failed(&self) -> usize {
        self.rules.iter().filter(|tried| tried.error.is_some()).count()
            + self.functions.iter().filter(|tried| tried.error.is_some()).count()
    }

    /// Its document. `due`: rules are to be asked about it from then on.
    pub(super) fn document(
        &self,
        engine: &Engine,
        expect: Expect,
        due: Option<Timestamp>,
        now: Timestamp,
    ) -> DocumentWrite {
        let kept = engine.workspaces.config().event_retention_ms;
        DocumentWrite {
            kind: DocumentKind::Event,
            id: key(&self.event.source, &self.event.id).into(),
            expect,
            put: Some(Contents {
                group: self.event.kind.as_str().into(),
                due,
                expires: Some(Timestamp::from_millis(now.as_millis().saturating_add(kept))),
                body: self.to_json().into(),
            }),
        }
    }

    fn to_json(&self) -> String {
        // Values and texts can't fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn read(document: &Document) -> Result<Self, EngineError> {
        page::body(document)
    }
}

/// An event as it was found, with the name its document has.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Names it among those of its workspace: made of its source and id.
    pub key: Arc<str>,
    /// The event.
    pub stored: StoredEvent,
}

/// Which events to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only those of this type.
    pub kind: Option<String>,
    /// Only those on which a rule failed or that could not run a function (`true`), or the others.
    pub failed: Option<bool>,
}

/// A page of events, newest first.
pub type Listed = Page<Found, u64>;

/// Lists events before `before`, newest first.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    filter: &Filter,
    before: Option<u64>,
    limit: usize,
) -> Result<Listed, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::Event,
        group: filter.kind.as_deref().map(Into::into),
        order: Order::Newest(before),
        limit: page::limit(limit)?,
    };
    page::newest(engine, workspace, query, |document| {
        let stored = StoredEvent::read(document)?;
        let wanted = filter.failed.is_none_or(|failed| failed == (stored.failed() > 0));
        Ok(wanted.then(|| Found { key: Arc::clone(&document.id), stored }))
    })
    .await
}

/// One event by its key.
///
/// # Errors
/// [`EngineError::Missing`] if there is none, or it is no longer kept; those of the store.
pub async fn read(engine: &Engine, workspace: &Slug, key: &str) -> Result<StoredEvent, EngineError> {
    StoredEvent::read(&find(engine, workspace, key).await?)
}

/// Asks the rules and functions of today that have made nothing of the event yet. Returns what they made of it, which is
/// to be committed, and the event as it will be then.
///
/// # Errors
/// [`EngineError::Missing`]; those of the store.
pub(crate) async fn prepare_again(
    engine: &Engine,
    workspace: &Slug,
    key: &str,
    now: Timestamp,
) -> Result<(Prepared, StoredEvent), EngineError> {
    let document = find(engine, workspace, key).await?;
    let mut before = StoredEvent::read(&document)?;
    before.rules.retain(|tried| tried.notification.is_some());
    before.functions.retain(|tried| tried.run.is_some());
    let events = VecDeque::from([(before, Expect::Version(document.version))]);
    let (prepared, after) =
        prepare_all(engine, workspace, Change::default(), events, Room::default(), now).await?;
    // It was the first, and the only one.
    Ok((prepared, after.ok_or(EngineError::Missing { what: "event" })?))
}

/// The event of that key, if it is still kept.
///
/// # Errors
/// Those of the store.
pub(crate) async fn kept(engine: &Engine, workspace: &Slug, key: &str) -> Result<Option<Event>, EngineError> {
    let found = document(&*engine.store, workspace, DocumentKind::Event, key).await?;
    found.map(|document| StoredEvent::read(&document).map(|stored| stored.event)).transpose()
}

async fn find(engine: &Engine, workspace: &Slug, key: &str) -> Result<Document, EngineError> {
    if !is_key(key) {
        return Err(EngineError::Missing { what: "event" });
    }
    let found = document(&*engine.store, workspace, DocumentKind::Event, key).await?;
    found.ok_or(EngineError::Missing { what: "event" })
}

/// Whether `text` can be the key of an event, as [`key`](super::key()) makes it.
fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
