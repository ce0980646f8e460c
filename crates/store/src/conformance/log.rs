//! The log itself: order, places, pages, bounds.

use std::sync::Arc;

use campanile_model::{EntryKind, Seq, limits};
use serde_json::value::RawValue;

use super::fixture::*;
use crate::{Idempotency, Store, StoreError, Write};

pub(super) async fn a_workspace_begins_with_its_first_write(store: &dyn Store) {
    let before = snapshot(store, "alice").await;
    assert_eq!(
        (before.counts.epoch, before.first, before.counts.head, before.counts.unread),
        (None, Seq(1), Seq(0), 0)
    );
    assert!(store.heads().await.expect("heads can be read").is_empty());
    let published = publish(store, to_all()).await;
    assert_eq!(published.seq, Seq(1));
    let after = snapshot(store, "alice").await;
    assert_eq!((after.first, after.counts.head), (Seq(1), Seq(1)));
    let heads = store.heads().await.expect("heads can be read");
    assert_eq!(heads.len(), 1);
    assert_eq!((Some(heads[0].epoch), heads[0].first, heads[0].seq), (after.counts.epoch, Seq(1), Seq(1)));
    assert_eq!(heads[0].workspace, ws());
}

pub(super) async fn a_refused_write_begins_no_workspace(store: &dyn Store) {
    let refused = store.append(&ws(), Write::Retract { id: new_id() }, at(0)).await;
    assert!(matches!(refused, Err(StoreError::NotFound)));
    assert_eq!(snapshot(store, "alice").await.counts.epoch, None);
}

pub(super) async fn places_have_no_gap_and_a_batch_stands_together(store: &dyn Store) {
    let first = publish(store, to_all()).await;
    let batch: Vec<_> = (0..3).map(|_| Arc::new(to_all())).collect();
    let ids: Vec<_> = batch.iter().map(|n| n.id).collect();
    let appended = append(store, Write::Publish { notifications: batch, idempotency: None }).await;
    assert_eq!(first.seq, Seq(1));
    assert_eq!(appended.published.iter().map(|p| p.seq.0).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(appended.published.iter().map(|p| p.id).collect::<Vec<_>>(), ids);
    assert_eq!(appended.head, Seq(4));
    assert!(!appended.replayed);
    let subscribed = subscribe(store, "news", &["alice", "bob"]).await;
    assert_eq!((subscribed.head, subscribed.published.len()), (Seq(6), 0));
    assert_eq!(publish(store, to_all()).await.seq, Seq(7));
}

pub(super) async fn concurrent_publishes_get_each_place_once(store: &dyn Store) {
    let (a, b, c) = tokio::join!(twenty(store), twenty(store), twenty(store));
    let mut places = [a, b, c].concat();
    places.sort_unstable();
    assert_eq!(places, (1..=60).collect::<Vec<_>>());
}

async fn twenty(store: &dyn Store) -> Vec<u64> {
    let mut places = Vec::new();
    for _ in 0..20 {
        places.push(publish(store, to_all()).await.seq.0);
    }
    assert!(places.is_sorted(), "a publisher's own entries stand in its order");
    places
}

pub(super) async fn workspaces_do_not_meet(store: &dyn Store) {
    let published = publish(store, to_all()).await;
    let other = slug("other");
    let appended = store.append(&other, one(to_users(&["alice"])), at(0)).await.expect("the write is taken");
    assert_eq!(appended.head, Seq(1));
    let there = appended.published[0];
    for (slug, id) in [(&other, published.id), (&ws(), there.id)] {
        assert!(matches!(store.find(slug, None, id).await, Err(StoreError::NotFound)));
        let read = store.mark(slug, &user("alice"), crate::Mark::Read(id), None, at(0)).await;
        assert!(matches!(read, Err(StoreError::NotFound)));
        let retract = store.append(slug, Write::Retract { id }, at(0)).await;
        assert!(matches!(retract, Err(StoreError::NotFound)));
    }
    assert_eq!(seen(store, "alice").await, [1]);
    let there = store.snapshot(&other, &user("bob")).await.expect("a snapshot can be read");
    assert_eq!(there.counts.unread, 0);
}

pub(super) async fn entries_are_read_in_order_and_in_pages(store: &dyn Store) {
    for _ in 0..5 {
        publish(store, to_users(&["alice"])).await;
    }
    subscribe(store, "news", &["alice"]).await;
    let page = |after, up_to, limit| async move {
        let entries = store.entries(&ws(), Seq(after), Seq(up_to), limit).await.expect("entries can be read");
        entries.iter().map(|e| e.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(page(0, u64::MAX, 100).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(page(0, 6, 2).await, [1, 2]);
    assert_eq!(page(2, 4, 100).await, [3, 4]);
    assert_eq!(page(6, 6, 100).await, [0; 0]);
    assert_eq!(page(9, 20, 100).await, [0; 0]);
    let none =
        store.entries(&slug("nowhere"), Seq(0), Seq(9), 9).await.expect("an unknown workspace is empty");
    assert!(none.is_empty());
    let last = store.entries(&ws(), Seq(5), Seq(6), 1).await.expect("entries can be read");
    assert_eq!(last[0].kind, EntryKind::Subscribe { topic: topic("news"), user: user("alice") });
}

pub(super) async fn a_body_is_kept_to_the_letter(store: &dyn Store) {
    let mut notification = except(to_users(&["alice", "zoë"]), &["bob"]);
    notification.title = "Tïtle \"quoted\" \\ 🔔".into();
    notification.message = "line\nline\u{2028}\0".into();
    notification.kind = "record_created".into();
    let metadata = r#"{"b": 1.10, "a":[1e400,  "\u00e9"],"b":2}"#;
    notification.metadata = Some(RawValue::from_string(metadata.into()).expect("valid JSON"));
    notification.event = Some("e".into());
    notification.product_name = Some(String::new());
    notification.expiry_date = Some("next year".into());
    let published = publish(store, notification.clone()).await;
    assert_eq!(published.timestamp, notification.timestamp);
    let item = store.find(&ws(), Some(&user("zoë")), published.id).await.expect("it is there");
    assert_eq!(*item.notification, notification);
    assert_eq!(item.notification.metadata.as_ref().map(|raw| raw.get()), Some(metadata));
}

pub(super) async fn bounds_are_refused_and_nothing_is_written(store: &dyn Store) {
    let refuse = |write: Write| async move {
        let error = store.append(&ws(), write, at(0)).await.expect_err("it breaks a bound");
        let (id, error) = (matches!(error, StoreError::Limit { .. }), error);
        assert!(id, "{error}");
    };
    let names: Vec<String> = (0..=limits::MAX_USERS_PER_ENTRY).map(|n| format!("user {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    refuse(one(to_users(&names))).await;
    refuse(one(except(to_all(), &names[..=limits::MAX_EXCEPT]))).await;
    let many = (0..=limits::MAX_BATCH).map(|_| Arc::new(to_all())).collect();
    refuse(Write::Publish { notifications: many, idempotency: None }).await;
    let key = "k".repeat(limits::MAX_IDEMPOTENCY_KEY_BYTES + 1);
    let idempotency = Some(Idempotency { publisher: user("alice"), key, fingerprint: [0; 32] });
    refuse(Write::Publish { notifications: vec![Arc::new(to_all())], idempotency }).await;
    assert_eq!(snapshot(store, "alice").await.counts.epoch, None);
    publish(store, to_users(&names[1..])).await;
    assert_eq!(unread(store, "user 1000").await, 1);
}

pub(super) async fn an_id_is_taken_once(store: &dyn Store) {
    let notification = to_all();
    publish(store, notification.clone()).await;
    let twice =
        Write::Publish { notifications: vec![Arc::new(to_all()), Arc::new(notification)], idempotency: None };
    assert!(matches!(store.append(&ws(), twice, at(0)).await, Err(StoreError::Internal(_))));
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(1));
}

pub(super) async fn a_closed_store_refuses_writes(store: &dyn Store) {
    publish(store, to_all()).await;
    assert!(store.health().is_ok());
    store.close().await;
    let refused = store.append(&ws(), one(to_all()), at(0)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })));
    assert!(matches!(store.health(), Err(StoreError::Unavailable { .. })));
    store.close().await;
}
