//! Events that were taken, for those who want to know what became of them.

use std::sync::Arc;

use campanile_model::{NotificationId, Slug, Timestamp};
use campanile_store::{Change, Document, DocumentKind, DocumentQuery, Expect, Order, document};
use serde::{Deserialize, Serialize};

use super::Event;
use super::pipeline::{Room, append, route};
use crate::page::{self, Page};
use crate::{Engine, EngineError};

/// An event with what its rules made of it, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// What happened.
    pub event: Event,
    /// The rules that made something of it, or failed. Those that were not for it are not there.
    pub rules: Vec<TriedRule>,
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

impl TriedRule {
    pub(super) fn told(rule: String, notification: NotificationId) -> Self {
        Self { rule, notification: Some(notification), error: None }
    }

    pub(super) fn failed(rule: String, error: String) -> Self {
        Self { rule, notification: None, error: Some(error) }
    }
}

impl StoredEvent {
    /// How many rules failed on it.
    pub fn failed(&self) -> usize {
        self.rules.iter().filter(|tried| tried.error.is_some()).count()
    }

    pub(super) fn to_json(&self) -> String {
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
    /// Only those on which a rule failed (`true`) or none did.
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

/// Asks the rules of today that have made nothing of the event yet. Those that have are not asked again: one
/// event and one rule make one notification, ever.
///
/// # Errors
/// [`EngineError::Missing`]; [`EngineError::Changed`] if somebody else does the same now; those of the store.
pub async fn run_again(
    engine: &Engine,
    workspace: &Slug,
    key: &str,
    now: Timestamp,
) -> Result<StoredEvent, EngineError> {
    let document = find(engine, workspace, key).await?;
    let before = StoredEvent::read(&document)?;
    let book = engine.books.of(engine, workspace).await?;
    let done: Vec<TriedRule> = before.rules.into_iter().filter(|t| t.notification.is_some()).collect();
    let turn = engine.books.turn().await;
    let mut routed = route(engine, workspace, &book, before.event, &done, &mut Room::default(), now);
    drop(turn);
    routed.stored.taken = before.taken;
    let change = Change {
        documents: vec![routed.document(engine, Expect::Version(document.version), now)],
        notifications: std::mem::take(&mut routed.durable),
        ..Change::default()
    };
    let live = std::mem::take(&mut routed.live);
    append(engine, workspace, change, live, now).await.map_err(|error| error.changed("event"))?;
    Ok(routed.stored)
}

async fn find(engine: &Engine, workspace: &Slug, key: &str) -> Result<Document, EngineError> {
    if !is_key(key) {
        return Err(EngineError::Missing { what: "event" });
    }
    let found = document(&*engine.store, workspace, DocumentKind::Event, key).await?;
    found.ok_or(EngineError::Missing { what: "event" })
}

/// Whether `text` can be the key of an event, as [`key`](super::key) makes it.
fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
