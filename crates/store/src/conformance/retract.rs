//! Withdrawn notifications.

use campanile_model::{Cause, EntryKind, Seq};

use super::fixture::*;
use crate::{Mark, Store, StoreError, Write};

async fn retract(store: &dyn Store, id: campanile_model::NotificationId) -> Seq {
    append(store, Write::Retract { id }).await.head
}

pub(super) async fn a_retracted_entry_is_gone_for_everyone(store: &dyn Store) {
    let id = publish(store, to_users(&["alice", "bob"])).await.id; // 1
    publish(store, to_all()).await; // 2
    mark(store, "bob", Mark::Read(id)).await;
    retract(store, id).await; // 3
    for name in ["alice", "bob"] {
        assert_eq!(seen(store, name).await, [2]);
        assert_eq!(unread(store, name).await, 1);
        assert!(matches!(store.find(&ws(), Some(&user(name)), id).await, Err(StoreError::NotFound)));
        let read = store.mark(&ws(), &user(name), Mark::Read(id), None, at(0)).await;
        assert!(matches!(read, Err(StoreError::NotFound)));
    }
    assert!(matches!(store.find(&ws(), None, id).await, Err(StoreError::NotFound)));
}

pub(super) async fn a_retraction_is_an_entry_and_happens_once(store: &dyn Store) {
    let id = publish(store, to_all()).await.id; // 1
    publish(store, to_all()).await; // 2
    assert_eq!(retract(store, id).await, Seq(3));
    let again = store.append(&ws(), Write::Retract { id }, at(0)).await;
    assert!(matches!(again, Err(StoreError::NotFound)));
    let entries = store.entries(&ws(), Seq(0), Seq(9), 9).await.expect("entries can be read");
    assert_eq!(entries.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [2, 3], "its own entry is absent");
    assert_eq!(
        entries[1].kind,
        EntryKind::Retract { target: id, target_seq: Seq(1), cause: Cause::Retracted, withdrawn: None }
    );
}

pub(super) async fn counts_leave_out_what_was_retracted(store: &dyn Store) {
    subscribe(store, "news", &["alice", "bob"]).await; // 1, 2
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(publish(store, to_all()).await.id); // 3, 7, 11
        ids.push(publish(store, except(to_topic("news"), &["bob"])).await.id); // 4, 8, 12
        ids.push(publish(store, to_users(&["alice"])).await.id); // 5, 9, 13
        ids.push(publish(store, except(to_all(), &["alice"])).await.id); // 6, 10, 14
    }
    assert_eq!((unread(store, "alice").await, unread(store, "bob").await), (9, 6));
    for id in &ids[4..8] {
        retract(store, *id).await;
    }
    assert_eq!((unread(store, "alice").await, unread(store, "bob").await), (6, 4));
    // Receipts above and below the watermark, of what is retracted next and of what is not.
    mark(store, "alice", Mark::ReadAll(Some(Seq(5)))).await;
    mark(store, "alice", Mark::Unread(ids[0])).await;
    mark(store, "alice", Mark::Unread(ids[1])).await;
    mark(store, "alice", Mark::Read(ids[8])).await;
    mark(store, "alice", Mark::Archive(ids[9])).await;
    assert_eq!(unread(store, "alice").await, 3);
    retract(store, ids[0]).await;
    retract(store, ids[8]).await;
    let now = snapshot(store, "alice").await;
    assert_eq!((now.counts.unread, now.counts.unseen), (2, 1));
    assert_eq!(seen(store, "alice").await, [4, 5, 12, 13]);
    assert_eq!(mark(store, "alice", Mark::ReadAll(None)).await.unread, 0);
    assert_eq!(unread(store, "bob").await, 2);
}
