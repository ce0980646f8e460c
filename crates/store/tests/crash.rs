//! What a crash may not take: every acknowledged write is there afterwards.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use campanile_model::{Audience, EntryKind, NotificationId, Seq};
use campanile_store::{
    Change, Contents, DocumentKind, DocumentQuery, DocumentWrite, Documents, Expect, Mark, Order,
    SqliteStore, Store, Write,
};

use crate::support::*;

/// Set for the child that is to be killed: the data directory.
const CHILD: &str = "CAMPANILE_STORE_TEST_CHILD";

#[test]
fn a_dropped_store_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..20 {
        runtime().block_on(async {
            let store = sqlite(dir.path());
            assert_eq!(ids(&store).await, expected);
            let mut calls = Vec::new();
            for n in 0..10 {
                let notification = notification(round * 10 + n + 1, Audience::Workspace, vec![]);
                expected.push(notification.id);
                calls.push(publish(&store, notification));
            }
            for call in calls {
                call.await;
            }
            let last = *expected.last().unwrap();
            store.mark(&workspace(0), &user(0), Mark::Read(last), None, at(0)).await.unwrap();
        });
    }
    runtime().block_on(async {
        let store = sqlite(dir.path());
        let snapshot = store.snapshot(&workspace(0), &user(0)).await.unwrap();
        assert_eq!(
            (snapshot.counts.head, snapshot.counts.rev.0, snapshot.counts.unread),
            (Seq(200), 20, 180)
        );
    });
}

/// `kill -9` while four publishers wait for their acknowledgements: what they were told is there, once,
/// and in their order.
#[test]
fn a_killed_process_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..rounds() {
        acknowledged.extend(run_and_kill(dir.path(), round));
        let began = std::time::Instant::now();
        let store = sqlite(dir.path());
        assert!(began.elapsed() < Duration::from_secs(2), "a restart takes {:?}", began.elapsed());
        let kept = runtime().block_on(ids(&store));
        let distinct: BTreeSet<_> = kept.iter().collect();
        assert_eq!(distinct.len(), kept.len(), "an entry is there twice");
        let missing: Vec<_> = acknowledged.iter().filter(|id| !distinct.contains(id)).collect();
        assert!(missing.is_empty(), "acknowledged but missing: {missing:?}");
        runtime().block_on(changes_are_whole(&store));
        let report = runtime().block_on(store.check_full()).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
    assert!(acknowledged.len() > 100, "the publishers came to {} only", acknowledged.len());
}

fn rounds() -> u64 {
    // Where the suite has time for more: `PROPTEST_CASES`, as for the histories.
    u64::from(cases(8).min(1000))
}

/// The ids that the child said were acknowledged before it was killed.
fn run_and_kill(dir: &Path, round: u64) -> Vec<NotificationId> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD, format!("{round} {}", dir.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut heard, mut ids) = (0, Vec::new());
    for line in lines {
        // A line that was cut by the kill was not told to anyone.
        ids.extend(line.ok().and_then(|line| NotificationId::parse(line.strip_prefix("ack ")?).ok()));
        if ids.len() > 40 + 7 * round as usize && heard == 0 {
            heard = ids.len();
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    ids
}

#[test]
#[ignore = "run by the test above"]
#[allow(clippy::disallowed_methods)] // how a test is told that it is the child
fn child_that_is_killed() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (round, dir) = task.split_once(' ').unwrap();
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = Arc::new(sqlite(Path::new(dir)));
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let store = Arc::clone(&store);
            runtime.spawn(async move {
                for n in 0.. {
                    let to = if n % 2 == 0 { Audience::Workspace } else { Audience::Users(users()) };
                    let id = ((round * 4 + publisher) << 24) + n + 1;
                    let notification = notification(id, to, vec![]);
                    let id = if is_change(notification.id) {
                        change(&store, notification).await
                    } else {
                        publish(&store, notification).await
                    };
                    // One system call, so that lines of several publishers do not mix.
                    std::io::stdout().lock().write_all(format!("\nack {id}\n").as_bytes()).unwrap();
                    if n % 10 == 9 {
                        store
                            .mark(&workspace(0), &user(publisher as u8), Mark::Read(id), None, at(0))
                            .await
                            .unwrap();
                    }
                }
            })
        })
        .collect();
    for publisher in publishers {
        runtime.block_on(publisher).unwrap();
    }
}

async fn publish(store: &SqliteStore, notification: Arc<campanile_model::Notification>) -> NotificationId {
    let write = Write::Publish { notifications: vec![notification], idempotency: None };
    store.append(&workspace(0), write, at(0)).await.unwrap().published[0].id
}

/// Every third one is written with documents.
fn is_change(id: NotificationId) -> bool {
    ((id.0.as_u64_pair().0 >> 16) & 0xff_ffff).is_multiple_of(3)
}

/// A notification with two documents that are named after it.
async fn change(store: &SqliteStore, notification: Arc<campanile_model::Notification>) -> NotificationId {
    let put = |id: String, due| DocumentWrite {
        kind: DocumentKind::Product,
        id: id.into(),
        expect: Expect::Absent,
        put: Some(Contents { group: "".into(), due, expires: None, body: "{}".into() }),
    };
    let id = notification.id;
    let documents = vec![put(format!("{id}"), Some(at(0))), put(format!("{id} too"), None)];
    let write = Write::Change(Change { documents, notifications: vec![notification], ..Change::default() });
    store.append(&workspace(0), write, at(0)).await.unwrap().published[0].id
}

/// A change's documents are there exactly if its notification is.
async fn changes_are_whole(store: &SqliteStore) {
    let changes = ids(store).await.into_iter().filter(|id| is_change(*id));
    let right: BTreeSet<_> = changes.flat_map(|id| [format!("{id}"), format!("{id} too")]).collect();
    let query = |order| DocumentQuery { kind: DocumentKind::Product, group: None, order, limit: 1_000_000 };
    for order in [Order::Id(None), Order::Newest(None)] {
        let listed = store.list_documents(&workspace(0), query(order)).await.unwrap();
        assert_eq!(listed.iter().map(|d| d.id.to_string()).collect::<BTreeSet<_>>(), right);
    }
    let due = store.due(DocumentKind::Product, at(0), None, usize::MAX).await.unwrap();
    assert_eq!(due.len(), right.len() / 2);
}

async fn ids(store: &SqliteStore) -> Vec<NotificationId> {
    let entries = store.entries(&workspace(0), Seq(0), Seq(u64::MAX), usize::MAX).await.unwrap();
    entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Notification(n) => Some(n.id),
            _ => None,
        })
        .collect()
}
