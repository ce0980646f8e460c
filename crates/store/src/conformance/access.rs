//! Access to the workspace as intervals of the log.

use campanile_model::{Interval, Intervals, Seq};

use super::fixture::*;
use crate::{Mark, Store, StoreError, Write};

async fn grant(store: &dyn Store, name: &str) -> Seq {
    append(store, Write::Grant { user: user(name) }).await.head
}

async fn withdraw(store: &dyn Store, name: &str) -> Seq {
    append(store, Write::Withdraw { user: user(name) }).await.head
}

pub(super) async fn no_record_is_access_always(store: &dyn Store) {
    publish(store, to_all()).await;
    assert_eq!(snapshot(store, "alice").await.visibility.access, Intervals::always());
    assert_eq!(unread(store, "alice").await, 1);
}

pub(super) async fn a_withdrawal_hides_everything_until_a_grant(store: &dyn Store) {
    subscribe(store, "news", &["alice"]).await; // 1
    let kept = publish(store, to_users(&["alice"])).await; // 2
    publish(store, to_topic("news")).await; // 3
    assert_eq!(withdraw(store, "alice").await, Seq(4));
    assert_eq!(withdraw(store, "alice").await, Seq(4));
    for notification in [to_users(&["alice"]), to_topic("news"), to_all(), except(to_all(), &["alice"])] {
        publish(store, notification).await; // 5 to 8
    }
    let snapshot_then = snapshot(store, "alice").await;
    assert_eq!((snapshot_then.counts.unread, snapshot_then.counts.unseen), (0, 0));
    assert_eq!(seen(store, "alice").await, [0; 0]);
    assert!(matches!(store.find(&ws(), Some(&user("alice")), kept.id).await, Err(StoreError::NotFound)));
    let read = store.mark(&ws(), &user("alice"), Mark::Read(kept.id), None, at(0)).await;
    assert!(matches!(read, Err(StoreError::NotFound)));
    let all = mark(store, "alice", Mark::ReadAll(None)).await;
    assert_eq!((all.changed, all.unread), (false, 0));
    assert!(!mark(store, "alice", Mark::Seen(None)).await.changed);
    assert_eq!(seen(store, "bob").await, [7, 8]);

    assert_eq!(grant(store, "alice").await, Seq(9));
    assert_eq!(grant(store, "alice").await, Seq(9));
    publish(store, to_all()).await; // 10
    assert_eq!(seen(store, "alice").await, [2, 3, 10]);
    assert_eq!(unread(store, "alice").await, 3);
    let expected = Intervals::from_sorted(vec![
        Interval { from: Seq(0), to: Some(Seq(4)) },
        Interval { from: Seq(9), to: None },
    ]);
    assert_eq!(snapshot(store, "alice").await.visibility.access, expected);
}

pub(super) async fn a_first_grant_changes_nothing_but_is_recorded(store: &dyn Store) {
    publish(store, to_all()).await; // 1
    assert_eq!(grant(store, "alice").await, Seq(2));
    assert_eq!(grant(store, "alice").await, Seq(2));
    assert_eq!(seen(store, "alice").await, [1]);
    assert_eq!(snapshot(store, "alice").await.visibility.access, Intervals::always());
}
