//! A store that is told what was done and what took an entry's place, in either order.

use super::*;
use crate::actions::Queue;
use crate::inbox::{Filter, Page};
use crate::store::ITEM_LIMIT;
use crate::surface::{Frame, Hello, Receipt};
use crate::view::View;

/// A client that is live, with entries at 7 and 8.
struct Told {
    store: Store,
    queue: Queue,
    rev: u64,
    read_up_to: u64,
}

fn item(seq: u64, read: bool) -> Notification {
    Notification { seq: Some(seq), id: format!("n{seq}"), read, seen: read, ..Notification::default() }
}

fn page(items: Vec<Notification>, head: u64) -> Page {
    Page { items, older: None, unread: 2, unseen: 2, head, epoch: Some("e".into()), rev: 3 }
}

fn read() -> Action {
    Action::Read { id: "n7".into() }
}

fn unread() -> Action {
    Action::Unread { id: "n7".into() }
}

fn archive() -> Action {
    Action::Archive { id: "n7".into() }
}

fn read_all() -> Action {
    Action::ReadAll { up_to: 8 }
}

impl Told {
    /// `read`: the entry at 7 is.
    fn new(read: bool) -> Self {
        let mut told =
            Self { store: Store::new(ITEM_LIMIT, None), queue: Queue::default(), rev: 3, read_up_to: 0 };
        let epoch = Some("e".to_owned());
        told.heard(Frame::Hello(Hello { epoch, seq: 8, head: 8, rev: 3, unread: 2, ..Hello::default() }));
        told.store.expect_page();
        told.store.merge(&page(vec![item(8, false), item(7, read)], 8), Filter::default(), true);
        told
    }

    fn heard(&mut self, frame: Frame) -> &mut Self {
        self.store.apply(&frame);
        self.store.settle(&mut self.queue);
        self
    }

    fn retracted(&mut self, seq: u64, cause: &str) -> &mut Self {
        self.heard(Frame::Retract { seq, id: "n7".into(), cause: cause.into(), by: Some("n10".into()) })
    }

    fn superseded(&mut self, seq: u64) -> &mut Self {
        self.retracted(seq, "superseded")
    }

    /// The answer to what was done at a head, at the next revision.
    fn done(&mut self, action: Action, head: impl Into<Option<u64>>) -> &mut Self {
        self.rev += 1;
        self.done_at(self.rev, action, head.into(), true)
    }

    fn done_at(&mut self, rev: u64, action: Action, head: Option<u64>, changed: bool) -> &mut Self {
        if let Action::ReadAll { up_to } = action {
            self.read_up_to = up_to;
        }
        self.queue.push(action, format!("k{}", self.queue.actions().count()), false, None).unwrap();
        let sent = self.queue.poll_send().unwrap();
        let done = Done { changed, rev: Some(rev), head, ..Done::default() };
        let action = self.queue.handle_done(&sent.key, done.rev.filter(|_| changed)).unwrap();
        if changed {
            self.store.answer(&action, &done);
        }
        self.store.settle(&mut self.queue);
        self
    }

    /// Receipts of the next revision: with `listed` they say that the entry at 7 is read.
    fn receipts(&mut self, head: u64, listed: bool) -> &mut Self {
        self.rev += 1;
        let receipt = Receipt { id: "n7".into(), seen: true, read: true, archived: false };
        let items = listed.then_some(receipt).into_iter().collect();
        let (rev, read_up_to) = (self.rev, self.read_up_to);
        self.heard(Frame::Receipts(Receipts {
            rev,
            head,
            unread: 1,
            read_up_to,
            items,
            ..Receipts::default()
        }))
    }

    fn beat(&mut self, head: u64) -> &mut Self {
        let epoch = Some("e".into());
        let (unread, unseen) = (1, 1);
        self.heard(Frame::Heartbeat(Heartbeat { epoch, seq: head, head, rev: self.rev, unread, unseen }))
    }

    /// Ids; with `!` those that are unread, archived or not.
    #[track_caller]
    fn shows(&mut self, expected: &[&str]) -> &mut Self {
        let mut store = self.store.clone();
        self.queue.actions().for_each(|action| store.fold(action));
        let shown: Vec<String> =
            store.items().map(|item| format!("{}{}", item.id, if item.read { "" } else { "!" })).collect();
        assert_eq!(shown, expected);
        self
    }
}

#[test]
fn what_was_read_before_it_was_superseded_is_kept_in_both_orders() {
    for (action, other) in [(read(), "n8!"), (archive(), "n8!"), (read_all(), "n8")] {
        Told::new(false).done(action.clone(), 9).superseded(11).shows(&[other, "n7"]);
        let mut late = Told::new(false);
        late.superseded(11).shows(&["n8!"]).done(action, 9).shows(&[other, "n7"]);
        assert!(late.store.item("n7").unwrap().superseded);
        late.receipts(20, true).shows(&[other, "n7"]);
    }
}

#[test]
fn what_was_read_after_it_was_superseded_is_gone_in_both_orders() {
    for (action, other) in [(read(), "n8!"), (archive(), "n8!"), (read_all(), "n8")] {
        for head in [11, 12] {
            Told::new(false).done(action.clone(), head).superseded(11).shows(&[other]);
            Told::new(false).superseded(11).done(action.clone(), head).shows(&[other]);
        }
    }
}

#[test]
fn without_a_head_what_was_answered_first_is_kept() {
    for (action, other) in [(read(), "n8!"), (archive(), "n8!"), (read_all(), "n8")] {
        Told::new(false).done(action.clone(), None).superseded(11).shows(&[other, "n7"]);
        Told::new(false).superseded(11).done(action, None).shows(&[other]);
    }
}

#[test]
fn what_receipts_or_a_page_list_as_read_was_read_in_time_whatever_was_done_later() {
    Told::new(false).done(read_all(), 12).receipts(10, true).superseded(11).shows(&["n8", "n7"]);
    Told::new(false)
        .done(read_all(), 12)
        .superseded(11)
        .shows(&["n8"])
        .receipts(20, true)
        .shows(&["n8", "n7"]);
    for superseded in [false, true] {
        let mut paged = Told::new(false);
        paged.done(read_all(), 12);
        let listed = Notification { superseded, ..item(7, true) };
        paged.store.expect_page();
        paged.store.merge(&page(vec![item(8, true), listed], 12), Filter::default(), true);
        paged.superseded(11).shows(&["n8", "n7"]);
    }
}

#[test]
fn what_was_unread_before_it_was_superseded_is_gone_in_both_orders() {
    Told::new(true).done(unread(), 9).shows(&["n8!", "n7!"]).superseded(11).shows(&["n8!"]);
    Told::new(true).superseded(11).shows(&["n8!", "n7"]).done(unread(), 9).shows(&["n8!"]);
    // Also where receipts, which say nothing of it, came before the answer.
    let mut told = Told::new(true);
    told.superseded(11).receipts(20, false).done_at(4, unread(), Some(9), true).shows(&["n8!"]);
}

#[test]
fn what_was_unread_and_read_again_before_it_was_superseded_is_kept_in_every_order() {
    for order in [[0, 1, 2], [0, 2, 1], [2, 0, 1]] {
        let mut told = Told::new(true);
        for step in order {
            match step {
                0 => told.done(unread(), 9),
                1 => told.done(read(), 9),
                _ => told.superseded(11),
            };
        }
        told.shows(&["n8!", "n7"]);
    }
}

#[test]
fn what_came_back_goes_again_where_it_was_unread_before_it_was_superseded() {
    Told::new(false).superseded(11).done(read(), 9).shows(&["n8!", "n7"]).done(unread(), 10).shows(&["n8!"]);
}

#[test]
fn what_is_superseded_and_read_can_not_be_made_unread() {
    let mut told = Told::new(true);
    told.superseded(11).done_at(4, unread(), Some(12), false).shows(&["n8!", "n7"]);
    Told::new(false).superseded(11).done(unread(), 9).shows(&["n8!"]);
}

#[test]
fn what_was_retracted_since_does_not_come_back() {
    Told::new(false).superseded(11).retracted(12, "retracted").done(read(), 9).shows(&["n8!"]);
}

#[test]
fn a_heartbeat_ends_the_waiting_for_what_was_superseded_by_then_and_not_before() {
    Told::new(false).superseded(11).beat(10).receipts(20, true).shows(&["n8!", "n7"]);
    Told::new(false).superseded(11).beat(11).receipts(20, true).shows(&["n8!"]);
}

#[test]
fn a_heartbeat_makes_what_was_answered_part_of_the_items() {
    Told::new(false).done(read(), 9).beat(10).superseded(11).shows(&["n8!", "n7"]);
    Told::new(true).done(unread(), 9).beat(10).superseded(11).shows(&["n8!"]);
    // One as of before the answer does not.
    let mut told = Told::new(false);
    told.done(read(), 9);
    told.rev = 3;
    told.beat(10).superseded(11).shows(&["n8!", "n7"]);
}

#[test]
fn a_head_says_nothing_of_another_lineage() {
    let mut told = Told::new(false);
    told.done(read(), 12);
    told.heard(Frame::Resync { epoch: Some("other".into()), seq: 3, reason: "epoch".into() });
    told.superseded(4).shows(&["n8!", "n7"]);
}

#[test]
fn what_comes_back_read_is_in_no_count() {
    let mut told = Told::new(false);
    told.superseded(11).done(read(), 9);
    let view = View::of(&told.store, told.queue.actions(), false);
    assert_eq!((view.unread, view.items.len()), (1, 2));
}
