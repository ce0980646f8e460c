//! Announcements in every workspace: one transaction each, under one id. One that fails stops no other.

use campanile_model::{NotificationId, Slug, Timestamp, UserId};

use super::{Announcement, Draft, HOLDS_NO_LONGER, Patch, announce, change, draft, withdraw};
use crate::{Engine, EngineError};

/// What was done in every workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Everywhere {
    /// The announcement's id, the same in all of them.
    pub id: NotificationId,
    /// In how many something was done now.
    pub done: usize,
    /// In how many it could not be done, as the log says. A repetition under the same id does it there.
    pub failed: usize,
}

/// [Announces](announce) maintenance in every workspace under `id`, whatever the draft's. One that has an announcement of
/// that id is passed over, so that whoever knows the id can go on where a call stopped.
///
/// # Errors
/// [`EngineError::Invalid`] before anything was done; [`EngineError::Unfinished`] if it could be done nowhere.
pub async fn announce_everywhere(
    engine: &Engine,
    id: NotificationId,
    draft: Draft,
    actor: &UserId,
    now: Timestamp,
) -> Result<Everywhere, EngineError> {
    draft::check(&draft.clone().announcement(id), now)?;
    let draft = Draft { id: Some(id), ..draft };
    let mut tally = Tally::new(id);
    for workspace in engine.workspaces.all() {
        let outcome = match announce(engine, &workspace, draft.clone(), actor, now).await {
            Err(EngineError::Exists { .. }) => Ok(false),
            other => other.map(|_| true),
        };
        tally.count(&workspace, outcome);
    }
    tally.end()
}

/// [Changes](change) an announcement in every workspace in which it holds.
///
/// # Errors
/// [`EngineError::Missing`] if it holds nowhere; [`EngineError::Invalid`] or [`EngineError::Unfinished`] if it could be
/// done nowhere.
pub async fn change_everywhere(
    engine: &Engine,
    id: NotificationId,
    patch: &Patch,
    actor: &UserId,
    now: Timestamp,
) -> Result<Everywhere, EngineError> {
    let mut tally = Tally::new(id);
    for workspace in engine.workspaces.all() {
        let outcome = change(engine, &workspace, id, patch, actor, now).await;
        tally.count(&workspace, holding(outcome));
    }
    somewhere(tally.end()?)
}

/// [Withdraws](withdraw) an announcement in every workspace in which it holds.
///
/// # Errors
/// As of [`change_everywhere`].
pub async fn withdraw_everywhere(
    engine: &Engine,
    id: NotificationId,
    actor: &UserId,
    now: Timestamp,
) -> Result<Everywhere, EngineError> {
    let mut tally = Tally::new(id);
    for workspace in engine.workspaces.all() {
        let outcome = withdraw(engine, &workspace, id, actor, now).await;
        tally.count(&workspace, holding(outcome));
    }
    somewhere(tally.end()?)
}

/// Counts workspaces.
struct Tally {
    all: Everywhere,
    /// Why the last of those failed that did.
    error: Option<EngineError>,
}

impl Tally {
    fn new(id: NotificationId) -> Self {
        Self { all: Everywhere { id, done: 0, failed: 0 }, error: None }
    }

    /// Whether there was something to do in `workspace`, or why it could not be done.
    fn count(&mut self, workspace: &Slug, outcome: Result<bool, EngineError>) {
        match outcome {
            Ok(done) => self.all.done += usize::from(done),
            Err(error) => {
                let id = self.all.id;
                tracing::warn!(%workspace, announcement = %id, %error, "an announcement can't be written now");
                self.all.failed += 1;
                self.error = Some(error);
            }
        }
    }

    fn end(self) -> Result<Everywhere, EngineError> {
        let Everywhere { id, done, failed } = self.all;
        match self.error {
            Some(invalid @ EngineError::Invalid { .. }) if done == 0 => Err(invalid),
            Some(error) if done == 0 => Err(EngineError::Unfinished { id, failed, error: Box::new(error) }),
            _ => Ok(self.all),
        }
    }
}

/// Whether there was something to do, where an announcement need not hold in every workspace.
fn holding(outcome: Result<Announcement, EngineError>) -> Result<bool, EngineError> {
    match outcome {
        Ok(_) => Ok(true),
        Err(EngineError::Missing { .. } | EngineError::Invalid { field: HOLDS_NO_LONGER, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn somewhere(all: Everywhere) -> Result<Everywhere, EngineError> {
    if all.done == 0 { Err(EngineError::Missing { what: "announcement" }) } else { Ok(all) }
}
