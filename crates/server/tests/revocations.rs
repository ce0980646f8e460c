//! Tokens that are taken back: refused everywhere at once, their sockets closed, also after a restart.

use std::time::{Duration, Instant};

use campanile_model::Timestamp;
use campanile_testkit::{Client, TestServer};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::backend::{call, done, refused};

/// A token of somebody who looks after the whole server.
pub fn operator(server: &TestServer) -> String {
    server
        .token("ops")
        .with("workspaces", json!(["*"]))
        .with("scope", "operator")
        .with("iat", server.now())
        .sign()
}

async fn revoke(server: &TestServer, body: Value) -> Value {
    done(server.post("/v1/revocations", &operator(server), &body.to_string()).await)
}

async fn status(server: &TestServer, token: &str) -> u16 {
    server.get("/v1/workspaces/acme/inbox", token).await.status
}

fn on_workspace(token: &str) -> String {
    format!("/?token={token}&workspaceSlug=acme")
}

fn on_product(token: &str) -> String {
    format!("/api/ws/notification?access_token={token}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_by_its_id() {
    let mut server = TestServer::start().await;
    let both = json!(["acme", "default"]);
    let token = |id: &str| server.token("alice").with("workspaces", both.clone()).with("jti", id).sign();
    let (first, second) = (token("first"), token("second"));
    let mut revoked = Client::connect(server.address, &on_product(&first)).await;
    let mut kept = Client::connect(server.address, &on_product(&second)).await;
    assert_eq!(
        (revoked.json().await["userId"].clone(), kept.json().await["userId"].clone()),
        (json!("alice"), json!("alice"))
    );
    assert_eq!(
        (status(&server, &first).await, status(&server, &second).await),
        (200, 200),
        "remembered from here on"
    );

    let answer = revoke(&server, json!({"tokenId": "first"})).await;
    assert_eq!((&answer["tokenId"], &answer["revokedBy"]), (&json!("first"), &json!("ops")));
    let (code, reason) = revoked.close().await;
    assert_eq!((code, reason.as_str()), (1008, "Access token invalid"));
    assert_eq!((status(&server, &first).await, status(&server, &second).await), (401, 200));
    server.notify("default", "alice", "still here").await;
    assert_eq!(kept.json().await["message"], "still here");

    kept.leave().await;
    server.restart().await;
    assert_eq!((status(&server, &first).await, status(&server, &second).await), (401, 200));
    assert_eq!(Client::connect(server.address, &on_workspace(&first)).await.close().await.0, 4001);
    let path = format!("/v1/revocations/{}", answer["id"].as_str().unwrap());
    done(server.send("DELETE", &path, &operator(&server), "").await);
    assert_eq!(status(&server, &first).await, 200);
    refused(server.send("DELETE", &path, &operator(&server), "").await, 404, "not_found");
    server.restart().await;
    assert_eq!(status(&server, &first).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_of_a_user_until_now() {
    let mut server = TestServer::start().await;
    let old = server.token("alice").with("iat", server.now()).sign();
    let undated = server.token("alice").sign();
    let bob = server.token("bob").sign();
    let mut alice = Client::connect(server.address, &on_workspace(&old)).await;
    let mut other = Client::connect(server.address, &on_workspace(&bob)).await;
    for token in [&old, &undated, &bob] {
        assert_eq!(status(&server, token).await, 200);
    }
    revoke(&server, json!({"user": "alice"})).await;
    assert_eq!(alice.close().await, (4001, "unauthorized".into()));
    assert_eq!((status(&server, &old).await, status(&server, &undated).await), (401, 401));
    assert_eq!(status(&server, &bob).await, 200);
    server.notify("acme", "bob", "still here").await;
    assert_eq!(other.json().await["message"], "still here");

    server.pass(Duration::from_secs(1)).await;
    let new = server.token("alice").with("iat", server.now()).sign();
    assert_eq!(status(&server, &new).await, 200, "issued later");
    let mut alice = Client::connect(server.address, &on_workspace(&new)).await;
    server.notify("acme", "alice", "again").await;
    assert_eq!(alice.json().await["message"], "again");
    alice.leave().await;
    other.leave().await;
    server.restart().await;
    assert_eq!((status(&server, &old).await, status(&server, &new).await), (401, 200));
    // Again, which counts from now.
    revoke(&server, json!({"user": "alice"})).await;
    assert_eq!(status(&server, &new).await, 401);
    let page = done(server.get("/v1/revocations", &operator(&server)).await);
    assert_eq!(page["revocations"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_kept_until_the_token_has_expired() {
    let mut server = TestServer::configured("[tokens]\nlongest_life = \"1h\"").await;
    let in_a_minute = Timestamp::from_millis(server.now_ms().as_millis() + 60_000).to_string();
    revoke(&server, json!({"tokenId": "short", "expiresAt": in_a_minute})).await;
    revoke(&server, json!({"user": "alice", "issuer": "https://issuer.example"})).await;
    let count = async |server: &TestServer| {
        let page = done(server.get("/v1/revocations", &operator(server)).await);
        page["revocations"].as_array().unwrap().len()
    };
    assert_eq!(count(&server).await, 2);
    server.pass(Duration::from_secs(66)).await;
    assert_eq!(count(&server).await, 1);
    server.restart().await;
    assert_eq!(count(&server).await, 1);
    let unnamed = server.token("alice").sign();
    assert_eq!(status(&server, &unnamed).await, 200, "of another issuer");
    server.pass(Duration::from_secs(3_600)).await;
    assert_eq!(count(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_listed_and_refused() {
    let server = TestServer::start().await;
    let mut alice = server.product("alice").await;
    revoke(&server, json!({"tokenId": "one"})).await;
    revoke(&server, json!({"user": "bob"})).await;
    let page = done(server.get("/v1/revocations?limit=1", &operator(&server)).await);
    assert_eq!(page["revocations"].as_array().unwrap().len(), 1);
    let next = format!("/v1/revocations?after={}", page["next"].as_str().unwrap());
    let page = done(server.get(&next, &operator(&server)).await);
    assert_eq!((page["revocations"].as_array().unwrap().len(), &page["next"]), (1, &Value::Null));

    let admin = crate::backend::token(&server);
    let events = done(server.get("/v1/workspaces/default/events?type=token.revoked", &admin).await);
    let subjects: Vec<_> =
        events["events"].as_array().unwrap().iter().map(|e| e["subject"].clone()).collect();
    assert_eq!(subjects, [json!("bob"), json!("one")], "{events}");
    server.pass(Duration::from_secs(1)).await;
    let bob = server.token("bob").with("workspaces", json!(["default"])).with("iat", server.now()).sign();
    let inbox = done(server.get("/v1/workspaces/default/inbox", &bob).await);
    assert_eq!(crate::backend::each(&inbox, "type"), ["token_revoked"]);

    let ops = operator(&server);
    let past = "2020-01-01T00:00:00Z";
    for (body, field) in [
        (json!({}), "tokenId"),
        (json!({"tokenId": "a", "user": "b"}), "tokenId"),
        (json!({"tokenId": ""}), "tokenId"),
        (json!({"tokenId": "x".repeat(257)}), "tokenId"),
        (json!({"tokenId": "a", "expiresAt": past}), "expiresAt"),
        (json!({"tokenId": "a", "issuer": "i"}), "issuer"),
        (json!({"user": "a", "issuer": ""}), "issuer"),
        (json!({"user": "a", "expiresAt": past}), "expiresAt"),
    ] {
        let problem =
            refused(server.post("/v1/revocations", &ops, &body.to_string()).await, 422, "invalid_request");
        assert_eq!(problem["field"], field, "{body}");
    }
    let admin = server.token("backend").with("scope", "admin").sign();
    refused(server.post("/v1/revocations", &admin, r#"{"user":"alice"}"#).await, 403, "scope_missing");
    done(call(&server, "GET", "/inbox", &Value::Null).await);
    server.notify("default", "alice", "unharmed").await;
    assert_eq!(alice.json().await["message"], "unharmed");
}

/// Users who listen, and rounds of what is sent to all of them.
const LISTENERS: usize = 1_000;
const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_sockets_close_and_nobody_else_loses_a_frame() {
    let server = TestServer::start().await;
    let name = |n: usize| format!("user-{n}");
    let token =
        |n: usize| server.token(&name(n)).with("iat", server.now()).with("jti", format!("token-{n}")).sign();
    let mut listeners = Vec::with_capacity(LISTENERS);
    for n in 0..LISTENERS {
        let mut client = Client::connect(server.address, &on_workspace(&token(n))).await;
        listeners.push(tokio::spawn(async move {
            let mut heard = Vec::new();
            loop {
                match client.next().await {
                    Message::Text(text) => {
                        let frame: Value = serde_json::from_str(&text).unwrap();
                        let round: usize = frame["message"].as_str().unwrap().parse().unwrap();
                        heard.push(round);
                        if round + 1 == ROUNDS {
                            return (heard, None);
                        }
                    }
                    Message::Close(frame) => return (heard, frame.map(|frame| u16::from(frame.code))),
                    _ => {}
                }
            }
        }));
    }
    server.sockets(LISTENERS).await;
    // Every tenth user is revoked while the stream goes on: by id or by name, in turn.
    let mut revoked = vec![];
    for round in 0..ROUNDS {
        let all = json!({"to": {"workspace": true}, "title": "T", "message": round.to_string()});
        server.publish("acme", all).await;
        let n = round * 10;
        if n < LISTENERS && round + 1 < ROUNDS {
            let body = match round % 2 {
                0 => json!({"user": name(n)}),
                _ => json!({"tokenId": format!("token-{n}")}),
            };
            let began = Instant::now();
            revoke(&server, body).await;
            revoked.push((n, round));
            server.sockets(LISTENERS - revoked.len()).await;
            assert!(began.elapsed() < Duration::from_secs(1), "closed after {:?}", began.elapsed());
        }
    }
    for (n, listener) in listeners.into_iter().enumerate() {
        let (heard, close) = listener.await.unwrap();
        match revoked.iter().find(|(user, _)| *user == n) {
            Some((_, round)) => {
                assert_eq!(close, Some(4001), "user {n}");
                // Whatever was acknowledged before is on its way, or not read any more: in order, without a gap.
                assert!(
                    heard.len() <= round + 1 && heard.iter().copied().eq(0..heard.len()),
                    "user {n}: {heard:?}"
                );
            }
            None => {
                assert_eq!(close, None, "user {n}");
                assert!(heard.iter().copied().eq(0..ROUNDS), "user {n}: {heard:?}");
            }
        }
    }
    assert_eq!(revoked.len(), ROUNDS - 1);
}
