//! A shop's month: thousands of products, and exactly the rungs that a calendar on paper would give.

mod killed;
mod paper;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use campanile_model::Timestamp;
use campanile_testkit::{Answer, Token, request};
use serde_json::{Value, json};

use self::paper::{OWNERS, Paper};
use crate::shelf::{PRODUCTS, Shelf, instant};

/// Berlin's clocks go forward on the 29th of this month.
const START: &str = "2026-03-01T12:00:00Z";
const CHANGES: &str = "2026-03-12T12:00:00Z";
const SALES: &str = "2026-03-20T12:00:00Z";
const END: &str = "2026-04-01T12:00:00Z";

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

    /// Judges every row and changes nothing.
    async fn try_import(self, table: &str) {
        let path = format!("{PRODUCTS}/import?dryRun=true");
        assert_eq!(self.send("POST", &path, "text/csv", table).await.json()["refused"], 0);
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

    async fn settle_in_berlin(self) {
        let settings = json!({"timeZone": "Europe/Berlin"}).to_string();
        self.send("PUT", "/v1/workspaces/acme/settings", "application/json", &settings).await;
    }

    async fn open(self, paper: &Paper) {
        self.settle_in_berlin().await;
        assert_eq!(self.import(&paper.table()).await["created"], paper.items.len());
    }

    async fn change(self, paper: &mut Paper) {
        let table = paper.change();
        assert_eq!(self.import(&table).await["updated"], table.lines().count() - 1);
        self.is_as_on(paper).await;
    }

    /// Takes one off the shelves, unless it is gone.
    async fn sell(self, id: &str) {
        let bearer = self.bearer("keeper");
        let path = format!("{PRODUCTS}/{id}");
        let answer = request(self.address, "DELETE", &path, &[("Authorization", &bearer)], b"").await;
        assert!([204, 404].contains(&answer.status), "{}", String::from_utf8_lossy(&answer.body));
    }

    async fn sell_all(self, paper: &mut Paper) {
        for id in paper.sell() {
            self.sell(&id).await;
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
            1 => shop(&shelf).sell_all(&mut paper).await,
            _ => {}
        }
    }
    assert!(paper.told(now).len() > 10_000, "the month was too quiet to tell anything");
}
