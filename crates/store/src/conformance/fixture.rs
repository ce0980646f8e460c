//! Names, notifications, and calls that must work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use campanile_model::{Audience, Level, Notification, NotificationId, Seq, Slug, Timestamp, Topic, UserId};
use uuid::Uuid;

use crate::{Appended, Item, Mark, Marked, Published, Retention, Snapshot, Store, VisibleQuery, Write};

/// The time of every call that does not care.
pub(super) const NOW: i64 = 1_767_225_600_000;

pub(super) fn ws() -> Slug {
    slug("conformance")
}

pub(super) fn slug(text: &str) -> Slug {
    Slug::new(text).expect("the suite's slugs are good")
}

pub(super) fn user(text: &str) -> UserId {
    UserId::new(text).expect("the suite's users are good")
}

pub(super) fn users(texts: &[&str]) -> Vec<UserId> {
    texts.iter().map(|text| user(text)).collect()
}

pub(super) fn topic(text: &str) -> Topic {
    Topic::new(text).expect("the suite's topics are good")
}

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW + millis)
}

/// An id that no other call in the process gave out: a store may live through several cases.
pub(super) fn new_id() -> NotificationId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    NotificationId(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63))
}

pub(super) fn to_users(texts: &[&str]) -> Notification {
    to(Audience::Users(users(texts)))
}

pub(super) fn to_topic(text: &str) -> Notification {
    to(Audience::Topic(topic(text)))
}

pub(super) fn to_all() -> Notification {
    to(Audience::Workspace)
}

pub(super) fn to(audience: Audience) -> Notification {
    Notification {
        id: new_id(),
        audience,
        except: Vec::new(),
        title: "A title".into(),
        message: "A message".into(),
        kind: "info".into(),
        level: Level::Info,
        timestamp: at(0),
        metadata: None,
        event: None,
        product_name: None,
        expiry_date: None,
        expires_at: None,
        collapse_key: None,
        updated_at: None,
    }
}

pub(super) fn except(mut notification: Notification, texts: &[&str]) -> Notification {
    notification.except = users(texts);
    notification
}

pub(super) fn keyed(notification: Notification, key: &str) -> Notification {
    Notification { collapse_key: Some(key.into()), ..notification }
}

pub(super) fn one(notification: Notification) -> Write {
    Write::Publish { notifications: vec![Arc::new(notification)], idempotency: None }
}

pub(super) async fn append(store: &dyn Store, write: Write) -> Appended {
    store.append(&ws(), write, at(0)).await.expect("the write is taken")
}

pub(super) async fn publish(store: &dyn Store, notification: Notification) -> Published {
    let appended = append(store, one(notification)).await;
    *appended.published.first().expect("one notification is one publication")
}

pub(super) async fn subscribe(store: &dyn Store, to: &str, texts: &[&str]) -> Appended {
    append(store, Write::Subscribe { topic: topic(to), users: users(texts) }).await
}

pub(super) async fn unsubscribe(store: &dyn Store, from: &str, texts: &[&str]) -> Appended {
    append(store, Write::Unsubscribe { topic: topic(from), users: users(texts) }).await
}

pub(super) async fn snapshot(store: &dyn Store, name: &str) -> Snapshot {
    store.snapshot(&ws(), &user(name)).await.expect("a snapshot can be read")
}

pub(super) async fn unread(store: &dyn Store, name: &str) -> u64 {
    snapshot(store, name).await.counts.unread
}

pub(super) async fn mark(store: &dyn Store, name: &str, mark: Mark) -> Marked {
    store.mark(&ws(), &user(name), mark, None, at(0)).await.expect("the mark is taken")
}

pub(super) async fn list(store: &dyn Store, name: &str, query: VisibleQuery) -> Vec<Item> {
    store.visible(&ws(), &user(name), query).await.expect("a list can be read")
}

/// The places of everything the user sees, ascending.
pub(super) async fn seen(store: &dyn Store, name: &str) -> Vec<u64> {
    places(&list(store, name, everything()).await)
}

pub(super) fn places(items: &[Item]) -> Vec<u64> {
    items.iter().map(|item| item.seq.0).collect()
}

pub(super) fn everything() -> VisibleQuery {
    VisibleQuery {
        after: Seq::ZERO,
        up_to: Seq(u64::MAX),
        limit: 1000,
        newest_first: false,
        read: None,
        archived: None,
    }
}

/// Prunes in steps until nothing is left to do.
pub(super) async fn prune(store: &dyn Store, keep: Retention, now: Timestamp) {
    while store.prune(&ws(), keep, 2, now).await.expect("a step of pruning works") > 0 {}
}
