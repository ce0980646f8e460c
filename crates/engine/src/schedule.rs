//! Notifications that are sent later: kept as documents until their time, then published under the id that
//! their producer was told.

use std::sync::Arc;

use campanile_model::limits::MAX_RECIPIENTS_PER_REQUEST;
use campanile_model::{Audience, Notification, NotificationId, Slug, Timestamp};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, IDEMPOTENCY_WINDOW_MS,
    Idempotency, Order, StoreError, Write, document, more_due,
};
use serde::{Deserialize, Serialize};

use crate::event::key;
use crate::page::{self, Page};
use crate::postpone::{is_passing, put_off};
use crate::publish::{Checked, Outcome, Taken, after};
use crate::{Engine, EngineError, Span};

/// Sent in one transaction at most.
const SENT_AT_ONCE: usize = 500;
/// How long an answer is kept: as its key, and an hour more, so that it is there whenever the key is.
const ANSWER_MS: i64 = IDEMPOTENCY_WINDOW_MS + 3_600_000;

/// A notification that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    /// As it will be sent, but for its time.
    pub notification: Notification,
    /// When it will be sent.
    pub send_at: Timestamp,
    /// How long it is seen from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// Whether it will go to the log.
    pub durable: bool,
}

/// The answer to a request, beside its key in the store, which knows no times of sending.
#[derive(Serialize, Deserialize)]
struct Answer {
    taken: Vec<(NotificationId, Timestamp, Timestamp)>,
}

/// Keeps `checked`, each of which says when it is to be sent.
///
/// # Errors
/// [`StoreError::KeyReused`]; those of the store.
pub(crate) async fn accept(
    engine: &Engine,
    workspace: &Slug,
    checked: Vec<Checked>,
    durable: bool,
    idempotency: Option<Idempotency>,
    now: Timestamp,
) -> Result<Outcome, EngineError> {
    let mut documents = Vec::with_capacity(checked.len() + 1);
    let mut taken = Vec::with_capacity(checked.len());
    for Checked { notification, ttl, send_at } in checked {
        let (id, send_at) = (notification.id, send_at.unwrap_or(now));
        let scheduled = Scheduled { notification, send_at, ttl, durable };
        documents.push(put(&scheduled, Expect::Absent));
        taken.push(Taken { id, seq: None, timestamp: now, send_at: Some(send_at) });
    }
    documents.extend(idempotency.as_ref().map(|request| answer(request, &taken, now)));
    let change = Change { documents, idempotency: idempotency.clone().map(Box::new), ..Change::default() };
    let appended = engine.store.append(workspace, Write::Change(change), now).await?;
    engine.workspaces.note_stored(workspace);
    match idempotency {
        Some(request) if appended.replayed => answered(engine, workspace, &request).await,
        _ => Ok(Outcome { taken, replayed: false }),
    }
}

/// What was answered to the request whose key the store has kept without a place in the log.
///
/// # Errors
/// Those of the store.
pub(crate) async fn answered(
    engine: &Engine,
    workspace: &Slug,
    request: &Idempotency,
) -> Result<Outcome, EngineError> {
    let found = document(&*engine.store, workspace, DocumentKind::Answer, &answer_key(request)).await?;
    let gone = || StoreError::Internal("the answer to a request that is remembered is gone".to_owned());
    let Answer { taken } = page::body(&found.ok_or_else(gone)?)?;
    let taken = taken.into_iter();
    let taken = taken.map(|(id, timestamp, at)| Taken { id, seq: None, timestamp, send_at: Some(at) });
    Ok(Outcome { taken: taken.collect(), replayed: true })
}

fn answer(request: &Idempotency, taken: &[Taken], now: Timestamp) -> DocumentWrite {
    let taken = taken.iter().map(|t| (t.id, t.timestamp, t.send_at.unwrap_or(now))).collect();
    let body = serde_json::to_string(&Answer { taken }).unwrap_or_default();
    let expires = Timestamp::from_millis(now.as_millis().saturating_add(ANSWER_MS));
    let contents = Contents { group: "".into(), due: None, expires: Some(expires), body: body.into() };
    // One that is there is of a key that was forgotten: the store judges the key before this.
    let (id, expect) = (answer_key(request).into(), Expect::Anything);
    DocumentWrite { kind: DocumentKind::Answer, id, expect, put: Some(contents) }
}

/// Publishers' keys never meet, whatever their lengths.
fn answer_key(request: &Idempotency) -> String {
    key(request.publisher.as_str(), &request.key)
}

/// Lists what waits, by the ids in the order they were given, at most `limit`.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Scheduled, Arc<str>>, EngineError> {
    let query = DocumentQuery {
        kind: DocumentKind::Schedule,
        group: None,
        order: Order::Id(after.map(Into::into)),
        limit: page::limit(limit)?,
    };
    page::by_id(engine, workspace, query, |document| page::body(document).map(Some)).await
}

/// What waits under that id, with its state.
///
/// # Errors
/// Those of the store.
pub(crate) async fn find(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
) -> Result<Option<(Scheduled, u64)>, EngineError> {
    let found = document(&*engine.store, workspace, DocumentKind::Schedule, &id.to_string()).await?;
    found.map(|document| Ok((page::body(&document)?, document.version))).transpose()
}

/// Puts `scheduled` in the place of the state `version`.
///
/// # Errors
/// [`StoreError::Conflict`] if it was sent, cancelled or changed meanwhile; those of the store.
pub(crate) async fn replace(
    engine: &Engine,
    workspace: &Slug,
    scheduled: &Scheduled,
    version: u64,
    now: Timestamp,
) -> Result<(), EngineError> {
    write(engine, workspace, vec![put(scheduled, Expect::Version(version))], now).await
}

/// Takes back what waits under that id. `false`: nothing does.
///
/// # Errors
/// Those of the store.
pub(crate) async fn cancel(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
    now: Timestamp,
) -> Result<bool, EngineError> {
    let Some((_, version)) = find(engine, workspace, id).await? else { return Ok(false) };
    let documents = vec![delete(id, version)];
    match write(engine, workspace, documents, now).await {
        Ok(()) => Ok(true),
        // Sent or changed since we looked: the caller looks again.
        Err(EngineError::Store(StoreError::Conflict { .. })) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends what is due at `now`, the longest due first; whether more is waiting.
pub(crate) async fn send_due(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    let due = engine.store.due(DocumentKind::Schedule, now, None, SENT_AT_ONCE).await?;
    let more = more_due(&due, SENT_AT_ONCE);
    let mut outcome = Ok(more);
    for (workspace, documents) in page::by_workspace(due) {
        if let Err(error) = send_all(engine, &workspace, documents, now).await {
            // The others have their turn first.
            outcome = Err(error);
        }
    }
    outcome
}

async fn send_all(
    engine: &Engine,
    workspace: &Slug,
    documents: Vec<Document>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut batch = Vec::new();
    let mut named = 0;
    for (document, scheduled) in page::readable(engine, workspace, documents, now).await? {
        // One transaction names as many users as one request may.
        let users = recipients(&scheduled);
        if named + users > MAX_RECIPIENTS_PER_REQUEST {
            send(engine, workspace, std::mem::take(&mut batch), now).await?;
            named = 0;
        }
        named += users;
        batch.push((document, scheduled));
    }
    send(engine, workspace, batch, now).await
}

fn recipients(scheduled: &Scheduled) -> usize {
    match &scheduled.notification.audience {
        Audience::Users(users) => users.len(),
        Audience::Topic(_) | Audience::Workspace => 1,
    }
}

/// Sends a batch; what can't be sent with the others is tried without them.
async fn send(
    engine: &Engine,
    workspace: &Slug,
    batch: Vec<(Document, Scheduled)>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut batches = vec![batch.as_slice()];
    while let Some(batch) = batches.pop() {
        match (append(engine, workspace, batch, now).await, batch) {
            (Ok(()), _) => {}
            // Taken back or changed since it was read: the next step reads it anew.
            (Err(error @ EngineError::Store(StoreError::Conflict { .. })), _) => return Err(error),
            (Err(error), _) if is_passing(&error) => return Err(error),
            (Err(error), [(document, _)]) => {
                tracing::error!(%workspace, notification = %document.id, %error, "what is scheduled can't be sent, and is put off for an hour");
                put_off(engine, workspace, DocumentKind::Schedule, document, now).await?;
            }
            (Err(_), _) => {
                let (first, rest) = batch.split_at(batch.len() / 2);
                batches.extend([rest, first]);
            }
        }
    }
    Ok(())
}

/// Sends a batch in one transaction.
async fn append(
    engine: &Engine,
    workspace: &Slug,
    batch: &[(Document, Scheduled)],
    now: Timestamp,
) -> Result<(), EngineError> {
    if batch.is_empty() {
        return Ok(());
    }
    let mut change = Change::default();
    let mut live = Vec::new();
    for (document, scheduled) in batch {
        let mut notification = scheduled.notification.clone();
        change.documents.push(delete(notification.id, document.version));
        notification.timestamp = now;
        notification.expires_at = scheduled.ttl.map(|ttl| after(now, ttl));
        let into = if scheduled.durable { &mut change.notifications } else { &mut live };
        into.push(Arc::new(notification));
    }
    crate::event::append(engine, workspace, change, live, now).await.map(drop)
}

fn put(scheduled: &Scheduled, expect: Expect) -> DocumentWrite {
    let body = serde_json::to_string(scheduled).unwrap_or_default();
    let contents =
        Contents { group: "".into(), due: Some(scheduled.send_at), expires: None, body: body.into() };
    let id = scheduled.notification.id.to_string().into();
    DocumentWrite { kind: DocumentKind::Schedule, id, expect, put: Some(contents) }
}

fn delete(id: NotificationId, version: u64) -> DocumentWrite {
    let expect = Expect::Version(version);
    DocumentWrite { kind: DocumentKind::Schedule, id: id.to_string().into(), expect, put: None }
}

async fn write(
    engine: &Engine,
    workspace: &Slug,
    documents: Vec<DocumentWrite>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let change = Change { documents, ..Change::default() };
    engine.store.append(workspace, Write::Change(change), now).await?;
    engine.workspaces.note_stored(workspace);
    Ok(())
}
