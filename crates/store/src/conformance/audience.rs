//! Who sees what: users, topics, the workspace, exceptions.

use campanile_model::{Seq, limits};

use super::fixture::*;
use crate::{Store, StoreError, VisibleQuery, Write};

pub(super) async fn each_audience_reaches_its_users_less_the_exceptions(store: &dyn Store) {
    subscribe(store, "news", &["alice", "bob"]).await; // 1, 2
    publish(store, to_users(&["alice"])).await; // 3
    publish(store, to_users(&["alice", "bob", "carol"])).await; // 4
    publish(store, to_topic("news")).await; // 5
    publish(store, to_topic("sport")).await; // 6
    publish(store, to_all()).await; // 7
    publish(store, except(to_users(&["alice", "bob"]), &["alice"])).await; // 8
    publish(store, except(to_topic("news"), &["bob", "carol"])).await; // 9
    publish(store, except(to_all(), &["carol", "dave", "dave"])).await; // 10
    for (name, places) in [
        ("alice", vec![3, 4, 5, 7, 9, 10]),
        ("bob", vec![4, 5, 7, 8, 10]),
        ("carol", vec![4, 7]),
        ("dave", vec![7]),
        ("erin", vec![7, 10]),
    ] {
        assert_eq!(seen(store, name).await, places, "{name}");
        let snapshot = snapshot(store, name).await;
        assert_eq!(snapshot.counts.unread, places.len() as u64, "{name}");
        assert_eq!(snapshot.counts.unseen, places.len() as u64, "{name}");
    }
}

pub(super) async fn a_subscription_reaches_from_its_start_to_its_end(store: &dyn Store) {
    publish(store, to_topic("news")).await; // 1
    subscribe(store, "news", &["alice"]).await; // 2
    publish(store, to_topic("news")).await; // 3
    unsubscribe(store, "news", &["alice"]).await; // 4
    publish(store, to_topic("news")).await; // 5
    assert_eq!(seen(store, "alice").await, [3]);
    subscribe(store, "news", &["alice"]).await; // 6
    publish(store, to_topic("news")).await; // 7
    assert_eq!(seen(store, "alice").await, [3, 7]);
    assert_eq!(unread(store, "alice").await, 2);
    let visibility = snapshot(store, "alice").await.visibility;
    let shown = |seq| visibility.topics[&topic("news")].contains(Seq(seq));
    assert!(shown(3) && !shown(5) && shown(7) && shown(8));
}

pub(super) async fn repeated_subscriptions_write_nothing(store: &dyn Store) {
    assert_eq!(unsubscribe(store, "news", &["alice"]).await.head, Seq(0));
    assert_eq!(subscribe(store, "news", &["alice", "bob"]).await.head, Seq(2));
    assert_eq!(subscribe(store, "news", &["bob", "carol"]).await.head, Seq(3));
    assert_eq!(subscribe(store, "news", &["alice", "carol"]).await.head, Seq(3));
    assert_eq!(unsubscribe(store, "news", &["dave", "bob"]).await.head, Seq(4));
    assert_eq!(unsubscribe(store, "news", &["bob"]).await.head, Seq(4));
}

pub(super) async fn topics_of_a_user_are_bounded(store: &dyn Store) {
    for n in 0..limits::MAX_TOPICS_PER_USER {
        subscribe(store, &format!("topic {n}"), &["alice"]).await;
    }
    let head = snapshot(store, "alice").await.counts.head;
    let write = Write::Subscribe { topic: topic("one more"), users: users(&["bob", "alice"]) };
    let refused = store.append(&ws(), write, at(0)).await;
    assert!(matches!(refused, Err(StoreError::Limit { limit: limits::MAX_TOPICS_PER_USER, .. })));
    assert_eq!(snapshot(store, "bob").await.counts.head, head, "nothing was written for the others either");
    subscribe(store, "topic 7", &["alice"]).await;
    publish(store, to_topic("topic 199")).await;
    publish(store, to_topic("topic 0")).await;
    assert_eq!(unread(store, "alice").await, 2);
    assert_eq!(seen(store, "alice").await, [201, 202]);
    unsubscribe(store, "topic 7", &["alice"]).await;
    subscribe(store, "one more", &["alice"]).await;
}

pub(super) async fn subscribers_are_listed_by_name_in_pages(store: &dyn Store) {
    subscribe(store, "news", &["carol", "alice", "Zoë", "bob"]).await;
    unsubscribe(store, "news", &["bob"]).await;
    let page = |after: Option<&'static str>, limit| async move {
        let after = after.map(user);
        store
            .subscribers(&ws(), &topic("news"), after.as_ref(), limit)
            .await
            .expect("subscribers can be read")
    };
    assert_eq!(page(None, 10).await, users(&["Zoë", "alice", "carol"]));
    assert_eq!(page(None, 2).await, users(&["Zoë", "alice"]));
    assert_eq!(page(Some("alice"), 2).await, users(&["carol"]));
    assert_eq!(page(Some("b"), 2).await, users(&["carol"]));
    let none = store.subscribers(&ws(), &topic("sport"), None, 10).await.expect("an unknown topic is empty");
    assert!(none.is_empty());
}

pub(super) async fn lists_page_both_ways(store: &dyn Store) {
    subscribe(store, "news", &["alice"]).await; // 1
    for _ in 0..40 {
        publish(store, to_users(&["alice"])).await;
        publish(store, to_topic("news")).await;
        publish(store, to_users(&["bob"])).await;
        publish(store, to_all()).await;
    }
    let all = seen(store, "alice").await;
    assert_eq!(all.len(), 120);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    loop {
        let after = Seq(up.last().copied().unwrap_or(0));
        let page = list(store, "alice", VisibleQuery { after, limit: 7, ..everything() }).await;
        if page.is_empty() {
            break;
        }
        up.extend(places(&page));
    }
    loop {
        let up_to = Seq(down.last().map_or(u64::MAX, |last| last - 1));
        let query = VisibleQuery { up_to, limit: 7, newest_first: true, ..everything() };
        let page = list(store, "alice", query).await;
        if page.is_empty() {
            break;
        }
        down.extend(places(&page));
    }
    assert_eq!(up, all);
    down.reverse();
    assert_eq!(down, all);
    let middle = VisibleQuery { after: Seq(50), up_to: Seq(60), ..everything() };
    let within: Vec<u64> = all.iter().copied().filter(|seq| (51..=60).contains(seq)).collect();
    assert_eq!(places(&list(store, "alice", middle).await), within);
}
