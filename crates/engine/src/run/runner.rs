//! The processes of this node, and which runs have one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use campanile_functions::Pool;
use campanile_model::{Slug, Timestamp};
use tokio::sync::{Notify, broadcast};

/// Ends that somebody who waits may fall behind before reading again.
const ENDS: usize = 1024;

/// What executes runs on this node.
pub struct Runner {
    pool: Pool,
    slots: usize,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    executing: Mutex<HashSet<(Slug, Arc<str>)>>,
    /// Something may be due that was not before.
    wake: Arc<Notify>,
    ends: broadcast::Sender<Arc<str>>,
}

impl Runner {
    /// Executes up to `slots` runs at once in `pool`. `now` is the server's clock: a run ends at a time of its own.
    pub fn new(pool: Pool, slots: usize, now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        let (wake, ends) = (Arc::default(), broadcast::channel(ENDS).0);
        Self { pool, slots, now, executing: Mutex::default(), wake, ends }
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

    /// Takes a slot for the run, until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, workspace: &Slug, run: &Arc<str>) -> Slot {
        let key = (workspace.clone(), Arc::clone(run));
        self.executing().insert(key.clone());
        Slot { runner: Arc::clone(self), key }
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
