//! What a client shows, at one moment.

use std::sync::Arc;

use crate::inbox::Filter;
use crate::notification::Notification;
use crate::state::{Reason, State};
use crate::store::{Depths, Position};
use crate::view;

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
    /// There may be older ones to load.
    pub has_more: bool,
    /// A page of this list is on its way.
    pub loading: bool,
    /// From where another client could go on. `None` on the documented surfaces.
    pub position: Option<Position>,
    /// How many actions the server did not confirm yet.
    pub pending: usize,
    pub(crate) lists: Lists,
}

/// What the lists of all filters are made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Lists {
    pub items: Arc<Vec<Arc<Notification>>>,
    pub depths: Depths,
    /// There is an inbox to load from.
    pub paged: bool,
    /// Of which filters a page is on its way, or is about to be.
    pub loading: [Option<Filter>; 2],
}

/// The entries of a filter, without a gap, as far down as they were loaded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct List {
    /// Newest first.
    pub items: Vec<Arc<Notification>>,
    /// There may be older ones to load.
    pub has_more: bool,
    /// A page of this list is on its way.
    pub loading: bool,
}

impl Lists {
    pub fn list(&self, filter: Filter) -> List {
        List {
            items: view::list(&self.items, self.depths, filter),
            has_more: self.paged && self.depths.bottom(filter) != Some(0),
            loading: self.loading.contains(&Some(filter)),
        }
    }
}

impl Snapshot {
    /// The entries of a filter. Those of the default one are in `items`, too.
    pub fn list(&self, filter: Filter) -> List {
        self.lists.list(filter)
    }
}
