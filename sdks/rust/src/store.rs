//! What a client knows: items, counts, read state, position. Pure; applies frames and pages.

mod depths;
mod pages;
mod superseded;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(crate) use self::depths::Depths;
use self::pages::Journal;
use self::superseded::Answered;
use crate::actions::{Action, Queue};
use crate::known::Known;
use crate::notification::Notification;
pub use crate::position::Position;
use crate::surface::{Frame, Heartbeat, Hello, Receipts};
use crate::view::perform;

/// How many items are in memory, unless it is set otherwise: the newest. Older ones are loaded again when asked for.
pub const ITEM_LIMIT: usize = 1_000;

/// What a frame did that a program may want to hear of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Notification(Arc<Notification>),
    Update(Arc<Notification>),
    Retract { id: String, cause: String, by: Option<String> },
    Receipts,
    Resync { reason: String },
}

/// Newest last. Entries without a place stand where they arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spot(u64, u64);

/// Where entries begin that have a place above this one. What has none and stands at the last place is none of them.
fn above(place: u64) -> Spot {
    place.checked_add(1).map_or(Spot(u64::MAX, u64::MAX), |next| Spot(next, 0))
}

/// The store of one user in one workspace.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    items: BTreeMap<Spot, Arc<Notification>>,
    spots: HashMap<String, Spot>,
    known: Known,
    /// Places of items that a page brought ahead of a stream that broke: gone, unless the replay has them.
    doubtful: BTreeSet<u64>,
    /// The server is telling again what this client missed.
    replaying: bool,
    /// Up to where a log that had no name yet was told: its replay begins before that, and is no news up to there.
    told: u64,
    /// Superseded, as if unread, and where: whether they had been read in time receipts tell, or an answer.
    superseded: BTreeMap<String, (Arc<Notification>, u64)>,
    /// What the server answered to what was done here to these items, where nothing else has told it yet.
    answered: HashMap<String, Answered>,
    /// Items that a page brought, and as of which revision, where receipts have not come that far yet.
    paged: HashMap<String, u64>,
    arrivals: u64,
    /// How many items there may be, of which pages that were asked for brought `grown`.
    max_items: usize,
    grown: usize,
    /// Where to resume; `None` until the server said where this client is.
    pub position: Option<Position>,
    /// The counts below are true as of this place.
    pub head: u64,
    /// The newest revision that counts were told of.
    pub told_rev: u64,
    pub unread: u64,
    pub unseen: u64,
    pub read_up_to: u64,
    pub seen_up_to: u64,
    /// How far down each list is here.
    pub depths: Depths,
    /// The items are not what the inbox holds: it must be read again, as of this place at least.
    pub reload: Option<u64>,
    incomplete: bool,
    /// The items were read from the inbox once.
    pub loaded: bool,
    journal: Option<Journal>,
}

impl Store {
    /// A store of so many items, that goes on from a place if one is given.
    pub fn new(max_items: usize, position: Option<Position>) -> Self {
        Self {
            items: BTreeMap::new(),
            spots: HashMap::new(),
            known: Known::default(),
            doubtful: BTreeSet::new(),
            replaying: false,
            told: 0,
            superseded: BTreeMap::new(),
            answered: HashMap::new(),
            paged: HashMap::new(),
            arrivals: 0,
            max_items,
            grown: 0,
            position,
            head: 0,
            told_rev: 0,
            unread: 0,
            unseen: 0,
            read_up_to: 0,
            seen_up_to: 0,
            depths: Depths::default(),
            reload: None,
            incomplete: false,
            loaded: false,
            journal: None,
        }
    }

    /// Applies a frame. Once is as good as twice.
    pub fn apply(&mut self, frame: &Frame) -> Option<Change> {
        let replaying = self.replaying;
        let change = self.take_in(frame);
        self.note(frame, replaying);
        change
    }

    fn take_in(&mut self, frame: &Frame) -> Option<Change> {
        match frame {
            Frame::Hello(hello) => {
                self.greet(hello);
                None
            }
            Frame::Notification { seq, item } => self.notify(*seq, item),
            Frame::Update { seq, item } => {
                let new = self.advance(*seq);
                let said = self.change(&item.id, |known| known.say_anew(item));
                said.filter(|_| new && *seq > self.told).map(Change::Update)
            }
            Frame::Retract { seq, id, cause, by } => {
                let new = self.advance(*seq);
                let gone = self.retract(*seq, id, cause, self.replaying);
                (gone && new && *seq > self.told).then(|| Change::Retract {
                    id: id.clone(),
                    cause: cause.clone(),
                    by: by.clone(),
                })
            }
            Frame::Receipts(receipts) => {
                self.receive(receipts);
                Some(Change::Receipts)
            }
            Frame::Heartbeat(heartbeat) => {
                self.beat(heartbeat);
                None
            }
            Frame::Resync { epoch, seq, reason } => {
                let rev = self.position.as_ref().map_or(0, |position| position.rev);
                self.position = Some(Position { epoch: epoch.clone(), seq: *seq, rev });
                self.reload = Some(*seq);
                self.follow_anew();
                Some(Change::Resync { reason: reason.clone() })
            }
            _ => None,
        }
    }

    /// The items are not what the inbox holds, and a page that would heal that has not come yet.
    pub fn is_incomplete(&self) -> bool {
        let hides = self.superseded.keys().any(|id| !self.spots.contains_key(id));
        self.incomplete || hides || self.told > self.horizon() || self.reload.is_some()
    }

    /// The horizon: up to here the client has everything.
    pub fn horizon(&self) -> u64 {
        self.position.as_ref().map_or(0, |position| position.seq)
    }

    /// Up to where everything was told: further than where to go on from, while a log that had no name is told again.
    pub fn reached(&self) -> Option<Position> {
        let position = self.position.clone()?;
        Some(Position { seq: position.seq.max(self.told), ..position })
    }

    /// What is in memory, newest first.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Notification>> {
        self.items.values().rev()
    }

    /// The item of this id, if it is in memory.
    pub fn item(&self, id: &str) -> Option<&Arc<Notification>> {
        self.items.get(self.spots.get(id)?)
    }

    /// Marks an item as it is told; counts stay as they are.
    fn mark(&mut self, id: &str, seen: bool, read: bool, archived: bool) {
        self.change(id, |item| item.mark(seen, read, archived));
    }

    /// Makes an action part of what the server said; counts stay as they are.
    pub fn fold(&mut self, action: &Action) {
        match action {
            Action::ReadAll { up_to } => self.mark_up_to(0, *up_to, true),
            Action::Seen { up_to } => self.mark_up_to(0, *up_to, false),
            Action::Read { id } | Action::Unread { id } | Action::Archive { id } => {
                self.change(id, |item| perform(action, item));
            }
        }
    }

    /// What is done and in the counts by now leaves the queue.
    pub fn settle(&mut self, queue: &mut Queue) {
        let applied = self.position.as_ref().map_or(0, |position| position.rev);
        for (action, done_at) in queue.poll_told(self.told_rev) {
            if done_at > applied {
                self.fold(&action);
            }
        }
    }

    /// Everything in memory was shown.
    pub fn mark_all_seen(&mut self) {
        for item in self.items.values_mut().filter(|item| !item.seen) {
            Arc::make_mut(item).seen = true;
        }
    }

    /// Everything up to a place is seen, and `read` as well; counts stay as they are.
    pub fn mark_up_to(&mut self, after: u64, up_to: u64, read: bool) {
        if up_to <= after {
            return;
        }
        for item in self.items.range_mut(above(after)..=Spot(up_to, 0)).map(|(_, item)| item) {
            let told = item.seq.is_some() && !self.paged.contains_key(&item.id);
            if told && (!item.seen || read && !item.read) {
                let item = Arc::make_mut(item);
                item.seen = true;
                item.read |= read;
            }
        }
    }

    /// Puts back an item that was kept across a restart.
    pub fn restore(&mut self, items: Vec<Notification>) {
        self.grown = items.len().saturating_sub(self.max_items);
        for item in items.into_iter().rev() {
            self.known.insert(&item.id);
            self.insert(item.seq, item);
        }
    }

    /// The server greeted.
    pub fn greet(&mut self, hello: &Hello) {
        let asked = self.position.is_some();
        if hello.resumed
            && let Some(position) = &mut self.position
        {
            // What came before the log had a name comes again.
            if position.epoch.is_none() {
                position.epoch.clone_from(&hello.epoch);
                (self.told, position.seq) = (position.seq, hello.seq);
            }
            self.replaying = true;
            // A replay that broke had got this far: what it left out is gone.
            self.drop_doubtful(self.horizon());
            self.doubt();
            if !self.loaded {
                // It goes on from a place alone: what the inbox holds is still to be read.
                self.reload = Some(hello.head);
                self.depths.begin(self.horizon().saturating_add(1));
            }
        } else {
            self.follow_anew();
            self.doubtful.clear();
            self.position = Some(Position { epoch: hello.epoch.clone(), seq: hello.seq, rev: hello.rev });
            (self.read_up_to, self.seen_up_to) = (hello.read_up_to, hello.seen_up_to);
            // What comes from now on has no gap, though the rest is still to be read.
            self.depths.begin(hello.seq.saturating_add(1));
            // Who asked to resume is told by a resync what to read.
            self.reload = (!asked).then_some(hello.seq);
        }
        self.told_rev = hello.rev;
        (self.head, self.unread, self.unseen) = (hello.head, hello.unread, hello.unseen);
    }

    fn notify(&mut self, seq: Option<u64>, item: &Notification) -> Option<Change> {
        let new = match seq {
            Some(seq) => self.advance(seq),
            None => self.known.insert(&item.id),
        };
        if !new {
            return None;
        }
        if seq.is_some_and(|seq| seq > self.head) {
            self.count(item);
        }
        if self.spots.contains_key(&item.id) {
            // A page brought it before, and may be older than this. What changed since this was written follows.
            let doubted = seq.is_some_and(|seq| self.doubtful.remove(&seq));
            if doubted {
                self.paged.remove(&item.id);
            }
            self.change(&item.id, |held| if doubted { *held = item.clone() } else { held.say_anew(item) });
        } else {
            self.insert(seq, item.clone());
        }
        self.trim();
        let shown = self.item(&item.id).cloned().unwrap_or_else(|| Arc::new(item.clone()));
        seq.is_none_or(|seq| seq > self.told).then_some(Change::Notification(shown))
    }

    /// What comes from now on has nothing to do with what came before.
    fn follow_anew(&mut self) {
        (self.replaying, self.told) = (false, 0);
        self.superseded.clear();
        // Places of another log say nothing.
        self.answered.values_mut().for_each(|answered| answered.head = None);
    }

    /// What pages brought ahead of a replay may be gone by the time that the replay gets there.
    fn doubt(&mut self) {
        let ahead = self.items.range(above(self.horizon())..);
        self.doubtful = ahead.filter_map(|(_, item)| item.seq).collect();
    }

    /// Everything up to this place was replayed.
    fn drop_doubtful(&mut self, up_to: u64) {
        while let Some(seq) = self.doubtful.first().copied().filter(|seq| *seq <= up_to) {
            self.doubtful.remove(&seq);
            if let Some(item) = self.items.remove(&Spot(seq, 0)) {
                self.spots.remove(&item.id);
            }
        }
    }

    fn count(&mut self, item: &Notification) {
        self.unread = self.unread.saturating_add(u64::from(!item.read));
        self.unseen = self.unseen.saturating_add(u64::from(!item.seen));
    }

    /// Moves the horizon. False: this place was there before.
    fn advance(&mut self, seq: u64) -> bool {
        let position = self.position.get_or_insert_default();
        let new = seq > position.seq;
        position.seq = position.seq.max(seq);
        new
    }

    fn receive(&mut self, receipts: &Receipts) {
        let position = self.position.get_or_insert_default();
        if receipts.rev < position.rev {
            return;
        }
        position.rev = receipts.rev;
        // What a page told of a later revision stays.
        self.paged.retain(|_, rev| *rev > receipts.rev);
        self.bring_back(receipts);
        let (read_from, seen_from) = (self.read_up_to, self.seen_up_to);
        self.mark_up_to(read_from, receipts.read_up_to, true);
        self.mark_up_to(seen_from, receipts.seen_up_to, false);
        self.read_up_to = read_from.max(receipts.read_up_to);
        self.seen_up_to = seen_from.max(receipts.seen_up_to);
        for receipt in &receipts.items {
            if !self.paged.contains_key(&receipt.id) {
                self.mark(&receipt.id, receipt.seen, receipt.read, receipt.archived);
            }
        }
        self.hear_of_answers(receipts);
        if receipts.rev > self.told_rev || receipts.head > self.head {
            self.tell(receipts.head, receipts.rev, receipts.unread, receipts.unseen);
        }
    }

    fn beat(&mut self, heartbeat: &Heartbeat) {
        // Whatever was read by then has been told.
        self.superseded.retain(|_, (_, place)| *place > heartbeat.head);
        let position = self.position.get_or_insert_default();
        if heartbeat.seq < position.seq {
            return;
        }
        position.seq = heartbeat.seq;
        if position.epoch.is_none() {
            position.epoch.clone_from(&heartbeat.epoch);
        }
        self.replaying = false;
        self.drop_doubtful(heartbeat.seq);
        self.tell(heartbeat.head, heartbeat.rev, heartbeat.unread, heartbeat.unseen);
        self.answered.retain(|_, answered| answered.is_above(heartbeat));
    }

    /// The server told counts as of a place. It tells them in order: an older word is a repetition.
    fn tell(&mut self, head: u64, rev: u64, unread: u64, unseen: u64) {
        if head < self.head || rev < self.told_rev {
            return;
        }
        (self.head, self.told_rev, self.unread, self.unseen) = (head, rev, unread, unseen);
        // What came from above that place is not in them.
        let newer = self.items.range(above(head)..).filter(|(_, item)| item.seq.is_some());
        let newer: Vec<Arc<Notification>> = newer.map(|(_, item)| Arc::clone(item)).collect();
        newer.iter().for_each(|item| self.count(item));
    }

    fn insert(&mut self, seq: Option<u64>, item: Notification) {
        let spot = match seq {
            Some(seq) => Spot(seq, 0),
            None => {
                self.arrivals += 1;
                Spot(self.horizon(), self.arrivals)
            }
        };
        self.superseded.remove(&item.id);
        self.spots.insert(item.id.clone(), spot);
        self.items.insert(spot, Arc::new(item));
    }

    fn change(&mut self, id: &str, how: impl FnOnce(&mut Notification)) -> Option<Arc<Notification>> {
        let item = self.items.get_mut(self.spots.get(id)?)?;
        how(Arc::make_mut(item));
        Some(Arc::clone(item))
    }

    fn limit(&self) -> usize {
        self.max_items + self.grown
    }

    fn trim(&mut self) {
        while self.items.len() > self.limit() {
            if let Some((_, item)) = self.items.pop_first() {
                self.spots.remove(&item.id);
                item.seq.inspect(|seq| {
                    self.doubtful.remove(seq);
                });
            }
            if let Some(oldest) = self.items.values().find_map(|item| item.seq) {
                self.depths.raise(oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
