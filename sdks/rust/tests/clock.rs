//! A clock that a test steps.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use campanile_client::{Clock, Pending};
use tokio::sync::watch;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: u64 = 1_767_225_600_000;

/// Stands still until it is stepped. Clones are the same clock.
#[derive(Clone)]
pub(crate) struct SteppedClock {
    inner: Arc<Mutex<Inner>>,
    /// How often somebody went to sleep.
    slept: watch::Sender<u64>,
}

struct Inner {
    now: u64,
    sleepers: BTreeMap<(u64, u64), Option<Waker>>,
    numbers: u64,
}

impl SteppedClock {
    pub(crate) fn new() -> Self {
        let inner = Inner { now: START, sleepers: BTreeMap::new(), numbers: 0 };
        Self { inner: Arc::new(Mutex::new(inner)), slept: watch::Sender::new(0) }
    }

    /// Lets time pass. Whoever is woken goes to sleep again before more of it does.
    pub(crate) async fn pass(&self, millis: u64) {
        let target = self.now() + millis;
        loop {
            let slept = *self.slept.borrow();
            let woken = {
                let mut inner = self.inner.lock().unwrap();
                let next = inner.sleepers.keys().next().copied().filter(|(at, _)| *at <= target);
                inner.now = next.map_or(target, |(at, _)| at.max(inner.now));
                next.and_then(|sleeper| inner.sleepers.remove(&sleeper))
            };
            match woken {
                None => return,
                Some(waker) => waker.into_iter().for_each(Waker::wake),
            }
            let mut count = self.slept.subscribe();
            let again = count.wait_for(|count| *count > slept);
            tokio::time::timeout(Duration::from_secs(20), again)
                .await
                .expect("the client does not go on")
                .unwrap();
        }
    }

    /// Waits until somebody sleeps.
    pub(crate) async fn sleeping(&self) {
        let mut count = self.slept.subscribe();
        let asleep = count.wait_for(|_| !self.inner.lock().unwrap().sleepers.is_empty());
        tokio::time::timeout(Duration::from_secs(30), asleep).await.expect("nobody sleeps").unwrap();
    }

    /// Waits until the first to wake does so at this instant exactly.
    pub(crate) async fn wakes_at(&self, at: u64) {
        let mut count = self.slept.subscribe();
        let first = || self.inner.lock().unwrap().sleepers.keys().next().map(|(at, _)| *at);
        let asleep = count.wait_for(|_| first() == Some(at));
        let settled = tokio::time::timeout(Duration::from_secs(10), asleep).await.is_ok();
        assert!(settled, "wakes at {:?}, and not at {at}", first());
    }

    /// Lets time pass, and wakes whoever is due.
    pub(crate) fn advance(&self, millis: u64) {
        let mut inner = self.inner.lock().unwrap();
        inner.now += millis;
        let due_by = (inner.now + 1, 0);
        let later = inner.sleepers.split_off(&due_by);
        let due = std::mem::replace(&mut inner.sleepers, later);
        drop(inner);
        due.into_values().flatten().for_each(Waker::wake);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> u64 {
        self.inner.lock().unwrap().now
    }

    fn sleep_until(&self, at: u64) -> Pending<()> {
        let mut inner = self.inner.lock().unwrap();
        inner.numbers += 1;
        let sleeper = (at, inner.numbers);
        if at > inner.now {
            inner.sleepers.insert(sleeper, None);
        }
        drop(inner);
        self.slept.send_modify(|count| *count += 1);
        Box::pin(Sleep { clock: self.clone(), sleeper })
    }
}

struct Sleep {
    clock: SteppedClock,
    sleeper: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.clock.inner.lock().unwrap().sleepers.get_mut(&self.sleeper) {
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.inner.lock().unwrap().sleepers.remove(&self.sleeper);
    }
}
