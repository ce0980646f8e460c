//! What a producer does with a notification afterwards: say it anew, or take it back.

use std::sync::Arc;

use campanile_model::limits::{MAX_FRAME_BYTES, MAX_TITLE_CHARS};
use campanile_model::{Level, Notification, NotificationId, Seq, Slug, Timestamp};
use campanile_store::{StoreError, Write};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::publish::{after, check_metadata, name};
use crate::schedule::{self, Scheduled};
use crate::{Engine, EngineError, Span};

/// How often a notification that changes under our hands is looked at again: each time somebody else has changed it.
const ATTEMPTS: usize = 20;

/// What is to be different (JSON merge patch, RFC 7396, of these members). Whom it reaches can't be changed:
/// take it back and publish another.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schema(as = NotificationPatch)]
pub struct Patch {
    /// As of a publish.
    pub title: Option<String>,
    /// As of a publish.
    pub message: Option<String>,
    /// As of a publish.
    #[schema(value_type = Option<crate::publish::LevelName>)]
    pub level: Option<Level>,
    /// The whole metadata, in place of what there was; `null` is a value too, as in a publish.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub metadata: Option<Box<RawValue>>,
    /// How long it is to be seen from now on (from its sending, where that is still to come); `null`: for ever.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "12h")]
    pub ttl: Option<Option<Span>>,
    /// When to send it, where that is still to come.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub send_at: Option<Timestamp>,
}

/// A notification as its producer sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It waits for its time.
    Scheduled(Box<Scheduled>),
    /// It was sent.
    Sent {
        /// As it reads now.
        notification: Arc<Notification>,
        /// Its place.
        seq: Seq,
        /// A later one took its place, or what it said no longer holds: only those who had read it see it.
        superseded: bool,
    },
}

/// The notification of that id.
///
/// # Errors
/// [`EngineError::Missing`] if there is none, or it was taken back or has run out; those of the store.
pub async fn read(engine: &Engine, workspace: &Slug, id: NotificationId) -> Result<State, EngineError> {
    if let Some((scheduled, _)) = schedule::find(engine, workspace, id).await? {
        return Ok(State::Scheduled(Box::new(scheduled)));
    }
    let item = engine.store.find(workspace, None, id).await.map_err(missing)?;
    Ok(State::Sent { notification: item.notification, seq: item.seq, superseded: item.superseded })
}

/// Says the notification of that id anew: in the inbox in its old place, read or not as it was.
///
/// # Errors
/// [`EngineError::Invalid`], [`EngineError::TooLarge`], [`EngineError::Missing`]; [`EngineError::Changed`] where others
/// change it all the time; those of the store.
pub async fn update(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
    patch: &Patch,
    now: Timestamp,
) -> Result<State, EngineError> {
    for _ in 0..ATTEMPTS {
        let result = match schedule::find(engine, workspace, id).await? {
            Some((scheduled, version)) => {
                let scheduled = patch.scheduled(engine, scheduled, now)?;
                let replaced = schedule::replace(engine, workspace, &scheduled, version, now).await;
                replaced.map(|()| State::Scheduled(Box::new(scheduled)))
            }
            None => sent(engine, workspace, id, patch, now).await,
        };
        match result {
            Err(EngineError::Store(StoreError::Conflict { .. } | StoreError::Changed)) => {}
            other => return other,
        }
    }
    Err(EngineError::Changed { what: "notification" })
}

async fn sent(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
    patch: &Patch,
    now: Timestamp,
) -> Result<State, EngineError> {
    let item = engine.store.find(workspace, None, id).await.map_err(missing)?;
    if patch.send_at.is_some() {
        return Err(EngineError::invalid("sendAt", "it was sent already"));
    }
    let refused_keys = &engine.workspaces.config().refused_keys;
    let mut notification = Notification::clone(&item.notification);
    patch.apply(&mut notification, refused_keys)?;
    if let Some(ttl) = patch.ttl {
        notification.expires_at = ttl.map(|ttl| after(now, ttl));
    }
    notification.updated_at = Some(now);
    let notification = Arc::new(notification);
    let expected = Some(item.notification);
    let write = Write::Update { notification: Arc::clone(&notification), expected };
    engine.store.append(workspace, write, now).await.map_err(missing)?;
    Ok(State::Sent { notification, seq: item.seq, superseded: false })
}

/// Takes the notification of that id back: nobody sees it any more. One that waits for its time is not sent.
///
/// # Errors
/// [`EngineError::Missing`] if there is none, or not any more; those of the store.
pub async fn retract(
    engine: &Engine,
    workspace: &Slug,
    id: NotificationId,
    now: Timestamp,
) -> Result<(), EngineError> {
    for _ in 0..ATTEMPTS {
        if schedule::find(engine, workspace, id).await?.is_none() {
            engine.store.append(workspace, Write::Retract { id }, now).await.map_err(missing)?;
            return Ok(());
        }
        // Otherwise it was changed or sent since we looked: look again.
        if schedule::cancel(engine, workspace, id, now).await? {
            return Ok(());
        }
    }
    Err(EngineError::Overloaded)
}

impl Patch {
    fn scheduled(
        &self,
        engine: &Engine,
        mut scheduled: Scheduled,
        now: Timestamp,
    ) -> Result<Scheduled, EngineError> {
        self.apply(&mut scheduled.notification, &engine.workspaces.config().refused_keys)?;
        if let Some(ttl) = self.ttl {
            if ttl.is_some() && !scheduled.durable {
                return Err(EngineError::invalid("ttl", "ttl needs a notification that is kept"));
            }
            scheduled.ttl = ttl;
        }
        if let Some(at) = self.send_at {
            crate::publish::check_send_at(at, now)?;
            scheduled.send_at = at;
        }
        Ok(scheduled)
    }

    fn apply(&self, notification: &mut Notification, refused_keys: &[String]) -> Result<(), EngineError> {
        if let Some(title) = &self.title {
            name("title", title, MAX_TITLE_CHARS)?;
            notification.title.clone_from(title);
        }
        if let Some(message) = &self.message {
            notification.message.clone_from(message);
        }
        if let Some(level) = self.level {
            if Level::from_name(&notification.kind).is_some() {
                level.as_str().clone_into(&mut notification.kind);
            }
            notification.level = level;
        }
        if let Some(metadata) = &self.metadata {
            notification.metadata = Some(metadata.clone());
        }
        if let Some(Some(ttl)) = self.ttl {
            crate::publish::check_ttl(ttl)?;
        }
        let got = campanile_wire::longest_payload(notification);
        if got > MAX_FRAME_BYTES {
            return Err(EngineError::TooLarge { index: None, got, limit: MAX_FRAME_BYTES });
        }
        match &self.metadata {
            Some(metadata) => check_metadata(metadata, refused_keys),
            None => Ok(()),
        }
    }
}

fn missing(error: StoreError) -> EngineError {
    match error {
        StoreError::NotFound => EngineError::Missing { what: "notification" },
        other => other.into(),
    }
}

/// A member that is there, whatever it holds: `null` is a value too.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
