//! Places for processes, and how many may wait for one: runs have a lane, sources to be parsed another, so that neither
//! waits for the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::PoolError;

pub(super) struct Lane {
    places: Arc<Semaphore>,
    asked: Mutex<Askers>,
    most: usize,
    queue: usize,
    /// Of one caller.
    share: usize,
    patience: Option<Duration>,
}

/// Those who wait or have a place.
#[derive(Default)]
struct Askers {
    all: usize,
    /// Those of each caller that has any.
    of: HashMap<Box<str>, usize>,
}

impl Lane {
    /// As many `places`, and `queue` who may wait for one besides, for however long.
    pub(super) fn new(places: usize, queue: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            asked: Mutex::default(),
            most: places.saturating_add(queue),
            queue,
            share: usize::MAX,
            patience: None,
        }
    }

    /// Of one caller, at most `share` may wait or have a place.
    pub(super) fn shared(self, share: usize) -> Self {
        Self { share, ..self }
    }

    /// Nobody waits longer than `patience`.
    pub(super) fn patient(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Joins those who wait, or have a place, until the answer is dropped.
    ///
    /// # Errors
    /// [`PoolError::Busy`] where as many wait as may, of all or of this caller.
    pub(super) fn ask<'a>(&'a self, caller: Option<&'a str>) -> Result<Asked<'a>, PoolError> {
        let mut asked = self.asked();
        if asked.all >= self.most {
            return Err(PoolError::Busy { queue: self.queue });
        }
        if let Some(caller) = caller {
            match asked.of.get_mut(caller) {
                Some(of) if *of >= self.share => return Err(PoolError::Busy { queue: self.share }),
                Some(of) => *of += 1,
                None => drop(asked.of.insert(caller.into(), 1)),
            }
        }
        asked.all += 1;
        drop(asked);
        Ok(Asked { lane: self, caller })
    }

    /// Waits for a place, behind those who waited before.
    ///
    /// # Errors
    /// [`PoolError::Closed`]; [`PoolError::Busy`] where that takes too long.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, PoolError> {
        let permit = Arc::clone(&self.places).acquire_owned();
        let permit = match self.patience {
            Some(patience) => {
                timeout(patience, permit).await.map_err(|_| PoolError::Busy { queue: self.queue })?
            }
            None => permit.await,
        };
        permit.map_err(|_| PoolError::Closed)
    }

    /// Gives no more places.
    pub(super) fn close(&self) {
        self.places.close();
    }

    fn asked(&self) -> MutexGuard<'_, Askers> {
        // Nothing that can panic is done under this lock.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who wait or have a place.
pub(super) struct Asked<'a> {
    lane: &'a Lane,
    caller: Option<&'a str>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut asked = self.lane.asked();
        asked.all -= 1;
        if let Some(caller) = self.caller
            && let Some(of) = asked.of.get_mut(caller)
        {
            *of -= 1;
            if *of == 0 {
                asked.of.remove(caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_longer_than_patience_allows() {
        let lane = Lane::new(1, 5).patient(Duration::ZERO);
        let held = lane.permit().await.unwrap();
        assert!(matches!(lane.permit().await, Err(PoolError::Busy { queue: 5 })));
        drop(held);
        assert!(lane.permit().await.is_ok());
    }

    #[test]
    fn one_caller_has_a_share_and_leaves_it() {
        let lane = Lane::new(1, 3).shared(2);
        let first = lane.ask(Some("a")).unwrap();
        let _second = lane.ask(Some("a")).unwrap();
        assert!(matches!(lane.ask(Some("a")), Err(PoolError::Busy { queue: 2 })));
        let other = lane.ask(Some("b")).unwrap();
        drop(first);
        let _third = lane.ask(Some("a")).unwrap();
        let _fourth = lane.ask(Some("c")).unwrap();
        assert!(matches!(lane.ask(Some("d")), Err(PoolError::Busy { queue: 3 })), "all are taken");
        drop(other);
        assert!(!lane.asked().of.contains_key("b"), "nobody is remembered");
    }
}
