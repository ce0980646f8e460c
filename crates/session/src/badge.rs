//! What a client was told of its counts and its read state, and when to look at them again.

use campanile_model::{Counts, Rev, Seq};

use crate::timing::Tick;

/// Heartbeats that repeat what is known before one looks all the same: a hint of what a user did elsewhere may have been
/// lost.
const REPEATS: u8 = 4;

/// The counts of one connection of a surface that tells them. Looking costs a read of the store, so an idle
/// connection mostly repeats what it knows.
#[derive(Debug)]
pub struct Badge {
    counts: Counts,
    /// Where the client began.
    start: Seq,
    /// Read state up to here was told.
    rev: Rev,
    /// Something was told since they were read that may have changed the counts.
    touched: bool,
    /// When to look on account of a change that the client can't follow.
    look_at: Option<Tick>,
    /// That look is to be told, whatever it finds.
    tells: bool,
    /// A look is under way.
    looking: bool,
    /// The counts were read for the heartbeat that is owed.
    looked: bool,
    /// A heartbeat waits for the counts.
    owed: bool,
    repeats: u8,
}

impl Badge {
    /// As the client was told on connecting; `rev` is the read state that it has, `start` the place that it begins at. What
    /// happened between that reading and now is found by the first look.
    pub fn new(counts: Counts, rev: Rev, start: Seq) -> Self {
        Self {
            counts,
            start,
            rev,
            touched: true,
            look_at: None,
            tells: false,
            looking: false,
            looked: false,
            owed: false,
            repeats: 0,
        }
    }

    /// Something was delivered: the counts may be others.
    pub fn handle_touched(&mut self) {
        self.touched = true;
    }

    /// The user's read state changed: look at `at` at the latest.
    pub fn handle_changed(&mut self, at: Tick) {
        self.touched = true;
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }

    /// An entry changed in a way that the client may not be able to count: look at `at` at the latest, and tell.
    pub fn handle_uncounted(&mut self, at: Tick) {
        self.handle_changed(at);
        self.tells = true;
    }

    /// A heartbeat is due.
    pub fn handle_heartbeat_due(&mut self) {
        self.owed = true;
        self.repeats += 1;
        if self.repeats >= REPEATS {
            self.touched = true;
        }
    }

    /// The counts were read.
    pub fn handle_looked(&mut self, counts: Counts) {
        (self.looking, self.looked, self.repeats) = (false, true, 0);
        self.rev = self.rev.max(counts.rev);
        self.counts = counts;
    }

    /// The counts could not be read: look again at `at`.
    pub fn handle_failed(&mut self, at: Tick) {
        self.looking = false;
        self.handle_changed(at);
    }

    /// Where to look from, if it is time to.
    pub fn poll_look(&mut self, now: Tick) -> Option<Rev> {
        let is_asked_for = self.look_at.is_some_and(|at| at <= now);
        let is_owed = self.owed && self.touched && !self.looked && self.look_at.is_none_or(|at| at <= now);
        if self.looking || !(is_asked_for || is_owed) {
            return None;
        }
        self.owed |= std::mem::take(&mut self.tells);
        (self.looking, self.looked, self.touched, self.look_at) = (true, false, false, None);
        Some(self.rev)
    }

    /// What to say in a heartbeat that is owed and can be told now, where the client stands at `horizon`. Counts that were
    /// touched again after they were read hold as of their own head.
    pub fn poll_heartbeat(&mut self, horizon: Seq) -> Option<Counts> {
        if !self.owed || self.looking || (self.touched && !self.looked) {
            return None;
        }
        (self.owed, self.looked) = (false, false);
        if !self.touched {
            self.counts.head = self.counts.head.max(horizon);
        }
        Some(self.counts)
    }

    /// Where the client began.
    pub fn start(&self) -> Seq {
        self.start
    }

    /// When [`poll_look`](Self::poll_look) may have something to say by itself.
    pub fn poll_deadline(&self) -> Option<Tick> {
        self.look_at.filter(|_| !self.looking)
    }

    /// The lineage that the client counts in.
    pub fn epoch(&self) -> Option<campanile_model::Epoch> {
        self.counts.epoch
    }

    /// An entry of this lineage was told: the log of the workspace may just have come to be.
    pub fn handle_epoch(&mut self, epoch: campanile_model::Epoch) {
        self.counts.epoch = Some(epoch);
    }

    /// The read state that the client has been told.
    pub fn rev(&self) -> Rev {
        self.rev
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(head: u64, rev: u64, unread: u64) -> Counts {
        Counts { head: Seq(head), rev: Rev(rev), unread, ..Counts::default() }
    }

    /// A badge whose first look is done.
    fn known() -> Badge {
        let mut badge = Badge::new(counts(5, 2, 1), Rev(2), Seq(5));
        badge.handle_heartbeat_due();
        assert_eq!(badge.poll_look(Tick(1)), Some(Rev(2)), "what happened while it connected");
        badge.handle_looked(counts(5, 2, 1));
        assert_eq!(badge.poll_heartbeat(Seq(5)), Some(counts(5, 2, 1)));
        badge
    }

    #[test]
    fn an_idle_connection_repeats_what_it_knows_for_a_while() {
        let mut badge = known();
        assert_eq!((badge.poll_look(Tick(9)), badge.poll_heartbeat(Seq(7))), (None, None), "none is owed");
        for _ in 1..REPEATS {
            badge.handle_heartbeat_due();
            assert_eq!(badge.poll_look(Tick(9)), None, "nothing happened");
            assert_eq!(badge.poll_heartbeat(Seq(7)), Some(counts(7, 2, 1)), "told up to the horizon");
        }
        badge.handle_heartbeat_due();
        assert_eq!((badge.poll_heartbeat(Seq(7)), badge.poll_look(Tick(9))), (None, Some(Rev(2))));
    }

    #[test]
    fn a_heartbeat_takes_one_look_however_much_is_told_meanwhile() {
        let mut badge = known();
        badge.handle_touched();
        assert_eq!(badge.poll_look(Tick(9)), None, "a client counts by itself until the next heartbeat");
        badge.handle_heartbeat_due();
        assert_eq!(badge.poll_look(Tick(9)), Some(Rev(2)));
        assert_eq!(
            (badge.poll_look(Tick(9)), badge.poll_heartbeat(Seq(6))),
            (None, None),
            "one look at a time"
        );
        badge.handle_touched();
        badge.handle_looked(counts(6, 4, 2));
        assert_eq!(badge.poll_look(Tick(9)), None, "one is enough");
        assert_eq!(badge.poll_heartbeat(Seq(8)), Some(counts(6, 4, 2)), "as of where it was read");
        badge.handle_heartbeat_due();
        assert_eq!(badge.poll_look(Tick(9)), Some(Rev(4)), "and the next one looks again");
    }

    #[test]
    fn looks_when_a_change_asks_for_it() {
        let mut badge = known();
        badge.handle_changed(Tick(20));
        badge.handle_uncounted(Tick(10));
        badge.handle_changed(Tick(30));
        assert_eq!(badge.poll_deadline(), Some(Tick(10)));
        assert_eq!((badge.poll_look(Tick(9)), badge.poll_look(Tick(10))), (None, Some(Rev(2))));
        badge.handle_looked(counts(6, 2, 0));
        assert_eq!(badge.poll_heartbeat(Seq(6)), Some(counts(6, 2, 0)), "it is told");
        badge.handle_changed(Tick(40));
        assert_eq!(badge.poll_look(Tick(40)), Some(Rev(2)));
        badge.handle_failed(Tick(90));
        assert_eq!((badge.poll_deadline(), badge.poll_look(Tick(50))), (Some(Tick(90)), None));
    }
}
