//! The real server, as a process with a data directory of its own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    binary: String,
    data: tempfile::TempDir,
    process: Child,
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
        Self { address, binary: binary.to_owned(), data, process }
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

    /// How many entries of a user are unread, as the server counts.
    pub(crate) async fn unread(&self, user: &str) -> u64 {
        let url = format!("http://{}/v1/workspaces/demo/inbox?limit=1", self.address);
        let token = self.token(user, "");
        let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
        let page: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        page["unread"].as_u64().unwrap()
    }
}
