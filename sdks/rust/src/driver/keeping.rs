//! What is kept across restarts: read before the first dial, written behind every change.

use std::collections::VecDeque;
use std::io;

use super::{Driver, Outcome};
use crate::error::Error;
use crate::kept::{self, Kept, Owner};

/// Items are written this long after they changed; actions at once.
const PAUSE_MS: u64 = 1_000;

/// What is to be written, in order.
#[derive(Default)]
pub(super) struct Keeper {
    /// Whose things were read.
    pub owner: Option<Owner>,
    /// Who it was when there last was a token: whose things `close` erases.
    pub user: Option<String>,
    pub save_at: Option<u64>,
    waiting: VecDeque<(String, String)>,
    saving: bool,
    loading: bool,
}

impl Driver {
    /// Begins to read what is kept of this user. False: nothing is to be read.
    pub(super) fn load_kept(&mut self) -> bool {
        self.keeper.user = self.user.clone().or(self.keeper.user.take());
        let (Some(storage), Some(owner)) = (self.config.storage.clone(), self.owner()) else { return false };
        if self.keeper.owner.as_ref() == Some(&owner) {
            return false;
        }
        // What is about to be written of it must be there before it is read.
        self.keeper.owner = Some(owner.clone());
        self.keeper.loading = true;
        let name = owner.name();
        if let Some((_, text)) = self.keeper.waiting.iter().rev().find(|(waiting, _)| *waiting == name) {
            let text = text.clone();
            self.tasks.spawn(async move { Outcome::Loaded(owner, Ok(Some(text))) });
        } else {
            self.tasks.spawn_blocking(move || Outcome::Loaded(owner, storage.get(&name)));
        }
        true
    }

    pub(super) fn handle_loaded(&mut self, owner: &Owner, result: io::Result<Option<String>>) {
        if self.keeper.owner.as_ref() != Some(owner) {
            return;
        }
        self.keeper.loading = false;
        let text = result.unwrap_or_else(|error| {
            self.report(Error::StorageFailed(error));
            None
        });
        if let Some(kept) = text.and_then(|text| Kept::read(&text, owner)) {
            let (store, mut queue) = kept.restore();
            queue.append(std::mem::take(&mut self.queue));
            self.queue = queue;
            if self.store.position.is_none() && store.position.is_some() {
                self.store = store;
            }
            self.dirty = true;
        }
        if self.attempt.is_some() && self.link.is_none() {
            self.dial();
        }
    }

    /// Writes within a second.
    pub(super) fn keep_soon(&mut self) {
        if self.config.storage.is_some() && self.keeper.save_at.is_none() {
            self.keeper.save_at = Some(self.now() + PAUSE_MS);
        }
    }

    pub(super) fn tick_keeper(&mut self, now: u64) {
        if self.keeper.save_at.is_some_and(|at| at <= now) {
            self.keep_now();
        }
    }

    /// Writes now.
    pub(super) fn keep_now(&mut self) {
        self.keeper.save_at = None;
        let Some(owner) = self.keeper.owner.clone().filter(|_| !self.keeper.loading) else { return };
        let text = Kept::of(&owner, &self.store, &self.queue, self.is_native()).text();
        let name = owner.name();
        self.keeper.waiting.retain(|(waiting, _)| *waiting != name);
        self.keeper.waiting.push_back((name, text));
        self.save_next();
    }

    fn save_next(&mut self) {
        let Some(storage) = self.config.storage.clone().filter(|_| !self.keeper.saving) else { return };
        let Some((name, text)) = self.keeper.waiting.pop_front() else { return };
        self.keeper.saving = true;
        self.tasks.spawn_blocking(move || Outcome::Saved(storage.set(&name, &text)));
    }

    pub(super) fn handle_saved(&mut self, result: io::Result<()>) {
        self.keeper.saving = false;
        if let Err(error) = result {
            self.report(Error::StorageFailed(error));
        }
        self.save_next();
    }

    /// Waits until everything is written.
    pub(super) async fn finish_saving(&mut self) -> Result<(), Error> {
        let mut ended = Ok(());
        while self.keeper.saving
            && let Some(outcome) = self.tasks.join_next().await
        {
            if let Ok(Outcome::Saved(result)) = outcome {
                self.keeper.saving = false;
                ended = result.map_err(Error::StorageFailed);
                self.save_next();
            }
        }
        ended
    }

    /// Erases what is kept of a user, in whichever workspace.
    pub(super) async fn erase(&mut self, user: Option<&str>) -> Result<(), Error> {
        let prefix = user.map(|user| kept::prefix(self.config.address.origin(), user));
        self.keeper
            .waiting
            .retain(|(name, _)| prefix.as_ref().is_none_or(|prefix| !name.starts_with(prefix)));
        // A write under way would bring it back; what waits of others is written all the same.
        let _ = self.finish_saving().await;
        let (Some(storage), Some(prefix)) = (self.config.storage.clone(), prefix) else { return Ok(()) };
        let erased = tokio::task::spawn_blocking(move || storage.erase(&prefix)).await;
        erased.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(Error::StorageFailed)
    }
}
