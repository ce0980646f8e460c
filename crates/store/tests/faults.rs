//! A device that is full or fails.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campanile_model::{Audience, Entry, EntryKind, Notification, Seq};
use campanile_store::{
    Appended, Change, Config, Contents, DocumentKind, DocumentWrite, Documents, Epochs, Expect, Fault,
    Faults, Mark, Retention, SqliteStore, Store, StoreError, Write,
};

use crate::support::*;

/// Breaks what it is told to, once each.
#[derive(Default)]
struct Breaker {
    before: Mutex<Option<Fault>>,
    after: Mutex<Option<Fault>>,
    panics: AtomicBool,
    /// The thread whose next checkpoint fails.
    checkpoint: Mutex<Option<&'static str>>,
    /// What is left of the database where the device lost what was copied into it.
    lost: Mutex<Option<Vec<u8>>>,
    closings: AtomicU64,
    /// Put in the place of the database while it is closed.
    older: Mutex<Option<PathBuf>>,
    closed: AtomicBool,
}

impl Faults for Breaker {
    fn before_commit(&self) -> Option<Fault> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "as a defect does");
        self.before.lock().unwrap().take()
    }

    fn after_commit(&self) -> Option<Fault> {
        self.after.lock().unwrap().take()
    }

    fn checkpoint(&self) -> Option<Fault> {
        let mut of = self.checkpoint.lock().unwrap();
        let is_here = of.is_some() && *of == std::thread::current().name();
        is_here.then(|| {
            *of = None;
            Fault::Io
        })
    }

    fn while_closed(&self, dir: &Path) {
        self.closed.store(true, Ordering::SeqCst);
        self.closings.fetch_add(1, Ordering::SeqCst);
        if let Some(left) = self.lost.lock().unwrap().take() {
            std::fs::write(dir.join("campanile.db"), left).unwrap();
        }
        if let Some(older) = self.older.lock().unwrap().take() {
            for file in ["campanile.db", "campanile.db-wal"] {
                let _ = std::fs::remove_file(dir.join(file));
            }
            std::fs::copy(older.join("campanile.db"), dir.join("campanile.db")).unwrap();
        }
    }
}

fn open(dir: &Path, breaker: &Arc<Breaker>) -> SqliteStore {
    let mut config = Config::new(dir, Epochs::seeded(1));
    config.faults = Some(Arc::clone(breaker) as Arc<dyn Faults>);
    SqliteStore::open(config).unwrap()
}

async fn publish(store: &dyn Store, n: u64) -> Result<Appended, StoreError> {
    let notifications = vec![notification(n, Audience::Workspace, vec![])];
    store.append(&workspace(0), Write::Publish { notifications, idempotency: None }, at(0)).await
}

async fn head(store: &dyn Store) -> u64 {
    store.snapshot(&workspace(0), &user(0)).await.unwrap().counts.head.0
}

/// Waits for the writer to recover, at most ten seconds.
async fn healthy(store: &SqliteStore) {
    for _ in 0..1000 {
        if store.health().is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still unhealthy: {:?}", store.health());
}

/// Waits for the writer to have closed every handle.
async fn closed(breaker: &Breaker) {
    let closed = async {
        while !breaker.closed.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed).await.expect("the handles are closed");
}

#[test]
fn a_full_device_refuses_and_the_next_write_tries_again() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let breaker = Arc::default();
        let store = open(dir.path(), &breaker);
        publish(&store, 1).await.unwrap();
        *breaker.before.lock().unwrap() = Some(Fault::Full);
        assert!(matches!(publish(&store, 2).await, Err(StoreError::Full)));
        assert!(matches!(store.health(), Err(StoreError::Full)));
        assert_eq!(head(&store).await, 1, "reads go on, and nothing was written");
        assert_eq!(publish(&store, 2).await.unwrap().head, Seq(2));
        assert!(store.health().is_ok());
        assert!(!breaker.closed.load(Ordering::SeqCst), "no handle was closed for that");
    });
}

/// SQLite's own SQLITE_FULL, from a bound on the pages of the file.
#[test]
fn a_database_that_reached_its_bound_heals_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let with_limit = |limit| {
        let mut config = Config::new(dir.path(), Epochs::seeded(1));
        config.page_limit = limit;
        SqliteStore::open(config).unwrap()
    };
    runtime().block_on(async {
        let store = with_limit(Some(60));
        let mut kept = 0;
        let refused = loop {
            match publish(&store, kept + 1).await {
                Ok(_) => kept += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StoreError::Full), "{refused}");
        assert!(matches!(publish(&store, kept + 1).await, Err(StoreError::Full)));
        assert_eq!(head(&store).await, kept, "nothing that was acknowledged is gone");
        // Retention makes room, in place: a deletion needs no page.
        let keep = Retention { max_age_ms: None, max_entries: Some(5) };
        while store.prune(&workspace(0), keep, 100, at(0)).await.unwrap() > 0 {}
        publish(&store, kept + 2).await.unwrap();
        assert!(store.health().is_ok());
        assert!(store.check_full().await.unwrap().problems.is_empty());
    });
}

#[test]
fn a_failed_commit_is_recovered_from() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let breaker = Arc::default();
        let store = open(dir.path(), &breaker);
        let mut commits = store.commits();
        publish(&store, 1).await.unwrap();
        *breaker.before.lock().unwrap() = Some(Fault::Io);
        assert!(matches!(publish(&store, 2).await, Err(StoreError::Unavailable { .. })));
        healthy(&store).await;
        assert!(breaker.closed.load(Ordering::SeqCst));
        assert_eq!(head(&store).await, 1);
        publish(&store, 3).await.unwrap();
        for seq in [1, 2] {
            assert_eq!(commits.recv().await.unwrap().entries[0].seq, Seq(seq));
        }
    });
}

/// What a failed flush left in the page cache is written once more, into the database, before anything stands behind it.
#[test]
fn the_log_begins_anew_after_a_failure_or_stays_closed() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("campanile.db-wal");
    runtime().block_on(async {
        let breaker = Arc::default();
        let store = open(dir.path(), &breaker);
        publish(&store, 1).await.unwrap();
        // With another reader the log cannot begin anew.
        let reader = rusqlite::Connection::open(dir.path().join("campanile.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM migration;").unwrap();
        *breaker.after.lock().unwrap() = Some(Fault::Io);
        assert!(publish(&store, 2).await.is_err());
        let waits = async || {
            while !matches!(store.health(), Err(StoreError::Unavailable { reason }) if reason.contains("a backup or a check")) {
                assert!(store.health().is_err(), "it serves what may not be on disk");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waits()).await.expect("it says what it waits for");
        drop(reader);
        healthy(&store).await;
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0, "all of it is in the database");
        assert_eq!(head(&store).await, 2);
        publish(&store, 3).await.unwrap();
        assert!(store.check_full().await.unwrap().problems.is_empty());
    });
}

/// A checkpoint that does not come to the end of the log flushes nothing. If the device loses what it copied, the flush of a
/// later one fails, once: whoever asks again hears of nothing, and goes on from where the first one ended.
#[test]
fn what_a_failed_checkpoint_lost_is_copied_again() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("campanile.db");
    runtime().block_on(async {
        let breaker = Arc::<Breaker>::default();
        let mut config = Config::new(dir.path(), Epochs::seeded(1));
        config.faults = Some(Arc::clone(&breaker) as Arc<dyn Faults>);
        config.checkpoint_mib = 1;
        let store = SqliteStore::open(config).unwrap();
        let mut next = 0;
        let mut publish_many = async || {
            let long = |n| Notification {
                message: "x".repeat(3000),
                ..Arc::unwrap_or_clone(notification(n, Audience::Workspace, vec![]))
            };
            let many = (next..next + 1000).map(|n| Arc::new(long(n))).collect();
            next += 1000;
            let write = Write::Publish { notifications: many, idempotency: None };
            store.append(&workspace(0), write, at(0)).await.unwrap();
        };
        let before = std::fs::read(&database).unwrap();
        // A reader of the log keeps the checkpoint from its end. As a backup it only reads, and copies nothing when it is closed.
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let reader = rusqlite::Connection::open_with_flags(&database, flags).unwrap();
        publish(&store, 1_000_000).await.unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM migration;").unwrap();
        publish_many().await;
        let looking = rusqlite::Connection::open(&database).unwrap();
        let copied = || -> i64 {
            let read = |row: &rusqlite::Row<'_>| row.get(2);
            looking.query_row("PRAGMA wal_checkpoint(NOOP)", [], read).unwrap()
        };
        let until = async |what: &str, is_so: &mut dyn FnMut() -> bool| {
            let waits = async {
                while !is_so() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), waits).await.expect(what);
        };
        until("some of it is copied", &mut || copied() > 0).await;
        drop(looking);

        *breaker.lost.lock().unwrap() = Some(before);
        *breaker.checkpoint.lock().unwrap() = Some("store-files");
        publish_many().await;
        let waits = || matches!(store.health(), Err(StoreError::Unavailable { reason }) if reason.contains("a backup or a check"));
        until("it is not served meanwhile", &mut || waits()).await;
        // It reads nothing any more, but SQLite still remembers how far the checkpoint came.
        reader.execute_batch("COMMIT").unwrap();
        let tried = breaker.closings.load(Ordering::SeqCst);
        until("it is tried again", &mut || breaker.closings.load(Ordering::SeqCst) >= tried + 2).await;
        assert!(waits(), "{:?}", store.health());
        drop(reader);
        healthy(&store).await;
        assert_eq!(head(&store).await, 2001);
        assert_eq!(store.check_full().await.unwrap().problems, Vec::<String>::new());
        publish(&store, 1_000_001).await.unwrap();
        store.close().await;
        assert!(!dir.path().join("campanile.db-wal").exists());
        let store = open(dir.path(), &breaker);
        assert_eq!(head(&store).await, 2002);
    });
}

#[test]
fn a_failure_to_begin_the_log_anew_is_recovered_from() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let breaker = Arc::<Breaker>::default();
        let mut config = Config::new(dir.path(), Epochs::seeded(1));
        config.faults = Some(Arc::clone(&breaker) as Arc<dyn Faults>);
        config.wal_age = Duration::from_millis(1);
        let store = SqliteStore::open(config).unwrap();
        *breaker.checkpoint.lock().unwrap() = Some("store-write");
        publish(&store, 1).await.unwrap();
        closed(&breaker).await;
        healthy(&store).await;
        assert_eq!(head(&store).await, 1);
        assert_eq!(publish(&store, 2).await.unwrap().head, Seq(2));
        assert!(store.check_full().await.unwrap().problems.is_empty());
    });
}

/// No flush failed, so nothing has to be written once more: a long read keeps nobody waiting.
#[test]
fn a_defect_is_recovered_from_while_a_backup_reads() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let breaker = Arc::<Breaker>::default();
        let store = open(dir.path(), &breaker);
        publish(&store, 1).await.unwrap();
        let reader = rusqlite::Connection::open(dir.path().join("campanile.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM migration;").unwrap();
        breaker.panics.store(true, Ordering::SeqCst);
        assert!(publish(&store, 2).await.is_err());
        closed(&breaker).await;
        healthy(&store).await;
        assert_eq!(publish(&store, 3).await.unwrap().head, Seq(2));
        drop(reader);
        assert!(store.check_full().await.unwrap().problems.is_empty());
    });
}

/// The flush failed although the data had reached the disk: the waiter cannot be told, but the log goes on
/// from there, and whoever follows it hears of the entry.
#[test]
fn a_commit_of_unknown_fate_is_neither_lost_nor_doubled() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let breaker = Arc::default();
        let store = open(dir.path(), &breaker);
        let mut commits = store.commits();
        publish(&store, 1).await.unwrap();
        *breaker.after.lock().unwrap() = Some(Fault::Io);
        assert!(matches!(publish(&store, 2).await, Err(StoreError::Unavailable { .. })));
        healthy(&store).await;
        assert_eq!(head(&store).await, 2);
        assert_eq!(publish(&store, 3).await.unwrap().head, Seq(3));
        for seq in [1, 2, 3] {
            let commit = commits.recv().await.unwrap();
            assert_eq!(commit.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [Seq(seq)]);
        }
    });
}

#[test]
fn a_log_that_lost_acknowledged_entries_stays_unavailable_and_says_so() {
    let (dir, older) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    runtime().block_on(async {
        let breaker = Arc::default();
        let store = open(dir.path(), &breaker);
        for n in 1..=3 {
            publish(&store, n).await.unwrap();
        }
        store.close().await;
        copy_database(dir.path(), older.path());
        let store = open(dir.path(), &breaker);
        let epoch = store.snapshot(&workspace(0), &user(0)).await.unwrap().counts.epoch;
        for n in 4..=5 {
            publish(&store, n).await.unwrap();
        }
        *breaker.older.lock().unwrap() = Some(older.path().to_path_buf());
        *breaker.before.lock().unwrap() = Some(Fault::Io);
        assert!(publish(&store, 6).await.is_err());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let Err(StoreError::Unavailable { reason }) = publish(&store, 7).await else {
            panic!("a write was taken")
        };
        assert!(reason.contains("change 3") && reason.contains("change 5"), "{reason}");
        drop(store);

        // A start goes on from what is there, under new epochs: the old places mean something else now.
        let store = open(dir.path(), &breaker);
        let now = store.snapshot(&workspace(0), &user(0)).await.unwrap();
        assert_eq!(now.counts.head, Seq(3));
        assert_ne!(now.counts.epoch, epoch);
        publish(&store, 8).await.unwrap();
    });
}

/// A document under its number, and a notification of the same.
async fn change(store: &dyn Store, n: u64) -> Result<Appended, StoreError> {
    let document = DocumentWrite {
        kind: DocumentKind::Product,
        id: n.to_string().into(),
        expect: Expect::Absent,
        put: Some(Contents { group: "".into(), due: Some(at(n)), expires: None, body: "{}".into() }),
    };
    let notifications = vec![notification(n, Audience::Workspace, vec![])];
    let change = Change { documents: vec![document], notifications, ..Change::default() };
    store.append(&workspace(0), Write::Change(change), at(0)).await
}

/// The numbers of the notifications and of the documents that are there.
async fn both(store: &dyn Store) -> (Vec<u64>, Vec<u64>) {
    let entries = store.entries(&workspace(0), Seq(0), Seq(u64::MAX), 100).await.unwrap();
    let published = |entry: &Entry| match &entry.kind {
        EntryKind::Notification(n) => Some(n.id.0.as_u64_pair().0 >> 16),
        _ => None,
    };
    let due = store.due(DocumentKind::Product, at(1000), None, 100).await.unwrap();
    let documents = due.iter().map(|(_, document)| document.id.parse().unwrap());
    (entries.iter().filter_map(published).collect(), documents.collect())
}

#[test]
fn a_change_is_all_or_nothing_whatever_its_commit_meets() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let breaker = Arc::<Breaker>::default();
        let store = open(dir.path(), &breaker);
        let mut last = change(&store, 1).await.unwrap().versions[0];
        let mut there = vec![1];
        for n in 2..12 {
            let (before, after) = match n % 3 {
                0 => (Some(Fault::Full), None),
                1 => (Some(Fault::Io), None),
                _ => (None, Some(Fault::Io)),
            };
            *breaker.before.lock().unwrap() = before;
            *breaker.after.lock().unwrap() = after;
            let refused = change(&store, n).await;
            assert!(matches!(refused, Err(StoreError::Full | StoreError::Unavailable { .. })), "{refused:?}");
            if before != Some(Fault::Full) {
                healthy(&store).await;
            }
            there.extend(after.map(|_| n));
            assert_eq!(both(&store).await, (there.clone(), there.clone()), "after {before:?}, {after:?}");
            // A document alone: its change is counted though no entry says so.
            let again = store.append(&workspace(0), rewrite(), at(0)).await.unwrap();
            assert_eq!((again.published.len(), again.versions.len()), (0, 1));
            assert!(again.versions[0] > last, "a version comes again");
            last = again.versions[0];
        }
        assert!(store.check_full().await.unwrap().problems.is_empty());
    });
}

/// Writes one document, and no entry.
fn rewrite() -> Write {
    let documents = vec![DocumentWrite {
        kind: DocumentKind::Settings,
        id: "settings".into(),
        expect: Expect::Anything,
        put: Some(Contents { group: "".into(), due: None, expires: None, body: "{}".into() }),
    }];
    Write::Change(Change { documents, ..Change::default() })
}

#[test]
fn documents_of_unknown_fate_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let breaker = Arc::default();
        let store = open(dir.path(), &breaker);
        let first = store.append(&workspace(0), rewrite(), at(0)).await.unwrap().versions[0];
        *breaker.after.lock().unwrap() = Some(Fault::Io);
        assert!(store.append(&workspace(0), rewrite(), at(0)).await.is_err());
        healthy(&store).await;
        let there = store.documents(&workspace(0), DocumentKind::Settings, &["settings".into()]).await;
        let there = there.unwrap()[0].as_ref().unwrap().version;
        assert!(there > first, "it had happened");
        let next = store.append(&workspace(0), rewrite(), at(0)).await.unwrap().versions[0];
        assert!(next > there);
        drop(store);
        let store = open(dir.path(), &breaker);
        assert!(store.append(&workspace(0), rewrite(), at(0)).await.unwrap().versions[0] > next);
    });
}

/// A log that lost only documents has lost acknowledged changes as well.
#[test]
fn lost_documents_renew_the_epochs() {
    let (dir, older) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    runtime().block_on(async {
        let breaker = Arc::default();
        for (what, renewed) in [(None, false), (Some(rewrite()), true)] {
            let store = open(dir.path(), &breaker);
            publish(&store, 1 + u64::from(renewed)).await.unwrap();
            let epoch = store.snapshot(&workspace(0), &user(0)).await.unwrap().counts.epoch;
            store.close().await;
            copy_database(dir.path(), older.path());
            let store = open(dir.path(), &breaker);
            if let Some(write) = what {
                store.append(&workspace(0), write, at(0)).await.unwrap();
            }
            store.close().await;
            std::fs::copy(older.path().join("campanile.db"), dir.path().join("campanile.db")).unwrap();
            let store = open(dir.path(), &breaker);
            let now = store.snapshot(&workspace(0), &user(0)).await.unwrap().counts.epoch;
            assert_eq!(now != epoch, renewed);
        }
    });
}

#[test]
fn a_large_change_has_a_turn_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = open(dir.path(), &Arc::default());
        let mut commits = store.commits();
        let large = |first: u64| {
            let write = move |n: u64| DocumentWrite {
                kind: DocumentKind::Record,
                id: (first * 10_000 + n).to_string().into(),
                expect: Expect::Absent,
                put: Some(Contents { group: "x".into(), due: None, expires: None, body: "{}".into() }),
            };
            let notifications = vec![notification(first, Audience::Workspace, vec![])];
            let documents = (0..2000).map(write).collect();
            Write::Change(Change { documents, notifications, ..Change::default() })
        };
        let ws = workspace(0);
        let reader = user(0);
        let mark = || store.mark(&ws, &reader, Mark::ReadAll(None), None, at(0));
        let (a, b, c, d, e, f, g) = tokio::join!(
            publish(&store, 1),
            publish(&store, 2),
            store.append(&ws, large(3), at(0)),
            publish(&store, 4),
            mark(),
            store.append(&ws, large(5), at(0)),
            publish(&store, 6),
        );
        assert!([&a, &b, &c, &d, &f, &g].iter().all(|outcome| outcome.is_ok()) && e.is_ok());
        let mut places = Vec::new();
        while let Ok(commit) = commits.try_recv() {
            let Some(first) = commit.entries.first().map(|entry| entry.seq.0) else { continue };
            let count = commit.entries.len();
            places.extend(commit.entries.iter().map(|entry| entry.seq.0));
            for outcome in [&c, &f] {
                let seq = outcome.as_ref().unwrap().published[0].seq.0;
                assert!(!(first..first + count as u64).contains(&seq) || count == 1, "{seq} shares its turn");
            }
        }
        assert_eq!(places, [1, 2, 3, 4, 5, 6], "in the order in which they came");
        assert_eq!(f.unwrap().published[0].seq, Seq(5));
        assert!(store.check_full().await.unwrap().problems.is_empty());
    });
}

#[test]
fn operations_of_one_turn_do_not_spoil_each_other() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = open(dir.path(), &Arc::default());
        publish(&store, 1).await.unwrap();
        let ws = workspace(0);
        let retract = |n| store.append(&ws, Write::Retract { id: id(n) }, at(0));
        let outcomes = tokio::join!(
            publish(&store, 2),
            publish(&store, 1),
            retract(99),
            publish(&store, 3),
            retract(1),
            retract(1),
        );
        assert!(outcomes.0.is_ok() && outcomes.3.is_ok() && outcomes.4.is_ok(), "{outcomes:?}");
        assert!(matches!(outcomes.1, Err(StoreError::Internal(_))));
        assert!(matches!((outcomes.2, outcomes.5), (Err(StoreError::NotFound), Err(StoreError::NotFound))));
        assert_eq!(head(&store).await, 4);
    });
}
