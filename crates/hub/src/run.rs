//! Entries on their way to the same sockets.

use std::cell::OnceCell;
use std::sync::Arc;

use bytes::Bytes;
use campanile_model::{Change, Notification, Position, Seq, UserId};

use crate::registry::{Slot, UserKey};

/// One entry on its way, with what only the shard's thread needs of it.
#[derive(Debug)]
pub struct Delivery {
    /// Its place; `None` for one that is in no log.
    pub position: Option<Position>,
    /// What it says.
    pub said: Said,
}

/// What an entry says to its audience.
#[derive(Debug)]
pub enum Said {
    /// A notification.
    Notification(Arc<Notification>),
    /// What became of an earlier one.
    Change(Change),
}

/// Entries that go to the same sockets, encoded once per surface and sent to each socket in one write.
#[derive(Debug)]
pub struct Run {
    /// The entries, in order.
    pub deliveries: Vec<Delivery>,
    /// The sockets, by whom they stand for.
    pub(crate) target: Target,
    /// All frames of the run in one piece, by surface; filled by the sink at first need.
    frames: Frames,
    pub(crate) cursor: usize,
    pub(crate) started: bool,
    weight: usize,
}

/// Frames by surface index.
type Frames = [OnceCell<Bytes>; MAX_SURFACES];

/// Surfaces that can be told apart; more than the server has.
const MAX_SURFACES: usize = 4;

/// Whom a run goes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// Everyone in the room.
    Everyone,
    /// Sockets as they were when the entry came.
    Sockets(Vec<(Slot, UserKey)>),
    /// Whoever of the room saw an entry, which stands at `seq`.
    WhoSaw { seq: Seq, about: Arc<Notification> },
}

impl Target {
    fn weight(&self) -> usize {
        match self {
            Self::Everyone => 0,
            Self::WhoSaw { about, .. } => weight_of(about),
            Self::Sockets(sockets) => sockets.capacity() * size_of::<(Slot, UserKey)>(),
        }
    }
}

/// Entries merged into one run: enough for a burst, few enough that one write stays under an outbox.
const MAX_MERGED: usize = 64;
/// Bytes of text merged into one run, before encoding.
const MAX_MERGED_BYTES: usize = 32 * 1024;

impl Delivery {
    /// About how many bytes it holds while it waits.
    pub(crate) fn weight(&self) -> usize {
        match &self.said {
            Said::Notification(notification) | Said::Change(Change::Update { notification, .. }) => {
                weight_of(notification)
            }
            Said::Change(Change::Withdrawn { .. }) => 256,
        }
    }

    /// Its place in its log.
    pub fn seq(&self) -> Option<Seq> {
        self.position.map(|position| position.seq)
    }

    /// Who is not to see it.
    fn exceptions(&self) -> &[UserId] {
        match &self.said {
            Said::Notification(notification) => &notification.except,
            // Whoever is told of a change is asked one by one.
            Said::Change(_) => &[],
        }
    }
}

fn weight_of(n: &Notification) -> usize {
    256 + n.title.len() + n.message.len() + n.metadata.as_ref().map_or(0, |m| m.get().len())
}

impl Run {
    /// About how many bytes it holds while it waits.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn new(delivery: Delivery, target: Target) -> Self {
        let weight = delivery.weight() + target.weight();
        let frames = Frames::default();
        Self { deliveries: vec![delivery], target, frames, cursor: 0, started: false, weight }
    }

    /// Takes one more entry for the same sockets, if it fits: then each socket gets all in one write.
    pub(crate) fn try_merge(&mut self, delivery: Delivery, target: &Target) -> Result<(), Delivery> {
        let plain = |d: &Delivery| {
            let is_notification = matches!(d.said, Said::Notification(_));
            is_notification && d.exceptions().is_empty() && d.position.is_some()
        };
        let fits = !self.started
            && plain(&delivery)
            && self.target == *target
            && self.deliveries.len() < MAX_MERGED
            && self.deliveries.iter().all(plain)
            && self.weight() + delivery.weight() <= MAX_MERGED_BYTES;
        if !fits {
            return Err(delivery);
        }
        self.weight += delivery.weight();
        self.deliveries.push(delivery);
        Ok(())
    }

    /// All frames of the run in one piece for the surface of that index, encoded by `encode` at first need.
    pub fn frames(&self, surface: usize, encode: impl FnOnce(&[Delivery]) -> Bytes) -> &Bytes {
        self.frames[surface].get_or_init(|| encode(&self.deliveries))
    }

    /// What became of an earlier entry, where the run tells that: it then tells nothing else.
    pub fn change(&self) -> Option<&Change> {
        match self.deliveries.first().map(|d| &d.said) {
            Some(Said::Change(change)) => Some(change),
            _ => None,
        }
    }

    /// The place of the run's last entry, and its log.
    pub fn position(&self) -> Option<Position> {
        self.deliveries.last().and_then(|delivery| delivery.position)
    }

    /// The place of the run's first entry; `None` for one that is in no log.
    pub fn first_seq(&self) -> Option<Seq> {
        self.deliveries.first().and_then(Delivery::seq)
    }

    /// The place of the run's last entry; `None` for one that is in no log.
    pub fn last_seq(&self) -> Option<Seq> {
        self.deliveries.last().and_then(Delivery::seq)
    }

    /// Whether some user is named as not to see it.
    pub(crate) fn has_exceptions(&self) -> bool {
        self.deliveries.iter().any(|d| !d.exceptions().is_empty())
    }

    pub(crate) fn excepts(&self, user: &UserId) -> bool {
        self.deliveries.iter().any(|d| d.exceptions().contains(user))
    }
}
