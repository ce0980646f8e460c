//! What the user does: taken at once, sent in order, each once under its key, undone only if the server refuses.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many actions wait at most while there is no connection.
pub const QUEUE_LIMIT: usize = 1_000;
/// How many may be without an answer.
pub(crate) const IN_FLIGHT_LIMIT: usize = 32;

/// One thing that a user does to the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Action {
    /// The entry is read, and so seen.
    Read {
        /// Its id.
        id: String,
    },
    /// The entry counts as unread again; it is then no longer archived.
    Unread {
        /// Its id.
        id: String,
    },
    /// The entry is put away: read, seen, and out of the default list.
    Archive {
        /// Its id.
        id: String,
    },
    /// Everything up to a place is read.
    ReadAll {
        /// The place, included.
        up_to: u64,
    },
    /// Everything up to a place was shown.
    Seen {
        /// The place, included.
        up_to: u64,
    },
}

impl Action {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Read { .. } => "read",
            Action::Unread { .. } => "unread",
            Action::Archive { .. } => "archive",
            Action::ReadAll { .. } => "read_all",
            Action::Seen { .. } => "seen",
        }
    }

    /// The entry that it is about, if it is about one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Action::Read { id } | Action::Unread { id } | Action::Archive { id } => Some(id),
            Action::ReadAll { .. } | Action::Seen { .. } => None,
        }
    }
}

/// An action on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub key: String,
    #[serde(flatten)]
    pub action: Action,
    /// The lineage of the log in which it was done, where that had a name.
    #[serde(default)]
    pub epoch: Option<String>,
    /// It may have reached the server: it is not merged with others, and is sent again as it is.
    #[serde(default)]
    pub sent: bool,
    /// It waits for the answer of this connection.
    #[serde(skip)]
    pub in_flight: bool,
    /// It was done at this revision, which the client was not told yet.
    #[serde(skip)]
    pub done_at: Option<u64>,
}

/// The actions that were not confirmed yet, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Queue {
    /// Takes one more. The last word on an item counts: what it makes needless and was never sent is dropped.
    ///
    /// `archived` says whether the entry of the action is archived as far as the server knows; `epoch` names the log.
    pub fn push(
        &mut self,
        action: Action,
        key: String,
        archived: bool,
        epoch: Option<String>,
    ) -> Result<(), Full> {
        if let Action::Read { id } = &action {
            // Archived implies read: a later "read" says nothing new.
            let archive = Action::Archive { id: id.clone() };
            if self
                .entries
                .iter()
                .rev()
                .find(|entry| entry.action.id() == Some(id))
                .map(|entry| &entry.action)
                == Some(&archive)
            {
                return Ok(());
            }
        }
        self.entries.retain(|entry| entry.sent || !outdoes(&action, &entry.action, archived));
        if self.entries.len() >= QUEUE_LIMIT {
            return Err(Full);
        }
        self.entries.push_back(Entry { key, action, epoch, sent: false, in_flight: false, done_at: None });
        Ok(())
    }

    /// The next one to send on this connection, now in flight. `None`: nothing waits, or too many are in flight.
    pub fn poll_send(&mut self) -> Option<Entry> {
        if self.entries.iter().filter(|entry| entry.in_flight).count() >= IN_FLIGHT_LIMIT {
            return None;
        }
        let entry = self.entries.iter_mut().find(|entry| !entry.in_flight && entry.done_at.is_none())?;
        entry.in_flight = true;
        entry.sent = true;
        Some(entry.clone())
    }

    /// The connection is gone: whatever had no answer is sent again, under its key.
    pub fn handle_disconnect(&mut self) {
        for entry in &mut self.entries {
            entry.in_flight = false;
        }
    }

    /// The action of this key is done, at the revision `rev`: it counts until the client was told that. Without a
    /// revision it leaves at once. The action, if it was one of these.
    pub fn handle_done(&mut self, key: &str, rev: Option<u64>) -> Option<Action> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        if rev.is_none() {
            return self.entries.remove(at).map(|entry| entry.action);
        }
        let entry = self.entries.get_mut(at)?;
        entry.in_flight = false;
        entry.done_at = rev;
        Some(entry.action.clone())
    }

    /// The client was told counts of this revision: what was done by then is in them, and leaves the queue, each with
    /// the revision at which it was done.
    pub fn poll_told(&mut self, rev: u64) -> Vec<(Action, u64)> {
        let done = |entry: &Entry| Some((entry.action.clone(), entry.done_at?));
        let told: Vec<_> =
            self.entries.iter().filter_map(done).filter(|(_, done_at)| *done_at <= rev).collect();
        if !told.is_empty() {
            self.entries.retain(|entry| entry.done_at.is_none_or(|done_at| done_at > rev));
        }
        told
    }

    /// Adds what waits behind this.
    pub fn append(&mut self, mut later: Self) {
        self.entries.append(&mut later.entries);
    }

    /// Drops what these later actions outdo, also where it may have been sent: they may have been before it is sent again.
    pub fn yield_to(&mut self, later: &[Action]) {
        self.entries.retain(|entry| !later.iter().any(|later| overtakes(later, &entry.action)));
    }

    /// The server can't do it. The action that is undone by that, if it was one of these.
    pub fn handle_refused(&mut self, key: &str) -> Option<Action> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        self.entries.remove(at).map(|entry| entry.action)
    }

    /// The oldest action in flight on this entry: its key. For surfaces whose answers carry no key.
    pub fn key_in_flight(&self, id: &str) -> Option<String> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.in_flight && entry.action.id() == Some(id)).map(|entry| entry.key.clone())
    }

    /// The log is of this lineage: places and revisions of another one mean nothing in it.
    pub fn keep_places_of(&mut self, epoch: Option<&str>) {
        self.entries.retain(|entry| {
            let has_place = entry.action.id().is_none() || entry.done_at.is_some();
            !has_place || entry.epoch.is_none() || entry.epoch.as_deref() == epoch
        });
        for entry in &mut self.entries {
            entry.epoch = epoch.map(str::to_owned).or(entry.epoch.take());
        }
    }

    /// What is not confirmed, in order.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.entries.iter().map(|entry| &entry.action)
    }

    /// Nothing is to be kept of it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many are not confirmed.
    pub fn len(&self) -> usize {
        self.entries.iter().filter(|entry| entry.done_at.is_none()).count()
    }
}

/// Whether `later` leaves nothing of `earlier`.
fn outdoes(later: &Action, earlier: &Action, archived: bool) -> bool {
    match (later, earlier) {
        (Action::Read { id }, Action::Unread { id: other }) => id == other && !archived,
        (
            Action::Read { id } | Action::Unread { id } | Action::Archive { id },
            Action::Read { id: other } | Action::Unread { id: other } | Action::Archive { id: other },
        ) => id == other,
        (Action::ReadAll { up_to }, Action::ReadAll { up_to: other } | Action::Seen { up_to: other })
        | (Action::Seen { up_to }, Action::Seen { up_to: other }) => up_to >= other,
        _ => false,
    }
}

/// Whether `earlier` must not be done after `later`.
pub(crate) fn overtakes(later: &Action, earlier: &Action) -> bool {
    // Archived implies read.
    let is_implied = matches!((later, earlier), (Action::Read { .. }, Action::Archive { .. }));
    !is_implied && outdoes(later, earlier, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: &str) -> Action {
        Action::Read { id: id.into() }
    }

    fn unread(id: &str) -> Action {
        Action::Unread { id: id.into() }
    }

    fn queue(actions: &[Action]) -> Queue {
        let mut queue = Queue::default();
        for (n, action) in actions.iter().enumerate() {
            queue.push(action.clone(), format!("k{n}"), false, None).unwrap();
        }
        queue
    }

    #[test]
    fn the_last_word_on_an_item_counts() {
        let queue = queue(&[
            read("a"),
            read("b"),
            unread("a"),
            read("a"),
            Action::Archive { id: "b".into() },
            read("b"),
        ]);
        let left: Vec<&Action> = queue.actions().collect();
        assert_eq!(left, [&read("a"), &Action::Archive { id: "b".into() }]);
    }

    #[test]
    fn unread_is_kept_where_it_brings_an_entry_back() {
        let mut queue = Queue::default();
        queue.push(unread("a"), "k1".into(), true, None).unwrap();
        queue.push(read("a"), "k2".into(), true, None).unwrap();
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn what_was_sent_is_sent_again_as_it_was() {
        let mut queue = queue(&[read("a")]);
        let first = queue.poll_send().unwrap();
        queue.handle_disconnect();
        queue.push(unread("a"), "k9".into(), false, None).unwrap();
        let again = queue.poll_send().unwrap();
        assert_eq!((again.key, again.action), (first.key, read("a")));
        assert_eq!(queue.poll_send().unwrap().action, unread("a"));
        assert_eq!(queue.poll_send(), None);
    }

    #[test]
    fn done_counts_until_its_revision_was_told() {
        let mut queue = queue(&[read("a"), read("b")]);
        queue.poll_send();
        queue.handle_done("k0", Some(5));
        assert_eq!((queue.actions().count(), queue.len()), (2, 1));
        assert_eq!(queue.poll_told(4), []);
        assert_eq!(queue.poll_told(5), [(read("a"), 5)]);
        assert_eq!(queue.actions().count(), 1);
        queue.handle_done("k1", None);
        assert_eq!(queue.actions().count(), 0);
    }

    #[test]
    fn it_is_bounded_but_what_replaces_is_taken() {
        let mut queue = Queue::default();
        for n in 0..QUEUE_LIMIT {
            queue.push(read(&n.to_string()), n.to_string(), false, None).unwrap();
        }
        assert_eq!(queue.push(read("more"), "more".into(), false, None), Err(Full));
        queue.push(unread("0"), "again".into(), false, None).unwrap();
        assert_eq!(queue.len(), QUEUE_LIMIT);
        assert_eq!((0..40).filter_map(|_| queue.poll_send()).count(), IN_FLIGHT_LIMIT);
    }

    #[test]
    fn what_comes_late_yields_to_what_was_done_since() {
        let archive = |id: &str| Action::Archive { id: id.into() };
        let mut late = queue(&[unread("a"), archive("b"), archive("c"), Action::Seen { up_to: 3 }]);
        late.poll_send();
        late.yield_to(&[read("a"), unread("b"), read("c"), Action::ReadAll { up_to: 3 }]);
        assert_eq!(late.actions().collect::<Vec<_>>(), [&archive("c")]);
    }

    #[test]
    fn a_refusal_gives_back_what_is_undone() {
        let mut queue = queue(&[read("a")]);
        assert_eq!(queue.handle_refused("k0"), Some(read("a")));
        assert_eq!(queue.handle_refused("k0"), None);
    }

    #[test]
    fn a_place_means_nothing_in_another_lineage() {
        let mut queue = Queue::default();
        let of = |epoch: Option<&str>| epoch.map(str::to_owned);
        let all = |up_to| Action::ReadAll { up_to };
        queue.push(read("a"), "k0".into(), false, of(Some("e1"))).unwrap();
        queue.push(all(3), "k1".into(), false, of(Some("e1"))).unwrap();
        queue.keep_places_of(Some("e1"));
        assert_eq!(queue.len(), 2);
        queue.keep_places_of(Some("e2"));
        queue.push(all(2), "k2".into(), false, of(None)).unwrap();
        // What was done before the log had a name is of the first that it has.
        queue.keep_places_of(Some("e2"));
        assert_eq!(queue.actions().collect::<Vec<_>>(), [&read("a"), &all(2)]);
        queue.keep_places_of(None);
        assert_eq!(queue.actions().collect::<Vec<_>>(), [&read("a")]);
    }
}
