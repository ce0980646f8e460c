//! The shard's half of the hand-over: from the log to live delivery without a gap or a duplicate.
//!
//! While it exists, live entries skip the connection. Each step read from the log brings payloads and
//! either a place to go on from or the head it ended at; if entries were emitted beyond that head
//! meanwhile, one more step reads them, else the connection goes live there.

use std::collections::VecDeque;

use bytes::Bytes;
use campanile_model::Seq;

/// Where a further step begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Exclusive.
    pub after: Seq,
    /// Only what the user has not read: a replay of unread entries is still under way.
    pub unread_only: bool,
}

/// What the connection needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An answer to the step that was asked for.
    Wait,
    /// Another step from here.
    Ask(Cursor),
    /// Nothing: it is live from this place on.
    Live(Seq),
}

/// A connection that is catching up.
#[derive(Debug, Default)]
pub struct Handover {
    asked: bool,
    step: Option<Ended>,
    payloads: VecDeque<Bytes>,
}

/// Where the last step ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    head: Seq,
    next: Option<Cursor>,
}

impl Handover {
    /// Begins with the first step asked for.
    pub fn begun() -> Self {
        Self { asked: true, ..Self::default() }
    }

    /// A step was read: payloads to send, and where it ended.
    pub fn handle_step(&mut self, payloads: Vec<Bytes>, head: Seq, next: Option<Cursor>) {
        self.asked = false;
        self.payloads.extend(payloads);
        self.step = Some(Ended { head, next });
    }

    /// The next payload to send, if there is one. To be pulled only while the outbox is under half.
    pub fn poll_payload(&mut self) -> Option<Bytes> {
        self.payloads.pop_front()
    }

    /// What is needed now, where `emitted` is the last entry emitted to the connection's room.
    pub fn poll_next(&mut self, emitted: Seq) -> Next {
        let Some(ended) = self.step.filter(|_| !self.asked && self.payloads.is_empty()) else {
            return Next::Wait;
        };
        let cursor = match ended.next {
            Some(cursor) => cursor,
            None if emitted > ended.head => Cursor { after: ended.head, unread_only: false },
            None => return Next::Live(ended.head),
        };
        self.asked = true;
        Next::Ask(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(payload: &'static str) -> Vec<Bytes> {
        vec![Bytes::from_static(payload.as_bytes())]
    }

    #[test]
    fn goes_live_only_where_nothing_was_missed() {
        let mut h = Handover::begun();
        assert_eq!(h.poll_next(Seq(0)), Next::Wait);
        h.handle_step(pages("a"), Seq(5), Some(Cursor { after: Seq(3), unread_only: true }));
        assert_eq!(h.poll_next(Seq(9)), Next::Wait, "payloads first");
        assert_eq!(h.poll_payload().unwrap(), "a");
        assert_eq!(h.poll_next(Seq(9)), Next::Ask(Cursor { after: Seq(3), unread_only: true }));
        assert_eq!(h.poll_next(Seq(9)), Next::Wait, "asked once");
        h.handle_step(vec![], Seq(7), None);
        assert_eq!(h.poll_next(Seq(9)), Next::Ask(Cursor { after: Seq(7), unread_only: false }));
        h.handle_step(vec![], Seq(9), None);
        assert_eq!(h.poll_next(Seq(9)), Next::Live(Seq(9)));
    }
}
