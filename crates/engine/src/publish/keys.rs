//! Idempotency keys of what is not stored: this node's memory of them, bounded.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use campanile_model::{Slug, Timestamp};
use campanile_store::{IDEMPOTENCY_WINDOW_MS, Idempotency, StoreError};

use super::Outcome;
use crate::EngineError;

/// Keys remembered at most, each counted once for itself and once for each notification it answered.
const CAPACITY: usize = 100_000;

/// What was published under a key without being stored, for 24 hours or until about 100,000 younger ones
/// came, whichever is first. Lost with the node, as what it remembers was. The store remembers the keys of
/// requests that were stored; who publishes asks both, so that a key is of one request. Only two requests of different
/// kinds that are in flight at once under one key may both be done.
#[derive(Default)]
pub struct RealtimeKeys(Mutex<Generations>);

/// Two maps of half the capacity: when the younger is full, the older is dropped whole.
#[derive(Default)]
struct Generations {
    young: HashMap<Key, Kept>,
    old: HashMap<Key, Kept>,
    weight: usize,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    workspace: Slug,
    publisher: campanile_model::UserId,
    key: String,
}

struct Kept {
    fingerprint: [u8; 32],
    at: Timestamp,
    outcome: Outcome,
}

impl RealtimeKeys {
    /// Does `publish` unless the same request was done under the same key; then answers as it was answered.
    /// Requests with keys wait for each other, so that one in flight is joined: publishing to the hub
    /// does not block. Only successes are kept.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`] if the key came with another body; those of `publish`.
    pub(super) fn once(
        &self,
        workspace: &Slug,
        idempotency: Idempotency,
        now: Timestamp,
        publish: impl FnOnce() -> Result<Outcome, EngineError>,
    ) -> Result<Outcome, EngineError> {
        let key = Key::new(workspace, &idempotency);
        let mut generations = self.generations();
        if let Some(outcome) = generations.replayed(&key, &idempotency, now)? {
            return Ok(outcome);
        }
        let outcome = publish()?;
        let fingerprint = idempotency.fingerprint;
        generations.keep(key, Kept { fingerprint, at: now, outcome: outcome.clone() });
        Ok(outcome)
    }

    /// What [`once`](Self::once) would answer without publishing; `None`: it would publish.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`].
    pub(super) fn kept(
        &self,
        workspace: &Slug,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Outcome>, EngineError> {
        self.generations().replayed(&Key::new(workspace, idempotency), idempotency, now)
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        // A panic while it was held left whole entries behind, if any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn new(workspace: &Slug, idempotency: &Idempotency) -> Self {
        let Idempotency { publisher, key, .. } = idempotency.clone();
        Self { workspace: workspace.clone(), publisher, key }
    }
}

impl Generations {
    fn replayed(
        &self,
        key: &Key,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Outcome>, EngineError> {
        match self.find(key, now) {
            None => Ok(None),
            Some(kept) if kept.fingerprint != idempotency.fingerprint => Err(StoreError::KeyReused.into()),
            Some(kept) => Ok(Some(Outcome { replayed: true, ..kept.outcome.clone() })),
        }
    }

    fn find(&self, key: &Key, now: Timestamp) -> Option<&Kept> {
        let kept = self.young.get(key).or_else(|| self.old.get(key))?;
        (now.as_millis() - kept.at.as_millis() < IDEMPOTENCY_WINDOW_MS).then_some(kept)
    }

    fn keep(&mut self, key: Key, kept: Kept) {
        let weight = 1 + kept.outcome.taken.len();
        if self.weight + weight > CAPACITY / 2 {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::UserId;

    fn key(key: &str, body: u8) -> Idempotency {
        Idempotency { publisher: UserId::new("p").unwrap(), key: key.into(), fingerprint: [body; 32] }
    }

    fn empty() -> Result<Outcome, EngineError> {
        Ok(Outcome { taken: vec![], replayed: false })
    }

    #[test]
    fn once_a_day() {
        let keys = RealtimeKeys::default();
        let slug = Slug::new("w").unwrap();
        let at = |ms| Timestamp::from_millis(ms);
        assert!(keys.once(&slug, key("a", 1), at(0), || Err(EngineError::Overloaded)).is_err());
        assert!(!keys.once(&slug, key("a", 1), at(0), empty).unwrap().replayed, "a failure is not kept");
        assert!(keys.once(&slug, key("a", 1), at(1), empty).unwrap().replayed);
        assert!(matches!(
            keys.once(&slug, key("a", 2), at(1), empty),
            Err(EngineError::Store(StoreError::KeyReused))
        ));
        assert!(!keys.once(&Slug::new("v").unwrap(), key("a", 2), at(1), empty).unwrap().replayed);
        let after = at(IDEMPOTENCY_WINDOW_MS);
        assert!(!keys.once(&slug, key("a", 2), after, empty).unwrap().replayed, "the window has passed");
    }

    #[test]
    fn memory_is_bounded_and_the_young_survive() {
        let keys = RealtimeKeys::default();
        let slug = Slug::new("w").unwrap();
        let now = Timestamp::from_millis(0);
        for n in 0..3 * CAPACITY {
            keys.once(&slug, key(&n.to_string(), 1), now, empty).unwrap();
        }
        let last = (3 * CAPACITY - 1).to_string();
        assert!(keys.once(&slug, key(&last, 1), now, empty).unwrap().replayed);
        let generations = keys.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= CAPACITY);
    }
}
