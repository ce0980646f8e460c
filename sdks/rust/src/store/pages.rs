//! Pages of the inbox, and what came while one was on its way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Depths, Store};
use crate::inbox::{Filter, Page};
use crate::notification::Notification;
use crate::surface::Frame;

/// How many frames are remembered while a page is on its way. Beyond it the page is asked for again.
const JOURNAL_LIMIT: usize = 10_000;

/// Frames since a page was asked for, to be applied to it as well, and the places known by then.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    /// Each with whether it was part of a replay.
    frames: Vec<(Frame, bool)>,
    /// Where the replay was that is under way.
    passed: Option<u64>,
    read_up_to: u64,
    seen_up_to: u64,
}

impl Store {
    /// Remembers a frame for the page that is on its way.
    pub(super) fn note(&mut self, frame: &Frame, replayed: bool) {
        let Some(journal) = &mut self.journal else { return };
        if journal.frames.len() < JOURNAL_LIMIT {
            journal.frames.push((frame.clone(), replayed));
        } else {
            self.reload = Some(self.horizon());
        }
    }

    /// A page of the inbox is asked for: frames that come meanwhile are newer than it may be.
    pub fn expect_page(&mut self) {
        self.incomplete |= self.reload.take().is_some();
        let (read_up_to, seen_up_to) = (self.read_up_to, self.seen_up_to);
        let passed = self.replaying.then(|| self.horizon());
        self.journal = Some(Journal { frames: Vec::new(), passed, read_up_to, seen_up_to });
    }

    /// The page won't come: what it was to heal is still to be healed.
    pub fn give_up_page(&mut self) {
        self.journal = None;
        if self.incomplete && self.reload.is_none() {
            self.reload = Some(self.horizon());
        }
    }

    /// Takes in a page of a list. `fresh`: it is the newest one of all, and takes the place of what was there.
    pub fn merge(&mut self, page: &Page, filter: Filter, fresh: bool) {
        let (read_up_to, seen_up_to) = (self.read_up_to, self.seen_up_to);
        let none = Journal { frames: Vec::new(), passed: None, read_up_to, seen_up_to };
        let journal = self.journal.take().unwrap_or(none);
        let gone = self.passed_over(page, journal.passed);
        let rev = self.position.as_ref().map_or(0, |position| position.rev);
        if fresh {
            self.incomplete = false;
            self.loaded = true;
            // What is in no log no page has.
            self.items.retain(|_, item| item.seq.is_none());
            self.spots.retain(|_, spot| self.items.contains_key(spot));
            self.doubtful.clear();
            self.paged.clear();
            self.depths = Depths::default();
            self.superseded.retain(|_, (_, place)| *place > page.head);
            self.grown = 0;
        } else {
            self.grown += (self.items.len() + page.items.len()).saturating_sub(self.limit());
        }
        for item in page.items.iter().filter(|item| !gone.contains(&item.id)) {
            if page.rev > rev {
                self.paged.insert(item.id.clone(), page.rev);
            }
            match self.spots.get(&item.id) {
                Some(_) if page.rev < rev => continue,
                Some(spot) => {
                    self.items.insert(*spot, Arc::new(item.clone()));
                    self.superseded.remove(&item.id);
                }
                None => self.insert(item.seq, item.clone()),
            }
            self.hear_of_answer(&item.id, item.read, page.rev);
        }
        if self.replaying {
            self.doubt();
        }
        self.depths.reach(filter, page.older.unwrap_or(0));
        let newer = page.head >= self.head && page.rev >= self.told_rev;
        if newer {
            (self.head, self.unread, self.unseen, self.told_rev) =
                (page.head, page.unread, page.unseen, page.rev);
        }
        let position = self.position.get_or_insert_default();
        if position.epoch.is_none() {
            position.epoch.clone_from(&page.epoch);
        }
        // Receipts are told from here on once more. Those up to the page are still to come for what it does not have.
        position.rev = rev.min(page.rev);
        (self.read_up_to, self.seen_up_to) = (journal.read_up_to, journal.seen_up_to);
        for (frame, replayed) in &journal.frames {
            self.reapply(frame, *replayed, page, newer);
        }
        if !fresh && let Some(position) = &mut self.position {
            position.rev = position.rev.max(rev);
        }
    }

    /// What a replay passed over while the page was on its way is gone, unless it was only too much to be held: another page
    /// tells.
    fn passed_over(&mut self, page: &Page, passed: Option<u64>) -> BTreeSet<String> {
        let horizon = self.horizon();
        let passed = passed.unwrap_or(horizon);
        let is_gone = |item: &&Notification| {
            item.seq.is_some_and(|seq| passed < seq && seq <= horizon) && !self.spots.contains_key(&item.id)
        };
        let gone: BTreeSet<String> = page.items.iter().filter(is_gone).map(|item| item.id.clone()).collect();
        if !gone.is_empty() {
            self.reload = Some(horizon);
        }
        gone
    }

    /// A frame that came while the page was on its way: what it says about items holds for those of the page too.
    fn reapply(&mut self, frame: &Frame, replayed: bool, page: &Page, count: bool) {
        match frame {
            Frame::Notification { seq, item } => {
                if count && seq.is_some_and(|seq| seq > self.head) {
                    self.count(item);
                }
                // Up to its head the page has what there is: what it does not have is gone by then, or further below.
                if seq.is_none_or(|seq| seq > page.head) && !self.spots.contains_key(&item.id) {
                    self.insert(*seq, (**item).clone());
                }
            }
            Frame::Update { seq, item } if *seq > page.head => {
                self.change(&item.id, |known| known.say_anew(item));
            }
            Frame::Retract { seq, id, cause, .. } if *seq > page.head => {
                let counts = (self.unread, self.unseen);
                self.retract(*seq, id, cause, replayed);
                if !count {
                    (self.unread, self.unseen) = counts;
                }
            }
            Frame::Receipts(receipts) if receipts.rev > page.rev => self.receive(receipts),
            Frame::Receipts(receipts) => {
                self.read_up_to = self.read_up_to.max(receipts.read_up_to);
                self.seen_up_to = self.seen_up_to.max(receipts.seen_up_to);
            }
            Frame::Heartbeat(heartbeat) => self.beat(heartbeat),
            _ => {}
        }
    }
}
