//! The guard against clients that come back with a token that was refused.
//!
//! The documented client resets its counter whenever a socket opens, and an authentication close follows an
//! open: with a stale token it would hammer for ever. So the fifth close of the same address and token
//! within a minute turns the next ones away before the upgrade, for a minute (the protocol, §2).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// Closes after which newcomers are turned away.
const STRIKES: usize = 5;
/// They count, and turn away, for so long.
const WINDOW: Duration = Duration::from_secs(60);
/// Pairs remembered in each of two generations. Beyond them nobody new is counted until the next
/// generation: whoever can send from so many addresses or with so many tokens is not slowed by this guard.
const CAPACITY: usize = 65_536;

/// Who was closed how often. Holds hashes, never a token.
pub struct Hammer {
    hasher: RandomState,
    recent: HashMap<u64, Strikes>,
    older: HashMap<u64, Strikes>,
    turned: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Strikes {
    /// When the last closes were, oldest first.
    at: [Option<Duration>; STRIKES],
}

/// Stands for an address with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(u64);

impl Default for Hammer {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            recent: HashMap::new(),
            older: HashMap::new(),
            turned: Duration::ZERO,
        }
    }
}

impl Hammer {
    /// The pair of an address and the token it brought, if any.
    pub fn caller(&self, address: IpAddr, token: &str) -> Caller {
        Caller(self.hasher.hash_one((address, token)))
    }

    /// Whether the pair is turned away at `now`; the seconds after which it is not.
    pub fn blocked(&mut self, caller: Caller, now: Duration) -> Option<u64> {
        self.turn(now);
        let strikes = self.recent.get(&caller.0).or_else(|| self.older.get(&caller.0))?;
        let (first, last) = (strikes.at[0]?, strikes.at[STRIKES - 1]?);
        let left = (last + WINDOW).checked_sub(now)?;
        let seconds = u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        (last - first <= WINDOW && seconds > 0).then_some(seconds)
    }

    /// The pair was closed for its token.
    pub fn strike(&mut self, caller: Caller, now: Duration) {
        self.turn(now);
        let mut strikes = match self.recent.get(&caller.0).or_else(|| self.older.get(&caller.0)) {
            Some(strikes) => *strikes,
            None if self.recent.len() >= CAPACITY => return,
            None => Strikes::default(),
        };
        strikes.at.rotate_left(1);
        strikes.at[STRIKES - 1] = Some(now);
        self.recent.insert(caller.0, strikes);
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
    fn five_strikes_in_a_minute() {
        let mut hammer = Hammer::default();
        let ip: IpAddr = [127, 0, 0, 1].into();
        let (a, b) = (hammer.caller(ip, "a"), hammer.caller(ip, "b"));
        let at = Duration::from_secs;
        for second in 50..54 {
            hammer.strike(a, at(second));
            assert_eq!(hammer.blocked(a, at(second)), None);
        }
        hammer.strike(a, at(70));
        assert_eq!(hammer.blocked(a, at(70)), Some(60));
        assert_eq!(hammer.blocked(b, at(70)), None);
        assert_eq!(hammer.blocked(a, at(129)), Some(1));
        assert_eq!(hammer.blocked(a, at(130)), None);
    }

    #[test]
    fn slow_strikes_do_not_add_up() {
        let mut hammer = Hammer::default();
        let caller = hammer.caller([127, 0, 0, 1].into(), "a");
        for minute in 0..20 {
            hammer.strike(caller, Duration::from_secs(16 * minute));
            assert_eq!(hammer.blocked(caller, Duration::from_secs(16 * minute)), None);
        }
    }
}
