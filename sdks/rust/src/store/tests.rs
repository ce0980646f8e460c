//! What the store makes of frames, in whatever order pages and repetitions come.

use proptest::prelude::*;

use super::*;
use crate::inbox::{Filter, Page};
use crate::surface::Receipt;

fn item(seq: u64) -> Notification {
    Notification {
        seq: Some(seq),
        id: format!("n{seq}"),
        title: format!("title {seq}"),
        ..Notification::default()
    }
}

fn notification(seq: u64) -> Frame {
    Frame::Notification { seq: Some(seq), item: Box::new(item(seq)) }
}

fn retract(seq: u64, of: u64) -> Frame {
    Frame::Retract { seq, id: format!("n{of}"), cause: "retracted".into(), by: None }
}

fn read(rev: u64, head: u64, of: u64, unread: u64) -> Frame {
    let receipt = Receipt { id: format!("n{of}"), seen: true, read: true, archived: false };
    Frame::Receipts(Receipts {
        rev,
        head,
        unread,
        unseen: unread,
        items: vec![receipt],
        ..Receipts::default()
    })
}

fn hello(head: u64, unread: u64) -> Frame {
    let epoch = Some("e".to_owned());
    Frame::Hello(Hello { epoch, seq: head, head, rev: 1, unread, unseen: unread, ..Hello::default() })
}

fn page(items: &[u64], head: u64, rev: u64, unread: u64) -> Page {
    let items = items.iter().map(|seq| item(*seq)).collect();
    Page { items, older: None, unread, unseen: unread, head, epoch: Some("e".into()), rev }
}

fn loaded(items: &[u64]) -> Store {
    let (mut store, head, unread) =
        (Store::new(ITEM_LIMIT, None), items.first().copied().unwrap_or(0), items.len() as u64);
    store.apply(&hello(head, unread));
    store.expect_page();
    store.merge(&page(items, head, 1, unread), Filter::default(), true);
    store
}

fn shown(store: &Store) -> (Vec<(u64, bool)>, u64, u64, Option<Position>) {
    let items = store.items().map(|item| (item.seq.unwrap_or_default(), item.read)).collect();
    (items, store.unread, store.unseen, store.position.clone())
}

fn ids(store: &Store) -> Vec<u64> {
    store.items().filter_map(|item| item.seq).collect()
}

#[test]
fn a_notification_counts_once_and_only_above_what_was_counted() {
    let mut store = loaded(&[7]);
    assert!(matches!(store.apply(&notification(9)), Some(Change::Notification(_))));
    assert_eq!(store.apply(&notification(9)), None);
    assert_eq!((ids(&store), store.unread), (vec![9, 7], 2));
    store.apply(&Frame::Heartbeat(Heartbeat { seq: 9, head: 12, rev: 1, unread: 3, unseen: 3, epoch: None }));
    store.apply(&notification(11));
    assert_eq!(store.unread, 3, "it was in the counts as of place 12");
}

#[test]
fn what_came_while_the_page_was_on_its_way_is_not_lost() {
    let mut store = Store::new(ITEM_LIMIT, None);
    store.apply(&hello(7, 2));
    store.expect_page();
    store.apply(&notification(8));
    store.apply(&retract(9, 7));
    store.apply(&read(2, 9, 6, 1));
    // The page was read before all of it.
    store.merge(&page(&[7, 6], 7, 1, 2), Filter::default(), true);
    assert_eq!(ids(&store), [8, 6]);
    assert!(store.item("n6").unwrap().read);
    assert_eq!((store.unread, store.horizon(), store.position.as_ref().unwrap().rev), (1, 9, 2));
}

#[test]
fn a_page_newer_than_the_frames_counts_them_already() {
    let mut store = Store::new(ITEM_LIMIT, None);
    store.apply(&hello(7, 1));
    store.expect_page();
    store.apply(&notification(8));
    store.merge(&page(&[9, 8, 7], 9, 1, 3), Filter::default(), true);
    assert_eq!(store.unread, 3);
    assert!(
        matches!(store.apply(&notification(9)), Some(Change::Notification(_))),
        "it is told once all the same"
    );
    assert_eq!((ids(&store), store.unread), (vec![9, 8, 7], 3));
}

#[test]
fn read_up_to_a_place_holds_for_what_lies_between() {
    let mut store = loaded(&[9, 8, 7]);
    let up_to = |rev, place| {
        Frame::Receipts(Receipts {
            rev,
            head: 9,
            read_up_to: place,
            seen_up_to: place,
            ..Receipts::default()
        })
    };
    store.apply(&up_to(2, 8));
    let read: Vec<bool> = store.items().map(|item| item.read).collect();
    assert_eq!(read, [false, true, true]);
    // Unread again, and the place told once more: it stays unread.
    let receipt = Receipt { id: "n7".into(), seen: true, read: false, archived: false };
    store.apply(&Frame::Receipts(Receipts {
        rev: 3,
        head: 9,
        read_up_to: 8,
        seen_up_to: 8,
        items: vec![receipt],
        ..Receipts::default()
    }));
    store.apply(&up_to(3, 8));
    assert!(!store.item("n7").unwrap().read);
}

#[test]
fn a_resync_keeps_what_is_shown_until_the_inbox_was_read_again() {
    let mut store = loaded(&[7]);
    store.apply(&Frame::Resync { epoch: Some("other".into()), seq: 3, reason: "epoch".into() });
    assert_eq!((ids(&store), store.reload), (vec![7], Some(3)));
    store.expect_page();
    store.give_up_page();
    assert_eq!(store.reload, Some(3), "a page that did not come is still wanted");
    store.expect_page();
    store.merge(&Page { epoch: Some("other".into()), ..page(&[3], 3, 0, 1) }, Filter::default(), true);
    let position = Position { epoch: Some("other".into()), seq: 3, rev: 0 };
    assert_eq!((ids(&store), &store.position), (vec![3], &Some(position)));
}

fn resumed(seq: u64, head: u64, unread: u64) -> Frame {
    let epoch = Some("e".to_owned());
    let resumed =
        Hello { epoch, seq, head, rev: 1, unread, unseen: unread, resumed: true, ..Hello::default() };
    Frame::Hello(resumed)
}

fn beat(seq: u64, unread: u64) -> Frame {
    let epoch = Some("e".into());
    Frame::Heartbeat(Heartbeat { epoch, seq, head: seq, rev: 1, unread, unseen: unread })
}

#[test]
fn what_a_page_brought_ahead_of_a_broken_stream_goes_unless_it_is_replayed() {
    let mut store = Store::new(ITEM_LIMIT, None);
    store.apply(&hello(7, 1));
    store.expect_page();
    store.merge(&page(&[11, 10, 9, 7], 11, 1, 4), Filter::default(), true);
    store.apply(&resumed(7, 13, 2));
    let anew = Notification { title: "anew".into(), read: true, ..item(9) };
    let replayed = Frame::Notification { seq: Some(9), item: Box::new(anew) };
    assert!(matches!(store.apply(&replayed), Some(Change::Notification(_))));
    assert_eq!(ids(&store), [11, 10, 9, 7], "the replay may still have them");
    // The replay breaks, and goes on behind what it told; what it passed over is gone.
    store.apply(&notification(11));
    store.apply(&resumed(11, 13, 2));
    assert_eq!(ids(&store), [11, 9, 7]);
    store.apply(&beat(13, 2));
    assert_eq!((ids(&store), store.unread), (vec![11, 9, 7], 2));
    let held = store.item("n9").unwrap();
    assert_eq!((held.title.as_str(), held.read), ("anew", true));
}

#[test]
fn a_page_that_comes_amid_a_replay_is_in_doubt_as_well() {
    let mut store = Store::new(ITEM_LIMIT, Some(Position { epoch: Some("e".into()), seq: 7, rev: 1 }));
    store.apply(&resumed(7, 9, 2));
    store.expect_page();
    store.merge(&page(&[9, 8, 7], 9, 1, 3), Filter::default(), true);
    store.apply(&notification(8));
    store.apply(&beat(10, 2));
    assert_eq!(ids(&store), [8, 7]);
    // Nothing is in doubt any more: what a page has is there.
    store.expect_page();
    store.merge(&page(&[12, 8, 7], 12, 1, 3), Filter::default(), true);
    store.apply(&beat(12, 3));
    assert_eq!(ids(&store), [12, 8, 7]);
}

#[test]
fn receipts_up_to_a_page_hold_for_what_the_page_does_not_have() {
    let mut store = loaded(&[7]);
    store.expect_page();
    // 8 was archived at revision 2, 9 read at 3 and unread at 4, before the stream tells of any of it.
    store.merge(&page(&[9, 7], 9, 4, 2), Filter::default(), true);
    store.apply(&notification(8));
    store.apply(&notification(9));
    let archived = Receipt { id: "n8".into(), seen: true, read: true, archived: true };
    let receipts = Receipts { rev: 2, head: 9, items: vec![archived], ..Receipts::default() };
    store.apply(&Frame::Receipts(receipts));
    store.apply(&read(3, 9, 9, 1));
    assert!(store.item("n8").unwrap().archived);
    assert!(!store.item("n9").unwrap().read, "the page knows better");
    assert_eq!(store.position.as_ref().unwrap().rev, 3, "after a break the rest is told");
    store.apply(&read(5, 9, 9, 1));
    assert!(store.item("n9").unwrap().read);
}

#[test]
fn a_log_that_had_no_name_yet_is_asked_for_from_its_start() {
    let mut store = Store::new(ITEM_LIMIT, None);
    store.apply(&Frame::Hello(Hello { rev: 1, ..Hello::default() }));
    store.expect_page();
    store.merge(&Page { epoch: None, ..page(&[], 0, 1, 0) }, Filter::default(), true);
    store.apply(&notification(1));
    let asked = crate::surface::native::query("demo", store.position.as_ref());
    assert_eq!(asked[1..], [("since", "0".to_owned()), ("rev", "1".to_owned())]);
    store.apply(&resumed(0, 2, 2));
    assert_eq!(store.apply(&notification(1)), None, "it was told before the break");
    store.apply(&notification(2));
    let position = Position { epoch: Some("e".into()), seq: 2, rev: 1 };
    assert_eq!((ids(&store), store.unread, &store.position), (vec![2, 1], 2, &Some(position)));
    store.apply(&beat(2, 2));
    assert!(!store.is_incomplete());
}

#[test]
fn what_a_log_without_a_name_told_and_its_replay_leaves_out_is_gone() {
    let mut store = Store::new(ITEM_LIMIT, None);
    store.apply(&Frame::Hello(Hello { rev: 1, ..Hello::default() }));
    store.expect_page();
    store.merge(&Page { epoch: None, ..page(&[], 0, 1, 0) }, Filter::default(), true);
    for seq in 1..=3 {
        store.apply(&notification(seq));
    }
    store.apply(&resumed(0, 4, 3));
    store.apply(&notification(1));
    // That replay broke as well. Whoever saves the place has had more than that.
    let reached = |store: &Store| (store.horizon(), store.reached().unwrap().seq, store.is_incomplete());
    assert_eq!((ids(&store), reached(&store)), (vec![3, 2, 1], (1, 3, true)));
    store.apply(&resumed(1, 4, 3));
    assert_eq!(store.apply(&notification(3)), None);
    assert!(matches!(store.apply(&notification(4)), Some(Change::Notification(_))));
    store.apply(&beat(4, 3));
    assert_eq!((ids(&store), reached(&store), store.unread), (vec![4, 3, 1], (4, 4, false), 3));
}

#[test]
fn what_a_replay_passed_over_no_page_of_before_brings_back() {
    for fresh in [true, false] {
        let mut store = Store::new(ITEM_LIMIT, Some(Position { epoch: Some("e".into()), seq: 7, rev: 1 }));
        store.apply(&resumed(7, 9, 2));
        store.expect_page();
        store.apply(&notification(9));
        store.apply(&notification(11));
        if !fresh {
            store.apply(&beat(11, 3));
        }
        // 8 came, was listed, and was taken back before the replay got there: that it is gone nobody tells.
        store.merge(&page(&[9, 8, 7], 9, 1, 3), Filter::default(), fresh);
        assert_eq!((ids(&store), store.reload), (vec![11, 9, 7], Some(11)));
    }
}

fn superseded(seq: u64, of: u64) -> Frame {
    Frame::Retract { seq, id: format!("n{of}"), cause: "superseded".into(), by: None }
}

#[test]
fn what_was_read_elsewhere_before_it_was_superseded_comes_back() {
    let up_to = |head, read_up_to| {
        Frame::Receipts(Receipts { rev: 2, head, read_up_to, unread: 2, unseen: 2, ..Receipts::default() })
    };
    let told = [
        (read(2, 10, 6, 2), true, None),
        (up_to(9, 7), true, None),
        (up_to(10, 7), false, Some(10)),
        (read(2, 10, 7, 2), false, None),
        (beat(10, 2), false, None),
    ];
    for (frame, back, reload) in told {
        let mut store = loaded(&[7, 6]);
        store.apply(&notification(9));
        store.apply(&superseded(10, 6));
        assert_eq!(ids(&store), [9, 7], "nobody sees it while it is not known");
        store.apply(&frame);
        assert_eq!((store.item("n6").is_some(), store.reload), (back, reload), "{frame:?}");
        assert!(!back || store.item("n6").is_some_and(|item| item.read && item.superseded));
        // Everything was told by now.
        store.apply(&beat(10, 2));
        store.apply(&read(3, 10, 6, 2));
        assert_eq!(store.item("n6").is_some(), back, "{frame:?}");
    }
}

#[test]
fn what_a_late_page_has_of_superseded_entries_is_not_waited_for() {
    let mut store = Store::new(ITEM_LIMIT, None);
    store.apply(&hello(7, 1));
    store.expect_page();
    store.apply(&notification(8));
    store.apply(&superseded(9, 7));
    store.apply(&beat(9, 1));
    store.apply(&notification(11));
    // That it was not read had been told before this came.
    store.merge(&page(&[7], 7, 1, 1), Filter::default(), true);
    let head = Receipts { rev: 2, head: 11, read_up_to: 11, seen_up_to: 11, ..Receipts::default() };
    store.apply(&Frame::Receipts(head));
    assert_eq!((ids(&store), store.reload), (vec![11, 8], None));
}

#[test]
fn superseded_in_a_replay_is_gone_also_by_a_page_that_comes_after_it() {
    let mut store = Store::new(ITEM_LIMIT, Some(Position { epoch: Some("e".into()), seq: 7, rev: 1 }));
    store.apply(&resumed(7, 7, 1));
    store.expect_page();
    store.apply(&superseded(9, 6));
    store.apply(&beat(9, 1));
    let read = Notification { read: true, seen: true, ..item(6) };
    store.merge(&Page { items: vec![item(7), read], ..page(&[], 7, 1, 1) }, Filter::default(), true);
    assert_eq!(ids(&store), [7], "it was unread again before that");
}

#[test]
fn memory_is_bounded_and_older_ones_can_be_loaded_again() {
    let mut store = loaded(&[]);
    for seq in 1..=1_200 {
        store.apply(&notification(seq));
    }
    assert_eq!((store.items().count(), store.unread), (ITEM_LIMIT, 1_200));
    let bottom = |store: &Store| store.depths.bottom(Filter::default());
    assert_eq!(bottom(&store), Some(201));
    store.expect_page();
    store.merge(
        &Page { older: Some(190), ..page(&(190..=200).rev().collect::<Vec<_>>(), 1_200, 1, 1_200) },
        Filter::default(),
        false,
    );
    assert_eq!((store.items().count(), bottom(&store)), (ITEM_LIMIT + 11, Some(190)));
    store.apply(&notification(1_201));
    assert_eq!(store.items().count(), ITEM_LIMIT + 11);
}

#[test]
fn what_is_in_no_log_outlives_a_page() {
    let mut store = loaded(&[7]);
    let item = Notification { id: "live".into(), ..Notification::default() };
    store.apply(&Frame::Notification { seq: None, item: Box::new(item) });
    store.apply(&Frame::Resync { epoch: Some("e".into()), seq: 9, reason: "overflow".into() });
    store.expect_page();
    store.merge(&page(&[9, 7], 9, 1, 2), Filter::default(), true);
    let shown: Vec<&str> = store.items().map(|item| item.id.as_str()).collect();
    assert_eq!(shown, ["n9", "live", "n7"]);
}

/// A history of frames as a server could tell it.
fn history() -> impl Strategy<Value = Vec<Frame>> {
    prop::collection::vec((0..6_u8, any::<prop::sample::Index>()), 0..40).prop_map(|steps| {
        let (mut head, mut rev) = (3, 1);
        let mut unread = vec![1_u64, 2, 3];
        let mut frames = Vec::new();
        for (kind, which) in steps {
            let of = (!unread.is_empty()).then(|| which.index(unread.len()));
            match (kind, of) {
                (0..=2, _) => {
                    head += 1;
                    unread.push(head);
                    frames.push(notification(head));
                }
                (3, Some(of)) => {
                    rev += 1;
                    let of = unread.remove(of);
                    frames.push(read(rev, head, of, unread.len() as u64));
                }
                (4, Some(of)) => {
                    head += 1;
                    frames.push(retract(head, unread.remove(of)));
                }
                _ => {
                    let count = unread.len() as u64;
                    let beat = Heartbeat {
                        epoch: Some("e".into()),
                        seq: head,
                        head,
                        rev,
                        unread: count,
                        unseen: count,
                    };
                    frames.push(Frame::Heartbeat(beat));
                }
            }
        }
        frames
    })
}

proptest! {
    /// Frames that come again, each of them later than the first time, change nothing.
    #[test]
    fn any_repetition_of_what_came_gives_the_same(
        frames in history(),
        repeats in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
    ) {
        let mut once = loaded(&[3, 2, 1]);
        let mut often = once.clone();
        let mut told = Vec::new();
        for (at, frame) in frames.iter().enumerate() {
            told.extend(once.apply(frame).filter(|change| matches!(change, Change::Notification(_))));
            let mut heard: Vec<_> = often.apply(frame).into_iter().collect();
            for (behind, which) in &repeats {
                if behind.index(frames.len()) == at {
                    heard.extend(often.apply(&frames[which.index(at + 1)]));
                }
            }
            prop_assert_eq!(shown(&once), shown(&often), "after frame {}", at);
            let news = heard.iter().filter(|change| matches!(change, Change::Notification(_))).count();
            prop_assert_eq!(news, usize::from(matches!(frame, Frame::Notification { .. })));
        }
    }

    /// Wherever a page is asked for and read by the server, what is shown in the end is the same.
    #[test]
    fn a_page_at_any_time_gives_the_same(frames in history(), at in any::<[prop::sample::Index; 3]>()) {
        let mut places = at.map(|at| at.index(frames.len() + 1));
        places.sort_unstable();
        let [asked, answered, arrived] = places;
        let mut plain = loaded(&[3, 2, 1]);
        let mut paged = plain.clone();
        let mut answer = None;
        for at in 0..=frames.len() {
            if at == asked {
                paged.expect_page();
            }
            if at == answered {
                answer = Some(Page {
                    items: plain.items().map(|item| (**item).clone()).collect(),
                    older: None,
                    unread: plain.unread,
                    unseen: plain.unseen,
                    head: plain.horizon().max(plain.head),
                    epoch: Some("e".into()),
                    rev: plain.position.as_ref().map_or(0, |position| position.rev),
                });
            }
            if at == arrived {
                paged.merge(&answer.take().unwrap(), Filter::default(), true);
            }
            if let Some(frame) = frames.get(at) {
                plain.apply(frame);
                paged.apply(frame);
            }
        }
        prop_assert_eq!(shown(&plain), shown(&paged));
    }
}
