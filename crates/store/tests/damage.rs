//! Files that were torn, flipped or cut: found out, or right all the same; never fewer entries in silence.

use std::fs;
use std::path::Path;

use campanile_model::{Audience, Entry, Epoch, Seq};
use campanile_store::{
    Config, Epochs, Item, Mark, SqliteStore, Store, StoreError, VisibleQuery, Write, check_full,
};

use crate::support::*;

const ENTRIES: u64 = 300;

/// As often as there is to break in each.
const FILES: [&str; 8] = [
    "campanile.db",
    "campanile.db",
    "campanile.db",
    "campanile.db",
    "campanile.db-wal",
    "campanile.db-wal",
    "campanile.db-wal",
    "campanile.head",
];

/// What the store held before anything was broken.
struct Whole {
    epoch: Epoch,
    entries: Vec<Entry>,
    visible: Vec<Item>,
    unread: u64,
}

fn open(dir: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(Config::new(dir, Epochs::seeded(99)))
}

/// A log in the middle of its work: part of it in the database, part in the WAL, nothing closed.
fn fill(live: &Path, cut: &Path) -> Whole {
    runtime().block_on(async {
        let first = open(live).unwrap();
        append(&first, 1..=ENTRIES / 2).await;
        first.close().await;
        let store = open(live).unwrap();
        append(&store, ENTRIES / 2 + 1..=ENTRIES).await;
        store.mark(&workspace(0), &user(0), Mark::ReadAll(Some(Seq(20))), at(0)).await.unwrap();
        store.mark(&workspace(0), &user(0), Mark::Read(id(ENTRIES)), at(0)).await.unwrap();
        copy_database(live, cut);
        read(&store).await.unwrap()
    })
}

async fn append(store: &SqliteStore, numbers: std::ops::RangeInclusive<u64>) {
    let write = Write::Subscribe { topic: topic(0), users: users() };
    store.append(&workspace(0), write, at(0)).await.unwrap();
    for n in numbers {
        let to = match n % 3 {
            0 => Audience::Workspace,
            1 => Audience::Topic(topic(0)),
            _ => Audience::Users(vec![user(0), user(1)]),
        };
        let write = Write::Publish { notifications: vec![notification(n, to, vec![])], idempotency: None };
        store.append(&workspace(0), write, at(n)).await.unwrap();
    }
}

async fn read(store: &SqliteStore) -> Result<Whole, StoreError> {
    let all = VisibleQuery {
        after: Seq(0),
        up_to: Seq(u64::MAX),
        limit: usize::MAX,
        newest_first: false,
        read: None,
        archived: None,
    };
    let snapshot = store.snapshot(&workspace(0), &user(0)).await?;
    Ok(Whole {
        epoch: snapshot.epoch.unwrap_or(Epoch(0)),
        entries: store.entries(&workspace(0), Seq(0), Seq(u64::MAX), usize::MAX).await?,
        visible: store.visible(&workspace(0), &user(0), all).await?,
        unread: snapshot.unread,
    })
}

/// How it came out; anything else fails the test.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Verdict {
    /// The start, or a read, said that the file is damaged.
    Refused,
    /// All is as it was.
    Whole,
    /// The last changes are gone, and every epoch was renewed for it.
    Renewed,
    /// Narrow rows differ; a full check names them.
    Checked,
}

fn judge(dir: &Path, whole: &Whole, what: &str) -> Verdict {
    let store = match open(dir) {
        Ok(store) => store,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Verdict::Refused;
        }
    };
    let Ok(now) = runtime().block_on(read(&store)) else { return Verdict::Refused };
    let prefix = whole.entries.get(..now.entries.len());
    assert_eq!(Some(now.entries.as_slice()), prefix, "{what}: an entry is not what was written");
    if now.epoch != whole.epoch {
        return Verdict::Renewed;
    }
    assert_eq!(now.entries.len(), whole.entries.len(), "{what}: entries are gone in silence");
    if now.visible == whole.visible && now.unread == whole.unread {
        return Verdict::Whole;
    }
    let checked = check_full(dir);
    assert!(
        checked.is_err() || checked.is_ok_and(|report| !report.problems.is_empty()),
        "{what}: no check finds it"
    );
    Verdict::Checked
}

#[test]
fn torn_flipped_and_cut_files() {
    let (live, cut, closed) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = fill(live.path(), cut.path());
    copy_database(cut.path(), closed.path());
    drop(open(closed.path()).unwrap()); // which copies the WAL into the database
    let sound = tempfile::tempdir().unwrap();
    copy_database(cut.path(), sound.path());
    assert_eq!(judge(sound.path(), &whole, "nothing broken"), Verdict::Whole);

    let mut dice = Dice(1);
    let mut verdicts = std::collections::BTreeMap::<_, usize>::new();
    for variant in 0..cases(120) {
        let source = if variant % 2 == 0 { &cut } else { &closed };
        let dir = tempfile::tempdir().unwrap();
        copy_database(source.path(), dir.path());
        let file = FILES[dice.below(FILES.len())];
        let path = dir.path().join(file);
        let Ok(mut bytes) = fs::read(&path) else { continue };
        if bytes.is_empty() {
            continue;
        }
        let at = dice.below(bytes.len());
        let what = match dice.below(4) {
            0 => {
                bytes.truncate(at);
                format!("{file} cut at {at}")
            }
            1 => {
                // The last write reached the disk in part.
                let from = bytes.len() - (bytes.len() - at).min(16_384);
                bytes[from..].fill(0);
                format!("{file} zero from {from}")
            }
            _ => {
                let bit = dice.below(8);
                bytes[at] ^= 1 << bit;
                format!("{file} bit {bit} of byte {at}")
            }
        };
        fs::write(&path, bytes).unwrap();
        *verdicts.entry(judge(dir.path(), &whole, &what)).or_default() += 1;
    }
    println!("{verdicts:?}");
    assert!(verdicts.len() >= 3, "the variants are too tame: {verdicts:?}");
}

/// Numbers that are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
