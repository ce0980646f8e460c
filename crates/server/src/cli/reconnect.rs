//! When to come back after a connection ended.

use std::time::Duration;

use campanile_wire::close::{self, Return};

/// The registered answer to "should a client come back?" for a close. The reason tells apart closes that
/// share a code; a code that is not registered is not the server's, so coming back may help.
pub fn come_back(code: u16, reason: &str) -> Return {
    let exact = close::ALL.iter().find(|close| close.code == code && close.reason == reason);
    exact.or(close::ALL.iter().find(|close| close.code == code)).map_or(Return::Yes, |close| close.come_back)
}

/// Waiting times between attempts: 1 s, doubling to 30 s, each with up to a quarter more so that clients
/// which were closed together do not come back together.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// How long to wait before the next attempt. `random` is any number.
    pub fn next(&mut self, random: u8) -> Duration {
        let base = Duration::from_secs(1 << self.attempts.min(5)).min(Duration::from_secs(30));
        self.attempts = self.attempts.saturating_add(1);
        base + base * u32::from(random) / (4 * u32::from(u8::MAX))
    }

    /// The connection proved good: start from the beginning next time.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_half_a_minute() {
        let mut backoff = Backoff::default();
        let seconds: Vec<u64> = (0..7).map(|_| backoff.next(0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next(u8::MAX), Duration::from_millis(1250));
    }

    #[test]
    fn the_registry_decides() {
        for close in close::ALL {
            assert_eq!(come_back(close.code, close.reason), close.come_back);
        }
        assert_eq!(come_back(1008, "Access token expired"), Return::WithNewToken);
        assert_eq!(come_back(4001, "other words"), Return::No);
        assert_eq!(come_back(4999, ""), Return::Yes);
    }
}
