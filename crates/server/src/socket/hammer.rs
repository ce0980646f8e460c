//! The guard against clients that come back with a token that was refused.
//!
//! The documented client resets its counter whenever a socket opens, and an authentication close follows an
//! open: with a stale token it would hammer for ever. So the fifth close of the same address and token
//! within a minute turns the next ones away before the upgrade, for a minute (the protocol, §2).

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::lately::{Lately, WINDOW};

/// Closes after which newcomers are turned away, where they come within a window.
const STRIKES: usize = 5;

/// Who was closed how often. Holds hashes, never a token; of bounded size, so whoever can send from many addresses or
/// with many tokens is not slowed by this guard.
#[derive(Default)]
pub struct Hammer {
    hasher: RandomState,
    strikes: Lately<Strikes>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Strikes {
    /// When the last closes were, oldest first.
    at: [Option<Duration>; STRIKES],
}

/// Stands for an address with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(u64);

impl Hammer {
    /// The pair of an address and the token it brought, if any.
    pub fn caller(&self, address: IpAddr, token: &str) -> Caller {
        Caller(self.hasher.hash_one((address, token)))
    }

    /// Whether the pair is turned away at `now`; the seconds after which it is not.
    pub fn blocked(&mut self, caller: Caller, now: Duration) -> Option<u64> {
        let strikes = self.strikes.get(caller.0, now)?;
        let (first, last) = (strikes.at[0]?, strikes.at[STRIKES - 1]?);
        let left = (last + WINDOW).checked_sub(now)?;
        let seconds = u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        (last - first <= WINDOW && seconds > 0).then_some(seconds)
    }

    /// The pair was closed for its token.
    pub fn strike(&mut self, caller: Caller, now: Duration) {
        let mut strikes = self.strikes.get(caller.0, now).unwrap_or_default();
        strikes.at.rotate_left(1);
        strikes.at[STRIKES - 1] = Some(now);
        self.strikes.put(caller.0, strikes, now);
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
