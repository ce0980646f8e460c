//! The connections that read, which the writer can take away and give back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::config::Config;
use super::connect;
use crate::StoreError;

/// One connection and its user's turn with it.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<Connection>>);

impl Slot {
    /// The connection while it is there, held until the guard is dropped.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        // A read that panicked left a transaction open at worst, which the next one ends.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every connection beside the writer's.
#[derive(Clone)]
pub(super) struct Handles {
    pub(super) readers: Vec<Arc<Slot>>,
    pub(super) checkpointer: Arc<Slot>,
}

impl Handles {
    pub(super) fn new(readers: usize) -> Self {
        Self { readers: (0..readers.max(1)).map(|_| Arc::default()).collect(), checkpointer: Arc::default() }
    }

    /// Opens them all; those that were open are closed first.
    pub(super) fn open(&self, config: &Config) -> rusqlite::Result<()> {
        for slot in &self.readers {
            *slot.lock() = Some(connect::open_reader(config)?);
        }
        *self.checkpointer.lock() = Some(connect::open_checkpointer(config)?);
        Ok(())
    }

    /// Closes them all, once each has ended what it was doing.
    pub(super) fn close(&self) {
        for slot in self.readers.iter().chain([&self.checkpointer]) {
            *slot.lock() = None;
        }
    }
}

/// What a reader is told while the connections are closed.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable { reason: "the database is being opened again".into() }
}
