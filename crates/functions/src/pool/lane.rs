//! Places for processes, and how many may wait for one: runs have a lane, sources to be parsed another, so that neither
//! waits for the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::PoolError;

pub(super) struct Lane {
    places: Arc<Semaphore>,
    /// Those who wait or have a place.
    asked: AtomicUsize,
    most: usize,
    queue: usize,
}

impl Lane {
    /// As many `places`, and `queue` who may wait for one besides.
    pub(super) fn new(places: usize, queue: usize) -> Self {
        let most = places.saturating_add(queue);
        Self { places: Arc::new(Semaphore::new(places)), asked: AtomicUsize::new(0), most, queue }
    }

    /// Joins those who wait, or have a place, until the answer is dropped.
    ///
    /// # Errors
    /// [`PoolError::Busy`] where as many wait as may.
    pub(super) fn ask(&self) -> Result<Asked<'_>, PoolError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let this = Asked(&self.asked);
        if asked >= self.most { Err(PoolError::Busy { queue: self.queue }) } else { Ok(this) }
    }

    /// Waits for a place, behind those who waited before.
    ///
    /// # Errors
    /// [`PoolError::Closed`].
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, PoolError> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| PoolError::Closed)
    }

    /// Gives no more places.
    pub(super) fn close(&self) {
        self.places.close();
    }
}

/// One of those who wait or have a place.
pub(super) struct Asked<'a>(&'a AtomicUsize);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
