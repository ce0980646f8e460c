//! Copies made while the store works.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use campanile_model::{Audience, Seq};
use campanile_store::{
    Change, Config, Contents, DocumentKind, DocumentWrite, Epochs, Expect, SqliteStore, Store, StoreError,
    Write, backup, check_full, document,
};

use crate::support::*;

fn open(dir: &std::path::Path, seed: u64) -> SqliteStore {
    SqliteStore::open(Config::new(dir, Epochs::seeded(seed))).unwrap()
}

/// A notification, and a document with it.
async fn publish(store: &dyn Store, n: u64) -> u64 {
    let notifications = vec![notification(n, Audience::Users(users()), vec![])];
    let document = DocumentWrite {
        kind: DocumentKind::Record,
        id: n.to_string().into(),
        expect: Expect::Absent,
        put: Some(Contents { group: "".into(), due: None, expires: None, body: "{}".into() }),
    };
    let change = Change { documents: vec![document], notifications, ..Change::default() };
    store.append(&workspace(0), Write::Change(change), at(0)).await.unwrap().head.0
}

#[test]
fn a_backup_under_load_is_one_instant_of_the_log_under_new_epochs() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = Arc::new(open(dir.path(), 1));
    let acknowledged_before = runtime.block_on(async {
        for n in 1..=2000 {
            publish(&*store, n).await;
        }
        2000
    });
    let stop = Arc::new(AtomicBool::new(false));
    let load = runtime.spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut n = 2000;
            while !stop.load(Ordering::SeqCst) {
                n += 1;
                publish(&*store, n).await;
            }
            n
        }
    });
    let copy = other.path().join("campanile.db");
    let mut heard = (0, 0);
    let bytes = backup(dir.path(), &copy, |done, total| heard = (done, total)).unwrap();
    stop.store(true, Ordering::SeqCst);
    let head = runtime.block_on(load).unwrap();
    assert!(heard.0 == heard.1 && bytes == heard.1 * 16_384);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1, "one file and nothing beside it");

    let report = check_full(&copy).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!((acknowledged_before..=head).contains(&report.entries));
    assert_eq!(report.documents, report.entries, "one instant of both");

    let restored = open(other.path(), 2);
    runtime.block_on(async {
        let was = store.snapshot(&workspace(0), &user(0)).await.unwrap();
        let is = restored.snapshot(&workspace(0), &user(0)).await.unwrap();
        assert_ne!(was.counts.epoch, is.counts.epoch);
        assert_eq!((is.counts.head, is.counts.unread), (Seq(report.entries), report.entries));
        let all = |store| async move {
            Store::entries(store, &workspace(0), Seq(0), is.counts.head, usize::MAX).await.unwrap()
        };
        assert_eq!(all(&*store).await, all(&restored).await);
        let last = is.counts.head.0.to_string();
        let document =
            async |store| document(store, &workspace(0), DocumentKind::Record, &last).await.unwrap();
        let (was, is_too) = (document(&*store).await, document(&restored).await);
        assert!(was.is_some() && was == is_too);
        // The mark is gone with the first start: a restart keeps the epoch.
        restored.close().await;
        let again = open(other.path(), 3).snapshot(&workspace(0), &user(0)).await.unwrap();
        assert_eq!(again.counts.epoch, is.counts.epoch);
    });
}

#[test]
fn nothing_is_overwritten_and_nothing_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1);
    runtime().block_on(publish(&store, 1));
    let there = dir.path().join("campanile.db");
    let refused = backup(dir.path(), &there, |_, _| {});
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })));
    let nowhere = dir.path().join("no/such/dir/file");
    assert!(matches!(backup(dir.path(), &nowhere, |_, _| {}), Err(StoreError::Unavailable { .. })));
    let empty = tempfile::tempdir().unwrap();
    let target = empty.path().join("copy");
    assert!(backup(&empty.path().join("missing"), &target, |_, _| {}).is_err());
    assert!(!target.exists());
    assert_eq!(runtime().block_on(publish(&store, 2)), 2);
}
