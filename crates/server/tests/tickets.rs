//! One-time tickets in place of tokens.

use std::time::Duration;

use campanile_testkit::{Client, TestServer};
use serde_json::json;

use crate::backend::{done, refused};
use crate::revocations::operator;

async fn ticket(server: &TestServer, token: &str) -> String {
    done(server.post("/v1/tickets", token, "").await)["ticket"].as_str().unwrap().to_owned()
}

async fn on_workspace(server: &TestServer, ticket: &str) -> Client {
    Client::connect(server.address, &format!("/?ticket={ticket}&workspaceSlug=acme")).await
}

async fn on_product(server: &TestServer, ticket: &str) -> Client {
    Client::connect(server.address, &format!("/api/ws/notification?ticket={ticket}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_on_either_surface() {
    let server = TestServer::start().await;
    let token = server.token("alice").with("workspaces", json!(["acme", "default"])).sign();
    let first = ticket(&server, &token).await;
    let mut alice = on_workspace(&server, &first).await;
    server.notify("acme", "alice", "by ticket").await;
    assert_eq!(alice.json().await["message"], "by ticket");
    assert_eq!(on_workspace(&server, &first).await.close().await, (4001, "unauthorized".into()), "used");
    assert_eq!(on_product(&server, &first).await.close().await, (1008, "Access token invalid".into()));

    let second = ticket(&server, &token).await;
    let mut product = on_product(&server, &second).await;
    assert_eq!(product.json().await["userId"], "alice");
    server.notify("default", "alice", "by ticket").await;
    assert_eq!(product.json().await["message"], "by ticket");

    let answer = done(server.post("/v1/tickets", &token, "").await);
    let until = campanile_model::Timestamp::from_millis(server.now_ms().as_millis() + 60_000);
    assert_eq!(answer["expiresAt"], until.to_string());
    server.pass(Duration::from_secs(60)).await;
    let late = answer["ticket"].as_str().unwrap();
    assert_eq!(on_workspace(&server, late).await.close().await.0, 4001);
    refused(server.post("/v1/tickets", "x.y.z", "").await, 401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_behind_it_decides() {
    let server = TestServer::start().await;
    let token = server.token("alice").with("jti", "one").with("exp", server.now() + 90).sign();
    let mut alice = on_workspace(&server, &ticket(&server, &token).await).await;
    let bob = server.token("bob").with("jti", "two").sign();
    let mut bobs = on_workspace(&server, &ticket(&server, &bob).await).await;
    let unused = ticket(&server, &bob).await;
    done(server.post("/v1/revocations", &operator(&server), r#"{"tokenId":"two"}"#).await);
    assert_eq!(bobs.close().await.0, 4001, "revoked");
    assert_eq!(on_workspace(&server, &unused).await.close().await.0, 4001);
    server.pass(Duration::from_secs(91)).await;
    assert_eq!(alice.close().await, (4003, "token expired".into()));

    // Refused on one surface, it is used up.
    let other = server.token("carol").with("workspaces", json!(["default"])).sign();
    let refused = ticket(&server, &other).await;
    assert_eq!(on_workspace(&server, &refused).await.close().await.0, 4001);
    assert_eq!(on_product(&server, &refused).await.close().await.0, 1008);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_beside_a_token_is_neither() {
    let mut server = TestServer::start().await;
    let token = server.token("alice").sign();
    let good = ticket(&server, &token).await;
    for query in [
        format!("ticket={good}&token={token}"),
        format!("ticket={good}&ticket={good}"),
        "ticket=cmp_tk_x".into(),
    ] {
        let path = format!("/?{query}&workspaceSlug=acme");
        assert_eq!(Client::connect(server.address, &path).await.close().await.0, 4001, "{query}");
    }
    assert_eq!(
        Client::connect(server.address, "/?ticket=").await.close().await,
        (4001, "unauthorized".into())
    );
    server.restart().await;
    assert_eq!(on_workspace(&server, &good).await.close().await.0, 4001, "another process");
    let mut given = 0;
    while server.post("/v1/tickets", &token, "").await.status == 201 {
        given += 1;
    }
    assert_eq!(given, 64);
    refused(server.post("/v1/tickets", &token, "").await, 503, "overloaded");
}
