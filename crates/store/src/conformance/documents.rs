//! Documents, and the entries that are written with them.

use std::sync::Arc;

use campanile_model::{EntryKind, Seq, Slug, Timestamp};
use tokio::sync::broadcast::error::TryRecvError;

use super::fixture::*;
use crate::{
    Appended, Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect,
    MAX_DOCUMENTS_PER_CHANGE, Order, Store, StoreError, Write, document, due_place,
};

pub(super) const PRODUCT: DocumentKind = DocumentKind::Product;

pub(super) fn contents(body: &str) -> Contents {
    Contents { group: "".into(), due: None, expires: None, body: body.into() }
}

pub(super) fn in_group(group: &str, body: &str) -> Contents {
    Contents { group: group.into(), ..contents(body) }
}

pub(super) fn due(millis: i64, body: &str) -> Contents {
    Contents { due: Some(at(millis)), ..contents(body) }
}

pub(super) fn put(id: &str, expect: Expect, contents: Contents) -> DocumentWrite {
    DocumentWrite { kind: PRODUCT, id: id.into(), expect, put: Some(contents) }
}

pub(super) fn delete(id: &str, expect: Expect) -> DocumentWrite {
    DocumentWrite { kind: PRODUCT, id: id.into(), expect, put: None }
}

pub(super) fn of(documents: Vec<DocumentWrite>) -> Change {
    Change { documents, ..Change::default() }
}

pub(super) async fn try_change(
    store: &dyn Store,
    slug: &Slug,
    change: Change,
    now: Timestamp,
) -> Result<Appended, StoreError> {
    store.append(slug, Write::Change(change), now).await
}

pub(super) async fn change(store: &dyn Store, change: Change) -> Appended {
    try_change(store, &ws(), change, at(0)).await.expect("the change is taken")
}

/// One document written; its new version.
pub(super) async fn write(store: &dyn Store, write: DocumentWrite) -> u64 {
    change(store, of(vec![write])).await.versions[0]
}

async fn read(store: &dyn Store, id: &str) -> Option<Document> {
    document(store, &ws(), PRODUCT, id).await.expect("a document can be read")
}

pub(super) async fn list(
    store: &dyn Store,
    group: Option<&str>,
    order: Order,
    limit: usize,
) -> Vec<Arc<str>> {
    let query = DocumentQuery { kind: PRODUCT, group: group.map(Arc::from), order, limit };
    let listed = store.list_documents(&ws(), query).await.expect("documents can be listed");
    listed.into_iter().map(|document| document.id).collect()
}

async fn due_at(store: &dyn Store, millis: i64, limit: usize) -> Vec<(Slug, Arc<str>)> {
    let due = store.due(PRODUCT, at(millis), None, limit).await.expect("what is due can be read");
    due.into_iter().map(|(slug, document)| (slug, document.id)).collect()
}

fn conflict(result: Result<Appended, StoreError>) -> (Arc<str>, Option<u64>) {
    match result {
        Err(StoreError::Conflict { kind: PRODUCT, id, version }) => (id, version),
        other => panic!("a conflict was expected: {other:?}"),
    }
}

pub(super) async fn a_document_is_made_replaced_and_deleted(store: &dyn Store) {
    assert_eq!(read(store, "a").await, None);
    let made = Contents {
        group: "shelf".into(),
        due: Some(at(-5)),
        expires: Some(at(i64::MAX / 2)),
        body: r#"{"a" :  "ä\u0000"}"#.into(),
    };
    let appended = try_change(store, &ws(), of(vec![put("a", Expect::Absent, made.clone())]), at(1)).await;
    let appended = appended.expect("the change is taken");
    assert_eq!((appended.head, appended.published.len(), appended.replayed), (Seq(0), 0, false));
    let first = read(store, "a").await.expect("it was made");
    assert_eq!(first.contents, made, "to the letter");
    assert_eq!((first.kind, &*first.id, first.version), (PRODUCT, "a", appended.versions[0]));
    assert_eq!((first.created, first.updated), (at(1), at(1)));

    let replace = of(vec![put("a", Expect::Version(first.version), contents("2"))]);
    try_change(store, &ws(), replace, at(2)).await.expect("the version is the present one");
    let second = read(store, "a").await.expect("it was replaced");
    assert!(second.version > first.version);
    assert_eq!((second.number, second.created, second.updated), (first.number, at(1), at(2)));
    assert_eq!(second.contents, contents("2"), "all of it, group and instants too");

    let third = write(store, put("a", Expect::Anything, contents("3"))).await;
    assert!(third > second.version);
    assert_eq!(write(store, delete("a", Expect::Version(third))).await, 0);
    assert_eq!(read(store, "a").await, None);
    assert_eq!(write(store, delete("a", Expect::Anything)).await, 0, "it is gone already");
    assert_eq!(write(store, delete("a", Expect::Absent)).await, 0);
    assert!(list(store, None, Order::Id(None), 10).await.is_empty());
}

pub(super) async fn what_is_not_as_expected_is_refused(store: &dyn Store) {
    let refuse = async |write| conflict(try_change(store, &ws(), of(vec![write]), at(0)).await);
    assert_eq!(refuse(put("a", Expect::Version(1), contents("1"))).await, ("a".into(), None));
    assert_eq!(refuse(delete("a", Expect::Version(1))).await, ("a".into(), None));
    let version = write(store, put("a", Expect::Anything, contents("1"))).await;
    let found = ("a".into(), Some(version));
    assert_eq!(refuse(put("a", Expect::Absent, contents("2"))).await, found);
    assert_eq!(refuse(put("a", Expect::Version(version + 1), contents("2"))).await, found);
    assert_eq!(refuse(delete("a", Expect::Absent)).await, found);
    assert_eq!(refuse(delete("a", Expect::Version(version - 1))).await, found);
    assert_eq!(read(store, "a").await.expect("it stays").contents, contents("1"));
}

pub(super) async fn a_refused_change_writes_nothing(store: &dyn Store) {
    let kept = write(store, put("kept", Expect::Absent, due(0, "kept"))).await;
    append(store, Write::Withdraw { user: user("alice") }).await; // 1
    let mut commits = store.commits();
    let refused = |expect| Change {
        grant: users(&["alice", "bob"]),
        documents: vec![
            put("new", Expect::Absent, due(0, "new")),
            put("kept", Expect::Anything, contents("changed")),
            delete("first", Expect::Version(7)),
            put("second", Expect::Version(8), contents("")),
            put("kept-too", expect, contents("")),
        ],
        notifications: vec![Arc::new(to_all())],
        withdraw: users(&["carol"]),
        ..Change::default()
    };
    let outcome = try_change(store, &ws(), refused(Expect::Anything), at(0)).await;
    assert_eq!(conflict(outcome), ("first".into(), None), "the first that does not hold");
    // The ids of notifications are judged first, too.
    let taken = Arc::new(to_all());
    append(store, Write::Publish { notifications: vec![taken.clone()], idempotency: None }).await; // 2
    let again = Change {
        grant: users(&["alice"]),
        documents: vec![put("new", Expect::Absent, contents("new"))],
        notifications: vec![Arc::new(to_all()), taken],
        ..Change::default()
    };
    assert!(matches!(try_change(store, &ws(), again, at(0)).await, Err(StoreError::Internal(_))));

    assert_eq!(snapshot(store, "alice").await.counts.head, Seq(2));
    assert!(!snapshot(store, "alice").await.visibility.access.is_open());
    assert!(snapshot(store, "carol").await.visibility.access.is_open());
    assert_eq!(read(store, "new").await, None);
    let document = read(store, "kept").await.expect("it stays");
    assert_eq!((document.version, document.contents), (kept, due(0, "kept")));
    assert_eq!(due_at(store, 0, 10).await, [(ws(), "kept".into())]);
    assert_eq!(commits.try_recv().expect("one commit").entries.len(), 1);
    assert!(matches!(commits.try_recv(), Err(TryRecvError::Empty)));

    // A workspace does not begin with what was refused, but with what was taken.
    let other = slug("other");
    assert!(try_change(store, &other, refused(Expect::Anything), at(0)).await.is_err());
    assert_eq!(store.heads().await.expect("heads can be read").len(), 1);
    try_change(store, &other, of(vec![put("a", Expect::Absent, contents(""))]), at(0))
        .await
        .expect("the change is taken");
    let heads = store.heads().await.expect("heads can be read");
    assert_eq!(heads.iter().map(|head| head.seq).collect::<Vec<_>>(), [Seq(2), Seq(0)]);
}

pub(super) async fn no_version_and_no_number_comes_twice(store: &dyn Store) {
    let (mut versions, mut numbers) = (Vec::new(), Vec::new());
    for round in 0..3 {
        for body in ["1", "2"] {
            versions.push(write(store, put("a", Expect::Anything, contents(body))).await);
            versions.push(write(store, put("b", Expect::Anything, contents(body))).await);
            publish(store, to_all()).await;
        }
        for id in ["a", "b"] {
            let document = read(store, id).await.expect("it was made");
            numbers.push(document.number);
            write(store, delete(id, Expect::Version(document.version))).await;
        }
        assert_eq!(versions.len(), 4 * (round + 1));
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert!(versions[0] > 0, "0 says that there is none");
    // A version of the one that was deleted is no version of the next.
    let stale = of(vec![put("a", Expect::Version(versions[8]), contents(""))]);
    write(store, put("a", Expect::Absent, contents(""))).await;
    conflict(try_change(store, &ws(), stale, at(0)).await);
}

pub(super) async fn many_are_read_in_the_order_asked_for(store: &dyn Store) {
    change(store, of(["c", "a", "b"].map(|id| put(id, Expect::Absent, contents(id))).to_vec())).await;
    let asked: Vec<Arc<str>> = ["b", "no", "a", "b"].map(Arc::from).to_vec();
    let found = store.documents(&ws(), PRODUCT, &asked).await.expect("documents can be read");
    let bodies: Vec<_> = found.iter().map(|d| d.as_ref().map(|d| &*d.contents.body)).collect();
    assert_eq!(bodies, [Some("b"), None, Some("a"), Some("b")]);
    assert!(store.documents(&ws(), PRODUCT, &[]).await.expect("nothing can be read").is_empty());
    let none = store.documents(&slug("none"), PRODUCT, &asked).await.expect("documents can be read");
    assert_eq!(none, vec![None; 4]);
    let many = vec![Arc::<str>::from("a"); MAX_DOCUMENTS_PER_CHANGE + 1];
    let refused = store.documents(&ws(), PRODUCT, &many).await;
    assert!(matches!(refused, Err(StoreError::Limit { .. })));
}

pub(super) async fn lists_page_by_id_and_by_age(store: &dyn Store) {
    // Bytes, not letters, are the order: capitals first, what is not ASCII last.
    let ids = ["m", "B", "ä", "a", "ab", "\u{10348}", "~"];
    let writes = ids.iter().zip(["x", "y", "", "x", "y", "", "x"]);
    let writes = writes.map(|(id, group)| put(id, Expect::Absent, in_group(group, id)));
    change(store, of(writes.collect())).await;
    // An update moves nothing, a deletion leaves no hole.
    write(store, put("B", Expect::Anything, in_group("y", "again"))).await;
    write(store, put("gone", Expect::Anything, in_group("x", ""))).await;
    write(store, delete("gone", Expect::Anything)).await;

    let by_id = ["B", "a", "ab", "m", "~", "ä", "\u{10348}"];
    let newest = ["~", "\u{10348}", "ab", "a", "ä", "B", "m"];
    for (group, by_id, newest) in [
        (None, &by_id[..], &newest[..]),
        (Some("x"), &["a", "m", "~"], &["~", "a", "m"]),
        (Some("y"), &["B", "ab"], &["ab", "B"]),
        (Some(""), &["ä", "\u{10348}"], &["\u{10348}", "ä"]),
        (Some("z"), &[], &[]),
    ] {
        for limit in [1, 2, 3, 100] {
            let mut paged: Vec<Arc<str>> = Vec::new();
            loop {
                let page = list(store, group, Order::Id(paged.last().cloned()), limit).await;
                assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                paged.extend(page);
            }
            assert_eq!(paged.iter().map(|id| &**id).collect::<Vec<_>>(), by_id, "{group:?} by {limit}");

            let (mut paged, mut before) = (Vec::new(), None);
            loop {
                let page = list(store, group, Order::Newest(before), limit).await;
                let Some(last) = page.last() else { break };
                before = Some(read(store, last).await.expect("it was listed").number);
                paged.extend(page);
            }
            assert_eq!(paged.iter().map(|id| &**id).collect::<Vec<_>>(), newest, "{group:?} by {limit}");
        }
    }
    // A place between two that are there, and one that an entry of the log would have.
    assert_eq!(list(store, None, Order::Id(Some("aa".into())), 1).await, ["ab".into()]);
    assert_eq!(list(store, None, Order::Newest(Some(u64::MAX)), 1).await, ["~".into()]);
}

pub(super) async fn a_group_is_left_and_entered(store: &dyn Store) {
    let version = write(store, put("a", Expect::Absent, in_group("x", "1"))).await;
    write(store, put("a", Expect::Version(version), in_group("y", "1"))).await;
    for order in [Order::Id(None), Order::Newest(None)] {
        assert!(list(store, Some("x"), order.clone(), 10).await.is_empty());
        assert_eq!(list(store, Some("y"), order.clone(), 10).await, ["a".into()]);
        assert_eq!(list(store, None, order, 10).await, ["a".into()]);
    }
    write(store, put("a", Expect::Anything, contents("1"))).await;
    assert!(list(store, Some("y"), Order::Id(None), 10).await.is_empty());
    assert_eq!(list(store, Some(""), Order::Newest(None), 10).await, ["a".into()]);
}

pub(super) async fn what_is_due_comes_in_order_from_every_workspace(store: &dyn Store) {
    let other = slug("other");
    for (slug, id, millis) in
        [(ws(), "late", 30), (other.clone(), "a", 10), (ws(), "b", 10), (ws(), "early", -20)]
    {
        let documents = vec![put(id, Expect::Absent, due(millis, id))];
        try_change(store, &slug, of(documents), at(0)).await.expect("the change is taken");
    }
    write(store, put("never", Expect::Absent, contents(""))).await;
    let mut rule = put("rule", Expect::Absent, due(0, ""));
    rule.kind = DocumentKind::Rule;
    write(store, rule).await;

    let all =
        [(ws(), "early".into()), (other, "a".into()), (ws(), "b".into()), (ws(), Arc::<str>::from("late"))];
    assert!(due_at(store, -21, 10).await.is_empty());
    assert_eq!(due_at(store, -20, 10).await, all[..1], "at its instant");
    assert_eq!(due_at(store, 29, 10).await, all[..3]);
    assert_eq!(due_at(store, 30, 10).await, all);
    assert_eq!(due_at(store, 30, 2).await, all[..2]);
    let mut paged = Vec::new();
    let mut after = None;
    while let Some((slug, document)) =
        store.due(PRODUCT, at(30), after, 1).await.expect("what is due can be read").pop()
    {
        after = due_place(&document);
        paged.push((slug, document.id));
    }
    assert_eq!(paged, all, "one after the other, also at one instant");
    let found = store.due(PRODUCT, at(-20), None, 1).await.expect("what is due can be read");
    assert_eq!(Some(&found[0].1), read(store, "early").await.as_ref(), "the whole document");
}

pub(super) async fn what_is_due_moves_with_its_contents(store: &dyn Store) {
    let version = write(store, put("a", Expect::Absent, due(10, "1"))).await;
    write(store, put("b", Expect::Absent, due(20, "1"))).await;
    // The same instant, a later one, none, and one again.
    let version = write(store, put("a", Expect::Version(version), due(10, "2"))).await;
    assert_eq!(due_at(store, 10, 10).await, [(ws(), "a".into())]);
    let version = write(store, put("a", Expect::Version(version), due(30, "2"))).await;
    assert!(due_at(store, 10, 10).await.is_empty());
    assert_eq!(due_at(store, 30, 10).await, [(ws(), "b".into()), (ws(), "a".into())]);
    let version = write(store, put("a", Expect::Version(version), contents("3"))).await;
    assert_eq!(due_at(store, 30, 10).await, [(ws(), "b".into())]);
    write(store, put("a", Expect::Version(version), due(-1, "3"))).await;
    assert_eq!(due_at(store, 30, 10).await, [(ws(), "a".into()), (ws(), "b".into())]);
    write(store, delete("a", Expect::Anything)).await;
    assert_eq!(due_at(store, 30, 10).await, [(ws(), "b".into())]);
    assert_eq!(read(store, "b").await.expect("it stays").contents, due(20, "1"));
}

pub(super) async fn expired_documents_are_purged_in_steps(store: &dyn Store) {
    let expiring = |millis| Contents { expires: Some(at(millis)), ..in_group("x", "") };
    for (id, millis) in [("c", 30), ("a", 10), ("b", 20), ("d", 40)] {
        write(store, put(id, Expect::Absent, expiring(millis))).await;
    }
    write(store, put("e", Expect::Absent, contents(""))).await;
    let version = write(store, put("kept", Expect::Absent, expiring(10))).await;
    write(store, put("kept", Expect::Version(version), in_group("x", ""))).await;
    let purge = async |millis, limit| store.purge(at(millis), limit).await.expect("a purge works");
    assert_eq!(purge(9, 10).await, 0);
    assert_eq!(purge(30, 0).await, 0);
    assert_eq!(purge(30, 2).await, 2);
    assert_eq!(list(store, None, Order::Id(None), 10).await, ["c", "d", "e", "kept"].map(Arc::from));
    assert_eq!(purge(30, 2).await, 1);
    assert_eq!(purge(30, 2).await, 0);
    assert_eq!(list(store, Some("x"), Order::Newest(None), 10).await, ["kept", "d"].map(Arc::from));
    assert_eq!(write(store, delete("c", Expect::Absent)).await, 0);
}

pub(super) async fn workspaces_and_kinds_do_not_meet(store: &dyn Store) {
    let (other, kinds) = (slug("other"), DocumentKind::ALL);
    for slug in [ws(), other.clone()] {
        let body = |kind: DocumentKind| format!("{slug} {}", kind.number());
        let writes = kinds.map(|kind| DocumentWrite {
            kind,
            id: "same".into(),
            expect: Expect::Absent,
            put: Some(in_group("group", &body(kind))),
        });
        try_change(store, &slug, of(writes.to_vec()), at(0)).await.expect("the change is taken");
    }
    for slug in [ws(), other.clone()] {
        for kind in kinds {
            let found = document(store, &slug, kind, "same").await.expect("a document can be read");
            let found = found.expect("it was made");
            assert_eq!(&*found.contents.body, format!("{slug} {}", kind.number()));
            for (group, order) in [
                (None, Order::Id(None)),
                (Some("group".into()), Order::Id(None)),
                (None, Order::Newest(None)),
            ] {
                let query = DocumentQuery { kind, group, order, limit: 10 };
                let listed = store.list_documents(&slug, query).await.expect("documents can be listed");
                assert_eq!(listed, std::slice::from_ref(&found));
            }
        }
    }
    // A version names a state of one document, not of its namesake.
    let here = read(store, "same").await.expect("it was made");
    let stale = of(vec![put("same", Expect::Version(here.version), contents(""))]);
    conflict(try_change(store, &other, stale, at(0)).await);
    write(store, delete("same", Expect::Anything)).await;
    let there = document(store, &other, PRODUCT, "same").await.expect("a document can be read");
    assert!(there.is_some());
    let rule = document(store, &ws(), DocumentKind::Rule, "same").await.expect("a document can be read");
    assert!(rule.is_some());
}

pub(super) async fn a_change_is_one_commit_in_its_order(store: &dyn Store) {
    append(store, Write::Withdraw { user: user("alice") }).await; // 1
    let old = publish(store, to_users(&["alice", "bob"])).await.id; // 2
    let mut commits = store.commits();
    let appended = change(
        store,
        Change {
            grant: users(&["alice"]),
            documents: vec![
                put("a", Expect::Absent, contents("1")),
                delete("no", Expect::Anything),
                put("b", Expect::Absent, contents("2")),
            ],
            notifications: vec![Arc::new(to_users(&["alice", "bob"])), Arc::new(to_all())],
            resolve: vec![new_id(), old, old],
            withdraw: users(&["bob"]),
            idempotency: None,
        },
    )
    .await; // 3 to 7
    let commit = commits.try_recv().expect("one commit");
    let kinds: Vec<_> = commit.entries.iter().map(|entry| (entry.seq.0, &entry.kind)).collect();
    assert!(matches!(
        kinds[..],
        [
            (3, EntryKind::Grant { .. }),
            (4, EntryKind::Notification(_)),
            (5, EntryKind::Notification(_)),
            (6, EntryKind::Supersede { target_seq: Seq(2), by: None, .. }),
            (7, EntryKind::Withdraw { .. })
        ]
    ));
    assert_eq!(appended.published.iter().map(|p| p.seq.0).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(appended.head, Seq(7));
    let [first, 0, second] = appended.versions[..] else { panic!("{:?}", appended.versions) };
    assert!(0 < first && first < second);
    assert_eq!(seen(store, "alice").await, [4, 5], "what follows the grant");
    assert_eq!(seen(store, "bob").await, [0_u64; 0], "access ended");
    assert_eq!(read(store, "b").await.expect("it was made").version, second);

    // Documents alone are no entries: nobody is told.
    let quiet = change(store, of(vec![put("c", Expect::Absent, contents("3"))])).await;
    assert_eq!((quiet.head, quiet.epoch), (Seq(7), appended.epoch));
    change(store, Change::default()).await;
    assert!(matches!(commits.try_recv(), Err(TryRecvError::Empty)));
}

pub(super) async fn concurrent_changes_lose_no_update(store: &dyn Store) {
    const TASKS: usize = 8;
    const TIMES: u64 = 25;
    write(store, put("counter", Expect::Absent, contents("0"))).await;
    let count = async |task: usize| {
        let mut done = 0;
        while done < TIMES {
            let now = read(store, "counter").await.expect("it is there");
            let next = now.contents.body.parse::<u64>().expect("a number") + 1;
            let change = Change {
                documents: vec![
                    put("counter", Expect::Version(now.version), contents(&next.to_string())),
                    put(&format!("{task}-{done}"), Expect::Absent, contents(&next.to_string())),
                ],
                notifications: vec![Arc::new(to_users(&["alice"]))],
                ..Change::default()
            };
            match try_change(store, &ws(), change, at(0)).await {
                Ok(_) => done += 1,
                Err(StoreError::Conflict { id, .. }) => assert_eq!(&*id, "counter"),
                Err(error) => panic!("{error}"),
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|task| Box::pin(count(task))).collect();
    let mut waiting = tasks;
    // All of them in this one task, each polled in turn.
    std::future::poll_fn(|context| {
        waiting.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    let total = TASKS as u64 * TIMES;
    assert_eq!(&*read(store, "counter").await.expect("it is there").contents.body, total.to_string());
    assert_eq!(list(store, None, Order::Id(None), 1000).await.len() as u64, total + 1);
    assert_eq!(unread(store, "alice").await, total, "a refused change published nothing");
}
