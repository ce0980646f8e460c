//! Reads, on their own threads and connections: they never wait for the writer, nor it for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connect::in_snapshot;
use super::failure::Outcome;
use super::handles::{Handles, Slot, closed};
use crate::StoreError;

type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// The queue before the reading threads.
pub(super) struct Readers(Mutex<Option<Sender<Job>>>);

impl Readers {
    /// Starts a thread for each reading connection of `handles`.
    pub(super) fn start(handles: &Handles, queue: usize) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (sender, receiver) = bounded(queue);
        let threads = handles
            .readers
            .iter()
            .map(|slot| {
                let (slot, jobs) = (Arc::clone(slot), receiver.clone());
                std::thread::Builder::new().name("store-read".into()).spawn(move || serve(&slot, &jobs))
            })
            .collect::<Result<_, _>>()?;
        Ok((Self(Mutex::new(Some(sender))), threads))
    }

    /// Runs `read` in one read transaction.
    ///
    /// # Errors
    /// `Busy` if the queue is full, `Unavailable` after [`stop`](Self::stop), and those of `read`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            let result = conn.and_then(|conn| in_snapshot(conn, read).map_err(StoreError::from));
            // Nobody waits any more if the caller was dropped.
            let _ = reply.send(result);
        });
        self.send(job)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Internal("a read panicked".into())))
    }

    /// Ends the threads once they have done what is queued.
    pub(super) fn stop(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = || StoreError::Unavailable { reason: "closed".into() };
        let queue = queue.as_ref().ok_or_else(stopped)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy { waiting: queue.len() },
            TrySendError::Disconnected(_) => stopped(),
        })
    }
}

fn serve(slot: &Slot, jobs: &Receiver<Job>) {
    for job in jobs {
        let conn = slot.lock();
        // A defect met in one read ends that read; the caller is told by the reply that never comes.
        let _ = catch_unwind(AssertUnwindSafe(|| job(conn.as_ref().ok_or_else(closed))));
    }
    *slot.lock() = None;
}
