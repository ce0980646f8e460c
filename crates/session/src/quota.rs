//! How fast a client may talk.

/// A generic cell rate: one number a connection. A client over its rate is not closed: its bytes are left
/// unread until it may speak again, which costs it time and the server nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quota {
    /// When the messages so far are worked off, in milliseconds.
    due_ms: u64,
}

/// One message costs so long: 20 a second.
const COST_MS: u64 = 50;
/// So many may come at once. The protocol's clients may pipeline 100 pings.
const BURST: u64 = 128;

impl Quota {
    /// The milliseconds to wait before the next message; `None`: it may come now.
    pub fn peek(&self, now_ms: u64) -> Option<u64> {
        let over = (self.due_ms.max(now_ms) + COST_MS).saturating_sub(now_ms + BURST * COST_MS);
        (over > 0).then_some(over)
    }

    /// Charges one message.
    pub fn charge(&mut self, now_ms: u64) {
        self.due_ms = self.due_ms.max(now_ms) + COST_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_rate() {
        let mut quota = Quota::default();
        for _ in 0..BURST {
            assert_eq!(quota.peek(1000), None);
            quota.charge(1000);
        }
        assert_eq!(quota.peek(1000), Some(COST_MS));
        let mut passed = 0;
        for now in 1000..61_000 {
            if quota.peek(now).is_none() {
                quota.charge(now);
                passed += 1;
            }
        }
        assert!((1198..=1200).contains(&passed), "{passed}");
    }
}
