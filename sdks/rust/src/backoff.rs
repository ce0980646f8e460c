//! When to come back: full jitter, slower the longer it fails.

/// The shortest pause, and the step that doubles: 500 ms.
pub const BASE_MS: u64 = 500;
/// The longest pause at first: 20 s.
pub const CAP_MS: u64 = 20_000;
/// The longest pause after 10 failures in a row: 5 min.
pub const CAP_AFTER_10_MS: u64 = 300_000;
/// The longest pause after 20 failures in a row: 10 min.
pub const CAP_AFTER_20_MS: u64 = 600_000;
/// Failures are forgotten once a connection was live for this long: 30 s.
pub const STABLE_MS: u64 = 30_000;

/// Counts failures in a row, and says how long to pause after each.
///
/// The pause is `min(cap, base + random(0, min(cap, base × 2^n)))`, where `n` is how many failures came before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure, in milliseconds. `random` is in `[0, 1)`.
    pub fn pause_ms(&mut self, random: f64) -> u64 {
        let cap = match self.failures {
            0..10 => CAP_MS,
            10..20 => CAP_AFTER_10_MS,
            _ => CAP_AFTER_20_MS,
        };
        let spread = cap.min(BASE_MS.saturating_mul(1 << self.failures.min(32)));
        self.failures = self.failures.saturating_add(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let jitter = (spread as f64 * random.clamp(0.0, 1.0)) as u64;
        cap.min(BASE_MS + jitter)
    }

    /// Forgets all failures.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many failures came in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_cap_and_the_cap_grows_too() {
        let mut backoff = Backoff::default();
        let longest: Vec<u64> = (0..22).map(|_| backoff.pause_ms(1.0)).collect();
        assert_eq!(longest[..7], [1000, 1500, 2500, 4500, 8500, 16_500, 20_000]);
        assert_eq!(longest[9], 20_000);
        assert_eq!(longest[10], 300_000);
        assert_eq!(longest[20], 600_000);
        assert_eq!(backoff.failures(), 22);
    }

    #[test]
    fn no_pause_is_shorter_than_the_base() {
        let mut backoff = Backoff::default();
        assert!((0..1000).all(|_| backoff.pause_ms(0.0) == BASE_MS));
        backoff.reset();
        assert_eq!(backoff.pause_ms(0.5), 750);
    }
}
