//! Notifications whose time is over.

use std::sync::Arc;

use campanile_model::{Cause, EntryKind, Notification, Seq};

use super::fixture::*;
use crate::{Mark, Store, StoreError, Write};

fn lasting(notification: Notification, millis: i64) -> Notification {
    Notification { expires_at: Some(at(millis)), ..notification }
}

async fn expire(store: &dyn Store, millis: i64, limit: usize) -> usize {
    store.expire(at(millis), limit).await.expect("what is due expires")
}

pub(super) async fn what_is_due_is_withdrawn(store: &dyn Store) {
    let id = publish(store, lasting(to_users(&["alice"]), 10)).await.id; // 1
    publish(store, to_all()).await; // 2
    publish(store, lasting(to_all(), 11)).await; // 3
    mark(store, "alice", Mark::Read(id)).await;
    assert_eq!(expire(store, 9, 100).await, 0);
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(3), "nothing was written");
    let mut commits = store.commits();
    assert_eq!(expire(store, 10, 100).await, 1);
    assert_eq!(expire(store, 10, 100).await, 0);
    let told = EntryKind::Retract { target: id, target_seq: Seq(1), cause: Cause::Expired, withdrawn: None };
    let commit = commits.recv().await.expect("a commit is told");
    assert_eq!(commit.entries.iter().map(|e| &e.kind).collect::<Vec<_>>(), [&told]);
    let entries = store.entries(&ws(), Seq(0), Seq(9), 9).await.expect("entries can be read");
    assert_eq!(entries.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(entries[2].kind, told);
    assert_eq!(seen(store, "alice").await, [2, 3]);
    assert_eq!(unread(store, "alice").await, 2);
    for user in [None, Some(&user("alice"))] {
        assert!(matches!(store.find(&ws(), user, id).await, Err(StoreError::NotFound)));
    }
    assert!(store.append(&ws(), Write::Retract { id }, at(0)).await.is_err());
}

pub(super) async fn the_longest_due_go_first_in_every_workspace(store: &dyn Store) {
    let other = slug("other");
    for due in [7, 5, 6] {
        publish(store, lasting(to_all(), due)).await; // 1, 2, 3
        store.append(&other, one(lasting(to_all(), due + 10)), at(0)).await.expect("the write is taken");
    }
    assert_eq!(expire(store, 100, 2).await, 2);
    assert_eq!(seen(store, "alice").await, [1], "those of 5 and 6 went");
    assert_eq!(expire(store, 100, 2).await, 2);
    assert_eq!(seen(store, "alice").await, [0; 0]);
    let elsewhere = store.visible(&other, &user("alice"), everything()).await.expect("a list can be read");
    assert_eq!(places(&elsewhere), [1, 3], "that of 15 went");
    assert_eq!(expire(store, 100, 100).await, 2);
    assert_eq!(expire(store, 100, 100).await, 0);
    let heads: Vec<u64> =
        store.heads().await.expect("heads can be read").iter().map(|head| head.seq.0).collect();
    assert_eq!(heads, [6, 6]);
}

pub(super) async fn an_update_moves_the_time(store: &dyn Store) {
    let sooner = lasting(to_all(), 50);
    let never = lasting(to_all(), 10);
    let first = to_all();
    for notification in [&sooner, &never, &first] {
        publish(store, notification.clone()).await; // 1, 2, 3
    }
    let updates = [
        Notification { expires_at: Some(at(10)), ..sooner },
        Notification { expires_at: None, ..never },
        Notification { expires_at: Some(at(20)), ..first },
    ];
    for notification in updates {
        append(store, Write::Update { notification: Arc::new(notification), expected: None }).await;
    }
    assert_eq!(expire(store, 10, 100).await, 1);
    assert_eq!(seen(store, "alice").await, [2, 3]);
    assert_eq!(expire(store, 100, 100).await, 1);
    assert_eq!(seen(store, "alice").await, [2]);
}

pub(super) async fn who_still_sees_a_superseded_one_sees_it_until_then(store: &dyn Store) {
    let old = keyed(lasting(to_all(), 10), "key");
    publish(store, old.clone()).await; // 1
    mark(store, "alice", Mark::Read(old.id)).await;
    publish(store, keyed(to_all(), "key")).await; // 2, 3
    assert_eq!(seen(store, "alice").await, [1, 2]);
    assert_eq!(expire(store, 10, 100).await, 1);
    assert_eq!(seen(store, "alice").await, [2]);
    assert_eq!((unread(store, "alice").await, unread(store, "bob").await), (1, 1));
    assert!(matches!(store.find(&ws(), None, old.id).await, Err(StoreError::NotFound)));
}

pub(super) async fn what_was_withdrawn_or_pruned_is_not_due(store: &dyn Store) {
    let id = publish(store, lasting(to_all(), 10)).await.id; // 1
    publish(store, lasting(to_users(&["alice"]), 10)).await; // 2
    append(store, Write::Retract { id }).await; // 3
    publish(store, to_all()).await; // 4
    prune(store, crate::Retention { max_age_ms: None, max_entries: Some(1) }, at(0)).await;
    assert_eq!(expire(store, 100, 100).await, 0);
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(4));
}
