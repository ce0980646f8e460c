//! The oldest entries go.

use campanile_model::Seq;

use super::fixture::*;
use crate::{Mark, Retention, Store, StoreError, Write};

const KEEP_ALL: Retention = Retention { max_age_ms: None, max_entries: None };

fn newest(count: u64) -> Retention {
    Retention { max_entries: Some(count), ..KEEP_ALL }
}

pub(super) async fn the_oldest_go_by_count(store: &dyn Store) {
    let gone = publish(store, to_all()).await.id;
    for _ in 0..9 {
        publish(store, to_all()).await;
    }
    prune(store, KEEP_ALL, at(i64::from(i32::MAX))).await;
    assert_eq!(snapshot(store, "alice").await.first, Seq(1));
    prune(store, newest(4), at(0)).await;
    let now = snapshot(store, "alice").await;
    assert_eq!((now.first, now.counts.head, now.counts.unread), (Seq(7), Seq(10), 4));
    assert_eq!(seen(store, "alice").await, [7, 8, 9, 10]);
    assert_eq!(store.heads().await.expect("heads can be read")[0].first, Seq(7));
    let entries = store.entries(&ws(), Seq(0), Seq(10), 99).await.expect("entries can be read");
    assert_eq!(entries.first().map(|e| e.seq), Some(Seq(7)));
    assert!(matches!(store.find(&ws(), None, gone).await, Err(StoreError::NotFound)));
    let unknown =
        store.prune(&slug("nowhere"), newest(0), 9, at(0)).await.expect("an unknown workspace is empty");
    assert_eq!(unknown, 0);
}

pub(super) async fn the_oldest_go_by_age_and_only_a_prefix(store: &dyn Store) {
    for millis in [100, 200, 5000, 300] {
        store.append(&ws(), one(to_all()), at(millis)).await.expect("the write is taken");
    }
    let keep = Retention { max_age_ms: Some(1000), ..KEEP_ALL };
    prune(store, keep, at(1200)).await;
    assert_eq!(snapshot(store, "alice").await.first, Seq(2), "as old as may be is kept");
    prune(store, keep, at(4000)).await;
    assert_eq!(snapshot(store, "alice").await.first, Seq(3), "what stands behind a younger one is kept");
    prune(store, keep, at(6001)).await;
    assert_eq!(snapshot(store, "alice").await.first, Seq(5));
}

pub(super) async fn what_remains_keeps_its_place_and_count(store: &dyn Store) {
    subscribe(store, "news", &["alice"]).await; // 1
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(publish(store, to_all()).await.id); // 2, 6, 10, 14
        ids.push(publish(store, to_topic("news")).await.id); // 3, 7, 11, 15
        ids.push(publish(store, to_users(&["alice", "bob"])).await.id); // 4, 8, 12, 16
        ids.push(publish(store, except(to_all(), &["alice"])).await.id); // 5, 9, 13, 17
    }
    append(store, Write::Retract { id: ids[2] }).await; // 18
    mark(store, "alice", Mark::ReadAll(Some(Seq(3)))).await;
    mark(store, "alice", Mark::Unread(ids[0])).await;
    mark(store, "alice", Mark::Read(ids[4])).await;
    mark(store, "alice", Mark::Read(ids[8])).await;
    mark(store, "alice", Mark::Archive(ids[9])).await;
    assert_eq!((unread(store, "alice").await, unread(store, "bob").await), (7, 11));
    prune(store, newest(12), at(0)).await; // up to and including 6
    assert_eq!((unread(store, "alice").await, unread(store, "bob").await), (6, 8));
    assert_eq!(seen(store, "alice").await, [7, 8, 10, 11, 12, 14, 15, 16]);
    assert_eq!(mark(store, "alice", Mark::Unread(ids[9])).await.unread, 7);
    assert_eq!(mark(store, "alice", Mark::ReadAll(Some(Seq(10)))).await.unread, 5);
    prune(store, newest(3), at(0)).await; // 16 to 18 stay
    assert_eq!((unread(store, "alice").await, unread(store, "bob").await), (1, 2));
    assert_eq!(publish(store, to_topic("news")).await.seq, Seq(19));
    assert_eq!(seen(store, "alice").await, [16, 19]);
}

pub(super) async fn an_empty_log_goes_on_counting(store: &dyn Store) {
    for _ in 0..3 {
        publish(store, to_users(&["alice"])).await;
    }
    mark(store, "alice", Mark::ReadAll(Some(Seq(2)))).await;
    prune(store, newest(0), at(0)).await;
    let now = snapshot(store, "alice").await;
    assert_eq!((now.first, now.counts.head, now.counts.unread, now.counts.rev.0), (Seq(4), Seq(3), 0, 1));
    assert_eq!(publish(store, to_users(&["alice"])).await.seq, Seq(4));
    assert_eq!(unread(store, "alice").await, 1);
    assert_eq!(seen(store, "alice").await, [4]);
}
