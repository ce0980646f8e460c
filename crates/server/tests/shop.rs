//! A shop's month: thousands of products, and exactly the rungs that a calendar on paper would give.
//!
//! `CAMPANILE_CRASH_ROUNDS` sets how often the server is killed (default 30).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use campanile_model::Timestamp;
use campanile_testkit::{Answer, Token, request};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};

use crate::shelf::{PRODUCTS, Shelf, instant};

/// Set for the child that is to be killed: when its clock starts, and its data directory.
const CHILD: &str = "CAMPANILE_SHOP_TEST_CHILD";
/// Berlin's clocks go forward on the 29th of this month.
const START: &str = "2026-03-01T12:00:00Z";
const CHANGES: &str = "2026-03-12T12:00:00Z";
const SALES: &str = "2026-03-20T12:00:00Z";
const END: &str = "2026-04-01T12:00:00Z";
const OWNERS: usize = 10;

/// When a product ends: on a day in Berlin, or at an hour of it in UTC.
#[derive(Clone, Copy)]
struct End {
    day: Date,
    hour: Option<i8>,
}

struct Item {
    /// Since when, and until when it lasts from then on.
    plans: Vec<(i64, End)>,
    sold: bool,
}

/// The shop on paper.
struct Paper {
    items: Vec<Item>,
    random: u64,
}

impl End {
    fn text(self) -> String {
        match self.hour {
            None => self.day.to_string(),
            Some(hour) => format!("{}T{hour:02}:00:00Z", self.day),
        }
    }

    /// Each rung with its instant.
    fn rungs(self) -> Vec<(&'static str, i64)> {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let millis = |zoned: Zoned| zoned.timestamp().as_millisecond();
        let days = [("7d", 7), ("2d", 2), ("0d", 0)];
        match self.hour {
            None => {
                let at = |day: Date, hour| millis(day.at(hour, 0, 0, 0).to_zoned(berlin.clone()).unwrap());
                let before = days.map(|(name, days)| (name, at(self.day - days.days(), 9)));
                before.into_iter().chain([("expired", at(self.day.tomorrow().unwrap(), 0))]).collect()
            }
            Some(hour) => {
                let end = self.day.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().with_time_zone(berlin);
                let before = days[..2].iter().map(|(name, days)| (*name, millis(&end - days.days())));
                before.chain([("expired", millis(end.clone()))]).collect()
            }
        }
    }
}

impl Paper {
    fn new(count: usize) -> Self {
        let mut paper = Self { items: Vec::new(), random: 42 };
        for _ in 0..count {
            let end = paper.end("2026-03-02");
            paper.items.push(Item { plans: vec![(instant(START).as_millis(), end)], sold: false });
        }
        paper
    }

    /// xorshift64*.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) % below
    }

    /// Some day from `first` on, in five weeks.
    fn end(&mut self, first: &str) -> End {
        let day = first.parse::<Date>().unwrap() + i64::try_from(self.random(35)).unwrap().days();
        let hour = (self.random(10) == 0).then(|| if self.random(2) == 0 { 15 } else { 22 });
        End { day, hour }
    }

    /// All of it as a table.
    fn table(&self) -> String {
        let row = |(n, item): (usize, &Item)| {
            format!("p{n:05},Item {n},user-{},{}\n", n % OWNERS, item.plans[0].1.text())
        };
        let rows: String = self.items.iter().enumerate().map(row).collect();
        format!("id,name,owners,expiryDate\n{rows}")
    }

    /// Another date for every tenth, as a table.
    fn change(&mut self) -> String {
        let mut table = "id,expiryDate\n".to_owned();
        for n in (0..self.items.len()).step_by(10) {
            let before = self.items[n].plans[0].1;
            let mut end = self.end("2026-03-13");
            while end.text() == before.text() {
                end = self.end("2026-03-13");
            }
            table += &format!("p{n:05},{}\n", end.text());
            self.items[n].plans.push((instant(CHANGES).as_millis(), end));
        }
        table
    }

    /// Every twentieth is sold: their ids.
    fn sell(&mut self) -> Vec<String> {
        let sold = (1..self.items.len()).step_by(20);
        sold.map(|n| {
            self.items[n].sold = true;
            format!("p{n:05}")
        })
        .collect()
    }

    /// Every instant at which something is to be told, after `after` and up to `until`.
    fn instants(&self, after: i64, until: i64) -> Vec<i64> {
        let ends = self.items.iter().filter(|item| !item.sold).map(|item| item.plans.last().unwrap().1);
        let mut all: Vec<i64> = ends.flat_map(|end| end.rungs()).map(|(_, at)| at).collect();
        all.retain(|at| (after + 1..=until).contains(at));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What the owners find at `now`, none of whom has read anything: product, rung, instant.
    fn told(&self, now: i64) -> BTreeMap<(String, String, i64), usize> {
        let mut told = BTreeMap::new();
        for (n, item) in self.items.iter().enumerate().filter(|(_, item)| !item.sold) {
            let (since, end) = item.plans.last().unwrap();
            for (rung, at) in end.rungs() {
                if *since < at && at <= now {
                    told.insert((format!("p{n:05}"), rung.to_owned(), at), 1);
                }
            }
        }
        told
    }
}

/// A server of which only the address and the time are known.
#[derive(Clone, Copy)]
struct Shop {
    address: SocketAddr,
    now: i64,
}

impl Shop {
    fn bearer(self, user: &str) -> String {
        let token = Token::of(user, self.now / 1000).with("scope", "products:write admin");
        format!("Bearer {}", token.sign())
    }

    async fn send(self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let bearer = self.bearer("keeper");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        let answer = request(self.address, method, path, &headers, body.as_bytes()).await;
        assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
        answer
    }

    async fn import(self, table: &str) -> Value {
        self.send("POST", &format!("{PRODUCTS}/import"), "text/csv", table).await.json()
    }

    /// Everything in the owners' inboxes that tells of products, how often it is there.
    async fn told(self) -> BTreeMap<(String, String, i64), usize> {
        let mut told = BTreeMap::new();
        for owner in 0..OWNERS {
            let bearer = self.bearer(&format!("user-{owner}"));
            let (mut before, mut last) = (String::new(), i64::MAX);
            loop {
                let path = format!("/v1/workspaces/acme/inbox?limit=100{before}");
                let answer = request(self.address, "GET", &path, &[("Authorization", &bearer)], b"").await;
                let page = answer.json();
                let page = page["items"].as_array().expect("a page");
                let Some(oldest) = page.last() else { break };
                before = format!("&before={}", oldest["seq"]);
                for item in page.iter().filter(|item| item["event"] == "product_expiration") {
                    let text = |name: &str| item["metadata"][name].as_str().unwrap().to_owned();
                    let at = instant(item["timestamp"].as_str().unwrap()).as_millis();
                    assert!(at <= last, "the oldest is told first");
                    last = at;
                    *told.entry((text("productId"), text("rung"), at)).or_insert(0) += 1;
                }
            }
        }
        told
    }

    async fn is_as_on(self, paper: &Paper) {
        let (told, expected) = (self.told().await, paper.told(self.now));
        let wrong = told.iter().filter(|(rung, times)| expected.get(rung) != Some(times));
        let missing = expected.iter().filter(|(rung, _)| !told.contains_key(rung));
        let (wrong, missing): (Vec<_>, Vec<_>) = (wrong.take(5).collect(), missing.take(5).collect());
        let at = Timestamp::from_millis(self.now);
        assert!(wrong.is_empty() && missing.is_empty(), "{at}: wrong {wrong:?}, missing {missing:?}");
        assert_eq!(told.len(), expected.len());
    }

    async fn open(self, paper: &Paper) {
        let settings = json!({"timeZone": "Europe/Berlin"}).to_string();
        self.send("PUT", "/v1/workspaces/acme/settings", "application/json", &settings).await;
        assert_eq!(self.import(&paper.table()).await["created"], paper.items.len());
    }

    async fn change(self, paper: &mut Paper) {
        let table = paper.change();
        assert_eq!(self.import(&table).await["updated"], table.lines().count() - 1);
        self.is_as_on(paper).await;
    }

    async fn sell(self, paper: &mut Paper) {
        for id in paper.sell() {
            self.send("DELETE", &format!("{PRODUCTS}/{id}"), "text/plain", "").await;
        }
        self.is_as_on(paper).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_months_rungs_are_exactly_those_on_paper() {
    let mut paper = Paper::new(10_000);
    let shelf = Shelf::on_disk(instant(START), None).await;
    let shop = |shelf: &Shelf| Shop { address: shelf.server.address, now: shelf.server.now_ms().as_millis() };
    shop(&shelf).open(&paper).await;
    shelf.settled().await;
    let mut now = instant(START).as_millis();
    for (until, step) in [(CHANGES, 0), (SALES, 1), (END, 2)] {
        let until = instant(until).as_millis();
        for at in paper.instants(now, until) {
            shelf.advance_to(Timestamp::from_millis(at)).await;
        }
        shelf.advance_to(Timestamp::from_millis(until)).await;
        now = until;
        shop(&shelf).is_as_on(&paper).await;
        match step {
            0 => shop(&shelf).change(&mut paper).await,
            1 => shop(&shelf).sell(&mut paper).await,
            _ => {}
        }
    }
    assert!(paper.told(now).len() > 10_000, "the month was too quiet to tell anything");
}

/// The server in a process of its own, whose clock is stepped over its standard input.
struct Killable {
    child: Child,
    stdin: ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    shop: Shop,
}

impl Killable {
    fn start(now: i64, data: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shop::child_that_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, format!("{now} {}", data.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut started =
            Self { child, stdin, lines, shop: Shop { address: ([127, 0, 0, 1], 0).into(), now } };
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
}

impl Drop for Killable {
    fn drop(&mut self) {
        // Gone already, if these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_under_kill_9() {
    #[allow(clippy::disallowed_methods, reason = "how long to try is the caller's of the test")]
    let rounds = std::env::var("CAMPANILE_CRASH_ROUNDS");
    let rounds: usize = rounds.map_or(30, |rounds| rounds.parse().expect("a number of rounds"));
    let data = tempfile::tempdir().unwrap();
    let mut paper = Paper::new(1_000);
    let mut now = instant(START).as_millis();
    let mut server = Killable::start(now, data.path());
    server.shop.open(&paper).await;
    let instants = paper.instants(now, instant(END).as_millis()).len();
    let (mut killed, mut met) = (0, 0);
    for (until, step) in [(CHANGES, 0), (SALES, 1), (END, 2)] {
        let until = instant(until).as_millis();
        for at in paper.instants(now, until).into_iter().chain([until]) {
            met += 1;
            // As many kills as are due by now, evenly over the month, each at another moment of its step.
            if killed < rounds * met / instants.max(1) && killed < rounds {
                killed += 1;
                server.step(at);
                tokio::time::sleep(Duration::from_micros(paper.random(20_000))).await;
                server.kill();
                server = Killable::start(at, data.path());
            }
            server.advance(at);
        }
        now = until;
        server.shop.is_as_on(&paper).await;
        match step {
            0 => server.shop.change(&mut paper).await,
            1 => server.shop.sell(&mut paper).await,
            _ => {}
        }
    }
    assert_eq!(killed, rounds.min(instants));
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
