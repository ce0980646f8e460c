//! The real server on port 0.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use campanile_model::Timestamp;
use campanile_server::clock::{Clock, Stepped};
use campanile_server::config::{Config, Environment, Flags};
use campanile_server::run::{Running, start};
use campanile_store::{Config as StoreConfig, Epochs, MemoryStore, SqliteStore, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, WAIT};
use crate::http::{Answer, request};
use crate::token::{SECRET, Token};

/// Wraps a store, to pause or spoil its answers.
pub type Wrap = fn(Arc<dyn Store>) -> Arc<dyn Store>;

/// How a test's server differs from the default one.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// TOML that overrides the defaults.
    pub config: String,
    /// The memory store in place of SQLite.
    pub memory: bool,
    /// What the store is wrapped in, to pause or spoil its answers.
    pub wrap: Option<Wrap>,
    /// Where its clock starts; `None`: at the system's time.
    pub at: Option<Timestamp>,
    /// Its data directory; `None`: one that goes with the server.
    pub data: Option<PathBuf>,
}

/// The real server, in this process.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its clock: it stands still until stepped.
    pub clock: Arc<Stepped>,
    running: Option<Running>,
    options: Options,
    dir: TempDir,
}

impl TestServer {
    /// With the default configuration, on SQLite in a fresh directory.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// With some configuration.
    pub async fn configured(config: &str) -> Self {
        Self::with(Options { config: config.into(), ..Options::default() }).await
    }

    /// As the options say.
    pub async fn with(options: Options) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let clock = Stepped::at(options.at.unwrap_or_else(|| Clock::system().now()));
        let mut server = Self { address: ([127, 0, 0, 1], 0).into(), clock, running: None, options, dir };
        server.boot().await;
        server
    }

    async fn boot(&mut self) {
        let file = self.dir.path().join("campanile.toml");
        std::fs::write(&file, &self.options.config).expect("a configuration file");
        let environment = Environment::of([("CAMPANILE_SECRET", SECRET)]);
        let flags = Flags {
            config: Some(file),
            listen: Some(self.address),
            data: Some(self.options.data.clone().unwrap_or_else(|| self.dir.path().join("data"))),
        };
        let config = Config::load(&flags, &environment).expect("a valid configuration");
        std::fs::create_dir_all(&config.server.data).expect("a directory");
        let epochs = Epochs::seeded(7);
        let store: Arc<dyn Store> = if self.options.memory {
            Arc::new(MemoryStore::new(epochs))
        } else {
            let config = StoreConfig::new(&config.server.data, epochs);
            Arc::new(SqliteStore::open(config).expect("the store opens"))
        };
        let store = self.options.wrap.map_or_else(|| Arc::clone(&store), |wrap| wrap(Arc::clone(&store)));
        let running = start(&config, Clock::stepped(Arc::clone(&self.clock)), store, program()).await;
        let running = running.expect("the server starts");
        self.address = running.address;
        self.running = Some(running);
    }

    /// Ends the server as SIGTERM would.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    /// Starts it again on the same address and data, after [`stop`](Self::stop).
    pub async fn start_again(&mut self) {
        assert!(self.running.is_none(), "it was stopped");
        self.boot().await;
    }

    /// Ends it and starts it again on the same address and data.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// The running parts.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    /// Wall time in seconds.
    pub fn now(&self) -> i64 {
        self.now_ms().as_secs()
    }

    /// Wall time.
    pub fn now_ms(&self) -> Timestamp {
        Clock::stepped(Arc::clone(&self.clock)).now()
    }

    /// Time passes, in steps small enough that nothing is overlooked that a running clock would show.
    pub async fn pass(&self, duration: Duration) {
        let step = Duration::from_millis(500);
        let mut left = duration;
        while !left.is_zero() {
            let by = left.min(step);
            self.clock.advance(by);
            left -= by;
            tokio::task::yield_now().await;
        }
    }

    /// Claims of a token of `user` for workspace `acme`.
    pub fn token(&self, user: &str) -> Token {
        Token::of(user, self.now())
    }

    /// A token that may publish to `acme` and `default` and manage their topics.
    pub fn publisher(&self) -> String {
        let token = self.token("backend").with("workspaces", json!(["acme", "default", "other"]));
        token.with("scope", "notifications:write admin").sign()
    }

    /// Connects to the workspace surface of `acme`.
    pub async fn workspace(&self, user: &str) -> Client {
        Client::connect(self.address, &self.workspace_path(user)).await
    }

    /// The address of the workspace surface of `acme` for `user`.
    pub fn workspace_path(&self, user: &str) -> String {
        format!("/?token={}&workspaceSlug=acme", self.token(user).sign())
    }

    /// Connects to the product surface and takes the greeting.
    pub async fn product(&self, user: &str) -> Client {
        let mut client = Client::connect(self.address, &self.product_path(user)).await;
        let greeting = client.json().await;
        assert_eq!(greeting["type"], "CONNECTION_ESTABLISHED");
        client
    }

    /// The address of the product surface for `user`; its token names no workspace.
    pub fn product_path(&self, user: &str) -> String {
        let token = self.token(user).without("workspaces");
        format!("/api/ws/notification?access_token={}", token.sign())
    }

    /// Publishes to `workspace` and expects 201.
    pub async fn publish(&self, workspace: &str, body: Value) -> Value {
        let answer = self.try_publish(workspace, body).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Publishes to `workspace`.
    pub async fn try_publish(&self, workspace: &str, body: Value) -> Answer {
        let path = format!("/v1/workspaces/{workspace}/notifications");
        self.post(&path, &self.publisher(), &body.to_string()).await
    }

    /// Publishes a plain notification to one user and returns its id.
    pub async fn notify(&self, workspace: &str, user: &str, message: &str) -> String {
        let body = json!({"to": {"user": user}, "title": "Title", "message": message});
        self.publish(workspace, body).await["id"].as_str().expect("an id").to_owned()
    }

    /// A POST with a JSON body.
    pub async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        request(self.address, "POST", path, &headers, body.as_bytes()).await
    }

    /// A GET.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        request(self.address, "GET", path, &[("Authorization", &bearer)], b"").await
    }

    /// A request of any method, with a JSON body unless it is empty.
    pub async fn send(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        self.send_with(method, path, token, &[], body).await
    }

    /// The same with further headers.
    pub async fn send_with(
        &self,
        method: &str,
        path: &str,
        token: &str,
        further: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Authorization", bearer.as_str())];
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        headers.extend(further);
        request(self.address, method, path, &headers, body.as_bytes()).await
    }

    /// Waits until so many sockets are open.
    pub async fn sockets(&self, count: usize) {
        let deadline = std::time::Instant::now() + WAIT;
        while self.running().gauge.sockets() != count {
            assert!(std::time::Instant::now() < deadline, "{} sockets", self.running().gauge.sockets());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// The server's program, which lies beside the tests of its package.
fn program() -> std::path::PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let beside = test.ancestors().nth(2).map(|dir| dir.join("campanile"));
    beside.expect("tests lie two directories deep")
}
