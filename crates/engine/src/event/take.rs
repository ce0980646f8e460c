//! Events from outside, each taken once.

use std::collections::HashSet;
use std::sync::Arc;

use campanile_model::{NotificationId, Slug, Timestamp};
use campanile_store::{DocumentKind, StoreError};
use serde_json::Value;
use serde_json::value::RawValue;

use super::key::key;
use super::pipeline::{Cause, commit};
use super::{Event, MAX_ATTRIBUTE_BYTES, MAX_DATA_BYTES, MAX_EVENTS, source};
use crate::publish::check_json;
use crate::{Engine, EngineError};

/// How often events that somebody else takes at the same time are looked at again.
const ATTEMPTS: usize = 5;

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its id, as it came.
    pub id: String,
    /// Names it for [`read`](super::read).
    pub key: Arc<str>,
    /// It was taken before: nothing happened now.
    pub duplicate: bool,
    /// What the rules made of it.
    pub notifications: Vec<NotificationId>,
    /// How many rules failed on it, and how many functions it could not run.
    pub failed: usize,
}

/// An event's data, if every parser reads it alike: no member twice, at most
/// [`MAX_JSON_DEPTH`](campanile_model::limits::MAX_JSON_DEPTH) levels.
///
/// # Errors
/// [`EngineError::Invalid`].
pub fn data(raw: &RawValue) -> Result<Arc<Value>, EngineError> {
    check_json(raw).map_err(|fault| EngineError::invalid("data", format!("data {fault}")))?;
    let value = serde_json::from_str(raw.get());
    value.map(Arc::new).map_err(|_| EngineError::invalid("data", "data is not JSON"))
}

/// Takes `events` into `workspace`, in order, all of them or none. An event whose source and id were taken
/// before, or come twice here, is not taken again.
///
/// # Errors
/// [`EngineError::Invalid`] naming the place and attribute; those of the store.
///
/// # Cancel safety
/// A dropped future may or may not have taken them, never some. Repeating it is safe.
pub async fn take(
    engine: &Engine,
    workspace: &Slug,
    events: Vec<Event>,
    batch: bool,
    now: Timestamp,
) -> Result<Vec<Taken>, EngineError> {
    if events.is_empty() || events.len() > MAX_EVENTS {
        return Err(EngineError::invalid("", format!("a batch has 1 to {MAX_EVENTS} events")));
    }
    for (place, event) in events.iter().enumerate() {
        let checked = check(event).and_then(|()| refuse_own(event));
        checked.map_err(|error| error.at(batch.then_some(place)))?;
    }
    let keys: Vec<Arc<str>> = events.iter().map(|e| key(&e.source, &e.id).into()).collect();
    for _ in 0..ATTEMPTS {
        let known = engine.store.documents(workspace, DocumentKind::Event, &keys).await?;
        let mut met = HashSet::new();
        let is_new: Vec<bool> = known
            .iter()
            .zip(&keys)
            .map(|(known, key)| known.is_none() && met.insert(Arc::clone(key)))
            .collect();
        let fresh: Vec<Event> =
            events.iter().zip(&is_new).filter(|(_, new)| **new).map(|(event, _)| event.clone()).collect();
        let mut outcomes = Vec::new();
        if !fresh.is_empty() {
            let cause = Cause { events: fresh, ..Cause::default() };
            match commit(engine, workspace, cause, now).await {
                Ok(committed) => outcomes = committed.told.into_iter().zip(committed.failed).collect(),
                // Somebody else took one of them since we looked.
                Err(EngineError::Store(StoreError::Conflict { kind: DocumentKind::Event, .. })) => continue,
                Err(error) => return Err(error),
            }
        }
        let mut outcomes = outcomes.into_iter();
        return Ok(events
            .into_iter()
            .zip(keys)
            .zip(is_new)
            .map(|((event, key), new)| {
                let (notifications, failed) =
                    if new { outcomes.next().unwrap_or_default() } else { Default::default() };
                Taken { id: event.id, key, duplicate: !new, notifications, failed }
            })
            .collect());
    }
    Err(EngineError::Overloaded)
}

/// Checks what is bounded of an event.
///
/// # Errors
/// [`EngineError::Invalid`] naming the attribute.
pub fn check(event: &Event) -> Result<(), EngineError> {
    let bounded = |field: &'static str, text: &str| {
        if (1..=MAX_ATTRIBUTE_BYTES).contains(&text.len()) && !text.chars().any(char::is_control) {
            Ok(())
        } else {
            let reason = format!("{field} has 1 to {MAX_ATTRIBUTE_BYTES} bytes, no control characters");
            Err(EngineError::invalid(field, reason))
        }
    };
    bounded("id", &event.id)?;
    bounded("source", &event.source)?;
    bounded("type", &event.kind)?;
    if event.kind.len() > campanile_store::MAX_GROUP_BYTES {
        let reason = format!("type has at most {} bytes", campanile_store::MAX_GROUP_BYTES);
        return Err(EngineError::invalid("type", reason));
    }
    if let Some(subject) = &event.subject {
        bounded("subject", subject)?;
    }
    if event.data.to_string().len() > MAX_DATA_BYTES {
        return Err(EngineError::invalid("data", format!("data has at most {MAX_DATA_BYTES} bytes as JSON")));
    }
    Ok(())
}

fn refuse_own(event: &Event) -> Result<(), EngineError> {
    if source::is_own(&event.source) {
        let reason = "this source is one of Campanile's own (/collections/…, /products/…, /functions/…, /workspace, \
                      /maintenance, /access): name yours, such as https://shop.example/orders";
        return Err(EngineError::invalid("source", reason));
    }
    Ok(())
}
