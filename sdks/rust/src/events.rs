//! What happened, one thing after the other.

use std::sync::Arc;

use futures_util::Stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::error::Error;
use crate::notification::Notification;
use crate::state::State;
use crate::store::Position;

/// How many events wait for a program that is slow.
pub const EVENT_LIMIT: usize = 4_096;

/// One thing that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A new entry. Durable ones come once, in the order of the log. `position` is where another client could go on
    /// that has handled this one; `None` on the documented surfaces.
    Notification {
        /// The entry.
        item: Arc<Notification>,
        /// The place behind it.
        position: Option<Position>,
    },
    /// An entry in memory was said anew.
    Update(Arc<Notification>),
    /// An entry in memory is gone.
    Retract {
        /// Its id.
        id: String,
        /// `retracted`, `expired` or `superseded`.
        cause: String,
        /// What took its place, if anything did.
        by: Option<String>,
    },
    /// The user did something, here or elsewhere: read state and counts may be others.
    Receipts,
    /// Some entries did not come as events. The inbox is read again, and shows them.
    Resync {
        /// Why: `epoch`, `position`, `retained`, `too_many` or `overflow`.
        reason: String,
    },
    /// The client is doing something else.
    State(State),
    /// Something failed. What can be repeated is.
    Error(Arc<Error>),
    /// This program was too slow: so many events are gone. The snapshot is right all the same.
    Lagged(u64),
}

/// The events of a client, from when this was made.
///
/// The client never waits for a program that does not read: after 4,096 events the oldest are dropped, and
/// [`Event::Lagged`] says how many.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { receiver }
    }

    /// The next event; `None` once the client has ended.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn recv(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Lagged(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Event> + Send {
        futures_util::stream::unfold(self, |mut events| async move {
            let event = events.recv().await?;
            Some((event, events))
        })
    }
}
