//! Marks that are sent again under their key.

use campanile_model::{Rev, Seq};

use super::fixture::*;
use crate::{
    IDEMPOTENCY_WINDOW_MS, Idempotency, MAX_MARK_KEYS, Mark, MarkKey, Marked, Store, StoreError, Write,
};

async fn keyed_mark(
    store: &dyn Store,
    name: &str,
    said: Mark,
    key: &str,
    millis: i64,
) -> Result<Marked, StoreError> {
    let key = MarkKey { key: key.into(), said: said.clone() };
    store.mark(&ws(), &user(name), said, Some(&key), at(millis)).await
}

pub(super) async fn a_repeated_mark_does_nothing(store: &dyn Store) {
    let id = publish(store, to_all()).await.id;
    publish(store, to_all()).await;
    let first = keyed_mark(store, "alice", Mark::Read(id), "k", 0).await.expect("the mark is taken");
    assert_eq!((first.changed, first.rev, first.unread), (true, Rev(1), 1));
    mark(store, "alice", Mark::Unread(id)).await;
    publish(store, to_all()).await;
    let mut commits = store.commits();
    let again = keyed_mark(store, "alice", Mark::Read(id), "k", 1).await.expect("it was done");
    let now = Marked { changed: false, rev: Rev(2), unread: 3, head: Seq(3) };
    assert_eq!(again, now, "the counts of now");
    assert!(commits.try_recv().is_err());
    assert_eq!(unread(store, "alice").await, 3);
    // A mark that changed nothing was done too.
    assert!(!keyed_mark(store, "alice", Mark::Unread(id), "l", 1).await.expect("the mark is taken").changed);
    mark(store, "alice", Mark::Read(id)).await;
    assert!(!keyed_mark(store, "alice", Mark::Unread(id), "l", 1).await.expect("it was done").changed);
    assert_eq!(unread(store, "alice").await, 2);
}

pub(super) async fn a_key_is_of_one_mark_of_one_user(store: &dyn Store) {
    let id = publish(store, to_all()).await.id;
    let other = publish(store, to_all()).await.id;
    keyed_mark(store, "alice", Mark::Read(id), "k", 0).await.expect("the mark is taken");
    for mark in [Mark::Read(other), Mark::Unread(id), Mark::ReadAll(None), Mark::Read(new_id())] {
        let refused = keyed_mark(store, "alice", mark, "k", 0).await;
        assert!(matches!(refused, Err(StoreError::KeyReused)), "{refused:?}");
    }
    assert_eq!(snapshot(store, "alice").await.counts.rev, Rev(1));
    assert!(keyed_mark(store, "bob", Mark::Read(other), "k", 0).await.expect("the mark is taken").changed);
    // A publisher's keys are others.
    let idempotency = Some(Idempotency { publisher: user("alice"), key: "k".into(), fingerprint: [1; 32] });
    let notifications = vec![std::sync::Arc::new(to_all())];
    let published = append(store, Write::Publish { notifications, idempotency }).await;
    assert!(!published.replayed);
    let again = keyed_mark(store, "alice", Mark::Read(id), "k", 0).await.expect("it was done");
    assert!(!again.changed);
    // What counts is what the user said, not what it came to.
    let said = |said, up_to| (MarkKey { key: "all".into(), said }, Mark::ReadAll(Some(Seq(up_to))));
    let (key, mark) = said(Mark::ReadAll(None), 1);
    store.mark(&ws(), &user("carol"), mark, Some(&key), at(0)).await.expect("the mark is taken");
    let (key, mark) = said(Mark::ReadAll(None), 2);
    let again = store.mark(&ws(), &user("carol"), mark, Some(&key), at(0)).await.expect("it was done");
    assert_eq!((again.changed, again.unread), (false, 2));
}

pub(super) async fn a_refused_mark_keeps_no_key(store: &dyn Store) {
    let nothing = keyed_mark(store, "alice", Mark::ReadAll(None), "k", 0).await.expect("there is nothing");
    assert_eq!((nothing.changed, nothing.head), (false, Seq::ZERO));
    let unknown = keyed_mark(store, "alice", Mark::Read(new_id()), "k", 0).await;
    assert!(matches!(unknown, Err(StoreError::NotFound)), "no workspace yet");
    let id = publish(store, to_all()).await.id;
    let unknown = keyed_mark(store, "alice", Mark::Read(new_id()), "k", 0).await;
    assert!(matches!(unknown, Err(StoreError::NotFound)));
    let long = keyed_mark(store, "alice", Mark::Read(id), &"k".repeat(256), 0).await;
    assert!(matches!(long, Err(StoreError::Limit { limit: 255, .. })));
    assert!(keyed_mark(store, "alice", Mark::Read(id), "k", 0).await.expect("the mark is taken").changed);
}

pub(super) async fn keys_of_marks_are_kept_for_their_window(store: &dyn Store) {
    let id = publish(store, to_all()).await.id;
    keyed_mark(store, "alice", Mark::Read(id), "k", 0).await.expect("the mark is taken");
    mark(store, "alice", Mark::Unread(id)).await;
    let late = keyed_mark(store, "alice", Mark::Read(id), "k", IDEMPOTENCY_WINDOW_MS - 1).await;
    assert!(!late.expect("it was done").changed);
    let over = keyed_mark(store, "alice", Mark::Archive(id), "k", IDEMPOTENCY_WINDOW_MS).await;
    assert!(over.expect("the key is free").changed);
    let again = keyed_mark(store, "alice", Mark::Archive(id), "k", 2 * IDEMPOTENCY_WINDOW_MS - 1).await;
    assert!(!again.expect("it was done").changed);
}

pub(super) async fn the_newest_keys_of_a_user_are_kept(store: &dyn Store) {
    let id = publish(store, to_all()).await.id;
    for n in 0..=MAX_MARK_KEYS {
        keyed_mark(store, "alice", Mark::Seen(None), &n.to_string(), 0).await.expect("the mark is taken");
    }
    keyed_mark(store, "bob", Mark::Seen(None), "0", 0).await.expect("the mark is taken");
    let forgotten = keyed_mark(store, "alice", Mark::Read(id), "0", 0).await;
    assert!(forgotten.expect("the key is free").changed);
    for kept in [2, MAX_MARK_KEYS] {
        let refused = keyed_mark(store, "alice", Mark::Read(id), &kept.to_string(), 0).await;
        assert!(matches!(refused, Err(StoreError::KeyReused)), "{kept}: {refused:?}");
    }
    let refused = keyed_mark(store, "bob", Mark::Read(id), "0", 0).await;
    assert!(matches!(refused, Err(StoreError::KeyReused)));
}
