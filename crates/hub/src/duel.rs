//! The duel guard: two auto-reconnecting clients of one user must not evict each other for ever.
//!
//! The numbers are the protocol's (§2): after 3 evictions within 10 s the live socket stays and newcomers
//! are refused until 30 s have passed since the last refusal, 5 minutes at most. So the documented client's
//! five attempts, 1, 3, 7, 15 and 31 seconds after its eviction, run out. Times are milliseconds of a
//! monotonic clock.

/// Evictions that may happen within [`WINDOW_MS`].
const EVICTIONS: usize = 3;
const WINDOW_MS: u64 = 10_000;
/// Refusing ends so long after the last refused attempt…
const QUIET_MS: u64 = 30_000;
/// …and so long after it began at the latest.
const LONGEST_MS: u64 = 300_000;

/// What to do with a newcomer that finds the place taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuelVerdict {
    /// It takes the place.
    Evict,
    /// It has to show that the other is dead first; if not, it is refused.
    Challenge,
}

/// What one user's evictions and refusals add up to.
#[derive(Debug, Default, Clone)]
pub struct Duel {
    /// When evicted sockets echoed their close, oldest first.
    evictions: [Option<u64>; EVICTIONS],
    blocked: Option<Blocked>,
}

#[derive(Debug, Clone, Copy)]
struct Blocked {
    since: u64,
    last_refused: u64,
}

impl Duel {
    /// An evicted socket echoed its close, so its client is alive and may come back.
    pub fn handle_echo(&mut self, now: u64) {
        self.evictions.rotate_left(1);
        self.evictions[EVICTIONS - 1] = Some(now);
    }

    /// A newcomer finds the place taken.
    pub fn handle_newcomer(&mut self, now: u64) -> DuelVerdict {
        if let Some(blocked) = self.blocked {
            if now < Self::end(blocked) {
                return DuelVerdict::Challenge;
            }
            *self = Self::default();
        }
        let full = self.evictions[0].is_some_and(|oldest| now.saturating_sub(oldest) < WINDOW_MS);
        if !full {
            return DuelVerdict::Evict;
        }
        self.blocked = Some(Blocked { since: now, last_refused: now });
        DuelVerdict::Challenge
    }

    /// The newcomer was refused; returns the seconds after which to try again.
    pub fn handle_refused(&mut self, now: u64) -> u64 {
        let blocked = self.blocked.get_or_insert(Blocked { since: now, last_refused: now });
        blocked.last_refused = now;
        (Self::end(*blocked).saturating_sub(now)).div_ceil(1000).max(1)
    }

    /// The incumbent turned out to be dead: the guard starts afresh.
    pub fn handle_admitted(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing is worth remembering any more.
    pub fn is_over(&self, now: u64) -> bool {
        let recent = self.evictions.iter().flatten().any(|at| now.saturating_sub(*at) < WINDOW_MS);
        !recent && self.blocked.is_none_or(|blocked| now >= Self::end(blocked))
    }

    fn end(blocked: Blocked) -> u64 {
        (blocked.last_refused + QUIET_MS).min(blocked.since + LONGEST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reconnecting_clients_settle() {
        let mut duel = Duel::default();
        let mut evicted = 0;
        // Each loser comes back a second later; its counter starts again with every open.
        for second in 0..20u64 {
            if duel.handle_newcomer(second * 1000) == DuelVerdict::Challenge {
                duel.handle_refused(second * 1000);
                break;
            }
            evicted += 1;
            duel.handle_echo(second * 1000);
        }
        assert_eq!(evicted, 3);
        // From its first refusal on, the documented client tries 2, 4, 8 and 16 seconds later.
        let mut now = 3000;
        for wait in [2000, 4000, 8000, 16_000] {
            now += wait;
            assert_eq!(duel.handle_newcomer(now), DuelVerdict::Challenge);
            assert_eq!(duel.handle_refused(now), 30);
        }
        assert!(!duel.is_over(now + 29_999) && duel.is_over(now + 30_000));
        assert_eq!(duel.handle_newcomer(now + 30_000), DuelVerdict::Evict);
    }

    #[test]
    fn refusing_ends_after_five_minutes_whatever_comes() {
        let mut duel = Duel::default();
        for at in 0..3 {
            duel.handle_echo(at);
        }
        let mut now = 10;
        while duel.handle_newcomer(now) == DuelVerdict::Challenge {
            duel.handle_refused(now);
            now += 5000;
        }
        assert!((300_000..=305_010).contains(&now), "{now}");
    }

    #[test]
    fn slow_evictions_are_no_duel() {
        let mut duel = Duel::default();
        for at in (0..20u64).map(|n| n * 4000) {
            assert_eq!(duel.handle_newcomer(at), DuelVerdict::Evict);
            duel.handle_echo(at);
        }
    }
}
