//! What was noted within a minute or two, in bounded memory.

use std::collections::HashMap;
use std::time::Duration;

/// What is noted is kept for so long after it was changed last, and at most for twice that.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Notes in each of two generations. Beyond them nothing new is noted until the next generation.
const CAPACITY: usize = 65_536;

/// Notes by the hash of what they are about, so that nothing secret stays in memory. Hashes must be keyed, or somebody
/// may look for two things that have the same.
#[derive(Debug)]
pub struct Lately<V> {
    recent: HashMap<u64, V>,
    older: HashMap<u64, V>,
    turned: Duration,
}

impl<V> Default for Lately<V> {
    fn default() -> Self {
        Self { recent: HashMap::new(), older: HashMap::new(), turned: Duration::ZERO }
    }
}

impl<V: Copy> Lately<V> {
    /// What was noted about it.
    pub fn get(&mut self, key: u64, now: Duration) -> Option<V> {
        self.turn(now);
        self.recent.get(&key).or_else(|| self.older.get(&key)).copied()
    }

    /// Notes it in place of what was noted before, where there is room.
    pub fn put(&mut self, key: u64, value: V, now: Duration) {
        self.turn(now);
        if self.recent.len() < CAPACITY || self.recent.contains_key(&key) {
            self.recent.insert(key, value);
        }
    }

    /// Forgets what is older than two windows.
    fn turn(&mut self, now: Duration) {
        if now.saturating_sub(self.turned) >= WINDOW {
            let quiet = now.saturating_sub(self.turned) >= 2 * WINDOW;
            self.older = std::mem::take(&mut self.recent);
            if quiet {
                self.older.clear();
            }
            self.turned = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_forgets() {
        let mut lately = Lately::default();
        let at = Duration::from_secs;
        for key in 0..=CAPACITY as u64 {
            lately.put(key, key, at(1));
        }
        assert_eq!((lately.get(0, at(2)), lately.get(CAPACITY as u64, at(2))), (Some(0), None), "no room");
        lately.put(0, 7, at(59));
        assert_eq!(lately.recent.len(), CAPACITY);
        assert_eq!(lately.get(0, at(119)), Some(7), "for a window");
        assert_eq!(lately.get(0, at(200)), None);
        lately.put(CAPACITY as u64, 1, at(200));
        assert_eq!(lately.get(CAPACITY as u64, at(200)), Some(1), "there is room again");
        lately.put(3, 3, at(201));
        assert_eq!(lately.get(3, at(900)), None, "after a long silence");
    }
}
