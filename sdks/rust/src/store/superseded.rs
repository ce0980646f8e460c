//! What a newer one took the place of: it stays for who had read it. Where that is not known yet it is hidden, until an
//! answer, receipts or a page tell.

use std::sync::Arc;

use super::Store;
use crate::actions::Action;
use crate::notification::Notification;
use crate::surface::{Done, Heartbeat, Receipts};

/// What became of an item by what the user did here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    read: bool,
    /// The head of the log that it was done at: what is superseded above it was so later. `None`: not known.
    pub head: Option<u64>,
    rev: u64,
}

impl Answered {
    /// A heartbeat as of before it says nothing of it.
    pub fn is_above(&self, heartbeat: &Heartbeat) -> bool {
        self.rev > heartbeat.rev || self.head.is_some_and(|head| head > heartbeat.head)
    }
}

impl Store {
    /// Takes in what the server answered to an action that changed something.
    pub fn answer(&mut self, action: &Action, done: &Done) {
        if let Action::Unread { id } = action
            && self.superseded.contains_key(id)
        {
            // What is superseded can't be made unread: this was done before, so it is gone.
            self.remove(id);
        }
        let known = self.position.as_ref().map_or(0, |position| position.rev);
        let Some(rev) = done.rev.filter(|rev| *rev > known) else { return };
        let Some(read) = reads(action) else { return };
        let marked = self.items.values().filter(|item| concerns(action, item) && self.is_read(item) != read);
        let marked: Vec<String> = marked.map(|item| item.id.clone()).collect();
        let answered = Answered { read, head: done.head, rev };
        self.answered.extend(marked.into_iter().map(|id| (id, answered)));
        if let Some(head) = done.head.filter(|_| read) {
            self.bring_back_above(head, action);
        }
    }

    /// `replayed`: a replay tells of a superseded entry only where it is gone, whatever is known of it here. False: it is
    /// not in memory, or stays.
    pub(super) fn retract(&mut self, seq: u64, id: &str, cause: &str, replayed: bool) -> bool {
        let stays_for_who_read_it = cause == "superseded" && !replayed;
        if !stays_for_who_read_it {
            self.superseded.remove(id);
        }
        let Some(item) = self.item(id).cloned() else { return false };
        if stays_for_who_read_it {
            let unread = Notification { superseded: true, read: false, ..(*item).clone() };
            self.superseded.insert(id.to_owned(), (Arc::new(unread), seq));
            if self.is_read(&item) && self.read_at(id).is_none_or(|head| head < seq) {
                self.change(id, |item| item.superseded = true);
                return false;
            }
        }
        if seq > self.head {
            self.unread = self.unread.saturating_sub(u64::from(!item.read));
            self.unseen = self.unseen.saturating_sub(u64::from(!item.seen));
        }
        self.remove(id);
        true
    }

    /// What is superseded can't be read any more: if it was, it had been read before, and is still there.
    pub(super) fn bring_back(&mut self, receipts: &Receipts) {
        for (id, (item, place)) in std::mem::take(&mut self.superseded) {
            let named = receipts.items.iter().find(|receipt| receipt.id == id);
            if self.spots.contains_key(&id) {
                if named.is_none() {
                    self.superseded.insert(id, (item, place));
                }
                continue;
            }
            let passed = item.seq.is_some_and(|seq| self.read_up_to < seq && seq <= receipts.read_up_to);
            if named.is_some_and(|receipt| receipt.read) || passed && receipts.head < place {
                self.insert(item.seq, Notification::clone(&item));
                self.trim();
                continue;
            }
            if passed {
                // Before or after it was superseded: only the inbox tells.
                self.reload = Some(place);
            }
            self.superseded.insert(id, (item, place));
        }
    }

    /// What receipts say of an item stands in place of what was answered before them.
    pub(super) fn hear_of_answers(&mut self, receipts: &Receipts) {
        for receipt in &receipts.items {
            self.hear_of_answer(&receipt.id, receipt.read, receipts.rev);
        }
        // That one is read may still be told too late; that one is unread is part of the items by now.
        self.answered.retain(|_, answered| answered.read || answered.rev > receipts.rev);
    }

    /// An item is listed as of a revision. As read: it was read in time, whatever was done later.
    pub(super) fn hear_of_answer(&mut self, id: &str, read: bool, rev: u64) {
        if self.answered.get(id).is_some_and(|answered| read || answered.rev <= rev) {
            self.answered.remove(id);
        }
    }

    /// What was done at a head read in time whatever was superseded above it.
    fn bring_back_above(&mut self, head: u64, action: &Action) {
        let in_time = |(id, (item, place)): &(&String, &(Arc<Notification>, u64))| {
            *place > head && concerns(action, item) && !self.spots.contains_key(*id)
        };
        let late = self.superseded.iter().filter(in_time);
        let late: Vec<(Arc<Notification>, u64)> = late.map(|(_, held)| held.clone()).collect();
        for (item, place) in late {
            let mut read = Notification::clone(&item);
            read.mark(true, true, read.archived || matches!(action, Action::Archive { .. }));
            self.insert(read.seq, read);
            // It may still turn out that it was unread again by then.
            self.superseded.insert(item.id.clone(), (item, place));
            self.trim();
        }
    }

    /// Whether the server has an item as read, as far as it has told or answered.
    fn is_read(&self, item: &Notification) -> bool {
        self.answered.get(&item.id).map_or(item.read, |answered| answered.read)
    }

    /// At which head an item was read, where only an answer says that it was.
    fn read_at(&self, id: &str) -> Option<u64> {
        self.answered.get(id)?.head
    }

    fn remove(&mut self, id: &str) {
        if let Some(spot) = self.spots.remove(id) {
            self.items.remove(&spot);
        }
    }
}

/// What an action makes of an item: read, or unread. `None`: neither.
fn reads(action: &Action) -> Option<bool> {
    match action {
        Action::Read { .. } | Action::Archive { .. } | Action::ReadAll { .. } => Some(true),
        Action::Unread { .. } => Some(false),
        Action::Seen { .. } => None,
    }
}

/// Whether an action is about an item.
fn concerns(action: &Action, item: &Notification) -> bool {
    match action {
        Action::Read { id } | Action::Unread { id } | Action::Archive { id } => *id == item.id,
        Action::ReadAll { up_to } | Action::Seen { up_to } => item.seq.is_some_and(|seq| seq <= *up_to),
    }
}

#[cfg(test)]
#[path = "superseded_tests.rs"]
mod tests;
