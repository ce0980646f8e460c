//! Where epochs come from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use campanile_model::Epoch;

/// A source of random 64-bit numbers for epochs: randomness is an argument below `server`.
#[derive(Clone)]
pub struct Epochs(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Epochs {
    /// Asks `source` for each epoch. Two answers should not be equal, in this process or any other.
    pub fn new(source: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// The sequence that follows from `seed` (SplitMix64). A server seeds it from the system's randomness,
    /// once a start; a test with a constant.
    pub fn seeded(seed: u64) -> Self {
        let state = AtomicU64::new(seed);
        Self::new(move || {
            const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
            let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        })
    }

    /// A new epoch.
    pub(crate) fn draw(&self) -> Epoch {
        Epoch((self.0)())
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Epochs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_sequence_without_repetition() {
        let (a, b) = (Epochs::seeded(7), Epochs::seeded(7));
        let drawn: Vec<_> = (0..100).map(|_| a.draw()).collect();
        assert_eq!(drawn, (0..100).map(|_| b.draw()).collect::<Vec<_>>());
        assert_eq!(drawn.iter().collect::<std::collections::HashSet<_>>().len(), 100);
    }
}
