//! Identity providers: their keys fetched from a server that behaves, and from ones that do not.

mod command;
mod files;
mod guide;
pub mod provider;
mod sources;
mod stream;

use std::time::{Duration, Instant};

use campanile_testkit::{Client, TestServer, WAIT};
use serde_json::{Value, json};

use provider::{Provider, Signer};

/// The `iss` of these tests' provider.
pub const ISS: &str = "https://id.example/";

/// A server that believes `ISS` by the keys that `provider` publishes.
async fn believing(provider: &Provider) -> TestServer {
    TestServer::configured(&issuer("id", ISS, &format!("jwks_url = \"{}\"", provider.url))).await
}

/// One issuer, in TOML.
pub fn issuer(name: &str, iss: &str, source: &str) -> String {
    format!(
        "[[auth.issuers]]\nname = \"{name}\"\nissuer = \"{iss}\"\naudience = [\"campanile\"]\n\
         algorithms = [\"ES256\"]\n{source}\n"
    )
}

/// The claims of a good token of `ISS`.
fn claims(server: &TestServer, user: &str) -> Value {
    json!({ "iss": ISS, "aud": "campanile", "sub": user, "workspaces": ["acme"], "exp": server.now() + 3600 })
}

fn token(server: &TestServer, signer: &Signer, user: &str) -> String {
    signer.sign(&claims(server, user))
}

fn path(token: &str) -> String {
    format!("/?token={token}&workspaceSlug=acme")
}

/// The status of the inbox's answer.
async fn api(server: &TestServer, token: &str) -> u16 {
    server.get("/v1/workspaces/acme/inbox", token).await.status
}

/// The close that a socket with this token meets.
async fn refused(server: &TestServer, token: &str) -> u16 {
    Client::connect(server.address, &path(token)).await.close().await.0
}

/// A socket with this token is served.
async fn served(server: &TestServer, token: &str, user: &str) {
    let mut client = Client::connect(server.address, &path(token)).await;
    let id = server.notify("acme", user, "hello").await;
    assert_eq!(client.json().await["id"], id);
    client.leave().await;
}

/// Waits for what must become true.
async fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until so many of the provider's keys are in use.
async fn keys(server: &TestServer, count: usize) {
    let sources = &server.running().sources;
    until("keys in use", || sources.status()[0].keys == count && sources.status()[0].failing_since.is_none())
        .await;
}

/// Waits until the last fetch has failed.
async fn failing(server: &TestServer) {
    let sources = &server.running().sources;
    until("a fetch that fails", || sources.status()[0].failing_since.is_some()).await;
}
