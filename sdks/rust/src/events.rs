//! What happened, one thing after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

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
        /// Why: `epoch`, `position`, `retained`, `too_many` or `overflow`; `kept`: the place that is kept came too late to go
        /// on from it.
        reason: String,
    },
    /// The client is doing something else.
    State(State),
    /// Something failed. What can be repeated is.
    Error(Arc<Error>),
    /// This program was too slow: so many events are gone. The snapshot is right all the same.
    Lagged(u64),
}

impl Event {
    /// It is about a user's things, and for nobody else.
    fn is_someones(&self) -> bool {
        !matches!(self, Event::State(_) | Event::Error(_) | Event::Lagged(_))
    }
}

/// An event, and whose turn it was.
#[derive(Debug, Clone)]
pub(crate) struct Stamped {
    pub turn: u64,
    pub event: Event,
}

/// Whose turn it is: what was of another one is told to nobody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub number: u64,
    /// Whether it still is that one's is not known: what waits is told once it is.
    pub concealed: bool,
}

/// The events of a client, from when this was made.
///
/// The client never waits for a program that does not read: after 4,096 events the oldest are dropped, and
/// [`Event::Lagged`] says how many.
///
/// What waits is not told any more once the client is another user's, of another workspace, or closed, but for states and
/// errors. While it is not known whose it is, it waits.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Stamped>,
    turn: watch::Receiver<Turn>,
    /// What came while it was not known whose it is.
    held: VecDeque<Stamped>,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Stamped>, turn: watch::Receiver<Turn>) -> Self {
        Self { receiver, turn, held: VecDeque::new() }
    }

    /// The next event; `None` once the client has ended.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn recv(&mut self) -> Option<Event> {
        loop {
            let turn = *self.turn.borrow_and_update();
            self.held.retain(|held| held.turn == turn.number);
            if !turn.concealed
                && let Some(held) = self.held.pop_front()
            {
                return Some(held.event);
            }
            let received = if self.held.is_empty() {
                self.receiver.recv().await
            } else {
                tokio::select! {
                    received = self.receiver.recv() => received,
                    Ok(()) = self.turn.changed() => continue,
                }
            };
            match received {
                Ok(stamped) if stamped.event.is_someones() => self.held.push_back(stamped),
                Ok(stamped) => return Some(stamped.event),
                Err(RecvError::Lagged(missed)) => return Some(Event::Lagged(missed)),
                Err(RecvError::Closed) => return None,
            }
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
