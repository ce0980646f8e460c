//! What is removed is overwritten, and that costs as much as writing it: a turn removes a few MiB at most, so that others
//! need not wait for long.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use campanile_model::{Audience, Notification, Timestamp};
use campanile_store::{
    Change, Config, Contents, DocumentKind, DocumentWrite, Documents, Epochs, Expect, Fault, Faults,
    Retention, SqliteStore, Store, Write,
};

use crate::support::*;

/// How long the write-ahead log was after each commit.
struct Lengths {
    log: PathBuf,
    after: Mutex<Vec<u64>>,
}

impl Lengths {
    /// By how many bytes it grew from one commit to the next, since this was called last.
    fn growths(&self) -> Vec<u64> {
        let mut after = self.after.lock().unwrap();
        let growths = after.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let last = after.len() - 1;
        after.drain(..last);
        growths
    }
}

impl Faults for Lengths {
    fn after_commit(&self) -> Option<Fault> {
        self.after.lock().unwrap().push(std::fs::metadata(&self.log).unwrap().len());
        None
    }
}

const COUNT: usize = 24;
const BODY: usize = 1 << 20;
/// The bodies of a turn, and what else it writes.
const TURN: u64 = (4 << 20) + (1 << 20);

fn body() -> String {
    "x".repeat(BODY)
}

async fn publish(store: &dyn Store, n: u64, expires_at: Option<Timestamp>) {
    let short = Arc::unwrap_or_clone(notification(n, Audience::Workspace, vec![]));
    let notifications = vec![Arc::new(Notification { message: body(), expires_at, ..short })];
    store.append(&workspace(0), Write::Publish { notifications, idempotency: None }, at(0)).await.unwrap();
}

async fn put(store: &dyn Store, n: u64) {
    let body = format!("{{\"text\":\"{}\"}}", body()).into();
    let put = Some(Contents { group: "".into(), due: None, expires: Some(at(5)), body });
    let id = n.to_string().into();
    let documents = vec![DocumentWrite { kind: DocumentKind::Record, id, expect: Expect::Absent, put }];
    let change = Change { documents, ..Change::default() };
    store.append(&workspace(0), Write::Change(change), at(0)).await.unwrap();
}

/// Many turns, each of which wrote little.
fn is_bounded(growths: &[u64]) {
    assert!(growths.len() >= COUNT / 4, "{growths:?}");
    assert!(growths.iter().sum::<u64>() >= (COUNT * BODY) as u64, "it was not overwritten: {growths:?}");
    assert!(growths.iter().all(|growth| *growth <= TURN), "{growths:?}");
}

#[test]
fn a_turn_removes_a_few_mib_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let lengths = Arc::new(Lengths { log: dir.path().join("campanile.db-wal"), after: Mutex::default() });
    let mut config = Config::new(dir.path(), Epochs::seeded(1));
    // So long that it does not begin anew meanwhile.
    config.checkpoint_mib = 4096;
    config.faults = Some(Arc::clone(&lengths) as Arc<dyn Faults>);
    let store = SqliteStore::open(config).unwrap();
    runtime().block_on(async {
        for n in 0..COUNT as u64 {
            put(&store, n).await;
            publish(&store, n, Some(at(5))).await;
        }
        for n in 0..COUNT as u64 {
            publish(&store, 100 + n, None).await;
        }
        lengths.growths();
        assert_eq!(store.purge(at(5), 500).await.unwrap(), COUNT, "one call removes them all");
        is_bounded(&lengths.growths());
        assert_eq!(store.expire(at(5), 500).await.unwrap(), COUNT);
        is_bounded(&lengths.growths());
        let keep = Retention { max_age_ms: None, max_entries: Some(0) };
        let mut gone = 0;
        loop {
            match store.prune(&workspace(0), keep, 500, at(6)).await.unwrap() {
                0 => break,
                rows => gone += rows,
            }
        }
        assert_eq!(gone, 3 * COUNT);
        is_bounded(&lengths.growths());
        assert_eq!(store.check_full().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn one_body_that_is_longer_than_that_goes_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(Config::new(dir.path(), Epochs::seeded(1))).unwrap();
    runtime().block_on(async {
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(5 << 20));
        for n in 0..3_u64 {
            let put = Some(Contents {
                group: "".into(),
                due: None,
                expires: Some(at(5)),
                body: body.as_str().into(),
            });
            let id = n.to_string().into();
            let documents =
                vec![DocumentWrite { kind: DocumentKind::Record, id, expect: Expect::Absent, put }];
            let write = Write::Change(Change { documents, ..Change::default() });
            store.append(&workspace(0), write, at(0)).await.unwrap();
        }
        assert_eq!(store.purge(at(5), 2).await.unwrap(), 2);
        assert_eq!(store.purge(at(5), 2).await.unwrap(), 1);
        assert_eq!(store.purge(at(5), 2).await.unwrap(), 0);
    });
}
