//! Rungs whose time has come: each is told in the transaction that records it.

use std::sync::Arc;

use campanile_expiry::{Due, Rung, Wording};
use campanile_model::limits::{MAX_BATCH, MAX_RECIPIENTS_PER_REQUEST};
use campanile_model::{NotificationId, Slug, Timestamp};
use campanile_store::{Document, DocumentKind, DocumentWrite, Expect, StoreError, more_due};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::ProductId;
use super::kept::Found;
use super::read::find;
use super::write::key;
use crate::event::{self, Cause, Event, Room, source};
use crate::postpone::{is_passing, put_off};
use crate::settings::Settings;
use crate::{Engine, EngineError, page};

/// Products looked at in one step: as many as leave room for what two rules tell of each in one transaction.
const FIRED_AT_ONCE: usize = 500;
/// Steps that all rules may take on one rung: those that tell of it take some hundred. Half a second or so for
/// all that is looked at, so that no workspace's rules keep those of others waiting for long.
const STEPS_OF_ONE: u64 = 20_000;

/// Tells what is due at `now`, the longest due first; whether more is waiting.
///
/// # Errors
/// Where the store takes no writes now. What can't be told for another reason is logged and put off.
pub(crate) async fn fire_due(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    let due = engine.store.due(DocumentKind::Product, now, None, FIRED_AT_ONCE).await?;
    let more = more_due(&due, FIRED_AT_ONCE);
    for (workspace, documents) in page::by_workspace(due) {
        let Fire { batches, unreadable } = match engine.books.of(engine, &workspace).await {
            Ok(book) => Fire::of(&documents, &book.settings, now),
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => Fire::none(&documents, &error),
        };
        for (document, error) in unreadable {
            postpone(engine, &workspace, document, &error, now).await?;
        }
        for batch in batches {
            fire(engine, &workspace, batch, now).await?;
        }
    }
    Ok(more)
}

/// What is to be done for one workspace.
struct Fire<'a> {
    batches: Vec<Vec<Turn<'a>>>,
    unreadable: Vec<(&'a Document, EngineError)>,
}

/// A product whose turn it is.
struct Turn<'a> {
    document: &'a Document,
    found: Found,
    /// What is to be told; `None`: only its status or its plan is another.
    tells: Option<(Due, Event)>,
}

impl<'a> Fire<'a> {
    fn none(documents: &'a [Document], error: &EngineError) -> Self {
        let unreadable = documents.iter().map(|document| (document, error.clone())).collect();
        Self { batches: Vec::new(), unreadable }
    }

    /// Reads what is due and follows the settings of today. A batch names so many users that it stays short.
    fn of(documents: &'a [Document], settings: &Settings, now: Timestamp) -> Self {
        let mut fire = Self { batches: Vec::new(), unreadable: Vec::new() };
        let (mut batch, mut recipients) = (Vec::new(), 0);
        for document in documents {
            match Turn::of(document, settings, now) {
                Err(error) => fire.unreadable.push((document, error)),
                Ok(turn) => {
                    let owners = turn.found.kept.said.owners.as_ref().map_or(1, Vec::len);
                    if recipients + owners > MAX_RECIPIENTS_PER_REQUEST {
                        fire.batches.push(std::mem::take(&mut batch));
                        recipients = 0;
                    }
                    recipients += owners;
                    batch.push(turn);
                }
            }
        }
        fire.batches.push(batch);
        fire
    }
}

impl<'a> Turn<'a> {
    fn of(document: &'a Document, settings: &Settings, now: Timestamp) -> Result<Self, EngineError> {
        let mut found = Found::read(document)?;
        found.kept.follow(settings, now);
        found.kept.age(now);
        let due = found.kept.progress.due(now);
        let tells = due.map(|due| (due, event(&found, due, settings, now)));
        Ok(Self { document, found, tells })
    }

    /// The product once this was told.
    fn write(&self, engine: &Engine, told: &[NotificationId], now: Timestamp) -> DocumentWrite {
        let mut kept = self.found.kept.clone();
        if let Some((due, _)) = &self.tells {
            // It came from this very progress.
            let _fired = kept.progress.fire(*due, told.to_vec());
        }
        kept.write(engine, &self.found.id, Expect::Version(self.document.version), now)
    }
}

/// The product once `event`, which told one of its rungs, is told by `told` as well. `None`: it was removed or has another
/// date since, or a later rung was told.
///
/// # Errors
/// Those of the store.
pub(crate) async fn tell_again(
    engine: &Engine,
    workspace: &Slug,
    event: &Event,
    told: &[NotificationId],
    now: Timestamp,
) -> Result<Option<DocumentWrite>, EngineError> {
    let Some((id, rung)) = rung_of(event) else { return Ok(None) };
    let Some(mut found) = find(engine, workspace, &id).await? else { return Ok(None) };
    // A plan may be another for the workspace's settings alone, by which what was told still holds.
    let is_same = event.data.get("expiryDate") == Some(&json!(found.kept.said.expiry_date));
    let is_told = is_same && found.kept.progress.fire_again(rung, told);
    Ok(is_told.then(|| found.kept.write(engine, &id, Expect::Version(found.version), now)))
}

/// The product and the rung that an event of ours is about.
fn rung_of(event: &Event) -> Option<(ProductId, Rung)> {
    let id = ProductId::new(event.subject.as_deref()?).ok()?;
    Some((id, Rung::deserialize(event.data.get("rung")?).ok()?))
}

/// What happened: the terms that the built-in rules know.
fn event(found: &Found, due: Due, settings: &Settings, now: Timestamp) -> Event {
    let said = &found.kept.said;
    let wording = Wording::new(due.rung, &said.expiry_date, &settings.time_zone, now);
    let mut data = json!({
        "productId": found.id,
        "productName": said.name,
        "expiryDate": said.expiry_date,
        "rung": due.rung,
        "level": wording.level().as_str(),
        "phrase": wording.phrase(),
    });
    let optional = [
        ("owners", said.owners.as_ref().map(|owners| json!(owners))),
        ("topic", said.topic.as_ref().map(|topic| json!(topic))),
        ("quantity", said.quantity.clone().map(Value::Number)),
        ("daysLeft", wording.days_left().map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            data[name] = value;
        }
    }
    Event {
        id: format!("{}/{}/{}", found.id, due.version, due.rung),
        source: source::product(found.id.as_str()),
        kind: wording.kind().to_owned(),
        subject: Some(found.id.to_string()),
        time: now,
        actor: None,
        hops: 0,
        data: data.into(),
    }
}

/// Commits a batch; what can't be committed with the others is tried without them.
async fn fire(
    engine: &Engine,
    workspace: &Slug,
    batch: Vec<Turn<'_>>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut batches = vec![batch];
    while let Some(mut batch) = batches.pop() {
        if batch.is_empty() {
            continue;
        }
        match commit(engine, workspace, &batch, now).await {
            Ok(()) => {}
            // Changed since it was read: the next step reads it anew.
            Err(EngineError::Store(StoreError::Conflict { kind: DocumentKind::Product, .. })) => {
                let ids: Vec<_> = batch.iter().map(|turn| key(&turn.found.id)).collect();
                let documents = engine.store.documents(workspace, DocumentKind::Product, &ids).await?;
                let read = batch.into_iter().zip(documents);
                let same = read.filter(|(turn, document)| {
                    document.as_ref().is_some_and(|document| document.version == turn.document.version)
                });
                batches.push(same.map(|(turn, _)| turn).collect());
            }
            // Somebody else's event has that name. Ours gets one that nobody can have.
            Err(EngineError::Store(StoreError::Conflict { kind: DocumentKind::Event, .. })) => {
                rename_taken(engine, workspace, &mut batch, now).await?;
                batches.push(batch);
            }
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => match batch.as_slice() {
                [turn] => postpone(engine, workspace, turn.document, &error, now).await?,
                _ => {
                    let rest = batch.split_off(batch.len() / 2);
                    batches.extend([rest, batch]);
                }
            },
        }
    }
    Ok(())
}

async fn commit(
    engine: &Engine,
    workspace: &Slug,
    batch: &[Turn<'_>],
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut cause = Cause::default();
    for turn in batch {
        match &turn.tells {
            Some((_, event)) => cause.events.push(event.clone()),
            None => cause.change.documents.push(turn.write(engine, &[], now)),
        }
    }
    let room = Room::with_steps_of_one(STEPS_OF_ONE);
    let mut prepared = event::prepare_in(engine, workspace, cause, room, now).await?;
    let is_large = prepared.is_short || prepared.change.notifications.len() > MAX_BATCH;
    if batch.len() > 1 && is_large {
        // A rule that finds no room because of the others fails, and this must not happen to a rung.
        return Err(StoreError::Limit { what: "notifications of one step", limit: MAX_BATCH }.into());
    }
    let telling = batch.iter().filter(|turn| turn.tells.is_some());
    let told = telling.zip(&prepared.told).map(|(turn, told)| turn.write(engine, told, now));
    let told: Vec<_> = told.collect();
    prepared.change.documents.extend(told);
    prepared.commit(engine, workspace, now).await.map(drop)
}

async fn rename_taken(
    engine: &Engine,
    workspace: &Slug,
    batch: &mut [Turn<'_>],
    now: Timestamp,
) -> Result<(), EngineError> {
    let events: Vec<&mut Event> =
        batch.iter_mut().filter_map(|turn| turn.tells.as_mut().map(|(_, event)| event)).collect();
    let keys: Vec<Arc<str>> = events.iter().map(|e| event::key(&e.source, &e.id).into()).collect();
    let taken = engine.store.documents(workspace, DocumentKind::Event, &keys).await?;
    for (event, taken) in events.into_iter().zip(taken) {
        if taken.is_some() {
            tracing::warn!(%workspace, event = %event.id, "an event of a product's name was taken from elsewhere");
            event.id = format!("{}/{}", event.id, (engine.ids)(now));
        }
    }
    Ok(())
}

/// Looks at a product later of which nothing can be told now.
async fn postpone(
    engine: &Engine,
    workspace: &Slug,
    document: &Document,
    error: &EngineError,
    now: Timestamp,
) -> Result<(), EngineError> {
    tracing::error!(%workspace, product = %document.id, %error, "a product's rung can't be told, and is put off for an hour");
    put_off(engine, workspace, DocumentKind::Product, document, now).await
}
