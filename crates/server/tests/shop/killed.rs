//! The same month under kill -9: in the import, in the steps of time, in the change of dates, in the sales. Afterwards the
//! log itself holds exactly what is on paper.
//!
//! `CAMPANILE_CRASH_ROUNDS` sets how often the server is killed (default 30).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use campanile_model::{Audience, Entry, EntryKind, NotificationId, Seq, Slug, Timestamp};
use campanile_store::{Config, Epochs, SqliteStore, Store};
use serde_json::Value;

use super::paper::{OWNERS, Paper, Told};
use super::{CHANGES, END, SALES, START, Shop};
use crate::shelf::{Shelf, instant};

/// Set for the child that is to be killed: when its clock starts, and its data directory.
const CHILD: &str = "CAMPANILE_SHOP_TEST_CHILD";
const ITEMS: usize = 10_000;

/// The server in a process of its own, whose clock is stepped over its standard input.
struct Killable<'a> {
    child: Child,
    stdin: ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    shop: Shop,
    data: &'a Path,
}

impl<'a> Killable<'a> {
    fn start(now: i64, data: &'a Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shop::killed::child_that_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, format!("{now} {}", data.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let shop = Shop { address: ([127, 0, 0, 1], 0).into(), now };
        let mut started = Self { child, stdin, lines, shop, data };
        started.shop.address = started.said("ready ").parse().unwrap();
        started
    }

    /// What the child says next after that word.
    fn said(&mut self, word: &str) -> String {
        loop {
            let line = self.lines.next().expect("the child lives").unwrap();
            if let Some(said) = line.strip_prefix(word) {
                return said.to_owned();
            }
        }
    }

    fn step(&mut self, to: i64) {
        writeln!(self.stdin, "{to}").unwrap();
        self.shop.now = to;
    }

    /// Time goes on, and what is due then is done.
    fn advance(&mut self, to: i64) {
        self.step(to);
        assert_eq!(self.said("at "), to.to_string());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it, and starts it again where its clock stood.
    fn restart(&mut self) {
        self.kill();
        *self = Self::start(self.shop.now, self.data);
    }

    /// Sends a request, and kills it so long after that.
    async fn killed_in(&mut self, after: Duration, request: impl Future) {
        // The asker is still there when the server dies, so that nothing else ends the request.
        let kill = async {
            tokio::time::sleep(after).await;
            self.kill();
        };
        tokio::pin!(request);
        tokio::select! {
            () = kill => {}
            _ = async { request.await; std::future::pending::<()>().await } => {}
        }
        *self = Self::start(self.shop.now, self.data);
    }

    /// Sends an import again and again, and kills it each time.
    async fn killed_in_imports(&mut self, times: usize, paper: &mut Paper, table: &str) {
        let shop = self.shop;
        let begun = Instant::now();
        shop.try_import(table).await;
        // It is written after that, which takes some times as long.
        let longest = begun.elapsed() * 6;
        for _ in 0..times {
            let (after, shop) = (moment(paper, longest), self.shop);
            self.killed_in(after, shop.import(table)).await;
        }
    }
}

impl Drop for Killable<'_> {
    fn drop(&mut self) {
        // Gone already, if these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log as the operator's own tools find it in the directory of a server that is gone.
#[derive(Default)]
struct Log {
    head: u64,
    told: BTreeMap<NotificationId, (Told, String)>,
    /// Others than of products: their types.
    others: Vec<String>,
    superseded: Vec<NotificationId>,
}

impl Log {
    /// Reads on from where it ended, before anything of it is superseded.
    async fn read_on(&mut self, data: &Path) {
        let acme = Slug::new("acme").unwrap();
        let store = SqliteStore::open(Config::new(data, Epochs::seeded(11))).unwrap();
        let heads = store.heads().await.unwrap();
        let head = heads.iter().find(|head| head.workspace == acme).unwrap();
        let entries = store.entries(&acme, Seq(self.head), head.seq, 1_000_000).await.unwrap();
        for (entry, seq) in entries.iter().zip(self.head + 1..) {
            assert_eq!(entry.seq.0, seq, "a gap in the log");
            self.take(entry);
        }
        assert_eq!(self.head, head.seq.0);
        store.close().await;
    }

    fn take(&mut self, entry: &Entry) {
        self.head = entry.seq.0;
        match &entry.kind {
            EntryKind::Notification(said) if said.event.as_deref() == Some("product_expiration") => {
                let metadata: Value = serde_json::from_str(said.metadata.as_ref().unwrap().get()).unwrap();
                let text = |name: &str| metadata[name].as_str().unwrap().to_owned();
                let Audience::Users(owners) = &said.audience else { panic!("{said:?}") };
                let told = (text("productId"), text("rung"), said.timestamp.as_millis());
                assert!(self.told.insert(said.id, (told, owners[0].as_str().to_owned())).is_none());
            }
            EntryKind::Notification(said) => self.others.push(said.kind.clone()),
            EntryKind::Supersede { target, by: None, .. } => self.superseded.push(*target),
            other => panic!("{other:?}"),
        }
    }

    /// Exactly what is on paper, each once, to its owner, and superseded once where it no longer holds.
    fn is_as_on(&self, paper: &Paper, now: i64) {
        assert_eq!(self.others, ["workspace_updated"]);
        let superseded: BTreeSet<_> = self.superseded.iter().collect();
        assert_eq!(superseded.len(), self.superseded.len(), "superseded twice");
        let told = self.told.iter().map(|(id, (told, owner))| {
            let product: usize = told.0.trim_start_matches('p').parse().unwrap();
            assert_eq!(*owner, format!("user-{}", product % OWNERS));
            (told.clone(), !superseded.contains(id))
        });
        let (mut told, mut expected): (Vec<_>, _) = (told.collect(), paper.log(now));
        told.sort_unstable();
        expected.sort_unstable();
        let first = told.iter().zip(&expected).find(|(told, expected)| told != expected);
        assert_eq!(first, None, "in the log, and on paper");
        assert_eq!(told.len(), expected.len(), "{:?}", told.last());
    }
}

/// A random time below that.
fn moment(paper: &mut Paper, below: Duration) -> Duration {
    Duration::from_micros(paper.random(u64::try_from(below.as_micros()).unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_month_under_kill_9_is_exactly_that_on_paper() {
    #[allow(clippy::disallowed_methods, reason = "how long to try is the caller's of the test")]
    let rounds = std::env::var("CAMPANILE_CRASH_ROUNDS");
    let rounds: usize = rounds.map_or(30, |rounds| rounds.parse().expect("a number of rounds"));
    // Half of them in the steps of time, the others in the three kinds of requests.
    let (in_requests, in_steps) = (rounds / 6, rounds - 3 * (rounds / 6));
    let data = tempfile::tempdir().unwrap();
    let mut paper = Paper::new(ITEMS);
    let mut log = Log::default();
    let mut now = instant(START).as_millis();
    let mut server = Killable::start(now, data.path());
    server.shop.settle_in_berlin().await;
    let table = paper.table();
    server.killed_in_imports(in_requests, &mut paper, &table).await;
    let imported = server.shop.import(&table).await;
    assert_eq!(count(&imported, ["created", "unchanged"]), ITEMS, "{imported}");

    let instants = paper.instants(now, instant(END).as_millis()).len();
    let (mut killed, mut met) = (0, 0);
    for (until, turn) in [(CHANGES, 0), (SALES, 1), (END, 2)] {
        let until = instant(until).as_millis();
        for at in paper.instants(now, until).into_iter().chain([until]) {
            met += 1;
            // As many kills as are due by now, evenly over the month, each at another moment of its step.
            if killed < (in_steps * met / instants).min(in_steps) {
                killed += 1;
                server.step(at);
                tokio::time::sleep(moment(&mut paper, Duration::from_millis(200))).await;
                server.restart();
            }
            server.advance(at);
        }
        now = until;
        server.kill();
        log.read_on(data.path()).await;
        log.is_as_on(&paper, now);
        server = Killable::start(now, data.path());
        match turn {
            0 => {
                let table = paper.change();
                server.killed_in_imports(in_requests, &mut paper, &table).await;
                let imported = server.shop.import(&table).await;
                assert_eq!(count(&imported, ["updated", "unchanged"]), ITEMS / 10, "{imported}");
            }
            1 => {
                let sold = paper.sell();
                let first = usize::try_from(paper.random(90)).unwrap();
                for (n, id) in sold.iter().enumerate() {
                    if n % 100 == first && n / 100 < in_requests {
                        let (after, shop) = (moment(&mut paper, Duration::from_millis(20)), server.shop);
                        server.killed_in(after, shop.sell(id)).await;
                    }
                    server.shop.sell(id).await;
                }
            }
            _ => {}
        }
    }
    server.shop.is_as_on(&paper).await;
    assert_eq!(killed, in_steps);
    assert!(paper.log(now).iter().filter(|(_, holds)| !holds).count() > ITEMS / 50, "little was withdrawn");
}

/// How many rows of an import were one or the other.
fn count(imported: &Value, of: [&str; 2]) -> usize {
    of.iter().map(|name| usize::try_from(imported[name].as_u64().unwrap()).unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above"]
#[allow(clippy::disallowed_methods, reason = "how a test is told that it is the child")]
async fn child_that_is_killed() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (now, data) = task.split_once(' ').unwrap();
    let start = Timestamp::from_millis(now.parse().unwrap());
    let shelf = Shelf::on_disk(start, Some(data.into())).await;
    println!("\nready {}", shelf.server.address);
    let (lines, mut steps) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            lines.blocking_send(line.unwrap().parse::<i64>().unwrap()).unwrap();
        }
        // Whoever drove this is gone.
        std::process::exit(0);
    });
    while let Some(to) = steps.recv().await {
        shelf.advance_to(Timestamp::from_millis(to)).await;
        println!("at {to}");
    }
}
