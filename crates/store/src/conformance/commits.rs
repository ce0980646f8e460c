//! What a follower hears.

use campanile_model::{EntryKind, Seq};

use super::fixture::*;
use crate::{Mark, Store, Write};

pub(super) async fn commits_come_whole_and_in_order(store: &dyn Store) {
    let mut commits = store.commits();
    let other = slug("other");
    let ten = async |slug| {
        for _ in 0..10 {
            store.append(slug, one(to_all()), at(0)).await.expect("the write is taken");
        }
    };
    let here = ws();
    tokio::join!(ten(&here), ten(&other), ten(&here), ten(&other));
    subscribe(store, "news", &["alice", "bob"]).await;
    let mut next = std::collections::HashMap::new();
    while let Ok(commit) = commits.try_recv() {
        assert!(!commit.entries.is_empty());
        let snapshot =
            store.snapshot(&commit.workspace, &user("alice")).await.expect("a snapshot can be read");
        assert_eq!(Some(commit.epoch), snapshot.epoch);
        for entry in &commit.entries {
            let next = next.entry(commit.workspace.clone()).or_insert(Seq(1));
            assert_eq!(entry.seq, *next);
            *next = next.next();
        }
    }
    assert_eq!((next[&here], next[&other]), (Seq(23), Seq(21)));
}

pub(super) async fn a_commit_can_be_read_when_it_is_told(store: &dyn Store) {
    let mut commits = store.commits();
    let (published, commit) = tokio::join!(publish(store, to_users(&["alice"])), commits.recv());
    let commit = commit.expect("a commit is told");
    let [entry] = commit.entries.as_slice() else { panic!("one entry was written") };
    assert_eq!((&commit.workspace, entry.seq), (&ws(), published.seq));
    let EntryKind::Notification(told) = &entry.kind else { panic!("a notification was published") };
    let kept = store.find(&ws(), Some(&user("alice")), told.id).await.expect("what was told is there");
    assert_eq!(kept.notification, *told);
    assert!(snapshot(store, "alice").await.head >= entry.seq);
}

pub(super) async fn what_writes_nothing_tells_nothing(store: &dyn Store) {
    subscribe(store, "news", &["alice"]).await;
    let published = publish(store, to_all()).await;
    let mut commits = store.commits();
    subscribe(store, "news", &["alice"]).await;
    unsubscribe(store, "news", &["bob"]).await;
    mark(store, "alice", Mark::Read(published.id)).await;
    assert!(store.append(&ws(), Write::Retract { id: new_id() }, at(0)).await.is_err());
    assert!(commits.try_recv().is_err());
}
