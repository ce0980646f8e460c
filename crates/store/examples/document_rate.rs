//! How many documents a second the embedded store takes, and what it costs to ask what is due.
//!
//! `cargo run --release -p campanile-store --example document_rate -- [DOCUMENTS] [DIR]`

use std::time::{Duration, Instant};

use campanile_model::{Slug, Timestamp};
use campanile_store::{
    Change, Config, Contents, DocumentKind, DocumentQuery, DocumentWrite, Documents, Epochs, Expect, Order,
    SqliteStore, Store, StoreError, Write,
};

const KIND: DocumentKind = DocumentKind::Product;
/// What is due first lies this far in the future, in milliseconds.
const FAR: i64 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let documents: u64 = args.first().map_or(Ok(1_000_000), |n| n.parse())?;
    let scratch = tempfile::tempdir()?;
    let dir = args.get(1).map_or_else(|| scratch.path().to_path_buf(), Into::into);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = SqliteStore::open(Config::new(dir, Epochs::seeded(1)))?;
        let bench = Bench { store, workspace: Slug::new("bench").map_err(internal)? };
        bench.insert(documents).await?;
        bench.update(documents).await?;
        bench.ask(documents).await?;
        bench.store.close().await;
        Ok::<_, StoreError>(())
    })?;
    Ok(())
}

struct Bench {
    store: SqliteStore,
    workspace: Slug,
}

impl Bench {
    async fn insert(&self, documents: u64) -> Result<(), StoreError> {
        let mut next = 0;
        // In changes of one, waited for one by one: that is the disk's flush.
        let began = Instant::now();
        while next < 500 {
            self.change([product(next, FAR + spread(next))].into()).await?;
            next += 1;
        }
        say("changes of 1, one after the other", 500, began.elapsed());
        let began = Instant::now();
        for _ in 0..20 {
            let calls = (0..1000).map(|n| self.change([product(next + n, FAR + spread(n))].into()));
            futures_util::future::try_join_all(calls).await?;
            next += 1000;
        }
        say("changes of 1, 1,000 at a time", 20_000, began.elapsed());
        let began = Instant::now();
        for _ in 0..200 {
            self.change((next..next + 100).map(|n| product(n, FAR + spread(n))).collect()).await?;
            next += 100;
        }
        say("changes of 100", 20_000, began.elapsed());
        let (began, mut longest, first) = (Instant::now(), Duration::ZERO, next);
        while next < documents {
            let began = Instant::now();
            self.change((next..next + 10_000).map(|n| product(n, FAR + spread(n))).collect()).await?;
            longest = longest.max(began.elapsed());
            next += 10_000;
        }
        say("changes of 10,000", next - first, began.elapsed());
        print(&format!("the longest change of 10,000 took {longest:?}"));
        Ok(())
    }

    /// What a rung that fires does to its product: a new body, and due later.
    async fn update(&self, documents: u64) -> Result<(), StoreError> {
        let began = Instant::now();
        for round in 0..20 {
            let writes = (0..1000).map(|n| product(scattered(round * 1000 + n) % documents, FAR + 1));
            futures_util::future::try_join_all(writes.map(|write| self.change([write].into()))).await?;
        }
        say("updates in changes of 1, 1,000 at a time", 20_000, began.elapsed());
        // A wave of rungs: what is due first is read and moved to a later instant, 500 at a time.
        let began = Instant::now();
        for _ in 0..40 {
            let due = self.store.due(KIND, Timestamp::from_millis(i64::MAX), None, 500).await?;
            let writes = due.into_iter().map(|(_, document)| {
                let due = document.contents.due.map(|t| Timestamp::from_millis(t.as_millis() + 2 * FAR));
                DocumentWrite {
                    kind: KIND,
                    id: document.id,
                    expect: Expect::Version(document.version),
                    put: Some(Contents { due, ..document.contents }),
                }
            });
            self.change(writes.collect()).await?;
        }
        say("read as due and updated, 500 at a time", 20_000, began.elapsed());
        let began = Instant::now();
        for round in 0..10_u64 {
            let from = scattered(round) % (documents - 10_000);
            self.change((from..from + 10_000).map(|n| product(n, FAR + 1 + spread(n))).collect()).await?;
        }
        say("updates in changes of 10,000", 100_000, began.elapsed());
        Ok(())
    }

    async fn ask(&self, documents: u64) -> Result<(), StoreError> {
        self.time("due, when nothing is", 10_000, async || {
            let due = self.store.due(KIND, Timestamp::from_millis(0), None, 1000).await?;
            assert_eq!(due.len(), 0);
            Ok(())
        })
        .await?;
        let few = (0..1000).map(|n| product(scattered(n) % documents, n as i64 % 7 - 7));
        for write in few {
            self.change(vec![write]).await?;
        }
        self.time("due, when 1,000 are", 100, async || {
            let due = self.store.due(KIND, Timestamp::from_millis(0), None, 1000).await?;
            assert!(due.len() > 990);
            Ok(())
        })
        .await?;
        self.time("purge, when nothing expired", 10_000, async || {
            assert_eq!(self.store.purge(Timestamp::from_millis(0), 1000).await?, 0);
            Ok(())
        })
        .await?;
        for (what, order) in [("by id", Order::Id(None)), ("newest", Order::Newest(None))] {
            self.time(&format!("a page of 100 {what}"), 1000, async || {
                let query = DocumentQuery { kind: KIND, group: None, order: order.clone(), limit: 100 };
                assert_eq!(self.store.list_documents(&self.workspace, query).await?.len(), 100);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn time(
        &self,
        what: &str,
        times: u32,
        ask: impl AsyncFn() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        for _ in 0..times {
            ask().await?;
        }
        print(&format!("{what}: {:?}", began.elapsed() / times));
        Ok(())
    }

    async fn change(&self, documents: Vec<DocumentWrite>) -> Result<(), StoreError> {
        let write = Write::Change(Change { documents, ..Change::default() });
        self.store.append(&self.workspace, write, Timestamp::from_millis(0)).await.map(drop)
    }
}

/// A product of 250 bytes or so, under an id as a client would draw it.
fn product(n: u64, due: i64) -> DocumentWrite {
    let contents = Contents {
        group: "".into(),
        due: Some(Timestamp::from_millis(due)),
        expires: None,
        body: format!(r#"{{"name":"Product {n}","notes":"{}"}}"#, "x".repeat(200)).into(),
    };
    let id = format!("{:016x}", scattered(n)).into();
    DocumentWrite { kind: KIND, id, expect: Expect::Anything, put: Some(contents) }
}

/// Several products share each instant, and those of one instant stand far from each other.
fn spread(n: u64) -> i64 {
    (n * 7919 % 100_000) as i64
}

/// A number that has no order (SplitMix64).
fn scattered(n: u64) -> u64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn say(what: &str, documents: u64, took: Duration) {
    print(&format!("{what}: {:.0} documents/s", documents as f64 / took.as_secs_f64()));
}

fn print(line: &str) {
    // Whoever runs a benchmark into a closed pipe does not want its figures.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes());
}

fn internal(error: impl ToString) -> StoreError {
    StoreError::Internal(error.to_string())
}
