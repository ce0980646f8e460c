//! A server whose clock starts where a test wants it, with products on its shelves.

use std::path::PathBuf;
use std::time::Duration;

use campanile_model::Timestamp;
use campanile_store::DocumentKind;
use campanile_testkit::{Answer, Options, TestServer, WAIT, request};
use serde_json::{Value, json};

pub struct Shelf {
    pub server: TestServer,
}

/// An instant as RFC 3339.
pub fn instant(text: &str) -> Timestamp {
    serde_json::from_value(json!(text)).unwrap()
}

pub const PRODUCTS: &str = "/v1/workspaces/acme/products";

impl Shelf {
    /// At `start`, in the memory store.
    pub async fn at(start: &str) -> Self {
        let options = Options { memory: true, at: Some(instant(start)), ..Options::default() };
        Self { server: TestServer::with(options).await }
    }

    /// At `start`, on SQLite.
    pub async fn on_disk(start: Timestamp, data: Option<PathBuf>) -> Self {
        Self { server: TestServer::with(Options { at: Some(start), data, ..Options::default() }).await }
    }

    /// A token for everything about products.
    pub fn keeper(&self) -> String {
        let token =
            self.server.token("keeper").with("workspaces", json!(["acme", "default", "other", "live"]));
        token.with("scope", "products:write events:write admin").sign()
    }

    pub async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.send(method, path, &self.keeper(), &body).await
    }

    /// The same, and the answer must be `status`.
    #[track_caller]
    pub fn expect(answer: &Answer, status: u16) -> Value {
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{text}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// Puts a product of `alice` on the shelf of `acme`.
    pub async fn put(&self, id: &str, date: &str) -> Value {
        let body = json!({"name": id, "owners": ["alice"], "expiryDate": date});
        let answer = self.send("PUT", &format!("{PRODUCTS}/{id}"), body).await;
        assert!(matches!(answer.status, 200 | 201), "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub async fn get(&self, id: &str) -> Value {
        Self::expect(&self.send("GET", &format!("{PRODUCTS}/{id}"), Value::Null).await, 200)
    }

    /// The rungs of a product with their state: `7d fired, 2d pending`.
    pub async fn rungs(&self, id: &str) -> String {
        let product = self.get(id).await;
        let rungs = product["rungs"].as_array().unwrap().iter();
        let text =
            |rung: &Value| format!("{} {}", rung["rung"].as_str().unwrap(), rung["state"].as_str().unwrap());
        rungs.map(text).collect::<Vec<_>>().join(", ")
    }

    pub async fn import(&self, query: &str, csv: &str) -> Answer {
        let path = format!("{PRODUCTS}/import{query}");
        let bearer = format!("Bearer {}", self.keeper());
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "text/csv")];
        request(self.server.address, "POST", &path, &headers, csv.as_bytes()).await
    }

    /// The clock goes on to `instant`, and what is due then is done.
    pub async fn until(&self, text: &str) {
        self.advance_to(instant(text)).await;
    }

    pub async fn advance_to(&self, instant: Timestamp) {
        let left = instant.as_millis() - self.server.now_ms().as_millis();
        self.server.clock.advance(Duration::from_millis(u64::try_from(left).expect("time goes on")));
        self.settled().await;
    }

    /// Waits until nothing about products is due.
    pub async fn settled(&self) {
        let store = &self.server.running().engine.store;
        let deadline = std::time::Instant::now() + 3 * WAIT;
        loop {
            let now = self.server.now_ms();
            let products = store.due(DocumentKind::Product, now, None, 1).await.unwrap();
            let jobs = store.due(DocumentKind::Job, now, None, 1).await.unwrap();
            if products.is_empty() && jobs.is_empty() {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "still due: {products:?} {jobs:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The whole inbox of `user` in a workspace, oldest first.
    pub async fn inbox_of(&self, user: &str, workspace: &str) -> Vec<Value> {
        let token = self.server.token(user).with("workspaces", json!([workspace])).sign();
        let mut items: Vec<Value> = Vec::new();
        let mut before = String::new();
        loop {
            let path = format!("/v1/workspaces/{workspace}/inbox?limit=100{before}");
            let page = Self::expect(&self.server.get(&path, &token).await, 200);
            let page = page["items"].as_array().unwrap();
            let Some(last) = page.last() else { break };
            before = format!("&before={}", last["seq"]);
            items.extend(page.iter().cloned());
        }
        items.retain(|item| item["event"] == "product_expiration");
        items.reverse();
        items
    }

    pub async fn inbox(&self, user: &str) -> Vec<Value> {
        self.inbox_of(user, "acme").await
    }

    /// What `alice` reads, oldest first.
    pub async fn told(&self) -> Vec<String> {
        let inbox = self.inbox("alice").await;
        inbox.iter().map(|item| item["message"].as_str().unwrap().to_owned()).collect()
    }

    /// `user` reads a notification.
    pub async fn mark_read(&self, user: &str, item: &Value) {
        let path = format!("/v1/workspaces/acme/inbox/{}/read", item["id"].as_str().unwrap());
        let answer = self.server.post(&path, &self.server.token(user).sign(), "").await;
        Self::expect(&answer, 200);
    }
}
