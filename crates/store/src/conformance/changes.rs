//! What a client that comes back is told of entries that it has.

use std::sync::Arc;

use campanile_model::{Cause, Notification, NotificationId, Seq};

use super::fixture::*;
use crate::{Change, Mark, Retention, Store, VisibleChange, VisibleChangeKind, Write};

async fn since(store: &dyn Store, name: &str, after: u64) -> Vec<VisibleChange> {
    store.changes(&ws(), &user(name), Seq(after), Seq(u64::MAX), 100).await.expect("changes can be read")
}

/// Each as place, kind and the place of its target.
async fn told(store: &dyn Store, name: &str, after: u64) -> Vec<(u64, &'static str, u64)> {
    let brief = |change: VisibleChange| match change.kind {
        VisibleChangeKind::Update { item } => (change.seq.0, "update", item.seq.0),
        VisibleChangeKind::Retract { target_seq, .. } => (change.seq.0, "retract", target_seq.0),
        VisibleChangeKind::Supersede { target_seq, .. } => (change.seq.0, "supersede", target_seq.0),
    };
    since(store, name, after).await.into_iter().map(brief).collect()
}

async fn update(store: &dyn Store, old: &Notification, title: &str) -> Notification {
    let new = Notification { title: title.into(), updated_at: Some(at(1)), ..old.clone() };
    append(store, Write::Update { notification: Arc::new(new.clone()), expected: None }).await;
    new
}

async fn retract(store: &dyn Store, id: NotificationId) {
    append(store, Write::Retract { id }).await;
}

async fn resolve(store: &dyn Store, id: NotificationId) {
    append(store, Write::Change(Change { resolve: vec![id], ..Change::default() })).await;
}

pub(super) async fn what_is_said_reaches_whom_its_target_reached(store: &dyn Store) {
    assert!(since(store, "alice", 0).await.is_empty(), "no workspace yet");
    subscribe(store, "news", &["alice", "bob"]).await; // 1, 2
    let all = [
        to_users(&["alice", "bob"]),                   // 3
        except(to_users(&["alice", "bob"]), &["bob"]), // 4
        to_topic("news"),                              // 5
        except(to_topic("news"), &["bob"]),            // 6
        to_all(),                                      // 7
        except(to_all(), &["bob"]),                    // 8
    ];
    for notification in &all {
        publish(store, notification.clone()).await;
    }
    unsubscribe(store, "news", &["alice"]).await; // 9
    subscribe(store, "news", &["carol"]).await; // 10
    for notification in &all {
        update(store, notification, "anew").await; // 11 to 16
    }
    for notification in &all {
        resolve(store, notification.id).await; // 17 to 22
    }
    for notification in &all {
        retract(store, notification.id).await; // 23 to 28
    }
    let of = |targets: &[u64]| -> Vec<(u64, &str, u64)> {
        let superseded = targets.iter().map(|target| (target + 14, "supersede", *target));
        superseded.chain(targets.iter().map(|target| (target + 20, "retract", *target))).collect()
    };
    assert_eq!(told(store, "alice", 10).await, of(&[3, 4, 5, 6, 7, 8]));
    assert_eq!(told(store, "bob", 10).await, of(&[3, 5, 7]));
    assert_eq!(told(store, "carol", 10).await, of(&[7, 8]));
    // Only while a user has access, and then as before.
    append(store, Write::Withdraw { user: user("carol") }).await;
    assert!(since(store, "carol", 10).await.is_empty());
    append(store, Write::Grant { user: user("carol") }).await;
    assert_eq!(told(store, "carol", 10).await, of(&[7, 8]));
    let other = store.changes(&slug("other"), &user("alice"), Seq(0), Seq(99), 9).await;
    assert!(other.expect("changes can be read").is_empty());
}

pub(super) async fn an_update_is_told_once_and_as_it_reads_now(store: &dyn Store) {
    let (a, b) = (to_all(), to_all());
    publish(store, a.clone()).await; // 1
    publish(store, b.clone()).await; // 2
    mark(store, "alice", Mark::Read(a.id)).await;
    update(store, &a, "first").await; // 3
    update(store, &b, "other").await; // 4
    let last = update(store, &a, "last").await; // 5
    assert_eq!(told(store, "alice", 2).await, [(4, "update", 2), (5, "update", 1)]);
    let found = since(store, "alice", 4).await;
    let [VisibleChange { seq: Seq(5), kind: VisibleChangeKind::Update { item } }] = &found[..] else {
        panic!("one update: {found:?}")
    };
    assert_eq!(*item, store.find(&ws(), Some(&user("alice")), a.id).await.expect("it is there"));
    assert_eq!((&*item.notification, item.receipt.read), (&last, true));
    // Within a range that ends before the last, the first is the newest, and reads as it does now.
    let early = store.changes(&ws(), &user("alice"), Seq(2), Seq(3), 9).await.expect("changes can be read");
    let [VisibleChange { seq: Seq(3), kind: VisibleChangeKind::Update { item } }] = &early[..] else {
        panic!("one update: {early:?}")
    };
    assert_eq!(*item.notification, last);
    // Alice had read it, and sees it on; bob does not.
    resolve(store, a.id).await; // 6
    retract(store, b.id).await; // 7
    let withdrawn = [(6, "supersede", 1), (7, "retract", 2)];
    assert_eq!(told(store, "bob", 2).await, withdrawn);
    assert_eq!(told(store, "alice", 2).await, [(5, "update", 1), withdrawn[0], withdrawn[1]]);
}

pub(super) async fn what_came_and_went_is_left_out(store: &dyn Store) {
    let (a, b, c) = (keyed(to_all(), "key"), to_all(), to_all());
    publish(store, a.clone()).await; // 1
    publish(store, b.clone()).await; // 2
    publish(store, c.clone()).await; // 3
    mark(store, "alice", Mark::Read(a.id)).await;
    let d = keyed(to_all(), "key");
    publish(store, d.clone()).await; // 4, 5
    retract(store, b.id).await; // 6
    let due = Notification { expires_at: Some(at(5)), ..c.clone() };
    append(store, Write::Update { notification: Arc::new(due), expected: None }).await; // 7
    assert_eq!(store.expire(at(5), 9).await.expect("what is due is withdrawn"), 1); // 8
    let superseded = |still_seen| VisibleChange {
        seq: Seq(5),
        kind: VisibleChangeKind::Supersede { target: a.id, target_seq: Seq(1), by: Some(d.id), still_seen },
    };
    let withdrawn = |seq, target: &Notification, at, cause| VisibleChange {
        seq: Seq(seq),
        kind: VisibleChangeKind::Retract { target: target.id, target_seq: Seq(at), cause },
    };
    let (second, third) = (withdrawn(6, &b, 2, Cause::Retracted), withdrawn(8, &c, 3, Cause::Expired));
    assert_eq!(since(store, "alice", 3).await, [superseded(true), second.clone(), third.clone()]);
    assert_eq!(since(store, "bob", 3).await, [superseded(false), second, third.clone()]);
    assert_eq!(
        told(store, "bob", 2).await,
        [(5, "supersede", 1), (6, "retract", 2)],
        "the third came and went"
    );
    assert_eq!(
        since(store, "alice", 0).await,
        [superseded(true)],
        "who still sees it is told that it is over"
    );
    assert!(since(store, "bob", 0).await.is_empty());
    let part = store.changes(&ws(), &user("alice"), Seq(3), Seq(u64::MAX), 2).await;
    assert_eq!(part.expect("changes can be read").len(), 2);
    // A retraction of what had been superseded is for those who still saw it.
    retract(store, a.id).await; // 9
    assert_eq!(told(store, "alice", 8).await, [(9, "retract", 1)]);
    assert_eq!(since(store, "alice", 3).await[0], superseded(false));
    assert!(since(store, "alice", 0).await.is_empty());
}

pub(super) async fn what_retention_took_is_nobodys(store: &dyn Store) {
    let ids = [publish(store, to_all()).await.id, publish(store, to_all()).await.id]; // 1, 2
    for id in ids {
        retract(store, id).await; // 3, 4
    }
    assert_eq!(told(store, "alice", 2).await, [(3, "retract", 1), (4, "retract", 2)]);
    prune(store, Retention { max_age_ms: None, max_entries: Some(3) }, at(0)).await;
    assert_eq!(told(store, "alice", 2).await, [(4, "retract", 2)]);
    prune(store, Retention { max_age_ms: None, max_entries: Some(0) }, at(0)).await;
    assert!(since(store, "alice", 2).await.is_empty());
}
