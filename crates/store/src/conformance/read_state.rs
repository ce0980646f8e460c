//! Telling a client what its user did since.

use campanile_model::{NotificationId, Receipt, Rev, Seq};

use super::fixture::*;
use crate::{Change, Mark, ReadState, ReceiptChange, Store, Write};

async fn since(store: &dyn Store, name: &str, after: u64) -> ReadState {
    store.receipts(&ws(), &user(name), Rev(after), 100).await.expect("receipts can be read")
}

fn change(id: NotificationId, seq: u64, read: bool, archived: bool) -> ReceiptChange {
    ReceiptChange { id, seq: Seq(seq), receipt: Receipt { seen: true, read, archived } }
}

pub(super) async fn nothing_was_done_yet(store: &dyn Store) {
    let nothing = since(store, "alice", 0).await;
    assert_eq!((nothing.counts.epoch, nothing.counts.head, nothing.counts.rev), (None, Seq::ZERO, Rev(0)));
    publish(store, to_all()).await;
    let now = since(store, "alice", 0).await;
    assert_eq!(now.counts.epoch, snapshot(store, "alice").await.counts.epoch);
    assert_eq!(
        (now.counts.head, now.counts.rev, now.counts.unread, now.counts.unseen),
        (Seq(1), Rev(0), 1, 1)
    );
    assert!(now.items.is_empty() && !now.more);
    assert_eq!((now.counts.read_up_to, now.counts.seen_up_to), (Seq::ZERO, Seq::ZERO));
}

pub(super) async fn receipts_come_by_revision_and_as_they_are_now(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(publish(store, to_all()).await.id); // 1 to 5
    }
    mark(store, "alice", Mark::Read(ids[3])).await; // 1
    mark(store, "alice", Mark::Archive(ids[1])).await; // 2
    mark(store, "alice", Mark::Read(ids[0])).await; // 3
    mark(store, "alice", Mark::Unread(ids[3])).await; // 4
    let (second, first, fourth) =
        (change(ids[1], 2, true, true), change(ids[0], 1, true, false), change(ids[3], 4, false, false));
    let now = since(store, "alice", 0).await;
    assert_eq!((now.counts.rev, now.counts.unread, now.counts.unseen), (Rev(4), 3, 2));
    assert_eq!(now.items, [second, first, fourth]);
    assert_eq!(since(store, "alice", 2).await.items, [first, fourth]);
    assert_eq!(since(store, "alice", 4).await.items, []);
    assert_eq!(since(store, "bob", 0).await.items, []);
    let part = store.receipts(&ws(), &user("alice"), Rev(0), 2).await.expect("receipts can be read");
    assert!(part.more && part.items == [second, first]);
    let whole = store.receipts(&ws(), &user("alice"), Rev(0), 3).await.expect("receipts can be read");
    assert!(!whole.more);
}

pub(super) async fn what_is_done_at_once_is_told_by_watermarks(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(publish(store, to_all()).await.id); // 1 to 6
    }
    mark(store, "alice", Mark::ReadAll(Some(Seq(3)))).await; // 1
    mark(store, "alice", Mark::Unread(ids[1])).await; // 2
    mark(store, "alice", Mark::Seen(Some(Seq(5)))).await; // 3
    let now = since(store, "alice", 0).await;
    assert_eq!((now.counts.rev, now.counts.read_up_to, now.counts.seen_up_to), (Rev(3), Seq(3), Seq(5)));
    assert_eq!(now.items, [change(ids[1], 2, false, false)]);
    let snapshot = snapshot(store, "alice").await;
    assert_eq!((snapshot.counts.read_up_to, snapshot.counts.seen_up_to), (Seq(3), Seq(5)));
    // Passing over what counted as unread again tells of it, at whatever place.
    mark(store, "alice", Mark::ReadAll(Some(Seq(u64::MAX)))).await; // 4
    let now = since(store, "alice", 3).await;
    assert_eq!((now.counts.rev, now.counts.read_up_to, now.counts.unread), (Rev(4), Seq(6), 0));
    assert_eq!(now.items, [change(ids[1], 2, true, false)]);
}

pub(super) async fn only_what_is_still_seen_is_told(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(publish(store, to_all()).await.id); // 1 to 5
    }
    for id in &ids[..4] {
        mark(store, "alice", Mark::Read(*id)).await; // 1 to 4
    }
    mark(store, "alice", Mark::Unread(ids[2])).await; // 5
    append(store, Write::Retract { id: ids[0] }).await; // entry 6
    append(store, Write::Change(Change { resolve: ids[1..3].to_vec(), ..Change::default() })).await; // 7, 8
    let (second, fourth) = (change(ids[1], 2, true, false), change(ids[3], 4, true, false));
    assert_eq!(since(store, "alice", 0).await.items, [second, fourth], "superseded ones that had been read");
    mark(store, "alice", Mark::Archive(ids[1])).await; // 6
    let now = since(store, "alice", 5).await;
    assert_eq!((now.counts.rev, now.items), (Rev(6), vec![change(ids[1], 2, true, true)]));
    // Without access nothing is told, nor missed.
    append(store, Write::Withdraw { user: user("alice") }).await;
    let now = since(store, "alice", 5).await;
    assert_eq!((now.counts.rev, now.counts.unread, now.items.len()), (Rev(5), 0, 0));
    append(store, Write::Grant { user: user("alice") }).await;
    assert_eq!(since(store, "alice", 5).await.items.len(), 1);
}
