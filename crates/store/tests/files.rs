//! The files: modes, locks, schema, the witness.

use std::os::unix::fs::PermissionsExt;

use campanile_model::{Audience, Epoch, Rev, Seq};
use campanile_store::{
    Change, Config, Epochs, Mark, MarkKey, SqliteStore, Store, StoreError, Write, check_full,
};
use rusqlite::Connection;

use crate::support::*;

fn open(dir: &std::path::Path, seed: u64) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(Config::new(dir, Epochs::seeded(seed)))
}

async fn publish(store: &dyn Store, n: u64) {
    let notifications = vec![notification(n, Audience::Workspace, vec![])];
    let write = Write::Publish { notifications, idempotency: None };
    store.append(&workspace(0), write, at(0)).await.unwrap();
}

fn filled(dir: &std::path::Path, entries: u64) -> Epoch {
    runtime().block_on(async {
        let store = open(dir, 1).unwrap();
        for n in 1..=entries {
            publish(&store, n).await;
        }
        store.close().await;
        store.snapshot(&workspace(0), &user(0)).await.unwrap_err();
    });
    epoch(&open(dir, 2).unwrap())
}

fn epoch(store: &SqliteStore) -> Epoch {
    runtime().block_on(store.heads()).unwrap()[0].epoch
}

#[test]
fn only_the_owner_reads() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    let store = open(&data, 1).unwrap();
    runtime().block_on(publish(&store, 1));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn the_layout_is_as_designed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    runtime().block_on(publish(&store, 1));
    let conn = Connection::open(dir.path().join("campanile.db")).unwrap();
    let pragma = |name: &str| -> String {
        conn.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(pragma("page_size"), "Integer(16384)");
    assert_eq!(pragma("auto_vacuum"), "Integer(2)");
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
}

#[test]
fn what_a_long_read_made_of_the_write_ahead_log_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { checkpoint_mib: 1, ..Config::new(dir.path(), Epochs::seeded(1)) };
    let store = SqliteStore::open(config).unwrap();
    let length = || std::fs::metadata(dir.path().join("campanile.db-wal")).unwrap().len() >> 20;
    let mut next = 1;
    let mut grow = |until: &dyn Fn(u64) -> bool| {
        while !until(length()) {
            let last = next + 500;
            let write = |notifications| Write::Publish { notifications, idempotency: None };
            let many = (next..last).map(|n| notification(n, Audience::Workspace, vec![])).collect();
            runtime().block_on(store.append(&workspace(0), write(many), at(0))).unwrap();
            next = last;
            assert!(next < 1_000_000, "the log stays {} MiB long", length());
        }
    };
    grow(&|mib| mib >= 1);
    let reader = Connection::open(dir.path().join("campanile.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM migration;").unwrap();
    grow(&|mib| mib >= 12);
    drop(reader);
    grow(&|mib| mib <= 6);
    assert!(length() >= 4, "it is written over, not cut: {} MiB", length());
}

#[test]
fn a_data_directory_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), 1).unwrap();
    assert!(matches!(open(dir.path(), 1), Err(StoreError::Unavailable { .. })));
    drop(first);
    assert!(open(dir.path(), 1).is_ok());
}

#[test]
fn a_newer_or_foreign_schema_is_refused() {
    for (sql, word) in [
        ("INSERT INTO migration (number, name, checksum) VALUES (999, '0999_future', 1)", "newer campanile"),
        ("UPDATE migration SET checksum = 1", "another 0001_log"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 1);
        Connection::open(dir.path().join("campanile.db")).unwrap().execute_batch(sql).unwrap();
        match open(dir.path(), 1) {
            Err(StoreError::Unavailable { reason }) => assert!(reason.contains(word), "{reason}"),
            other => panic!("opened all the same: {:?}", other.err()),
        }
    }
}

/// What this program adds to a database of the schema before, taken away again.
const SCHEMA_3: &str = "
    DROP INDEX receipt_by_rev;
    DROP INDEX kept_by_rev;
    ALTER TABLE kept DROP COLUMN rev;
    DROP TABLE mark_key;
    DROP INDEX entry_change;
    DELETE FROM migration WHERE number = 4;";

#[test]
fn a_database_of_the_schema_before_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let everything_done = |store: &SqliteStore| {
        let told = runtime().block_on(store.receipts(&workspace(0), &user(0), Rev(0), 9)).unwrap();
        assert_eq!((told.counts.rev, told.counts.read_up_to, told.more), (Rev(4), Seq(1), false));
        told.items
            .into_iter()
            .map(|item| (item.seq.0, item.receipt.read, item.receipt.archived))
            .collect::<Vec<_>>()
    };
    filled(dir.path(), 4);
    let store = open(dir.path(), 1).unwrap();
    runtime().block_on(async {
        for mark in
            [Mark::ReadAll(Some(Seq(1))), Mark::Archive(id(2)), Mark::Read(id(3)), Mark::Unread(id(3))]
        {
            store.mark(&workspace(0), &user(0), mark, None, at(0)).await.unwrap();
        }
        let resolve = Write::Change(Change { resolve: vec![id(2)], ..Change::default() });
        store.append(&workspace(0), resolve, at(0)).await.unwrap();
        store.append(&workspace(0), Write::Retract { id: id(4) }, at(0)).await.unwrap();
    });
    assert_eq!(everything_done(&store), [(2, true, true), (3, false, false)]);
    drop(store);
    let file = dir.path().join("campanile.db");
    Connection::open(&file).unwrap().execute_batch(SCHEMA_3).unwrap();
    assert!(check_full(dir.path()).is_err(), "no start has brought it up to date");

    let store = open(dir.path(), 1).unwrap();
    // One that was kept before counts as changed last.
    assert_eq!(everything_done(&store), [(2, true, true), (3, false, false)]);
    runtime().block_on(async {
        let kept = MarkKey { key: "key".into(), said: Mark::Read(id(3)) };
        for changed in [true, false] {
            let marked = store.mark(&workspace(0), &user(0), Mark::Read(id(3)), Some(&kept), at(1)).await;
            assert_eq!(marked.unwrap().changed, changed);
        }
        let told = store.receipts(&workspace(0), &user(0), Rev(4), 9).await.unwrap();
        assert_eq!(told.items.iter().map(|item| item.seq.0).collect::<Vec<_>>(), [3]);
        assert_eq!(store.check_full().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn a_restart_keeps_epochs_and_a_lost_row_renews_them() {
    let (dir, older) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = filled(dir.path(), 3);
    assert_eq!(epoch(&open(dir.path(), 3).unwrap()), first);
    copy_database(dir.path(), older.path());
    let store = open(dir.path(), 4).unwrap();
    runtime().block_on(publish(&store, 4));
    drop(store);
    // The database of before beside the witness of now.
    std::fs::copy(older.path().join("campanile.db"), dir.path().join("campanile.db")).unwrap();
    let renewed = epoch(&open(dir.path(), 5).unwrap());
    assert_ne!(renewed, first);
    assert_eq!(epoch(&open(dir.path(), 6).unwrap()), renewed);
}

#[test]
fn a_missing_damaged_or_foreign_witness_keeps_epochs() {
    let dir = tempfile::tempdir().unwrap();
    let first = filled(dir.path(), 3);
    let witness = dir.path().join("campanile.head");
    let good = std::fs::read(&witness).unwrap();
    std::fs::remove_file(&witness).unwrap();
    assert_eq!(epoch(&open(dir.path(), 3).unwrap()), first);
    assert_eq!(std::fs::read(&witness).unwrap(), good);
    for bad in [&good[..20], b"", &[7; 28]] {
        std::fs::write(&witness, bad).unwrap();
        assert_eq!(epoch(&open(dir.path(), 3).unwrap()), first);
        assert_eq!(std::fs::read(&witness).unwrap(), good, "it is written anew");
    }
    let other = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(Config::new(other.path(), Epochs::seeded(77))).unwrap());
    std::fs::copy(other.path().join("campanile.head"), &witness).unwrap();
    assert_eq!(epoch(&open(dir.path(), 3).unwrap()), first);
}

#[test]
fn a_log_pruned_to_nothing_keeps_its_counter() {
    let dir = tempfile::tempdir().unwrap();
    let first = filled(dir.path(), 5);
    runtime().block_on(async {
        let store = open(dir.path(), 3).unwrap();
        let keep = campanile_store::Retention { max_age_ms: None, max_entries: Some(0) };
        while store.prune(&workspace(0), keep, 2, at(0)).await.unwrap() > 0 {}
    });
    let store = open(dir.path(), 4).unwrap();
    assert_eq!(epoch(&store), first, "an empty log has lost nothing");
    runtime().block_on(publish(&store, 6));
    let head = runtime().block_on(store.heads()).unwrap()[0].clone();
    assert_eq!((head.first, head.seq), (Seq(6), Seq(6)));
}

#[test]
fn a_full_queue_says_busy() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path(), Epochs::seeded(1));
    config.queue = 2;
    let store = SqliteStore::open(config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ws = workspace(0);
        let calls = (1..=500).map(|n| {
            let notifications = vec![notification(n, Audience::Workspace, vec![])];
            store.append(&ws, Write::Publish { notifications, idempotency: None }, at(0))
        });
        let (mut taken, mut busy) = (0, 0);
        for outcome in futures_util::future::join_all(calls).await {
            match outcome {
                Ok(_) => taken += 1,
                Err(StoreError::Busy { waiting }) => {
                    assert!(waiting <= 2);
                    busy += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(taken >= 2 && busy > 0, "{taken} taken, {busy} busy");
        let head = store.heads().await.unwrap()[0].seq;
        assert_eq!(head, Seq(taken));
    });
}
