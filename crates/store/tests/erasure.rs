//! What was withdrawn, replaced or removed is in no file afterwards, however long it was.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use campanile_model::{Audience, Notification, NotificationId};
use campanile_store::{
    Change, Config, Contents, DocumentKind, DocumentWrite, Documents, Epochs, Expect, Retention, SqliteStore,
    Store, Write,
};

use crate::support::*;

/// A row within a page, one that nearly fills a page, one that takes several pages beside its own.
const LENGTHS: [usize; 3] = [300, 15_000, 50_000];

/// Every stretch of 16 bytes of it holds the word.
fn text(word: &str, length: usize) -> String {
    word.chars().cycle().take(length).collect()
}

fn said(n: u64, word: &str, length: usize) -> Notification {
    let notification = notification(n, Audience::Workspace, vec![]);
    Notification { message: text(word, length), ..Arc::unwrap_or_clone(notification) }
}

async fn publish(store: &dyn Store, notifications: Vec<Notification>) {
    let notifications = notifications.into_iter().map(Arc::new).collect();
    append(store, Write::Publish { notifications, idempotency: None }).await;
}

async fn append(store: &dyn Store, write: Write) {
    store.append(&workspace(0), write, at(0)).await.unwrap();
}

async fn retract(store: &dyn Store, id: NotificationId) {
    append(store, Write::Retract { id }).await;
}

async fn put(store: &dyn Store, id: &str, body: Option<String>, expires: bool) {
    let expires = expires.then(|| at(5));
    let put = body.map(|text| Contents {
        group: "".into(),
        due: None,
        expires,
        body: format!("{{\"text\":\"{text}\"}}").into(),
    });
    let write = DocumentWrite { kind: DocumentKind::Record, id: id.into(), expect: Expect::Anything, put };
    append(store, Write::Change(Change { documents: vec![write], ..Change::default() })).await;
}

/// How often the files of the directory hold the word, by the name of the file.
fn found(dir: &Path, word: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let count = bytes.windows(word.len()).filter(|window| *window == word.as_bytes()).count();
        if count > 0 {
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), count));
        }
    }
    found
}

#[test]
fn nothing_that_is_gone_is_in_a_file_after_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new(dir.path(), Epochs::seeded(1));
    let store = SqliteStore::open(config).unwrap();
    runtime().block_on(async {
        let many = |first: u64, word: &'static str| {
            let lengths = LENGTHS.iter().zip(first..);
            lengths.map(|(length, n)| said(n, word, *length)).collect::<Vec<_>>()
        };
        publish(&store, many(1, "was-pruned.")).await;
        publish(&store, many(11, "was-retracted.")).await;
        publish(&store, many(21, "was-replaced.")).await;
        let expiring = many(31, "has-expired.").into_iter();
        publish(&store, expiring.map(|n| Notification { expires_at: Some(at(5)), ..n }).collect()).await;
        publish(&store, many(41, "stays-here.")).await;
        for (n, length) in LENGTHS.iter().enumerate() {
            put(&store, &format!("{n}-deleted"), Some(text("was-deleted.", *length)), false).await;
            put(&store, &format!("{n}-rewritten"), Some(text("was-rewritten.", *length)), false).await;
            put(&store, &format!("{n}-purged"), Some(text("was-purged.", *length)), true).await;
        }

        let keep = Retention { max_age_ms: None, max_entries: Some(12) };
        while store.prune(&workspace(0), keep, 100, at(0)).await.unwrap() > 0 {}
        for n in [11, 12, 13] {
            retract(&store, id(n)).await;
        }
        for n in [21, 22, 23] {
            let notification = Notification { updated_at: Some(at(1)), ..said(n, "anew", 10) };
            append(&store, Write::Update { notification: Arc::new(notification), expected: None }).await;
        }
        assert_eq!(store.expire(at(5), 100).await.unwrap(), 3);
        for n in 0..LENGTHS.len() {
            put(&store, &format!("{n}-deleted"), None, false).await;
            put(&store, &format!("{n}-rewritten"), Some("anew".into()), false).await;
        }
        assert_eq!(store.purge(at(5), 100).await.unwrap(), 3);
        store.close().await;
    });
    assert!(!dir.path().join("campanile.db-wal").exists(), "the log is copied and removed at the end");
    assert_ne!(found(dir.path(), "stays-here."), [], "what is there is found");
    let gone = ["pruned", "retracted", "replaced", "deleted", "rewritten", "purged"]
        .map(|how| format!("was-{how}."));
    for word in gone.iter().map(String::as_str).chain(["has-expired."]) {
        assert_eq!(found(dir.path(), word), [], "{word}");
    }
}

/// Rows of all lengths come and go in any order, so that pages are joined and freed in every way; then nothing of what is
/// gone is left.
#[test]
fn whatever_became_of_the_pages_in_between() {
    for seed in 0..rounds() {
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random(seed);
        let store = sqlite(dir.path());
        // What each notification says now, if it is there.
        let mut words: Vec<Option<String>> = Vec::new();
        let mut gone = Vec::new();
        runtime().block_on(async {
            for step in 0..300 {
                let nth = random.below(words.len() as u64 + 1);
                let word = format!("w{step:03}x{seed:03}y");
                let length = [20, 300, 2_000, 15_000, 17_000, 50_000][random.below(6) as usize];
                match (random.below(3), words.get_mut(nth as usize)) {
                    (0, Some(there @ Some(_))) => {
                        retract(&store, id(nth)).await;
                        gone.extend(there.take());
                    }
                    _ => {
                        publish(&store, vec![said(words.len() as u64, &word, length)]).await;
                        words.push(Some(word));
                    }
                }
            }
            store.close().await;
        });
        let bytes = std::fs::read(dir.path().join("campanile.db")).unwrap();
        let present: std::collections::HashSet<&[u8]> = bytes.windows(9).collect();
        let left: Vec<_> = gone.iter().filter(|word| present.contains(word.as_bytes())).collect();
        assert!(left.is_empty(), "seed {seed}: {left:?} of {}", gone.len());
    }
}

fn rounds() -> u64 {
    cases(5).into()
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
fn nothing_that_is_gone_is_in_a_file_after_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { wal_age: Duration::from_millis(1), ..Config::new(dir.path(), Epochs::seeded(1)) };
    let store = SqliteStore::open(config).unwrap();
    let log = dir.path().join("campanile.db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    runtime().block_on(async {
        publish(&store, vec![said(1, "was-retracted.", 50_000), said(2, "stays-here.", 50_000)]).await;
        retract(&store, id(1)).await;
        let is_gone = async || {
            while length() > 0 || !found(dir.path(), "was-retracted.").is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, is_gone()).await.expect("it stays, although nobody writes any more");
        assert_ne!(found(dir.path(), "stays-here."), []);

        // A long read holds on to the log, and writing goes on; the log is cut after it.
        publish(&store, vec![said(3, "was-read-for-long.", 50_000)]).await;
        let reader = rusqlite::Connection::open(dir.path().join("campanile.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM migration;").unwrap();
        for n in 4..14 {
            publish(&store, vec![said(n, "is-written-meanwhile.", 50_000)]).await;
        }
        retract(&store, id(3)).await;
        assert!(length() > 0);
        drop(reader);
        let is_cut = async || {
            while length() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, is_cut()).await.expect("it is not tried again");
        assert_eq!(found(dir.path(), "was-read-for-long."), []);
        assert_eq!(store.check_full().await.unwrap().problems, Vec::<String>::new());
    });
}

/// On a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
