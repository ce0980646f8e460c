//! What a client shows, at one moment.

use std::sync::Arc;

use crate::notification::Notification;
use crate::state::{Reason, State};
use crate::store::Position;

/// Everything that a client knows at one moment. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// What it is doing.
    pub state: State,
    /// Why it is not live, where something failed.
    pub reason: Option<Reason>,
    /// When it comes back, in milliseconds since 1970.
    pub retry_at: Option<u64>,
    /// Whose inbox it is, once that is known.
    pub user: Option<String>,
    /// The default list as far as it is in memory, newest first, with what the user did already done.
    pub items: Arc<Vec<Arc<Notification>>>,
    /// How many entries of the whole inbox are unread. On the documented surfaces: of those in memory.
    pub unread: u64,
    /// How many of them were never shown.
    pub unseen: u64,
    /// There are older ones to load.
    pub has_more: bool,
    /// A page of the inbox is on its way.
    pub loading: bool,
    /// From where another client could go on. `None` on the documented surfaces.
    pub position: Option<Position>,
    /// How many actions the server did not confirm yet.
    pub pending: usize,
}
