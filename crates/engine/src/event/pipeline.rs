//! The way every source goes: what changed, what happened, who is told, in one transaction.

use std::sync::Arc;

use aws_lc_rs::digest;
use campanile_model::{Audience, Notification, NotificationId, Slug, Timestamp};
use campanile_rules::{Outcome, Verdict};
use campanile_store::{Appended, Change, Contents, DocumentKind, DocumentWrite, Expect, Write};

use super::Event;
use super::made::{Ready, ready};
use super::stored::{StoredEvent, TriedRule};
use crate::book::Book;
use crate::{Engine, EngineError, run};

/// Notifications made in one transaction: ten for each event of the largest batch.
const MAX_MADE: usize = 10_000;
/// Users named by them: ten times what one publish request may name.
const MAX_MADE_USERS: usize = 100_000;
/// Bytes of their messages and metadata: as much as the longest thousand.
const MAX_MADE_BYTES: usize = 64 * 1024 * 1024;

/// What a source did, and what happened by it.
#[derive(Debug, Default)]
pub(crate) struct Cause {
    /// What is to be written besides.
    pub(crate) change: Change,
    /// What happened, in order.
    pub(crate) events: Vec<Event>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Committed {
    /// As the store says. The versions of the source's own documents come first.
    pub(crate) appended: Appended,
    /// The notifications of each event, in the order of the events.
    pub(crate) told: Vec<Vec<NotificationId>>,
    /// For each event, how many rules failed on it.
    pub(crate) failed: Vec<usize>,
}

/// Commits `cause` with everything that the rules of `workspace` make of it.
///
/// A rule that fails on an event costs nobody anything: the event is kept, says so, and can be
/// [run again](super::run_again).
///
/// # Errors
/// Those of the store. [`StoreError::Conflict`](campanile_store::StoreError) names a document of the cause, or
/// an event that was taken before.
///
/// # Cancel safety
/// A dropped future has committed all of it or nothing.
pub(crate) async fn commit(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    now: Timestamp,
) -> Result<Committed, EngineError> {
    prepare(engine, workspace, cause, now).await?.commit(engine, workspace, now).await
}

/// A cause with what the rules made of it, not yet committed.
pub(crate) struct Prepared {
    /// What will be written. A source may add what it could not know before.
    pub(crate) change: Change,
    /// As of [`Committed`].
    pub(crate) told: Vec<Vec<NotificationId>>,
    failed: Vec<usize>,
    live: Vec<Arc<Notification>>,
}

/// Asks the rules of `workspace` what they make of `cause`: the first half of [`commit`].
///
/// # Errors
/// Those of the store.
pub(crate) async fn prepare(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    now: Timestamp,
) -> Result<Prepared, EngineError> {
    let Cause { mut change, events } = cause;
    let book = engine.books.of(engine, workspace).await?;
    let mut live = Vec::new();
    let mut room = Room::default();
    let (mut told, mut failed) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
    for event in events {
        let turn = engine.books.turn().await;
        let routed = route(engine, workspace, &book, event, &[], &mut room, now);
        told.push(routed.told());
        failed.push(routed.stored.failed());
        change.documents.extend(run::triggered(engine, workspace, &book, &routed.stored.event, now));
        change.documents.push(routed.document(engine, Expect::Absent, now));
        change.notifications.extend(routed.durable);
        live.extend(routed.live);
        drop(turn);
        // A thousand events of a thousand rules are long work: others have their turn in between.
        tokio::task::yield_now().await;
    }
    Ok(Prepared { change, told, failed, live })
}

impl Prepared {
    /// Commits all of it: the second half of [`commit`].
    ///
    /// # Errors
    /// As of [`commit`].
    pub(crate) async fn commit(
        self,
        engine: &Engine,
        workspace: &Slug,
        now: Timestamp,
    ) -> Result<Committed, EngineError> {
        let appended = append(engine, workspace, self.change, self.live, now).await?;
        Ok(Committed { appended, told: self.told, failed: self.failed })
    }
}

/// Commits `change`, then hands what nobody keeps to whoever is connected.
pub(crate) async fn append(
    engine: &Engine,
    workspace: &Slug,
    change: Change,
    live: Vec<Arc<Notification>>,
    now: Timestamp,
) -> Result<Appended, EngineError> {
    let runs = run::asked_for(&change);
    let appended = engine.store.append(workspace, Write::Change(change), now).await?;
    engine.workspaces.note_stored(workspace);
    engine.runner.queue(workspace, runs);
    if !live.is_empty() && engine.live.emit(workspace, &live).is_err() {
        // What caused them stands, and they are in no log: nobody can be told to repeat it.
        tracing::warn!(%workspace, count = live.len(), "live notifications found no room and are lost");
    }
    Ok(appended)
}

/// What one transaction may still hold. Rules multiply what an outsider sends, so their product is bounded too;
/// a rule that finds no room has failed, and the event can be run again on its own.
pub(super) struct Room {
    notifications: usize,
    users: usize,
    bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { notifications: MAX_MADE, users: MAX_MADE_USERS, bytes: MAX_MADE_BYTES }
    }
}

impl Room {
    fn take(&mut self, ready: Ready) -> Result<Ready, EngineError> {
        let Notification { audience, message, metadata, .. } = &ready.notification;
        let users = if let Audience::Users(users) = audience { users.len() } else { 0 };
        let bytes = message.len() + metadata.as_ref().map_or(0, |metadata| metadata.get().len());
        let left =
            (self.notifications.checked_sub(1), self.users.checked_sub(users), self.bytes.checked_sub(bytes));
        let (Some(notifications), Some(users), Some(bytes)) = left else {
            return Err(EngineError::invalid(
                "",
                "too much was made at once: run the event again on its own",
            ));
        };
        *self = Self { notifications, users, bytes };
        Ok(ready)
    }
}

/// An event with what its rules made of it.
pub(super) struct Routed {
    pub(super) stored: StoredEvent,
    pub(super) durable: Vec<Arc<Notification>>,
    pub(super) live: Vec<Arc<Notification>>,
}

/// Asks every rule but those in `done`, which have made theirs before.
pub(super) fn route(
    engine: &Engine,
    workspace: &Slug,
    book: &Book,
    event: Event,
    done: &[TriedRule],
    room: &mut Room,
    now: Timestamp,
) -> Routed {
    let config = engine.workspaces.settings_of(workspace);
    let refused_keys = &engine.workspaces.config().refused_keys;
    let mut rules: Vec<TriedRule> = done.to_vec();
    let (mut durable, mut live) = (Vec::new(), Vec::new());
    for Verdict { rule, outcome, .. } in book.made(&event) {
        if done.iter().any(|tried| tried.rule == rule) {
            continue;
        }
        match outcome {
            Outcome::Passed(_) => {}
            Outcome::Failed(error) => rules.push(TriedRule::failed(rule, error.to_string())),
            Outcome::Made(made) => {
                let id = (engine.ids)(now);
                match ready(*made, &config, id, refused_keys, now).and_then(|ready| room.take(ready)) {
                    Ok(Ready { notification, durable: true }) => {
                        durable.push(Arc::new(notification));
                        rules.push(TriedRule::told(rule, id));
                    }
                    Ok(Ready { notification, durable: false }) => {
                        live.push(Arc::new(notification));
                        rules.push(TriedRule::told(rule, id));
                    }
                    Err(error) => rules.push(TriedRule::failed(rule, error.to_string())),
                }
            }
        }
    }
    Routed { stored: StoredEvent { event, rules, taken: now }, durable, live }
}

impl Routed {
    /// The notifications made now.
    pub(super) fn told(&self) -> Vec<NotificationId> {
        self.durable.iter().chain(&self.live).map(|n| n.id).collect()
    }

    /// The event's document.
    pub(super) fn document(&self, engine: &Engine, expect: Expect, now: Timestamp) -> DocumentWrite {
        let kept = engine.workspaces.config().event_retention_ms;
        let event = &self.stored.event;
        DocumentWrite {
            kind: DocumentKind::Event,
            id: key(&event.source, &event.id).into(),
            expect,
            put: Some(Contents {
                group: event.kind.as_str().into(),
                due: None,
                expires: Some(Timestamp::from_millis(now.as_millis().saturating_add(kept))),
                body: self.stored.to_json().into(),
            }),
        }
    }
}

/// The id of an event's document: one for each source and id, whatever their lengths.
pub(crate) fn key(source: &str, id: &str) -> String {
    let mut text = String::with_capacity(source.len() + id.len() + 1);
    text.push_str(source);
    text.push('\0');
    text.push_str(id);
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use campanile_model::{Level, UserId};

    use super::*;

    fn made(users: usize, message: usize) -> Ready {
        let users = (0..users).map(|n| UserId::new(&format!("u{n}")).unwrap()).collect();
        let notification = Notification {
            id: NotificationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
            audience: Audience::Users(users),
            except: vec![],
            title: "T".into(),
            message: "m".repeat(message),
            kind: "info".into(),
            level: Level::Info,
            timestamp: Timestamp::from_millis(0),
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            expires_at: None,
            collapse_key: None,
            updated_at: None,
        };
        Ready { notification, durable: true }
    }

    /// How many of these find room.
    fn fit(users: usize, message: usize) -> usize {
        let mut room = Room::default();
        (0..).take_while(|_| room.take(made(users, message)).is_ok()).count()
    }

    #[test]
    fn what_rules_make_of_one_request_is_bounded_in_number_users_and_bytes() {
        assert_eq!(fit(1, 0), MAX_MADE);
        assert_eq!(fit(1_000, 0), MAX_MADE_USERS / 1_000);
        assert_eq!(fit(1, 16 * 1024), MAX_MADE_BYTES / (16 * 1024));
    }

    #[test]
    fn keys_of_events_are_apart() {
        assert_ne!(key("a", "b"), key("ab", ""));
        assert_eq!(key("a", "b").len(), 64);
    }
}
