//! The conformance suite: what two documented notification services promise, check by check.
//!
//! Each test carries the number of its check, which never changes. Where docs/protocol.md decides what the two
//! services' documents leave open, that is what is tested; tests in `contract` cover its rows that no
//! numbered check stands for. 95 (wss with a certificate) is in `tls`, 107 (the list of
//! allowed origins) in `origins`. Not there yet: 97 (Autobahn against an echo build).
//!
//! Clients are independent of the server: tokio-tungstenite, or bytes written by hand. Time stands still
//! unless a test steps it, so "within a second" means that no time passes at all, and that nothing comes is
//! proved by a marker sent afterwards that comes first.
#![allow(clippy::unwrap_used, reason = "a test's failure is its panic")]

mod contract;
mod manager;
mod product_auth;
mod product_connections;
mod product_delivery;
mod product_marks;
mod product_messages;
mod product_rest;
mod product_tokens;
pub mod raw;
mod sdk_scripts;
mod secrets;
mod shared_frames;
mod shared_handshake;
mod workspace_auth;
mod workspace_delivery;
mod workspace_duel;
mod workspace_life;
mod workspace_tokens;

use std::time::Duration;

use campanile_testkit::{Client, Options, TestServer, Token, WAIT};
use serde_json::Value;

/// Code and reason of a close.
pub type Closed = (u16, String);

pub fn closed(code: u16, reason: &str) -> Closed {
    (code, reason.to_owned())
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A server whose log is in memory.
pub async fn server() -> TestServer {
    configured("").await
}

/// The same, with some configuration.
pub async fn configured(config: &str) -> TestServer {
    TestServer::with(Options { config: config.into(), memory: true, ..Options::default() }).await
}

/// Completes the handshake at `path` and is closed without any other frame.
async fn turned_away(server: &TestServer, path: &str) -> Closed {
    Client::connect(server.address, path).await.close().await
}

/// Publishes to `user` and sees that this is the very next text the client gets.
pub async fn delivers(server: &TestServer, workspace: &str, user: &str, client: &mut Client) {
    let id = server.notify(workspace, user, "a marker").await;
    let frame = client.json().await;
    assert_eq!(frame["id"], id, "{frame}");
}

/// A token of the product surface's own shape: it names no workspace.
pub fn product_token(server: &TestServer, user: &str) -> Token {
    server.token(user).without("workspaces")
}

/// The product surface's address for a token.
pub fn product_at(token: &str) -> String {
    format!("/api/ws/notification?access_token={token}")
}

/// The workspace surface's address for a token, in `acme`.
pub fn workspace_at(token: &str) -> String {
    format!("/?token={token}&workspaceSlug=acme")
}

/// Every byte of `text` percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Steps the clock to a whole second, so that `exp` is exactly as far away as it says.
pub fn to_the_second(server: &TestServer) {
    let millis = u64::try_from(server.now_ms().as_millis()).unwrap();
    server.clock.advance(Duration::from_millis(1000 - millis % 1000));
}

/// Waits for what happens in the server's own threads.
pub async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + WAIT;
    while !happened() {
        assert!(std::time::Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(millis(2)).await;
    }
}

/// One shard, so that a witness tells how far it has come.
pub const ONE_SHARD: &str = "[server]\nshards = 1\n";

/// Sees that the shard has done whatever is due by now. It answers a ping before it looks at its timers, so
/// the second answer comes after them.
pub async fn caught_up(witness: &mut Client) {
    for _ in 0..2 {
        witness.send("PING").await;
        assert_eq!(witness.text().await, r#"{"type":"pong"}"#);
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
