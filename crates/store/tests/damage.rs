//! Files that were torn, flipped or cut: found out, or right all the same; never fewer entries in silence.

use std::fs;
use std::path::Path;

use campanile_model::{Audience, Entry, Epoch, Rev, Seq};
use campanile_store::{
    Change, Config, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Documents, Epochs,
    Expect, Item, Mark, Order, ReadState, SqliteStore, Store, StoreError, VisibleQuery, Write, check_full,
    document,
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
    read_state: ReadState,
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
        store.mark(&workspace(0), &user(0), Mark::ReadAll(Some(Seq(20))), None, at(0)).await.unwrap();
        store.mark(&workspace(0), &user(0), Mark::Read(id(ENTRIES)), None, at(0)).await.unwrap();
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
        epoch: snapshot.counts.epoch.unwrap_or(Epoch(0)),
        entries: store.entries(&workspace(0), Seq(0), Seq(u64::MAX), usize::MAX).await?,
        visible: store.visible(&workspace(0), &user(0), all).await?,
        unread: snapshot.counts.unread,
        read_state: store.receipts(&workspace(0), &user(0), Rev(0), usize::MAX).await?,
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
    /// Narrow rows or receipts differ; a full check names them.
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
    let as_it_was =
        now.visible == whole.visible && now.unread == whole.unread && now.read_state == whole.read_state;
    if as_it_was {
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

/// Three documents in one file, and where the second one's row stands in it.
fn with_documents(dir: &Path) -> (Vec<u8>, std::ops::Range<usize>) {
    let documents = ["first", "second", "third"].map(|name| DocumentWrite {
        kind: DocumentKind::Product,
        id: format!("id of the {name}").into(),
        expect: Expect::Absent,
        put: Some(Contents {
            group: format!("group of the {name}").into(),
            due: Some(at(1)),
            expires: Some(at(2)),
            body: format!("body of the {name}").into(),
        }),
    });
    runtime().block_on(async {
        let store = open(dir).unwrap();
        let write = Write::Change(Change { documents: documents.to_vec(), ..Change::default() });
        store.append(&workspace(0), write, at(0)).await.unwrap();
        store.close().await;
    });
    let file = fs::read(dir.join("campanile.db")).unwrap();
    let find = |text: &str| file.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    // The row begins with its number and its lengths, and ends with its checksum.
    let row = find("body of the third") + "body of the third".len() + 4..find("body of the second") + 18 + 4;
    (file, row)
}

/// Each bit of a document's row, one at a time: no read gives out what was not written, and a check finds it.
#[test]
fn a_flipped_bit_of_a_document_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (file, row) = with_documents(dir.path());
    assert!((80..200).contains(&row.len()), "{row:?}");
    let path = dir.path().join("campanile.db");
    let right = runtime().block_on(documents(&open(dir.path()).unwrap())).unwrap();
    assert_eq!(right.len(), 3);
    let mut dice = Dice(2);
    let (mut refused, mut passed_over, mut unnoticed) = (0, 0, 0);
    for byte in row {
        let mut broken = file.clone();
        broken[byte] ^= 1 << dice.below(8);
        fs::write(&path, broken).unwrap();
        let found = check_full(&path).map_or(true, |report| !report.problems.is_empty());
        let Ok(store) = open(dir.path()) else { continue };
        runtime().block_on(async {
            match documents(&store).await {
                Ok(read) => {
                    assert!(read.iter().all(|d| right.contains(d)), "byte {byte}: {read:?}");
                    // SQLite never looks at the type it noted for the number, which is the row's key.
                    assert!(found || read == right, "byte {byte}: no check finds it");
                    unnoticed += usize::from(!found);
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
            if let Ok(due) = store.due(DocumentKind::Product, at(9), None, 9).await {
                assert!(due.iter().all(|(_, d)| right.contains(d)), "byte {byte}: {due:?}");
                passed_over += usize::from(due.len() == 2);
            }
            store.close().await;
        });
        let _ = fs::remove_file(dir.path().join("campanile.head"));
    }
    assert!(unnoticed <= 1, "{unnoticed} bytes were no part of the document");
    assert!(refused > 50 && passed_over > 50, "{refused} refused, {passed_over} passed over");
}

async fn documents(store: &SqliteStore) -> Result<Vec<Document>, StoreError> {
    let order = Order::Id(None);
    let query = DocumentQuery { kind: DocumentKind::Product, group: None, order, limit: 10 };
    store.list_documents(&workspace(0), query).await
}

/// The texts and instants of a document stand in its row and in the indexes: wherever one is flipped, a check
/// finds it.
#[test]
fn a_flipped_bit_of_an_index_of_documents_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = with_documents(dir.path());
    let path = dir.path().join("campanile.db");
    let instants = [1, 2].map(|n| at(n).as_millis().to_be_bytes()[2..].to_vec());
    let texts = ["id of the second", "group of the second"].map(|text| text.as_bytes().to_vec());
    let mut found = 0;
    for bytes in instants.into_iter().chain(texts) {
        let places = file.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes);
        for (place, _) in places {
            let mut broken = file.clone();
            broken[place + bytes.len() - 1] ^= 1;
            fs::write(&path, broken).unwrap();
            assert!(check_full(&path).map_or(true, |report| !report.problems.is_empty()), "byte {place}");
            found += 1;
        }
    }
    // Each instant in three rows and one index; the id in its row and two indexes, the group in its row and two.
    assert_eq!(found, 6 + 6 + 3 + 3);
}

#[test]
fn a_damaged_document_gives_way_to_whoever_expects_anything() {
    let write = |expect, put| DocumentWrite {
        kind: DocumentKind::Product,
        id: "id of the second".into(),
        expect,
        put,
    };
    let contents = Contents { group: "".into(), due: None, expires: None, body: "anew".into() };
    for put in [None, Some(contents)] {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, row) = with_documents(dir.path());
        file[row.end - 8] ^= 1; // within the body
        fs::write(dir.path().join("campanile.db"), file).unwrap();
        runtime().block_on(async {
            let store = open(dir.path()).unwrap();
            let append = async |documents| {
                let write = Write::Change(Change { documents, ..Change::default() });
                store.append(&workspace(0), write, at(5)).await
            };
            for expect in [Expect::Absent, Expect::Version(2)] {
                let refused = append(vec![write(expect, put.clone())]).await;
                assert!(matches!(refused, Err(StoreError::Internal(_))), "{refused:?}");
            }
            let read = document(&store, &workspace(0), DocumentKind::Product, "id of the second").await;
            assert!(matches!(read, Err(StoreError::Internal(_))), "{read:?}");
            let done = append(vec![write(Expect::Anything, put.clone())]).await.unwrap();
            assert_eq!(done.versions[0] > 0, put.is_some());
            let read =
                document(&store, &workspace(0), DocumentKind::Product, "id of the second").await.unwrap();
            assert_eq!(read.as_ref().map(|d| &d.contents), put.as_ref());
            assert!(read.is_none_or(|d| (d.created, d.number) == (at(5), d.version)), "made anew");
            assert_eq!(documents(&store).await.unwrap().len(), 2 + usize::from(put.is_some()));
            assert_eq!(store.check_full().await.unwrap().problems, Vec::<String>::new());
        });
    }
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
