//! What a follower hears.

use std::sync::Arc;

use campanile_model::{Entry, EntryKind, Notification, Rev, Seq};

use super::fixture::*;
use crate::{Change, Mark, Marking, Store, Write};

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
        assert_eq!(Some(commit.epoch), snapshot.counts.epoch);
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
    assert!(snapshot(store, "alice").await.counts.head >= entry.seq);
}

pub(super) async fn what_writes_nothing_tells_nothing(store: &dyn Store) {
    subscribe(store, "news", &["alice"]).await;
    let published = publish(store, to_all()).await;
    let mut commits = store.commits();
    subscribe(store, "news", &["alice"]).await;
    unsubscribe(store, "news", &["bob"]).await;
    mark(store, "alice", Mark::Unread(published.id)).await;
    mark(store, "bob", Mark::Seen(Some(Seq(0)))).await;
    assert!(store.append(&ws(), Write::Retract { id: new_id() }, at(0)).await.is_err());
    assert!(store.mark(&ws(), &user("alice"), Mark::Read(new_id()), None, at(0)).await.is_err());
    assert!(commits.try_recv().is_err());
}

pub(super) async fn marks_that_change_something_are_told_in_their_order(store: &dyn Store) {
    let first = publish(store, to_all()).await; // 1
    let mut commits = store.commits();
    let read = mark(store, "alice", Mark::Read(first.id)).await;
    assert_eq!((read.changed, read.rev, read.head), (true, Rev(1), Seq(1)));
    let again = mark(store, "alice", Mark::Read(first.id)).await;
    assert_eq!((again.changed, again.rev, again.head), (false, Rev(1), Seq(1)));
    publish(store, to_all()).await; // 2
    let unread = mark(store, "alice", Mark::Unread(first.id)).await;
    assert_eq!((unread.changed, unread.unread, unread.head), (true, 2, Seq(2)));
    mark(store, "bob", Mark::ReadAll(None)).await;
    let mut told = Vec::new();
    while let Ok(commit) = commits.try_recv() {
        assert_eq!(
            (&commit.workspace, Some(commit.epoch)),
            (&ws(), snapshot(store, "alice").await.counts.epoch)
        );
        told.extend(commit.entries.iter().map(|entry| format!("entry {}", entry.seq)));
        told.extend(commit.marks.iter().map(|Marking { user, rev }| format!("{user} {}", rev.0)));
    }
    assert_eq!(told, ["alice 1", "entry 2", "alice 2", "bob 1"]);
}

pub(super) async fn what_is_withdrawn_is_told_with_its_body(store: &dyn Store) {
    let (a, b) = (keyed(to_users(&["alice"]), "key"), keyed(to_users(&["alice"]), "key"));
    let (c, d) = (Notification { expires_at: Some(at(5)), ..to_all() }, to_topic("news"));
    for notification in [&a, &c, &d] {
        publish(store, notification.clone()).await; // 1 to 3
    }
    let mut commits = store.commits();
    publish(store, b.clone()).await; // 4, 5
    append(store, Write::Change(Change { resolve: vec![d.id], ..Change::default() })).await; // 6
    append(store, Write::Retract { id: a.id }).await; // 7
    append(store, Write::Retract { id: b.id }).await; // 8
    assert_eq!(store.expire(at(5), 10).await.expect("what is due is withdrawn"), 1); // 9
    let mut live = Vec::new();
    while let Ok(commit) = commits.try_recv() {
        live.extend(commit.entries.iter().cloned());
    }
    let body = |entry: &Entry| match &entry.kind {
        EntryKind::Retract { withdrawn, .. } | EntryKind::Supersede { withdrawn, .. } => withdrawn.clone(),
        _ => None,
    };
    let told: Vec<_> = live.iter().filter_map(|e| Some((e.seq.0, body(e)?))).collect();
    let expected = [(5, &a), (6, &d), (7, &a), (8, &b), (9, &c)];
    assert_eq!(told, expected.map(|(seq, n)| (seq, Arc::new(n.clone()))));
    let read = store.entries(&ws(), Seq(4), Seq(9), 9).await.expect("entries can be read");
    assert_eq!(read, live[1..], "they say the same");
    assert!(read.iter().all(|entry| body(entry).is_none()), "but nothing keeps the bodies");
}
