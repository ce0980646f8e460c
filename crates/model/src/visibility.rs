//! The one predicate that decides who sees an entry.
//!
//! Live delivery, catch-up, inbox, unread count and mark_read all decide by it; the store's property
//! test compares the five on random histories.

use std::collections::HashMap;

use crate::{Audience, Notification, Seq, Topic, UserId};

/// A half-open stretch of a log, `(from, to]`. `to` is `None` while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The last entry before it.
    pub from: Seq,
    /// Its last entry, once it has ended.
    pub to: Option<Seq>,
}

impl Interval {
    /// Whether `seq` lies within.
    pub fn contains(&self, seq: Seq) -> bool {
        self.from < seq && self.to.is_none_or(|to| seq <= to)
    }
}

/// Stretches of a log in ascending order, disjoint; only the last may be open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// The whole log, without end.
    pub fn always() -> Self {
        Self(vec![Interval { from: Seq::ZERO, to: None }])
    }

    /// Stretches as read back from a store, which keeps them ascending and disjoint.
    pub fn from_sorted(intervals: Vec<Interval>) -> Self {
        debug_assert!(intervals.windows(2).all(|w| w[0].to.is_some_and(|to| to <= w[1].from)));
        Self(intervals)
    }

    /// Begins a stretch after `at`; nothing changes while one is open.
    pub fn open(&mut self, at: Seq) {
        if !self.is_open() {
            self.0.push(Interval { from: at, to: None });
        }
    }

    /// Ends the open stretch at `at`; nothing changes while none is.
    pub fn close(&mut self, at: Seq) {
        if let Some(last) = self.0.last_mut().filter(|last| last.to.is_none()) {
            last.to = Some(at);
        }
    }

    /// Whether the last stretch has not ended.
    pub fn is_open(&self) -> bool {
        self.0.last().is_some_and(|last| last.to.is_none())
    }

    /// Whether `seq` lies in any.
    pub fn contains(&self, seq: Seq) -> bool {
        self.0.iter().any(|interval| interval.contains(seq))
    }

    /// Ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Interval> {
        self.0.iter()
    }
}

/// What decides which entries one user sees in one workspace, as of one place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visibility {
    /// When the user had access to the workspace; [`Intervals::always`] where access was never recorded
    /// and the token's claim alone decides. Nothing at all is visible while the last stretch is closed.
    pub access: Intervals,
    /// When the user was subscribed to which topic.
    pub topics: HashMap<Topic, Intervals>,
}

impl Default for Visibility {
    fn default() -> Self {
        Self { access: Intervals::always(), topics: HashMap::new() }
    }
}

impl Visibility {
    /// Whether `user` sees `notification`, which stands at `seq`. The caller has already left out what
    /// was retracted, expired or superseded: such an entry has no body to ask about.
    pub fn sees(&self, user: &UserId, seq: Seq, notification: &Notification) -> bool {
        self.access.is_open()
            && self.access.contains(seq)
            && !notification.except.contains(user)
            && match &notification.audience {
                Audience::Users(users) => users.contains(user),
                Audience::Topic(topic) => self.topics.get(topic).is_some_and(|t| t.contains(seq)),
                Audience::Workspace => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_exclude_their_start_and_include_their_end() {
        let mut i = Intervals::default();
        i.open(Seq(3));
        i.open(Seq(4));
        i.close(Seq(5));
        i.close(Seq(9));
        assert!(!i.contains(Seq(3)) && i.contains(Seq(4)) && i.contains(Seq(5)) && !i.contains(Seq(6)));
        i.open(Seq(7));
        assert!(i.is_open() && !i.contains(Seq(7)) && i.contains(Seq(8)));
    }
}
