//! The real server, as a process with a data directory of its own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use campanile_client::Notification;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    binary: String,
    data: tempfile::TempDir,
    http: reqwest::Client,
    process: Child,
}

/// What a user has, as the server says.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) items: Vec<Notification>,
    pub(crate) unread: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub(crate) async fn start(binary: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        // A port that was free a moment ago: the server prints its address for people only.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(binary)
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary} does not start: {error}"));
        let ready = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ready).await.expect("the server does not listen");
        Self { address, binary: binary.to_owned(), data, http: reqwest::Client::new(), process }
    }

    /// A token of this server.
    pub(crate) fn token(&self, user: &str, scope: &str) -> String {
        let made = Command::new(&self.binary)
            .args(["token", "--user", user, "--workspace", "demo", "--ttl", "12h", "--data"])
            .arg(self.data.path())
            .args((!scope.is_empty()).then_some(["--scope", scope]).into_iter().flatten())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// What a user's inbox holds, newest first, and how many of it are unread.
    pub(crate) async fn inbox(&self, user: &str) -> Inbox {
        let token = self.token(user, "");
        let mut inbox = Inbox::default();
        let mut before = String::new();
        loop {
            let query = format!("inbox?limit=100{before}");
            let answer = self.ask(Method::GET, &query, &token, None).await;
            let page: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            inbox.unread = page["unread"].as_u64().unwrap();
            let items: Vec<Notification> = serde_json::from_value(page["items"].clone()).unwrap();
            inbox.items.extend(items);
            match page["older"].as_u64() {
                Some(place) => before = format!("&before={place}"),
                None => return inbox,
            }
        }
    }

    /// Takes back an entry, whatever became of it.
    pub(crate) async fn retract(&self, id: &str, token: &str) {
        self.ask(Method::DELETE, &format!("notifications/{id}"), token, None).await;
    }

    /// Says an entry anew, if it is still there.
    pub(crate) async fn retitle(&self, id: &str, title: &str, token: &str) {
        let body = serde_json::json!({ "title": title }).to_string();
        self.ask(Method::PATCH, &format!("notifications/{id}"), token, Some(body)).await;
    }

    /// What the server does to an entry that is gone is told by 404: that is no fault.
    async fn ask(&self, method: Method, path: &str, token: &str, body: Option<String>) -> Response {
        let url = format!("http://{}/v1/workspaces/demo/{path}", self.address);
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{path}: {status}");
        answer
    }
}
