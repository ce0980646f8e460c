//! What a client was told of its counts and its read state, and when to look at them again.

use campanile_model::{Counts, Rev, Seq};

use crate::timing::Tick;

/// The counts of one connection of a surface that tells them. Looking costs a read of the store, so an idle
/// connection repeats what it knows.
#[derive(Debug)]
pub struct Badge {
    counts: Counts,
    /// Read state up to here was told.
    rev: Rev,
    /// Something was told since that may have changed the counts.
    touched: bool,
    /// When to look on account of a change that the client can't follow.
    look_at: Option<Tick>,
    /// A look is under way.
    looking: bool,
    /// A heartbeat waits for the counts.
    owed: bool,
}

impl Badge {
    /// As the client was told on connecting; `rev` is the read state that it has.
    pub fn new(counts: Counts, rev: Rev) -> Self {
        Self { counts, rev, touched: false, look_at: None, looking: false, owed: false }
    }

    /// Something was delivered: the counts may be others.
    pub fn handle_touched(&mut self) {
        self.touched = true;
    }

    /// Something changed that the client can't count itself: look at `at` at the latest.
    pub fn handle_changed(&mut self, at: Tick) {
        self.touched = true;
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }

    /// A heartbeat is due.
    pub fn handle_heartbeat_due(&mut self) {
        self.owed = true;
    }

    /// The counts were read. Whatever touched them since the look began is looked at again.
    pub fn handle_looked(&mut self, counts: Counts) {
        self.looking = false;
        self.rev = self.rev.max(counts.rev);
        self.counts = counts;
    }

    /// Where to look from, if it is time to.
    pub fn poll_look(&mut self, now: Tick) -> Option<Rev> {
        let due = self.look_at.is_some_and(|at| at <= now) || (self.owed && self.touched);
        if self.looking || !due {
            return None;
        }
        (self.looking, self.touched, self.look_at) = (true, false, None);
        Some(self.rev)
    }

    /// What to say in a heartbeat that is owed and can be told now, where the client stands at `horizon`.
    pub fn poll_heartbeat(&mut self, horizon: Seq) -> Option<Counts> {
        if !self.owed || self.looking || self.touched {
            return None;
        }
        self.owed = false;
        // Nothing of the user's was told since they were read: they hold up to here.
        self.counts.head = self.counts.head.max(horizon);
        Some(self.counts)
    }

    /// When [`poll_look`](Self::poll_look) may have something to say by itself.
    pub fn poll_deadline(&self) -> Option<Tick> {
        self.look_at.filter(|_| !self.looking)
    }

    /// The lineage that the client counts in.
    pub fn epoch(&self) -> Option<campanile_model::Epoch> {
        self.counts.epoch
    }

    /// The log of the workspace has come to be.
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

    #[test]
    fn an_idle_connection_repeats_what_it_knows() {
        let mut badge = Badge::new(counts(5, 2, 1), Rev(2));
        assert_eq!(badge.poll_look(Tick(9)), None);
        assert_eq!(badge.poll_heartbeat(Seq(7)), None, "none is owed");
        badge.handle_heartbeat_due();
        assert_eq!(badge.poll_look(Tick(9)), None, "nothing happened");
        assert_eq!(badge.poll_heartbeat(Seq(7)), Some(counts(7, 2, 1)), "told up to the horizon");
        assert_eq!(badge.poll_heartbeat(Seq(7)), None);
    }

    #[test]
    fn a_heartbeat_waits_for_counts_that_may_be_others() {
        let mut badge = Badge::new(counts(5, 2, 1), Rev(2));
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
        assert_eq!(badge.poll_heartbeat(Seq(6)), None, "touched again meanwhile");
        assert_eq!(badge.poll_look(Tick(9)), Some(Rev(4)));
        badge.handle_looked(counts(7, 4, 3));
        assert_eq!(badge.poll_heartbeat(Seq(7)), Some(counts(7, 4, 3)));
    }

    #[test]
    fn looks_when_a_change_asks_for_it() {
        let mut badge = Badge::new(counts(5, 2, 1), Rev(1));
        badge.handle_changed(Tick(20));
        badge.handle_changed(Tick(10));
        badge.handle_changed(Tick(30));
        assert_eq!(badge.poll_deadline(), Some(Tick(10)));
        assert_eq!((badge.poll_look(Tick(9)), badge.poll_look(Tick(10))), (None, Some(Rev(1))));
        assert_eq!(badge.poll_deadline(), None);
    }
}
