//! Notifications that no longer hold: only those who had read them still see them.

use std::sync::Arc;

use campanile_model::{EntryKind, Notification, NotificationId, Seq};

use super::fixture::*;
use crate::{Change, Item, Mark, Retention, Store, StoreError, VisibleQuery, Write};

async fn resolve(store: &dyn Store, ids: &[NotificationId]) -> Seq {
    append(store, Write::Change(Change { resolve: ids.to_vec(), ..Change::default() })).await.head
}

async fn item(store: &dyn Store, name: &str, id: NotificationId) -> Option<Item> {
    match store.find(&ws(), Some(&user(name)), id).await {
        Ok(item) => Some(item),
        Err(StoreError::NotFound) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn kinds(store: &dyn Store) -> Vec<(u64, EntryKind)> {
    let entries = store.entries(&ws(), Seq(0), Seq(99), 99).await.expect("entries can be read");
    entries.into_iter().map(|entry| (entry.seq.0, entry.kind)).collect()
}

fn superseded(target: &Notification, target_seq: u64, by: Option<&Notification>) -> EntryKind {
    let (target, by) = (target.id, by.map(|by| by.id));
    EntryKind::Supersede { target, target_seq: Seq(target_seq), by, withdrawn: None }
}

/// Whether the user sees the older, and it is out of the way: not counted, and read for good.
async fn check(store: &dyn Store, name: &str, id: NotificationId, sees: bool, unread_now: u64) {
    let now = snapshot(store, name).await;
    assert_eq!((now.counts.unread, now.counts.unseen), (unread_now, unread_now), "{name}");
    let found = item(store, name, id).await;
    assert_eq!(found.is_some(), sees, "{name}");
    let listed: Vec<Item> = list(store, name, everything()).await;
    assert_eq!(listed.iter().find(|item| item.notification.id == id), found.as_ref(), "{name}");
    let of_unread = VisibleQuery { read: Some(false), ..everything() };
    assert!(list(store, name, of_unread).await.iter().all(|item| !item.superseded));
    let rev = now.counts.rev;
    for mark in [Mark::Unread(id), Mark::Read(id)] {
        match store.mark(&ws(), &user(name), mark, None, at(0)).await {
            Ok(marked) => {
                assert!(sees && !marked.changed && marked.rev == rev && marked.unread == unread_now)
            }
            Err(StoreError::NotFound) => assert!(!sees),
            Err(error) => panic!("{error}"),
        }
    }
    if let Some(found) = found {
        assert!(found.superseded && found.receipt.read && found.receipt.seen);
    }
}

pub(super) async fn only_those_who_had_read_it_still_see_it(store: &dyn Store) {
    subscribe(store, "news", &["alice", "bob", "carol", "dave"]).await; // 1 to 4
    for audience in [to_all(), to_topic("news"), to_users(&["alice", "bob", "carol", "dave"])] {
        for name in ["alice", "bob", "carol", "dave"] {
            mark(store, name, Mark::ReadAll(None)).await;
        }
        let (old, new) = (keyed(audience.clone(), "key"), keyed(audience, "key"));
        let (old, new) = (old, Notification { id: new_id(), ..new });
        let seq = publish(store, old.clone()).await.seq;
        mark(store, "alice", Mark::Read(old.id)).await;
        // Read by the watermark; and unread again in spite of it.
        mark(store, "bob", Mark::ReadAll(None)).await;
        mark(store, "carol", Mark::ReadAll(None)).await;
        mark(store, "carol", Mark::Unread(old.id)).await;
        let next = publish(store, new.clone()).await.seq;
        assert_eq!(next, seq.next());
        let told = kinds(store).await;
        assert_eq!(told.last(), Some(&(next.0 + 1, superseded(&old, seq.0, Some(&new)))));
        assert!(told.iter().all(|(at, _)| *at != seq.0), "its own entry is absent");
        for (name, sees) in [("alice", true), ("bob", true), ("carol", false), ("dave", false)] {
            check(store, name, old.id, sees, 1).await;
        }
        assert!(store.find(&ws(), None, old.id).await.expect("producers see it").superseded);
        // Nothing that is done later reveals it.
        for name in ["carol", "dave"] {
            mark(store, name, Mark::Seen(None)).await;
            mark(store, name, Mark::Read(new.id)).await;
            mark(store, name, Mark::ReadAll(None)).await;
            check(store, name, old.id, false, 0).await;
        }
        for name in ["alice", "bob"] {
            mark(store, name, Mark::ReadAll(None)).await;
            check(store, name, old.id, true, 0).await;
        }
    }
}

pub(super) async fn the_same_key_to_others_supersedes_nothing(store: &dyn Store) {
    let kept = [
        keyed(to_all(), "other"),
        keyed(to_topic("news"), "key"),
        keyed(to_users(&["alice"]), "key"),
        keyed(except(to_users(&["alice", "bob"]), &["carol"]), "key"),
        keyed(except(to_all(), &["bob"]), "key"),
        to_all(),
    ];
    for notification in &kept {
        publish(store, notification.clone()).await; // 1 to 6
    }
    publish(store, keyed(to_all(), "key")).await; // 7
    publish(store, keyed(to_users(&["alice", "bob"]), "key")).await; // 8
    store.append(&slug("other"), one(keyed(to_all(), "key")), at(0)).await.expect("the write is taken");
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(8));
    for notification in kept {
        let found = store.find(&ws(), None, notification.id).await.expect("it is there");
        assert!(!found.superseded);
    }
    // The order of names does not matter.
    let turned = publish(store, keyed(except(to_users(&["bob", "alice"]), &["carol"]), "key")).await; // 9, 10
    let EntryKind::Supersede { target_seq, by, .. } = kinds(store).await.pop().expect("an entry").1 else {
        panic!("something was superseded")
    };
    assert_eq!((target_seq, by), (Seq(4), Some(turned.id)));
}

pub(super) async fn within_one_write_the_later_supersedes_the_earlier(store: &dyn Store) {
    let old = keyed(to_all(), "key");
    publish(store, old.clone()).await; // 1
    let (a, b, c) = (keyed(to_all(), "key"), keyed(to_all(), "key"), to_all());
    let notifications = [&a, &b, &c].map(|n| Arc::new(n.clone())).to_vec();
    let mut commits = store.commits();
    let done = append(store, Write::Publish { notifications, idempotency: None }).await;
    let places: Vec<u64> = done.published.iter().map(|p| p.seq.0).collect();
    assert_eq!((places, done.head), (vec![2, 3, 4], Seq(6)), "notifications stand together");
    let commit = commits.recv().await.expect("a commit is told");
    assert_eq!(commit.entries.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [2, 3, 4, 5, 6], "without a gap");
    let expected = [
        (3, EntryKind::Notification(Arc::new(b.clone()))),
        (4, EntryKind::Notification(Arc::new(c.clone()))),
        (5, superseded(&old, 1, Some(&a))),
        (6, superseded(&a, 2, Some(&b))),
    ];
    assert_eq!(kinds(store).await, expected);
    assert_eq!(seen(store, "alice").await, [3, 4]);
    assert_eq!(unread(store, "alice").await, 2);
}

pub(super) async fn what_is_resolved_has_no_successor(store: &dyn Store) {
    let (a, b) = (keyed(to_all(), "key"), to_users(&["alice", "bob"]));
    publish(store, a.clone()).await; // 1
    publish(store, b.clone()).await; // 2
    let gone = publish(store, to_all()).await.id; // 3
    append(store, Write::Retract { id: gone }).await; // 4
    mark(store, "alice", Mark::Read(a.id)).await;
    mark(store, "bob", Mark::Read(b.id)).await;
    assert_eq!(
        resolve(store, &[new_id(), a.id, gone, b.id, a.id]).await,
        Seq(6),
        "the others are passed over"
    );
    assert_eq!(resolve(store, &[a.id, b.id]).await, Seq(6));
    let told = kinds(store).await;
    assert_eq!(told[1..], [(5, superseded(&a, 1, None)), (6, superseded(&b, 2, None))]);
    check(store, "alice", a.id, true, 0).await;
    check(store, "alice", b.id, false, 0).await;
    check(store, "bob", a.id, false, 0).await;
    check(store, "bob", b.id, true, 0).await;
    // The key names nothing now.
    publish(store, keyed(to_all(), "key")).await; // 7
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(7));
}

pub(super) async fn the_newest_live_one_is_superseded(store: &dyn Store) {
    let (a, b) = (keyed(to_all(), "key"), to_all());
    publish(store, a.clone()).await; // 1
    publish(store, b.clone()).await; // 2
    append(store, Write::Update { notification: Arc::new(keyed(b.clone(), "key")), expected: None }).await; // 3
    let next = keyed(to_all(), "key");
    publish(store, next.clone()).await; // 4, 5
    assert_eq!(seen(store, "alice").await, [1, 4]);
    append(store, Write::Retract { id: next.id }).await; // 6
    let last = keyed(to_all(), "key");
    publish(store, last.clone()).await; // 7, 8
    assert_eq!(seen(store, "alice").await, [7], "the older one holds the key again");
    let without = Notification { collapse_key: None, ..last };
    append(store, Write::Update { notification: Arc::new(without), expected: None }).await; // 9
    publish(store, keyed(to_all(), "key")).await; // 10
    assert_eq!(seen(store, "alice").await, [7, 10]);
}

pub(super) async fn a_superseded_one_can_be_put_away(store: &dyn Store) {
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        ids.push(publish(store, keyed(to_all(), key)).await.id); // 1, 2, 3
    }
    mark(store, "alice", Mark::ReadAll(Some(Seq(1)))).await;
    mark(store, "alice", Mark::Read(ids[1])).await;
    mark(store, "alice", Mark::Archive(ids[2])).await;
    resolve(store, &ids).await; // 4 to 6
    let archived = VisibleQuery { archived: Some(true), ..everything() };
    let inbox = VisibleQuery { archived: Some(false), ..everything() };
    assert_eq!(places(&list(store, "alice", inbox).await), [1, 2]);
    assert_eq!(places(&list(store, "alice", archived).await), [3]);
    assert!(!mark(store, "alice", Mark::Archive(ids[2])).await.changed);
    for id in &ids[..2] {
        let rev = snapshot(store, "alice").await.counts.rev.0;
        let marked = mark(store, "alice", Mark::Archive(*id)).await;
        assert_eq!((marked.changed, marked.rev.0, marked.unread), (true, rev + 1, 0));
        assert!(!mark(store, "alice", Mark::Archive(*id)).await.changed);
        assert!(!mark(store, "alice", Mark::Unread(*id)).await.changed, "it stays put away");
    }
    assert_eq!(places(&list(store, "alice", inbox).await), [0; 0]);
    assert_eq!(places(&list(store, "alice", archived).await), [1, 2, 3]);
    assert!(matches!(
        store.mark(&ws(), &user("bob"), Mark::Archive(ids[0]), None, at(0)).await,
        Err(StoreError::NotFound)
    ));
}

pub(super) async fn it_is_withdrawn_and_pruned_like_any_other(store: &dyn Store) {
    let a = publish(store, keyed(to_users(&["alice"]), "key")).await.id; // 1
    mark(store, "alice", Mark::Read(a)).await;
    let b = publish(store, keyed(to_users(&["alice"]), "key")).await.id; // 2, 3
    mark(store, "alice", Mark::Read(b)).await;
    publish(store, keyed(to_users(&["alice"]), "key")).await; // 4, 5
    assert_eq!(seen(store, "alice").await, [1, 2, 4]);
    append(store, Write::Retract { id: b }).await; // 6
    assert_eq!(seen(store, "alice").await, [1, 4]);
    prune(store, Retention { max_age_ms: None, max_entries: Some(4) }, at(0)).await;
    assert_eq!(seen(store, "alice").await, [4]);
    assert!(item(store, "alice", a).await.is_none());
    assert_eq!(unread(store, "alice").await, 1);
    mark(store, "alice", Mark::ReadAll(None)).await;
    assert_eq!(seen(store, "alice").await, [4]);
}

pub(super) async fn a_repetition_supersedes_nothing_again(store: &dyn Store) {
    let request = || Write::Publish {
        notifications: vec![Arc::new(keyed(to_all(), "key"))],
        idempotency: Some(crate::Idempotency { publisher: user("p"), key: "k".into(), fingerprint: [1; 32] }),
    };
    publish(store, keyed(to_all(), "key")).await; // 1
    let first = append(store, request()).await; // 2, 3
    assert_eq!(first.head, Seq(3));
    let again = append(store, request()).await;
    assert!(again.replayed && again.published == first.published && again.head == first.head);
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(3));
    assert_eq!(seen(store, "alice").await, [2]);
}
