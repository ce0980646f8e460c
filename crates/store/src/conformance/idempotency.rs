//! Requests that come again.

use std::sync::Arc;

use campanile_model::{Seq, Slug, Timestamp};

use super::fixture::*;
use crate::{
    Appended, Change, Contents, DocumentKind, DocumentWrite, Expect, IDEMPOTENCY_WINDOW_MS, Idempotency,
    Store, StoreError, Write, document,
};

/// A request as its publisher repeats it: the same body, though under an id drawn anew.
fn request(publisher: &str, key: &str, body: u8) -> Write {
    let idempotency = Idempotency { publisher: user(publisher), key: key.into(), fingerprint: [body; 32] };
    let notifications = vec![Arc::new(to_all()), Arc::new(to_users(&["alice"]))];
    Write::Publish { notifications, idempotency: Some(idempotency) }
}

async fn send(store: &dyn Store, slug: &Slug, write: Write, now: Timestamp) -> Appended {
    store.append(slug, write, now).await.expect("the request is taken")
}

pub(super) async fn a_repetition_gets_the_first_outcome(store: &dyn Store) {
    let first = send(store, &ws(), request("alice", "k", 1), at(0)).await;
    assert!(!first.replayed);
    publish(store, to_all()).await;
    let again = send(store, &ws(), request("alice", "k", 1), at(1)).await;
    assert_eq!(again, Appended { replayed: true, ..first });
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(3));
}

pub(super) async fn another_body_is_refused(store: &dyn Store) {
    send(store, &ws(), request("alice", "k", 1), at(0)).await;
    let reused = store.append(&ws(), request("alice", "k", 2), at(0)).await;
    assert!(matches!(reused, Err(StoreError::KeyReused)));
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(2));
}

pub(super) async fn keys_belong_to_a_publisher_in_a_workspace(store: &dyn Store) {
    let other = slug("other");
    for (slug, publisher, key) in
        [(&ws(), "alice", "k"), (&ws(), "bob", "k"), (&ws(), "alice", "l"), (&other, "alice", "k")]
    {
        assert!(!send(store, slug, request(publisher, key, 1), at(0)).await.replayed);
    }
}

pub(super) async fn keys_are_kept_for_their_window(store: &dyn Store) {
    send(store, &ws(), request("alice", "k", 1), at(0)).await;
    let last = at(IDEMPOTENCY_WINDOW_MS - 1);
    assert!(send(store, &ws(), request("alice", "k", 1), last).await.replayed);
    let after = at(IDEMPOTENCY_WINDOW_MS);
    let anew = send(store, &ws(), request("alice", "k", 2), after).await;
    assert!(!anew.replayed);
    assert_eq!(anew.published[0].seq, Seq(3));
    let early = send(store, &ws(), request("alice", "k", 2), at(5)).await;
    assert!(early.replayed, "a clock set back does not forget");
}

pub(super) async fn calls_in_flight_join(store: &dyn Store) {
    let here = ws();
    let call = || send(store, &here, request("alice", "k", 1), at(0));
    let mut outcomes = <[Appended; 4]>::from(tokio::join!(call(), call(), call(), call()));
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.replayed).count(), 1);
    outcomes.iter_mut().for_each(|outcome| outcome.replayed = false);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(2));
}

pub(super) async fn a_key_is_of_one_request_whatever_that_does(store: &dyn Store) {
    let key = |key: &str, body: u8| {
        Some(Idempotency { publisher: user("alice"), key: key.into(), fingerprint: [body; 32] })
    };
    let wait = |name: &str, body: u8| {
        let contents = Contents { group: "".into(), due: None, expires: None, body: "{}".into() };
        let id = Arc::from(format!("{name} {body}"));
        let documents = vec![DocumentWrite {
            kind: DocumentKind::Schedule,
            id,
            expect: Expect::Absent,
            put: Some(contents),
        }];
        Write::Change(Change { documents, idempotency: key(name, body).map(Box::new), ..Change::default() })
    };
    let first = send(store, &ws(), wait("k", 1), at(0)).await;
    assert!(!first.replayed && first.published.is_empty());
    // The key is judged first: its document is there, so that the change itself would be refused.
    let again = send(store, &ws(), wait("k", 1), at(1)).await;
    assert_eq!(again, Appended { replayed: true, versions: vec![], ..first });
    let reused = |outcome| assert!(matches!(outcome, Err(StoreError::KeyReused)));
    reused(store.append(&ws(), wait("k", 2), at(1)).await);
    reused(store.append(&ws(), request("alice", "k", 2), at(1)).await);
    let published = send(store, &ws(), request("alice", "l", 1), at(1)).await;
    reused(store.append(&ws(), wait("l", 2), at(1)).await);
    let waiting = document(store, &ws(), DocumentKind::Schedule, "k 2").await.expect("it can be read");
    assert_eq!(waiting, None);
    // Asking for it does nothing.
    let kept = async |name: &str, body: u8, now: i64| {
        store.kept(&ws(), &key(name, body).expect("a key"), at(now)).await
    };
    assert_eq!(kept("l", 1, 1).await.expect("the same body"), Some(Appended { replayed: true, ..published }));
    assert!(matches!(kept("l", 2, 1).await, Err(StoreError::KeyReused)));
    assert_eq!(kept("m", 1, 1).await.expect("no such key"), None);
    assert_eq!(kept("k", 1, IDEMPOTENCY_WINDOW_MS).await.expect("it was forgotten"), None);
    let elsewhere = store.kept(&slug("never"), &key("k", 1).expect("a key"), at(1)).await;
    assert_eq!(elsewhere.expect("no such workspace"), None);
    assert!(!send(store, &ws(), wait("k", 3), at(IDEMPOTENCY_WINDOW_MS)).await.replayed);
}

pub(super) async fn a_refused_publish_keeps_no_key(store: &dyn Store) {
    let taken = Arc::new(to_all());
    append(store, Write::Publish { notifications: vec![Arc::clone(&taken)], idempotency: None }).await;
    let idempotency = Some(Idempotency { publisher: user("alice"), key: "k".into(), fingerprint: [9; 32] });
    let refused = Write::Publish { notifications: vec![taken], idempotency };
    assert!(store.append(&ws(), refused, at(0)).await.is_err());
    assert!(!send(store, &ws(), request("alice", "k", 1), at(0)).await.replayed);
}
