//! The way every source goes: what changed, what happened, who is told, in one transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use campanile_model::{Notification, NotificationId, Slug, Timestamp};
use campanile_rules::{Asking, Outcome, Verdict};
use campanile_store::{Appended, Change, DocumentWrite, Expect, Write};

use super::Event;
use super::late;
use super::made::{Ready, ready};
use super::room::Room;
use super::stored::{StoredEvent, TriedRule};
use super::triggers::triggered;
use crate::book::Book;
use crate::run::{self, Runner};
use crate::{Engine, EngineError};

/// How long what is urgent waits for rules: in quiet times whoever is to be told of it is told by the same commit.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a source did, and what happened by it.
#[derive(Debug, Default, Clone)]
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
    /// For each event, how many rules failed on it, and how many functions it could not run.
    pub(crate) failed: Vec<usize>,
}

/// Commits `cause` with everything that the rules of `workspace` make of it.
///
/// A rule that fails on an event costs nobody anything: the event is kept, says so, and can be
/// [run again](crate::rerun()).
///
/// # Errors
/// Those of the store. [`StoreError::Conflict`](campanile_store::StoreError) names a document of the cause, or
/// an event that was taken before. [`EngineError::Overloaded`] while too much of the workspace is under way.
///
/// # Cancel safety
/// A dropped future has committed all of it or nothing.
pub(crate) async fn commit(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    now: Timestamp,
) -> Result<Committed, EngineError> {
    let _admitted = engine.rota.admit(workspace, cause.events.len() + cause.change.documents.len())?;
    commit_own(engine, workspace, cause, now).await
}

/// As [`commit`], of what the server does by itself, which is never refused for what strangers do.
///
/// # Errors
/// As of [`commit`], but for that.
pub(crate) async fn commit_own(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    now: Timestamp,
) -> Result<Committed, EngineError> {
    prepare(engine, workspace, cause, now).await?.commit(engine, workspace, now).await
}

/// As [`commit_own`], of what decides who may come in, which no flood of events may hold up. Where the rules have no turn
/// within half a second, or can't be asked, the change and its events are committed without them, and they are asked
/// as soon as they can be: what they make of it comes later, and is not lost if the process ends meanwhile.
///
/// # Errors
/// Those of the store, as of [`commit`].
///
/// # Cancel safety
/// A dropped future has committed all of it or nothing.
pub(crate) async fn commit_urgent(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    now: Timestamp,
) -> Result<Committed, EngineError> {
    match tokio::time::timeout(PATIENCE, prepare(engine, workspace, cause.clone(), now)).await {
        Ok(Ok(prepared)) => return prepared.commit(engine, workspace, now).await,
        Ok(Err(error)) => tracing::warn!(%workspace, %error, "rules can't be asked now, and are later"),
        Err(_) => tracing::info!(%workspace, "rules have no turn now, and are asked later"),
    }
    late::commit(engine, workspace, cause, now).await
}

/// As [`commit_urgent`], of what others wait for until it is done: where somebody waits for the workspace's rules already,
/// they are not waited for at all.
///
/// # Errors
/// As of [`commit_urgent`].
///
/// # Cancel safety
/// A dropped future has committed all of it or nothing.
pub(crate) async fn commit_at_once(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    now: Timestamp,
) -> Result<Committed, EngineError> {
    if engine.rota.is_crowded(workspace) {
        late::commit(engine, workspace, cause, now).await
    } else {
        commit_urgent(engine, workspace, cause, now).await
    }
}

/// A cause with what the rules made of it, not yet committed.
pub(crate) struct Prepared {
    /// What will be written. A source may add what it could not know before.
    pub(crate) change: Change,
    /// As of [`Committed`].
    pub(crate) told: Vec<Vec<NotificationId>>,
    failed: Vec<usize>,
    live: Vec<Arc<Notification>>,
    /// Whether a rule or function found no room although its event would have had it on its own.
    pub(crate) is_short: bool,
    /// If the workspace is told by this that its runs are nearly at their limit.
    near: Option<Near>,
}

/// A workspace that counts as told that its runs are nearly at their limit: it is not, unless what tells it is committed.
struct Near {
    runner: Arc<Runner>,
    workspace: Slug,
    is_told: bool,
}

impl Drop for Near {
    fn drop(&mut self) {
        if !self.is_told {
            self.runner.forget_near(&self.workspace);
        }
    }
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
    prepare_in(engine, workspace, cause, Room::default(), now).await
}

/// As [`prepare`], within `room`.
///
/// # Errors
/// As of [`prepare`].
pub(crate) async fn prepare_in(
    engine: &Engine,
    workspace: &Slug,
    cause: Cause,
    room: Room,
    now: Timestamp,
) -> Result<Prepared, EngineError> {
    let Cause { change, events } = cause;
    let events = events.into_iter().map(|event| (StoredEvent::new(event, now), Expect::Absent));
    let (prepared, _) = prepare_all(engine, workspace, change, events.collect(), room, now).await?;
    Ok(prepared)
}

/// As [`prepare`], of events some of which were asked about before; besides, the first of them as it is now.
///
/// # Errors
/// As of [`prepare`].
pub(super) async fn prepare_all(
    engine: &Engine,
    workspace: &Slug,
    mut change: Change,
    mut events: VecDeque<(StoredEvent, Expect)>,
    mut room: Room,
    now: Timestamp,
) -> Result<(Prepared, Option<StoredEvent>), EngineError> {
    let own = events.len();
    let (mut told, mut failed) = (Vec::with_capacity(own), Vec::with_capacity(own));
    let (mut live, mut first) = (Vec::new(), None);
    let mut told_near = None;
    if own == 0 {
        return Ok((Prepared { change, told, failed, live, is_short: false, near: None }, None));
    }
    let book = engine.books.of(engine, workspace).await?;
    while let Some((event, expect)) = events.pop_front() {
        let routed = route(engine, workspace, &book, event, &mut room, now).await;
        // A source hears of its own events, which come first.
        if told.len() < own {
            told.push(routed.told());
            failed.push(routed.stored.failed());
        }
        if told_near.is_none() {
            let (event, runs) = (&routed.stored.event, room.runs_taken());
            let near = run::nearly_full(engine, workspace, runs, event.actor.as_ref(), event.hops, now);
            told_near = near.is_some().then(|| Near {
                runner: Arc::clone(&engine.runner),
                workspace: workspace.clone(),
                is_told: false,
            });
            events.extend(near.map(|event| (StoredEvent::new(event, now), Expect::Absent)));
        }
        change.documents.push(routed.stored.document(engine, expect, None, now));
        change.documents.extend(routed.runs);
        change.notifications.extend(routed.durable);
        live.extend(routed.live);
        first.get_or_insert(routed.stored);
    }
    Ok((Prepared { change, told, failed, live, is_short: room.is_short, near: told_near }, first))
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
        if let Some(mut near) = self.near {
            near.is_told = true;
        }
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

/// An event with what was made of it.
pub(super) struct Routed {
    pub(super) stored: StoredEvent,
    pub(super) durable: Vec<Arc<Notification>>,
    pub(super) live: Vec<Arc<Notification>>,
    pub(super) runs: Vec<DocumentWrite>,
}

/// Asks every rule and function but those that made theirs of the event before. Others have their turn in between:
/// a thousand events of a thousand rules are long work.
pub(super) async fn route(
    engine: &Engine,
    workspace: &Slug,
    book: &Book,
    before: StoredEvent,
    room: &mut Room,
    now: Timestamp,
) -> Routed {
    let config = engine.workspaces.settings_of(workspace);
    let refused_keys = &engine.workspaces.config().refused_keys;
    let StoredEvent { event, mut rules, mut functions, taken } = before;
    let done = rules.len();
    let (mut durable, mut live) = (Vec::new(), Vec::new());
    room.begin_event();
    let mut asking = Asking::new(room.steps_left());
    loop {
        if asking.is_done() {
            break;
        }
        let turn = engine.rota.turn(workspace).await;
        let Some(verdicts) = event.seen(|seen| book.rules.ask(seen, &mut asking)) else { break };
        drop(turn);
        for Verdict { rule, outcome, .. } in verdicts {
            if rules[..done].iter().any(|tried| tried.rule == rule) {
                continue;
            }
            rules.push(match outcome {
                Outcome::Passed(_) => continue,
                Outcome::Failed(error) => TriedRule::failed(rule, error.to_string()),
                Outcome::Made(made) => {
                    let id = (engine.ids)(now);
                    match ready(*made, &config, id, refused_keys, now).and_then(|ready| room.take(ready)) {
                        Ok(Ready { notification, durable: kept }) => {
                            let made = if kept { &mut durable } else { &mut live };
                            made.push(Arc::new(notification));
                            TriedRule::told(rule, id)
                        }
                        Err(error) => TriedRule::failed(rule, error.to_string()),
                    }
                }
            });
        }
    }
    room.spend(room.steps_left() - asking.left());
    let runs = triggered(engine, workspace, book, &event, &mut functions, room, now).await;
    Routed { stored: StoredEvent { event, rules, functions, taken }, durable, live, runs }
}

impl Routed {
    /// The notifications made now.
    pub(super) fn told(&self) -> Vec<NotificationId> {
        self.durable.iter().chain(&self.live).map(|n| n.id).collect()
    }
}
