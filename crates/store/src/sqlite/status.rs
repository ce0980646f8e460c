//! Whether writes are taken now.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::StoreError;

/// Set by the writer, read by everyone.
#[derive(Default)]
pub(super) struct Status {
    state: Mutex<State>,
    unflushed: AtomicBool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Writes are taken.
    #[default]
    Ready,
    /// The last write met a full device. The next is tried all the same.
    Full,
    /// Writes are refused until the database was opened again.
    Down(String),
    /// The store was closed.
    Closed,
}

impl Status {
    pub(super) fn set(&self, state: State) {
        let mut now = self.lock();
        if *now != State::Closed {
            *now = state;
        }
    }

    /// Whether the device failed, and not all that is in the WAL has been written to the database anew since.
    pub(super) fn is_unflushed(&self) -> bool {
        self.unflushed.load(Ordering::Acquire)
    }

    pub(super) fn set_unflushed(&self, unflushed: bool) {
        self.unflushed.store(unflushed, Ordering::Release);
    }

    pub(super) fn is_full(&self) -> bool {
        *self.lock() == State::Full
    }

    /// Why a write would be refused unheard.
    pub(super) fn admit(&self) -> Result<(), StoreError> {
        match &*self.lock() {
            State::Ready | State::Full => Ok(()),
            State::Down(reason) => Err(StoreError::Unavailable { reason: reason.clone() }),
            State::Closed => Err(StoreError::Unavailable { reason: "closed".into() }),
        }
    }

    pub(super) fn health(&self) -> Result<(), StoreError> {
        if self.is_full() { Err(StoreError::Full) } else { self.admit() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A state is replaced as a whole, so a panic elsewhere left it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
