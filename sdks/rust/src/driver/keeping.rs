//! What is kept across restarts: read before the first dial, written behind every change.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::task::blocking;
use super::{Driver, Outcome};
use crate::actions::{Action, QUEUE_LIMIT, Queue, overtakes};
use crate::error::Error;
use crate::events::Event;
use crate::kept::{self, Kept, Owner};
use crate::storage::Storage;
use crate::store::Position;

/// Items are written this long after they changed; actions at once.
const PAUSE_MS: u64 = 1_000;
/// How long what is kept is waited for before the first dial, and before anything is sent.
const PATIENCE_MS: u64 = 2_000;

/// What is to be written, in order.
#[derive(Default)]
pub(super) struct Keeper {
    /// Whose things were read.
    pub owner: Option<Owner>,
    /// Who it was when there last was a token: whose things `close` erases.
    pub user: Option<String>,
    pub save_at: Option<u64>,
    waiting: VecDeque<(String, Arc<str>)>,
    /// What is being written.
    saving: Option<(String, Arc<str>)>,
    loading: bool,
    /// Until when that is waited for.
    awaited_until: u64,
    /// Nobody was told yet that it took too long.
    is_patient: bool,
    /// Why what is kept could not be read: nothing is written over it before it was.
    pub unread: Option<io::ErrorKind>,
    /// What was done before all of it was read: what was kept must not undo that.
    since: Vec<Action>,
    /// Where this client was greeted without a place to go on from.
    pub begun_at: Option<Position>,
    /// What was done by those whose things were still being read as another took their place.
    left: Vec<Left>,
}

/// What waits to be kept behind what could not be read so far.
struct Left {
    owner: Owner,
    done: Queue,
    /// It was read in vain.
    tried: bool,
}

impl Keeper {
    /// What was kept is on its way here, and is worth waiting for.
    pub fn is_awaited(&self, now: u64) -> bool {
        self.loading && now < self.awaited_until
    }

    /// Until when what was kept is waited for, if it is.
    pub fn patience(&self, now: u64) -> Option<u64> {
        Some(self.awaited_until).filter(|_| self.is_awaited(now))
    }

    /// What is kept is another's from now on. What was done before all of it was read is kept behind that.
    pub fn let_go(&mut self, done: Queue) {
        let tried = self.unread.take().is_some();
        if let Some(owner) = self.owner.take().filter(|_| (self.loading || tried) && !done.is_empty()) {
            self.left.push(Left { owner, done, tried });
        }
        self.loading = false;
        self.since.clear();
        self.begun_at = None;
    }

    /// Something was done.
    pub fn note(&mut self, action: Action) {
        if self.loading || self.unread.is_some() {
            self.since.retain(|earlier| !overtakes(&action, earlier));
            if self.since.len() >= QUEUE_LIMIT {
                self.since.remove(0);
            }
            self.since.push(action);
        }
    }

    /// What was done by this one before it was let go of.
    fn take_left(&mut self, owner: &Owner) -> Queue {
        let mut done = Queue::default();
        self.left.extract_if(.., |left| left.owner == *owner).for_each(|left| done.append(left.done));
        done
    }

    /// Puts a text at the end of what is to be written.
    fn write(&mut self, name: String, text: String) {
        self.waiting.retain(|(waiting, _)| *waiting != name);
        self.waiting.push_back((name, text.into()));
    }
}

impl Driver {
    /// Begins to read what is kept of this user, if it is known whose that would be and was not read yet.
    pub(super) fn load_kept(&mut self) {
        let (Some(storage), Some(owner)) = (self.config.storage.clone(), self.owner()) else { return };
        if self.keeper.owner.as_ref() == Some(&owner) {
            return;
        }
        self.keeper.owner = Some(owner.clone());
        self.keeper.since.clear();
        self.await_kept();
        self.read_kept(storage, owner);
    }

    /// Reads again what could not be read.
    pub(super) fn retry_kept(&mut self) {
        if self.keeper.unread.is_some() {
            self.await_kept();
            self.read_unread();
        }
    }

    fn await_kept(&mut self) {
        self.keeper.awaited_until = self.now() + PATIENCE_MS;
        self.keeper.is_patient = true;
    }

    /// Reads what could not be read, and waits for nothing.
    fn read_unread(&mut self) {
        let (Some(storage), Some(owner)) = (self.config.storage.clone(), self.keeper.owner.clone()) else {
            return;
        };
        self.read_kept(storage, owner);
    }

    fn read_kept(&mut self, storage: Arc<dyn Storage>, owner: Owner) {
        self.keeper.loading = true;
        self.keeper.unread = None;
        self.read(storage, owner);
    }

    fn read(&mut self, storage: Arc<dyn Storage>, owner: Owner) {
        // What is about to be written of it must be there before it is read.
        let name = owner.name();
        let mut unwritten = self.keeper.waiting.iter().rev().chain(&self.keeper.saving);
        if let Some((_, text)) = unwritten.find(|(unwritten, _)| *unwritten == name) {
            let text = text.to_string();
            self.tasks.spawn(async move { Outcome::Loaded(owner, Ok(Some(text))) });
        } else {
            self.tasks.spawn(async move {
                let read = blocking(move || storage.get(&name)).await;
                Outcome::Loaded(owner, read)
            });
        }
    }

    pub(super) fn handle_loaded(&mut self, owner: &Owner, result: io::Result<Option<String>>) {
        let is_wanted = self.keeper.loading && self.keeper.owner.as_ref() == Some(owner);
        let left = self.keeper.take_left(owner);
        if !is_wanted && left.is_empty() {
            return;
        }
        let text = match result {
            Ok(text) => text,
            // It will never be read.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.report(Error::StorageFailed(error));
                None
            }
            Err(error) => {
                if is_wanted {
                    (self.keeper.loading, self.keeper.unread) = (false, Some(error.kind()));
                }
                if !left.is_empty() {
                    self.keeper.left.push(Left { owner: owner.clone(), done: left, tried: true });
                }
                self.report(Error::StorageFailed(error));
                self.dial_if_ready();
                return;
            }
        };
        let mut kept = text.and_then(|text| Kept::read(&text, owner));
        // What was done meanwhile could not be written before.
        let since = std::mem::take(&mut self.keeper.since);
        let is_unwritten = !left.is_empty() || !self.queue.is_empty() || !since.is_empty();
        if !left.is_empty() {
            kept.get_or_insert_with(|| Kept::nothing(owner)).add(left);
        }
        if !is_wanted {
            let text = kept.map(|kept| kept.text()).unwrap_or_default();
            self.keeper.write(owner.name(), text);
            self.save_next();
            return;
        }
        self.keeper.loading = false;
        // Who was greeted meanwhile may be another than had the same name then.
        let is_anothers =
            |kept: &Kept| kept.user.as_deref().is_some_and(|user| self.identity.is_stranger(user));
        if let Some(kept) = kept.filter(|kept| !is_anothers(kept)) {
            let user = kept.user.clone();
            let (store, mut queue) = kept.restore(self.config.max_items);
            queue.yield_to(&since);
            queue.append(std::mem::take(&mut self.queue));
            self.queue = queue;
            if self.is_live()
                && let Some(position) = &self.store.position
            {
                self.queue.keep_places_of(position.epoch.as_deref());
            }
            if self.store.position.is_none() && store.position.is_some() {
                self.store = store;
                self.dial_anew();
            } else if let (Some(kept), Some(begun)) = (&store.position, &self.keeper.begun_at)
                && (kept.epoch != begun.epoch || kept.seq < begun.seq)
            {
                self.emit(Event::Resync { reason: "kept".to_owned() });
            }
            self.identity.greeted = self.identity.greeted.take().or(user);
            self.dirty = true;
        }
        if is_unwritten {
            self.keep_now();
        } else if self.is_live() {
            // What came meanwhile was not written either.
            self.keep_soon();
        }
        self.dial_if_ready();
    }

    /// Writes within a second.
    pub(super) fn keep_soon(&mut self) {
        if self.config.storage.is_some() && self.keeper.save_at.is_none() {
            self.keeper.save_at = Some(self.now() + PAUSE_MS);
        }
    }

    pub(super) fn tick_keeper(&mut self, now: u64) {
        if self.keeper.loading && self.keeper.is_patient && self.keeper.awaited_until <= now {
            self.keeper.is_patient = false;
            self.report(Error::StorageFailed(io::ErrorKind::TimedOut.into()));
        }
        if self.keeper.save_at.is_some_and(|at| at <= now) {
            self.keep_now();
        }
    }

    /// Writes what changed and was not written yet.
    pub(super) fn keep_if_due(&mut self) {
        if self.keeper.save_at.is_some() {
            self.keep_now();
        }
    }

    /// Writes now.
    pub(super) fn keep_now(&mut self) {
        self.keeper.save_at = None;
        if self.keeper.unread.is_some() {
            self.read_unread();
            return;
        }
        let Some(owner) = self.keeper.owner.clone().filter(|_| !self.keeper.loading) else { return };
        let most = self.is_native().then_some(self.config.max_items);
        let kept = Kept::of(&owner, &self.store, &self.queue, most);
        let text = kept.said_by(self.identity.greeted.clone()).text();
        let name = owner.name();
        self.keeper.write(name, text);
        self.save_next();
    }

    fn save_next(&mut self) {
        let Some(storage) = self.config.storage.clone().filter(|_| self.keeper.saving.is_none()) else {
            return;
        };
        let Some((name, text)) = self.keeper.waiting.pop_front() else { return };
        self.keeper.saving = Some((name.clone(), Arc::clone(&text)));
        self.tasks.spawn(async move { Outcome::Saved(blocking(move || storage.set(&name, &text)).await) });
    }

    pub(super) fn handle_saved(&mut self, result: io::Result<()>) {
        self.keeper.saving = None;
        if let Err(error) = result {
            self.report(Error::StorageFailed(error));
        }
        self.save_next();
    }

    /// Waits until what is kept is here, and whatever was done is added to it.
    pub(super) async fn finish_loading(&mut self) {
        if self.keeper.unread.is_some() {
            self.read_unread();
        }
        let tried = self.keeper.left.iter_mut().filter(|left| left.tried);
        let again: Vec<Owner> = tried
            .map(|left| {
                left.tried = false;
                left.owner.clone()
            })
            .collect();
        if let Some(storage) = self.config.storage.clone() {
            again.into_iter().for_each(|owner| self.read(Arc::clone(&storage), owner));
        }
        while (self.keeper.loading || self.keeper.left.iter().any(|left| !left.tried))
            && let Some(outcome) = self.tasks.join_next().await
        {
            match outcome {
                Ok(Outcome::Loaded(owner, result)) => self.handle_loaded(&owner, result),
                Ok(Outcome::Saved(result)) => self.handle_saved(result),
                _ => {}
            }
        }
    }

    /// Waits until everything is written. A failure counts unless the same was written after it.
    pub(super) async fn finish_saving(&mut self) -> Result<(), Error> {
        let mut failures: Vec<(String, io::Error)> = Vec::new();
        while let Some((name, _)) = self.keeper.saving.clone()
            && let Some(outcome) = self.tasks.join_next().await
        {
            if let Ok(Outcome::Saved(result)) = outcome {
                self.keeper.saving = None;
                failures.retain(|(failed, _)| *failed != name);
                failures.extend(result.err().map(|error| (name, error)));
                self.save_next();
            }
        }
        failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(Error::StorageFailed(error)))
    }

    /// Erases what is kept of a user, in whichever workspace.
    pub(super) async fn erase(&mut self, user: Option<&str>) -> Result<(), Error> {
        let prefix = user.map(|user| kept::prefix(self.config.address.origin(), user));
        self.keeper
            .waiting
            .retain(|(name, _)| prefix.as_ref().is_none_or(|prefix| !name.starts_with(prefix)));
        self.keeper
            .left
            .retain(|left| prefix.as_ref().is_none_or(|prefix| !left.owner.name().starts_with(prefix)));
        (self.keeper.loading, self.keeper.unread) = (false, None);
        self.finish_loading().await;
        // A write under way would bring it back; what waits of others is written all the same.
        let _ = self.finish_saving().await;
        let (Some(storage), Some(prefix)) = (self.config.storage.clone(), prefix) else { return Ok(()) };
        blocking(move || storage.erase(&prefix)).await.map_err(Error::StorageFailed)
    }
}
