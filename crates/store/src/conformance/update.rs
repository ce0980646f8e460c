//! Notifications said anew.

use std::sync::Arc;

use campanile_model::{EntryKind, Notification, Seq};
use serde_json::value::RawValue;

use super::fixture::*;
use crate::{Mark, Store, StoreError, Write};

fn anew(old: &Notification) -> Notification {
    Notification { title: "Said anew".into(), updated_at: Some(at(9)), ..old.clone() }
}

async fn update(store: &dyn Store, new: &Notification) -> Result<Seq, StoreError> {
    update_from(store, None, new).await
}

async fn update_from(
    store: &dyn Store,
    old: Option<&Notification>,
    new: &Notification,
) -> Result<Seq, StoreError> {
    let expected = old.map(|old| Arc::new(old.clone()));
    let write = Write::Update { notification: Arc::new(new.clone()), expected };
    store.append(&ws(), write, at(9)).await.map(|appended| appended.head)
}

pub(super) async fn an_updated_entry_reads_anew_in_its_place(store: &dyn Store) {
    let old = to_users(&["alice", "bob"]);
    publish(store, old.clone()).await; // 1
    publish(store, to_all()).await; // 2
    mark(store, "bob", Mark::Archive(old.id)).await;
    mark(store, "alice", Mark::Read(old.id)).await;
    let new = anew(&old);
    assert_eq!(update(store, &new).await.expect("it is there"), Seq(3));
    for name in ["alice", "bob"] {
        let items = list(store, name, everything()).await;
        assert_eq!(places(&items), [1, 2]);
        assert_eq!(*items[0].notification, new);
        assert!(items[0].receipt.read && !items[0].superseded);
        assert_eq!(items[0].receipt.archived, name == "bob", "what was done with it stays");
        assert_eq!(unread(store, name).await, 1);
        let found = store.find(&ws(), Some(&user(name)), old.id).await.expect("it is there");
        assert_eq!(*found.notification, new);
    }
    assert_eq!(*store.find(&ws(), None, old.id).await.expect("it is there").notification, new);
}

pub(super) async fn an_update_is_an_entry_that_says_it_as_it_is_now(store: &dyn Store) {
    let old = to_all();
    publish(store, old.clone()).await; // 1
    let mut commits = store.commits();
    let first = anew(&old);
    let second = Notification { message: "And again".into(), ..first.clone() };
    for new in [&first, &second] {
        update(store, new).await.expect("it is there"); // 2, 3
        let commit = commits.recv().await.expect("a commit is told");
        let told = EntryKind::Update { target_seq: Seq(1), notification: Arc::new(new.clone()) };
        assert_eq!(commit.entries.iter().map(|e| &e.kind).collect::<Vec<_>>(), [&told]);
    }
    let entries = store.entries(&ws(), Seq(0), Seq(9), 9).await.expect("entries can be read");
    assert_eq!(entries[0].kind, EntryKind::Notification(Arc::new(second.clone())));
    let now = EntryKind::Update { target_seq: Seq(1), notification: Arc::new(second) };
    assert_eq!((&entries[1].kind, &entries[2].kind), (&now, &now));

    append(store, Write::Retract { id: old.id }).await; // 4
    let entries = store.entries(&ws(), Seq(0), Seq(9), 9).await.expect("entries can be read");
    assert_eq!(entries.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [4], "nothing is left to say");
}

pub(super) async fn what_is_not_live_cannot_be_updated(store: &dyn Store) {
    let never = to_all();
    assert!(matches!(update(store, &never).await, Err(StoreError::NotFound)), "no workspace yet");
    let old = keyed(to_all(), "key");
    publish(store, old.clone()).await; // 1
    assert!(matches!(update(store, &never).await, Err(StoreError::NotFound)));
    mark(store, "alice", Mark::Read(old.id)).await;
    publish(store, keyed(to_all(), "key")).await; // 2, 3
    assert!(matches!(update(store, &anew(&old)).await, Err(StoreError::NotFound)), "it was superseded");
    let retracted = to_all();
    publish(store, retracted.clone()).await; // 4
    append(store, Write::Retract { id: retracted.id }).await; // 5
    assert!(matches!(update(store, &anew(&retracted)).await, Err(StoreError::NotFound)));
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(5));
}

pub(super) async fn an_update_replaces_what_it_was_made_from(store: &dyn Store) {
    let mut old = to_users(&["alice"]);
    old.metadata = Some(RawValue::from_string(r#"{"a": 1.0}"#.into()).expect("JSON"));
    publish(store, old.clone()).await; // 1
    let first = anew(&old);
    // Of the same instant: what it says tells them apart.
    let second = Notification { message: "And again".into(), ..old.clone() };
    let (one, other) =
        tokio::join!(update_from(store, Some(&old), &first), update_from(store, Some(&old), &second));
    let (kept, lost) = if one.is_ok() { (&first, other) } else { (&second, one) };
    assert!(matches!(lost, Err(StoreError::Changed)), "{lost:?}");
    assert_eq!(*store.find(&ws(), None, old.id).await.expect("it is there").notification, *kept);
    let both = Notification { message: "And again".into(), ..first.clone() };
    assert_eq!(update_from(store, Some(kept), &both).await.expect("nobody changed it"), Seq(3));
    append(store, Write::Retract { id: old.id }).await; // 4
    assert!(matches!(update_from(store, Some(&both), &first).await, Err(StoreError::NotFound)));
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(4), "what was refused wrote nothing");
}

pub(super) async fn an_update_keeps_its_people_and_its_time(store: &dyn Store) {
    let old = except(to_users(&["alice", "bob"]), &["bob"]);
    publish(store, old.clone()).await; // 1
    let others = [
        Notification { audience: to_all().audience, ..anew(&old) },
        Notification { audience: to_users(&["alice"]).audience, ..anew(&old) },
        except(anew(&old), &[]),
        Notification { timestamp: at(1), ..anew(&old) },
    ];
    for other in others {
        assert!(matches!(update(store, &other).await, Err(StoreError::Internal(_))));
    }
    let found = store.find(&ws(), None, old.id).await.expect("it is there");
    assert_eq!((*found.notification).clone(), old);
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(1));
}
