//! The tokens that were verified lately, so that a reconnect costs a hash and not a signature.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;

use crate::claims::Statement;

/// Entries that share a lock and compete for a place.
const WAYS: usize = 8;

/// Which token.
///
/// SHA-256 rather than a fast hash: whoever finds two tokens with one key becomes someone else, so the key
/// must resist collisions, and the token itself must not stay in memory. Needs no secret, costs under a
/// microsecond.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheKey([u8; digest::SHA256_OUTPUT_LEN]);

impl CacheKey {
    pub(crate) fn new(token: &str) -> Self {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    /// The hash is uniform, so any eight bytes of it are.
    fn place(&self, sets: usize) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]) % sets as u64) as usize
    }
}

/// A bounded memory of genuine tokens: sets of eight, each with its own lock, the least recently used of a
/// set leaving first. No step is longer than one set, and no growth is ever paid at once.
pub(crate) struct Cache {
    sets: Box<[Mutex<Set>]>,
    /// Where nobody looks.
    aside: Mutex<Set>,
}

/// At most `WAYS` tokens, the one used last in front.
type Set = Vec<(CacheKey, Remembered)>;

struct Remembered {
    statement: Statement,
    /// Of the keys that it was verified with: with others it may not be genuine any more.
    generation: u64,
}

impl Cache {
    /// Room for `entries` tokens, rounded up to whole sets; none for 0.
    pub(crate) fn new(entries: usize) -> Self {
        let sets = (0..entries.div_ceil(WAYS)).map(|_| Mutex::default()).collect();
        Self { sets, aside: Mutex::default() }
    }

    /// What the token states, if it is remembered from the keys of `generation`.
    pub(crate) fn get(&self, key: &CacheKey, generation: u64) -> Option<Statement> {
        let mut set = self.set(key)?;
        let at = set.iter().position(|(k, found)| k == key && found.generation == generation)?;
        set[..=at].rotate_right(1);
        set.first().map(|(_, found)| found.statement.clone())
    }

    /// Remembers a token that is genuine by the keys of `generation`.
    pub(crate) fn put(&self, key: CacheKey, statement: Statement, generation: u64) {
        if let Some(set) = self.set(&key) {
            insert(set, key, statement, generation);
        }
    }

    /// Takes as long as [`put`](Self::put), pushes nobody out, and is remembered by nobody: for a token that is none.
    pub(crate) fn put_aside(&self, key: CacheKey, statement: Statement, generation: u64) {
        if !self.sets.is_empty() {
            insert(lock(&self.aside), key, statement, generation);
        }
    }

    fn set(&self, key: &CacheKey) -> Option<MutexGuard<'_, Set>> {
        if self.sets.is_empty() {
            return None;
        }
        Some(lock(&self.sets[key.place(self.sets.len())]))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.sets.iter().map(|set| set.lock().unwrap().len()).sum()
    }
}

fn insert(mut set: MutexGuard<'_, Set>, key: CacheKey, statement: Statement, generation: u64) {
    set.retain(|(k, _)| *k != key); // two threads may have verified it at once
    set.truncate(WAYS - 1);
    set.insert(0, (key, Remembered { statement, generation }));
}

fn lock(set: &Mutex<Set>) -> MutexGuard<'_, Set> {
    // Nothing that runs under the lock can panic half-way through a change.
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClaimNames;
    use crate::issuer::Rules;

    fn statement() -> Statement {
        Statement::read(br#"{"userId":"a","exp":1}"#, &Rules::anyone(&ClaimNames::default())).unwrap()
    }

    fn key(n: usize) -> CacheKey {
        CacheKey::new(&n.to_string())
    }

    #[test]
    fn is_bounded_and_forgets_the_least_recently_used() {
        let cache = Cache::new(WAYS); // one set
        for n in 0..WAYS {
            cache.put(key(n), statement(), 0);
        }
        assert!(cache.get(&key(0), 0).is_some());
        cache.put(key(100), statement(), 0);
        cache.put(key(100), statement(), 0);
        assert_eq!(cache.len(), WAYS);
        assert!(cache.get(&key(0), 0).is_some(), "just used");
        assert!(cache.get(&key(1), 0).is_none(), "used longest ago");
        for n in 0..10_000 {
            cache.put(key(n), statement(), 0);
        }
        assert_eq!(cache.len(), WAYS);
    }

    #[test]
    fn spreads_over_its_sets() {
        let cache = Cache::new(8_000);
        for n in 0..4_000 {
            cache.put(key(n), statement(), 0);
        }
        let found = (0..4_000).filter(|n| cache.get(&key(*n), 0).is_some()).count();
        assert!(found > 3_800, "{found} of 4000 in a cache filled to a half");
    }

    #[test]
    fn other_keys_remember_nothing() {
        let cache = Cache::new(WAYS);
        cache.put(key(0), statement(), 1);
        assert!(cache.get(&key(0), 2).is_none() && cache.get(&key(0), 0).is_none());
        cache.put(key(0), statement(), 2);
        assert!(cache.get(&key(0), 2).is_some());
        assert_eq!(cache.len(), 1, "in the place of the former");
    }

    #[test]
    fn what_is_put_aside_is_not_remembered_and_pushes_nobody_out() {
        let cache = Cache::new(WAYS); // one set
        cache.put(key(0), statement(), 0);
        for n in 1..100 {
            cache.put_aside(key(n), statement(), 0);
        }
        assert!(cache.get(&key(0), 0).is_some() && cache.get(&key(99), 0).is_none());
        assert_eq!((cache.len(), cache.aside.lock().unwrap().len()), (1, WAYS));
    }

    #[test]
    fn none_is_a_size() {
        let cache = Cache::new(0);
        cache.put(key(1), statement(), 0);
        assert!(cache.get(&key(1), 0).is_none());
    }
}
