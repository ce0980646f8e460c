//! From a producer's drafts to the log, or straight to the sockets.
//!
//! Durable entries are appended in one transaction and reach the sockets by the follower; the others are
//! handed to the hub here. Nothing is told to anybody before every draft of the request was checked.

mod draft;
mod json;
mod keys;

use std::sync::Arc;

use campanile_model::limits::{MAX_BATCH, MAX_IDEMPOTENCY_KEY_BYTES, MAX_RECIPIENTS_PER_REQUEST};
use campanile_model::{Audience, Notification, NotificationId, Seq, Slug, Timestamp, UserId};
use campanile_store::{Appended, Idempotency, Write};

pub use campanile_wire::LevelName;
pub(crate) use draft::{Checked, after, check_metadata, check_send_at, check_ttl, each_once, name};
pub use draft::{Draft, Recipients};
pub(crate) use json::check_json;
pub use keys::RealtimeKeys;

use crate::{Engine, EngineError, Mode, schedule};

/// One request of a producer.
#[derive(Debug)]
pub struct Request {
    /// One to [`MAX_BATCH`]; all of them or none.
    pub drafts: Vec<Draft>,
    /// Whether the producer sent an array: errors then name the place in it.
    pub batch: bool,
    /// The producer's promise that a repetition is the same request, if it made one.
    pub key: Option<Key>,
}

/// Names a request so that its repetition is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// 1 to [`MAX_IDEMPOTENCY_KEY_BYTES`] bytes, unique among those of one publisher in one workspace.
    pub key: String,
    /// A digest of the request's body as it came.
    pub fingerprint: [u8; 32],
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In the order of the drafts.
    pub taken: Vec<Taken>,
    /// The answer of an earlier, equal request under the same key; nothing was published now.
    pub replayed: bool,
}

/// One notification that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub id: NotificationId,
    /// Its place in the log; `None`: it is in no log, or not yet.
    pub seq: Option<Seq>,
    /// When it was taken.
    pub timestamp: Timestamp,
    /// When it will be sent, where that is not now.
    pub send_at: Option<Timestamp>,
}

/// Publishes to `workspace` on behalf of `publisher`.
///
/// Returns once durable entries are on stable storage, others once they were handed to the sockets. A
/// request is durable as a whole or not at all, because "all or nothing" could not be kept across both; for
/// the same reason it is sent now as a whole, or later ([`schedule`]). A repetition under its key is answered as it was,
/// even if it would be refused by now.
///
/// # Errors
/// [`EngineError::Invalid`] and [`EngineError::TooLarge`] before anything happened. [`EngineError::Overloaded`] where a socket's shard has no room: then nobody was told of any of
/// them. Those of the store.
///
/// # Cancel safety
/// A dropped future may or may not have published, never a part of a durable request.
pub async fn publish(
    engine: &Engine,
    workspace: &Slug,
    publisher: &UserId,
    mut request: Request,
    now: Timestamp,
) -> Result<Outcome, EngineError> {
    let key = request.key.take().map(|key| idempotency(publisher, key)).transpose()?;
    let Plan { checked, durable, scheduled } = match plan(engine, workspace, request, now) {
        Ok(plan) => plan,
        // Time has passed: what was in order when it was taken may not be so now.
        Err(error) => {
            let Some(key) = &key else { return Err(error) };
            return replayed(engine, workspace, key, now).await?.ok_or(error);
        }
    };
    if scheduled || durable {
        let before = key.as_ref().map(|key| engine.realtime_keys.kept(workspace, key, now));
        if let Some(before) = before.transpose()?.flatten() {
            return Ok(before);
        }
    }
    if scheduled {
        return schedule::accept(engine, workspace, checked, durable, key, now).await;
    }
    let notifications = checked.into_iter().map(|c| Arc::new(c.notification)).collect();
    if durable {
        return append(engine, workspace, notifications, key, now).await;
    }
    let Some(key) = key else { return emit(engine, workspace, notifications) };
    if let Some(before) = stored(engine, workspace, &key, now).await? {
        return Ok(before);
    }
    engine.realtime_keys.once(workspace, key, now, || emit(engine, workspace, notifications))
}

/// What is to be done with a request that is in order.
struct Plan {
    checked: Vec<Checked>,
    durable: bool,
    scheduled: bool,
}

fn plan(engine: &Engine, workspace: &Slug, request: Request, now: Timestamp) -> Result<Plan, EngineError> {
    let durable = durable(engine.workspaces.mode(workspace), &request)?;
    let checked = check(engine, request.drafts, request.batch, now)?;
    let scheduled = is_scheduled(&checked, request.batch)?;
    if !durable && !scheduled {
        refuse_life(&checked, request.batch)?;
    }
    Ok(Plan { checked, durable, scheduled })
}

/// What was answered to the request of that key, if it was done.
async fn replayed(
    engine: &Engine,
    workspace: &Slug,
    key: &Idempotency,
    now: Timestamp,
) -> Result<Option<Outcome>, EngineError> {
    match engine.realtime_keys.kept(workspace, key, now)? {
        Some(outcome) => Ok(Some(outcome)),
        None => stored(engine, workspace, key, now).await,
    }
}

/// The same, if it was stored.
async fn stored(
    engine: &Engine,
    workspace: &Slug,
    key: &Idempotency,
    now: Timestamp,
) -> Result<Option<Outcome>, EngineError> {
    match engine.store.kept(workspace, key, now).await? {
        Some(appended) if appended.published.is_empty() => {
            schedule::answered(engine, workspace, key).await.map(Some)
        }
        kept => Ok(kept.map(Outcome::from)),
    }
}

/// Whether the whole request goes to the log.
fn durable(mode: Mode, request: &Request) -> Result<bool, EngineError> {
    let kept = mode == Mode::Inbox;
    let wants = |draft: &Draft| draft.durable.unwrap_or(kept);
    let first = request.drafts.first().is_some_and(wants);
    for (place, draft) in request.drafts.iter().enumerate() {
        let place = request.batch.then_some(place);
        if wants(draft) && !kept {
            let reason = "this workspace is in realtime mode and keeps nothing: leave durable out";
            return Err(EngineError::invalid("durable", reason).at(place));
        }
        if wants(draft) != first {
            let reason = "a batch is durable as a whole or not at all: send the others on their own";
            return Err(EngineError::invalid("durable", reason).at(place));
        }
    }
    Ok(first)
}

/// Whether the whole request is to be sent later.
fn is_scheduled(checked: &[Checked], batch: bool) -> Result<bool, EngineError> {
    let first = checked.first().is_some_and(|c| c.send_at.is_some());
    match checked.iter().position(|c| c.send_at.is_some() != first) {
        None => Ok(first),
        Some(place) => {
            let reason = "a batch is sent now or later as a whole: send the others on their own";
            Err(EngineError::invalid("sendAt", reason).at(batch.then_some(place)))
        }
    }
}

/// What nobody keeps can neither run out nor be superseded.
fn refuse_life(checked: &[Checked], batch: bool) -> Result<(), EngineError> {
    for (place, Checked { notification, .. }) in checked.iter().enumerate() {
        let field = match (notification.expires_at, &notification.collapse_key) {
            (Some(_), _) => "ttl",
            (_, Some(_)) => "collapseKey",
            (None, None) => continue,
        };
        let reason = format!("{field} needs a notification that is kept: leave it out, or durable: false");
        return Err(EngineError::invalid(field, reason).at(batch.then_some(place)));
    }
    Ok(())
}

fn idempotency(publisher: &UserId, key: Key) -> Result<Idempotency, EngineError> {
    let Key { key, fingerprint } = key;
    if (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len()) {
        Ok(Idempotency { publisher: publisher.clone(), key, fingerprint })
    } else {
        let reason = format!("an idempotency key has 1 to {MAX_IDEMPOTENCY_KEY_BYTES} bytes");
        Err(EngineError::invalid("Idempotency-Key", reason))
    }
}

fn check(
    engine: &Engine,
    drafts: Vec<Draft>,
    batch: bool,
    now: Timestamp,
) -> Result<Vec<Checked>, EngineError> {
    if drafts.is_empty() || drafts.len() > MAX_BATCH {
        let reason = format!("a batch has 1 to {MAX_BATCH} notifications");
        return Err(EngineError::invalid("", reason));
    }
    let mut recipients = 0;
    let refused_keys = &engine.workspaces.config().refused_keys;
    let mut all = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.into_iter().enumerate() {
        let place = batch.then_some(place);
        let checked = draft.check((engine.ids)(now), refused_keys, now).map_err(|error| error.at(place))?;
        if let Audience::Users(users) = &checked.notification.audience {
            recipients += users.len();
        }
        if recipients > MAX_RECIPIENTS_PER_REQUEST {
            let reason = format!("one request names at most {MAX_RECIPIENTS_PER_REQUEST} recipients");
            return Err(EngineError::invalid("to", reason).at(place));
        }
        all.push(checked);
    }
    Ok(all)
}

async fn append(
    engine: &Engine,
    workspace: &Slug,
    notifications: Vec<Arc<Notification>>,
    idempotency: Option<Idempotency>,
    now: Timestamp,
) -> Result<Outcome, EngineError> {
    let write = Write::Publish { notifications, idempotency };
    let appended = engine.store.append(workspace, write, now).await?;
    engine.workspaces.note_stored(workspace);
    Ok(appended.into())
}

impl From<Appended> for Outcome {
    fn from(appended: Appended) -> Self {
        let taken = appended
            .published
            .into_iter()
            .map(|p| Taken { id: p.id, seq: Some(p.seq), timestamp: p.timestamp, send_at: None })
            .collect();
        Self { taken, replayed: appended.replayed }
    }
}

fn emit(
    engine: &Engine,
    workspace: &Slug,
    notifications: Vec<Arc<Notification>>,
) -> Result<Outcome, EngineError> {
    engine.live.emit(workspace, &notifications)?;
    let taken = notifications
        .iter()
        .map(|n| Taken { id: n.id, seq: None, timestamp: n.timestamp, send_at: None })
        .collect();
    Ok(Outcome { taken, replayed: false })
}
