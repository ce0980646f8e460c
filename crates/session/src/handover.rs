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
    /// How many entries were replayed before it.
    pub served: usize,
}

impl Cursor {
    /// Everything after a place, as the first to be replayed.
    pub fn after(after: Seq) -> Self {
        Self { after, unread_only: false, served: 0 }
    }
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

/// Steps that may end behind what was emitted meanwhile; then live entries are held instead.
const ROUNDS: u32 = 3;

/// A connection that is catching up.
#[derive(Debug, Default)]
pub struct Handover {
    asked: bool,
    steps: u32,
    step: Option<Ended>,
    payloads: VecDeque<Bytes>,
    rounds: u32,
    held: VecDeque<(Seq, Bytes)>,
    held_bytes: usize,
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

    /// Whether no step was read yet.
    pub fn is_fresh(&self) -> bool {
        self.steps == 0
    }

    /// A step was read: frames to send, and where it ended.
    pub fn handle_step(&mut self, frames: Vec<Bytes>, mut head: Seq, next: Option<Cursor>) {
        self.asked = false;
        self.steps += 1;
        self.payloads.extend(frames);
        if self.is_holding() && next.is_none() {
            for (seq, frame) in self.held.drain(..) {
                if seq > head {
                    head = seq;
                    self.payloads.push_back(frame);
                }
            }
            self.held_bytes = 0;
        }
        self.step = Some(Ended { head, next });
    }

    /// Whether live entries are to be handed to [`handle_held`](Self::handle_held).
    pub fn is_holding(&self) -> bool {
        self.rounds > ROUNDS
    }

    /// Keeps a live entry until the step under way was read. `false`: more than `limit` bytes would wait.
    pub fn handle_held(&mut self, seq: Seq, frame: Bytes, limit: usize) -> bool {
        self.held_bytes += frame.len();
        match self.step.as_mut().filter(|step| !self.asked && step.next.is_none()) {
            // Nothing is under way any more: it goes behind what waits to be sent.
            Some(step) if seq > step.head => {
                step.head = seq;
                self.payloads.push_back(frame);
            }
            Some(_) => {}
            None => self.held.push_back((seq, frame)),
        }
        self.held_bytes <= limit
    }

    /// The next frame to send, if there is one. To be pulled only while the outbox is under half.
    pub fn poll_payload(&mut self) -> Option<Bytes> {
        self.payloads.pop_front()
    }

    /// What is needed now, where `emitted` is the last entry emitted to the connection's room.
    ///
    /// An entry emitted is one queued for fan-out: those up to `emitted` at the time of asking are in the
    /// step asked for, and from then on a holding hand-over is handed all others.
    pub fn poll_next(&mut self, emitted: Seq) -> Next {
        let Some(ended) = self.step.filter(|_| !self.asked && self.payloads.is_empty()) else {
            return Next::Wait;
        };
        let cursor = match ended.next {
            Some(cursor) => cursor,
            None if emitted > ended.head && !self.is_holding() => {
                self.rounds += 1;
                Cursor::after(ended.head)
            }
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
        h.handle_step(pages("a"), Seq(5), Some(Cursor { after: Seq(3), unread_only: true, served: 1 }));
        assert_eq!(h.poll_next(Seq(9)), Next::Wait, "payloads first");
        assert_eq!(h.poll_payload().unwrap(), "a");
        assert_eq!(h.poll_next(Seq(9)), Next::Ask(Cursor { after: Seq(3), unread_only: true, served: 1 }));
        assert_eq!(h.poll_next(Seq(9)), Next::Wait, "asked once");
        h.handle_step(vec![], Seq(7), None);
        assert_eq!(h.poll_next(Seq(9)), Next::Ask(Cursor::after(Seq(7))));
        h.handle_step(vec![], Seq(9), None);
        assert_eq!(h.poll_next(Seq(9)), Next::Live(Seq(9)));
    }

    #[test]
    fn holds_live_entries_once_reading_cannot_keep_up() {
        let mut h = Handover::begun();
        h.handle_step(vec![], Seq(1), None);
        for round in 1..=4 {
            assert!(!h.is_holding());
            assert!(matches!(h.poll_next(Seq(round + 1)), Next::Ask(_)));
            if round < 4 {
                h.handle_step(vec![], Seq(round + 1), None);
            }
        }
        // Asked with 5 emitted; from here on live entries come in.
        assert!(h.is_holding());
        for seq in 5..9 {
            assert!(h.handle_held(Seq(seq), Bytes::from(seq.to_string()), 100));
        }
        h.handle_step(pages("read up to 6"), Seq(6), None);
        assert!(h.handle_held(Seq(9), Bytes::from_static(b"9"), 100));
        let sent: Vec<Bytes> = std::iter::from_fn(|| h.poll_payload()).collect();
        assert_eq!(sent, ["read up to 6", "7", "8", "9"]);
        assert_eq!(h.poll_next(Seq(12)), Next::Live(Seq(9)));
        assert!(!h.handle_held(Seq(10), Bytes::from(vec![0; 200]), 100));
    }
}
