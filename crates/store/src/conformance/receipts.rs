//! What users did with what they see.

use campanile_model::{NotificationId, Receipt, Rev, Seq};

use super::fixture::*;
use crate::{Mark, Store, StoreError, VisibleQuery};

async fn receipt(store: &dyn Store, name: &str, id: NotificationId) -> Receipt {
    store.find(&ws(), Some(&user(name)), id).await.expect("it is there").receipt
}

pub(super) async fn archived_is_read_and_read_is_seen(store: &dyn Store) {
    let id = publish(store, to_all()).await.id;
    let is = |seen, read, archived| Receipt { seen, read, archived };
    assert_eq!(receipt(store, "alice", id).await, is(false, false, false));
    mark(store, "alice", Mark::Read(id)).await;
    assert_eq!(receipt(store, "alice", id).await, is(true, true, false));
    mark(store, "alice", Mark::Unread(id)).await;
    assert_eq!(receipt(store, "alice", id).await, is(true, false, false));
    mark(store, "alice", Mark::Archive(id)).await;
    assert_eq!(receipt(store, "alice", id).await, is(true, true, true));
    mark(store, "alice", Mark::Read(id)).await;
    assert_eq!(receipt(store, "alice", id).await, is(true, true, true));
    mark(store, "alice", Mark::Unread(id)).await;
    assert_eq!(receipt(store, "alice", id).await, is(true, false, false));
    let producer = store.find(&ws(), None, id).await.expect("it is there").receipt;
    assert_eq!(producer, Receipt::default());
}

pub(super) async fn each_effective_mark_is_one_revision(store: &dyn Store) {
    let a = publish(store, to_all()).await.id;
    let b = publish(store, to_all()).await.id;
    let steps = [
        (Mark::Unread(a), false, 0, 2),
        (Mark::Read(a), true, 1, 1),
        (Mark::Read(a), false, 1, 1),
        (Mark::Archive(a), true, 2, 1),
        (Mark::Archive(a), false, 2, 1),
        (Mark::Read(a), false, 2, 1),
        (Mark::Seen(None), true, 3, 1),
        (Mark::Seen(None), false, 3, 1),
        (Mark::ReadAll(None), true, 4, 0),
        (Mark::ReadAll(None), false, 4, 0),
        (Mark::Read(b), false, 4, 0),
        (Mark::Unread(b), true, 5, 1),
        (Mark::Unread(b), false, 5, 1),
        (Mark::Seen(None), false, 5, 1),
        (Mark::Unread(a), true, 6, 2),
    ];
    for (mark_now, changed, rev, unread) in steps {
        let marked = mark(store, "alice", mark_now.clone()).await;
        assert_eq!((marked.changed, marked.rev, marked.unread), (changed, Rev(rev), unread), "{mark_now:?}");
        let snapshot = snapshot(store, "alice").await;
        assert_eq!((snapshot.counts.rev, snapshot.counts.unread), (Rev(rev), unread), "{mark_now:?}");
    }
}

pub(super) async fn a_mark_needs_an_entry_that_the_user_sees(store: &dyn Store) {
    let unknown = store.mark(&ws(), &user("alice"), Mark::Read(new_id()), None, at(0)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound)), "no workspace yet");
    let nothing = mark(store, "alice", Mark::ReadAll(None)).await;
    assert_eq!((nothing.changed, nothing.rev, nothing.unread), (false, Rev(0), 0));
    let others = publish(store, to_users(&["bob"])).await.id;
    let excepted = publish(store, except(to_all(), &["alice"])).await.id;
    let topic = publish(store, to_topic("news")).await.id;
    for id in [others, excepted, topic, new_id()] {
        for mark in [Mark::Read(id), Mark::Unread(id), Mark::Archive(id)] {
            let refused = store.mark(&ws(), &user("alice"), mark, None, at(0)).await;
            assert!(matches!(refused, Err(StoreError::NotFound)));
        }
        assert!(matches!(store.find(&ws(), Some(&user("alice")), id).await, Err(StoreError::NotFound)));
    }
    assert_eq!(snapshot(store, "alice").await.counts.rev, Rev(0));
    assert_eq!(unread(store, "bob").await, 2);
}

pub(super) async fn read_all_goes_up_to_a_place(store: &dyn Store) {
    for _ in 0..6 {
        publish(store, to_all()).await;
    }
    assert_eq!(mark(store, "alice", Mark::ReadAll(Some(Seq(4)))).await.unread, 2);
    assert!(!mark(store, "alice", Mark::ReadAll(Some(Seq(3)))).await.changed);
    let items = list(store, "alice", everything()).await;
    let read: Vec<bool> = items.iter().map(|item| item.receipt.read).collect();
    assert_eq!(read, [true, true, true, true, false, false]);
    mark(store, "alice", Mark::Unread(items[1].notification.id)).await;
    mark(store, "alice", Mark::Unread(items[3].notification.id)).await;
    assert_eq!(unread(store, "alice").await, 4);
    assert_eq!(mark(store, "alice", Mark::ReadAll(Some(Seq(2)))).await.unread, 3);
    assert_eq!(mark(store, "alice", Mark::ReadAll(Some(Seq(u64::MAX)))).await.unread, 0);
    publish(store, to_all()).await;
    assert_eq!(unread(store, "alice").await, 1, "what came later was not read");
    assert_eq!(unread(store, "bob").await, 7);
}

pub(super) async fn seen_goes_up_to_a_place(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(publish(store, to_all()).await.id);
    }
    let marked = mark(store, "alice", Mark::Seen(Some(Seq(2)))).await;
    assert_eq!((marked.changed, marked.unread), (true, 4));
    let now = snapshot(store, "alice").await;
    assert_eq!((now.counts.unread, now.counts.unseen, now.counts.rev), (4, 2, Rev(1)));
    assert!(!mark(store, "alice", Mark::Seen(Some(Seq(1)))).await.changed);
    mark(store, "alice", Mark::Read(ids[3])).await;
    mark(store, "alice", Mark::Unread(ids[3])).await;
    let now = snapshot(store, "alice").await;
    assert_eq!((now.counts.unread, now.counts.unseen), (4, 1), "unread again, but seen");
    let items = list(store, "alice", everything()).await;
    let seen: Vec<bool> = items.iter().map(|item| item.receipt.seen).collect();
    assert_eq!(seen, [true, true, false, true]);
    mark(store, "alice", Mark::Seen(Some(Seq(u64::MAX)))).await;
    publish(store, to_all()).await;
    assert_eq!(snapshot(store, "alice").await.counts.unseen, 1);
}

pub(super) async fn what_was_read_one_by_one_can_be_unread_again(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(publish(store, to_users(&["alice"])).await.id);
    }
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(mark(store, "alice", Mark::Read(*id)).await.unread, 4 - n as u64);
    }
    assert_eq!(snapshot(store, "alice").await.counts.unseen, 0);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(mark(store, "alice", Mark::Unread(*id)).await.unread, 1 + n as u64);
    }
    assert_eq!(mark(store, "alice", Mark::ReadAll(Some(Seq(3)))).await.unread, 2);
    publish(store, to_users(&["alice"])).await;
    let now = snapshot(store, "alice").await;
    assert_eq!((now.counts.unread, now.counts.unseen), (3, 1));
}

pub(super) async fn lists_select_by_read_state(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(publish(store, to_all()).await.id);
    }
    mark(store, "alice", Mark::ReadAll(Some(Seq(4)))).await;
    mark(store, "alice", Mark::Unread(ids[1])).await;
    mark(store, "alice", Mark::Read(ids[6])).await;
    mark(store, "alice", Mark::Archive(ids[8])).await;
    mark(store, "alice", Mark::Archive(ids[0])).await;
    let select = |read, archived| VisibleQuery { read, archived, ..everything() };
    for (query, expected) in [
        (select(Some(false), None), vec![2, 5, 6, 8, 10]),
        (select(Some(true), None), vec![1, 3, 4, 7, 9]),
        (select(None, Some(true)), vec![1, 9]),
        (select(None, Some(false)), vec![2, 3, 4, 5, 6, 7, 8, 10]),
        (select(Some(true), Some(false)), vec![3, 4, 7]),
        (select(Some(false), Some(true)), vec![]),
    ] {
        assert_eq!(places(&list(store, "alice", query).await), expected, "{query:?}");
        let newest_first = VisibleQuery { newest_first: true, limit: 3, ..query };
        let down: Vec<u64> = expected.iter().rev().take(3).copied().collect();
        assert_eq!(places(&list(store, "alice", newest_first).await), down, "{newest_first:?}");
    }
}

pub(super) async fn users_do_not_meet(store: &dyn Store) {
    let id = publish(store, to_users(&["alice", "bob"])).await.id;
    mark(store, "alice", Mark::Archive(id)).await;
    assert_eq!(receipt(store, "bob", id).await, Receipt::default());
    assert_eq!((unread(store, "bob").await, unread(store, "carol").await), (1, 0));
    assert_eq!(snapshot(store, "bob").await.counts.rev, Rev(0));
}
