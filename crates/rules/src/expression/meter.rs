//! What an evaluation has cost so far.

use std::cell::Cell;

use crate::error::Reason;
use crate::limits::{MAX_EXPRESSION_BYTES, MAX_STEPS};

/// Counts down what the expressions of one rule may spend on one event, all of them together. Once it is spent,
/// every further charge fails.
#[derive(Debug)]
pub(super) struct Meter {
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { steps: Cell::new(MAX_STEPS), bytes: Cell::new(MAX_EXPRESSION_BYTES) }
    }

    /// Begins another rule.
    pub(super) fn reset(&self) {
        self.steps.set(MAX_STEPS);
        self.bytes.set(MAX_EXPRESSION_BYTES);
    }

    /// Steps spent so far.
    pub(super) fn spent(&self) -> u64 {
        MAX_STEPS - self.steps.get()
    }

    /// `n` nodes evaluated or elements visited.
    pub(super) fn steps(&self, n: usize) -> Result<(), Reason> {
        spend(&self.steps, n)
    }

    /// `n` bytes looked at.
    pub(super) fn looked_at(&self, n: usize) -> Result<(), Reason> {
        self.steps(n / 32)
    }

    /// `n` bytes about to be made, looked at too.
    pub(super) fn made(&self, n: usize) -> Result<(), Reason> {
        self.looked_at(n)?;
        spend(&self.bytes, n)
    }
}

fn spend(left: &Cell<u64>, n: usize) -> Result<(), Reason> {
    match left.get().checked_sub(n as u64) {
        Some(rest) => {
            left.set(rest);
            Ok(())
        }
        None => {
            left.set(0);
            Err(Reason::TooCostly)
        }
    }
}
