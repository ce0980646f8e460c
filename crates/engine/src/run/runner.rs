//! The processes of this node, and which runs have one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use campanile_functions::Pool;
use campanile_model::{Slug, Timestamp};
use tokio::sync::{Notify, broadcast};

use super::turns::Turns;

/// Ends that somebody who waits may fall behind before reading again.
const ENDS: usize = 1024;
/// How often the store is asked for runs that nobody executes any more.
const LOOK_EVERY_MS: i64 = 1_000;

/// What executes runs on this node.
pub struct Runner {
    stopped: AtomicBool,
    pool: Pool,
    slots: usize,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    executing: Mutex<HashSet<(Slug, Arc<str>)>>,
    waiting: Mutex<Waiting>,
    /// Something may be due that was not before.
    wake: Arc<Notify>,
    ends: broadcast::Sender<Arc<str>>,
}

#[derive(Default)]
struct Waiting {
    turns: Turns,
    looked: Option<Timestamp>,
}

impl Runner {
    /// Executes up to `slots` runs at once in `pool`, all but one of them of the same workspace; with one slot, that
    /// is anybody's. `now` is the server's clock: a run ends at a time of its own.
    pub fn new(pool: Pool, slots: usize, now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        let (wake, ends) = (Arc::default(), broadcast::channel(ENDS).0);
        Self {
            stopped: AtomicBool::new(false),
            pool,
            slots,
            now,
            executing: Mutex::default(),
            waiting: Mutex::default(),
            wake,
            ends,
        }
    }

    /// The processes.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Notified when [`Work::Runs`](crate::due::Work::Runs) may be due before its next turn.
    pub fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    /// Waits until no run is executed here.
    pub async fn idle(&self) {
        while self.free() < self.slots {
            self.wake.notified().await;
        }
    }

    /// Begins no run from here on: those that wait do so for the next server.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Whether no run is to be begun any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// The ids of runs that end from now on.
    pub(super) fn ends(&self) -> broadcast::Receiver<Arc<str>> {
        self.ends.subscribe()
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// How many more runs can be begun.
    pub(super) fn free(&self) -> usize {
        self.slots.saturating_sub(self.executing().len())
    }

    /// Whether the run is executed here.
    pub(super) fn has(&self, workspace: &Slug, run: &Arc<str>) -> bool {
        self.executing().contains(&(workspace.clone(), Arc::clone(run)))
    }

    /// Runs at once.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Takes a slot for the run, until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, workspace: &Slug, run: &Arc<str>) -> Slot {
        let key = (workspace.clone(), Arc::clone(run));
        self.executing().insert(key.clone());
        Slot { runner: Arc::clone(self), key }
    }

    /// Runs of `workspace` were committed, and wait.
    pub(crate) fn queue(&self, workspace: &Slug, runs: Vec<Arc<str>>) {
        if runs.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        runs.into_iter().for_each(|run| waiting.turns.add(workspace, run));
        drop(waiting);
        self.wake.notify_one();
    }

    /// Whether so many runs of `workspace` wait that functions are not to ask for more.
    pub(crate) fn is_busy(&self, workspace: &Slug) -> bool {
        self.waiting().turns.is_busy(workspace)
    }

    /// Whether so many runs of `workspace` wait, with `more` that are about to, that nobody is to ask for another.
    pub(crate) fn is_full(&self, workspace: &Slug, more: usize) -> bool {
        self.waiting().turns.is_full(workspace, more)
    }

    /// As of `Turns::nearly_full`.
    pub(super) fn nearly_full(&self, workspace: &Slug, more: usize) -> Option<usize> {
        self.waiting().turns.nearly_full(workspace, more)
    }

    /// As of `Turns::forget_near`.
    pub(crate) fn forget_near(&self, workspace: &Slug) {
        self.waiting().turns.forget_near(workspace);
    }

    /// As of `Turns::put_back`; it is tried again within a second.
    pub(super) fn put_back(&self, workspace: &Slug, run: Arc<str>) {
        self.waiting().turns.put_back(workspace, run);
    }

    /// As of `Turns::found`, unless it is executed.
    pub(super) fn found(&self, workspace: &Slug, run: &Arc<str>) {
        if !self.has(workspace, run) {
            self.waiting().turns.found(workspace, Arc::clone(run));
        }
    }

    /// As of `Turns::is_hungry`.
    pub(super) fn is_hungry(&self) -> bool {
        self.waiting().turns.is_hungry()
    }

    /// As of `Turns::wants_more`.
    pub(super) fn wants_more(&self) -> bool {
        self.waiting().turns.wants_more()
    }

    /// Whether to look into the store now for what nobody executes any more; if so, that is done.
    pub(super) fn looks(&self, now: Timestamp) -> bool {
        let mut waiting = self.waiting();
        let is_recent = |at: Timestamp| now.as_millis() < at.as_millis().saturating_add(LOOK_EVERY_MS);
        let looks = !waiting.looked.is_some_and(is_recent);
        if looks {
            waiting.looked = Some(now);
        }
        looks
    }

    /// The run whose turn it is, if one waits and can be begun. The last slot of several is spared for a workspace
    /// that executes nothing: those that have long runs without end keep no other waiting.
    pub(super) fn next(&self) -> Option<(Slug, Arc<str>)> {
        let executing = self.executing();
        if executing.len() >= self.slots || self.is_stopped() {
            return None;
        }
        let spared = self.slots > 1 && executing.len() + 1 == self.slots;
        let mut counts: HashMap<&Slug, usize> = HashMap::new();
        executing.iter().for_each(|(workspace, _)| *counts.entry(workspace).or_default() += 1);
        self.waiting().turns.next(&counts, spared)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn executing(&self) -> std::sync::MutexGuard<'_, HashSet<(Slug, Arc<str>)>> {
        self.executing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is executed here.
pub(super) struct Slot {
    runner: Arc<Runner>,
    key: (Slug, Arc<str>),
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.runner.executing().remove(&self.key);
        // Nobody may be waiting for this one.
        let _ = self.runner.ends.send(Arc::clone(&self.key.1));
        self.runner.wake.notify_one();
    }
}
