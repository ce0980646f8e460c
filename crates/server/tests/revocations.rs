//! Tokens that are taken back: refused everywhere at once, their sockets closed, also after a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use campanile_engine::{Admitted, Turn};
use campanile_model::{Slug, Timestamp};
use campanile_testkit::{Client, Options, TestServer};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::backend::{call, done, each, inbox, refused, report, until};
use crate::service_accounts::{create, token_of};

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

/// The last `exp` that there is.
const NEVER: i64 = 253_402_300_799;

async fn revocations(server: &TestServer) -> Vec<Value> {
    let page = done(server.get("/v1/revocations", &operator(server)).await);
    page["revocations"].as_array().unwrap().clone()
}

/// Where tokens live as long as they say, no clock tells when a user's last one has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_kept_as_long_as_a_token_may_live() {
    let mut server = TestServer::start().await;
    let later = |by: i64| Timestamp::from_millis(server.now_ms().as_millis() + by).to_string();
    let dated = server.token("alice").with("iat", server.now()).with("exp", NEVER).sign();
    let undated = server.token("alice").with("exp", NEVER).sign();
    let named = server.token("bob").with("jti", "named").with("exp", NEVER).sign();
    let short = revoke(&server, json!({"tokenId": "short", "expiresAt": later(60_000)})).await;
    assert_eq!(short["keptUntil"], later(65_000));
    for body in [json!({"user": "alice"}), json!({"tokenId": "named"})] {
        assert_eq!(revoke(&server, body).await["keptUntil"], Value::Null);
    }
    assert_eq!(revocations(&server).await.len(), 3);
    for days in [1, 31, 400, 4_000] {
        server.clock.advance(Duration::from_secs(days * 24 * 60 * 60));
        revoke(&server, json!({"tokenId": "unrelated", "expiresAt": in_an_hour(&server)})).await;
        if days == 400 {
            server.restart().await;
        }
        for token in [&dated, &undated, &named] {
            assert_eq!(status(&server, token).await, 401, "{days} days later");
        }
    }
    assert_eq!(revocations(&server).await.len(), 3);
    let new = server.token("alice").with("iat", server.now()).sign();
    assert_eq!(status(&server, &new).await, 200);
}

fn in_an_hour(server: &TestServer) -> String {
    Timestamp::from_millis(server.now_ms().as_millis() + 3_600_000).to_string()
}

/// Where none may live longer than an hour, a revocation has done its work then: nothing it meant is good again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_outlives_a_revocation_that_ends() {
    let data = tempfile::tempdir().unwrap();
    let options = |config: &str| Options {
        config: config.into(),
        data: Some(data.path().to_owned()),
        ..Options::default()
    };
    let mut server = TestServer::with(options("[tokens]\nlongest_life = \"1h\"")).await;
    let now = server.now();
    let dated = |iat: i64, exp: i64| server.token("alice").with("iat", iat).with("exp", exp).sign();
    let good = dated(now, now + 3_600);
    let refused = [
        server.token("alice").sign(),
        server.token("alice").with("exp", now + 10).sign(),
        dated(now, now + 3_601),
        dated(now - 3_600, now + 1),
        dated(now, now + 10_800),
    ];
    assert_eq!(status(&server, &good).await, 200);
    for token in &refused {
        assert_eq!(status(&server, token).await, 401);
        assert_eq!(Client::connect(server.address, &on_workspace(token)).await.close().await.0, 4001);
    }
    let made = revoke(&server, json!({"user": "alice"})).await;
    let kept_until = Timestamp::from_millis(server.now_ms().as_millis() + 3_606_000);
    assert_eq!(made["keptUntil"], kept_until.to_string());
    for minutes in [10, 49, 1, 1, 30, 60, 24 * 60] {
        server.clock.advance(Duration::from_secs(minutes * 60));
        revoke(&server, json!({"tokenId": "unrelated", "expiresAt": in_an_hour(&server)})).await;
        for token in refused.iter().chain([&good]) {
            assert_eq!(status(&server, token).await, 401, "{minutes} minutes later");
        }
    }
    assert_eq!(revocations(&server).await.len(), 1, "it has done its work");
    let new = server.token("alice").with("iat", server.now()).sign();
    assert_eq!(status(&server, &new).await, 200);

    // Whoever lets tokens live longer keeps what is revoked longer.
    revoke(&server, json!({"user": "alice"})).await;
    let endless = server.token("alice").with("exp", NEVER).sign();
    server.stop().await;
    let mut other = TestServer::with(Options { at: Some(server.now_ms()), ..options("") }).await;
    let kept = async |server: &TestServer| {
        let all = revocations(server).await;
        all.iter().find(|revocation| revocation["user"] == "alice").unwrap()["keptUntil"].clone()
    };
    assert_eq!(kept(&other).await, Value::Null);
    other.clock.advance(Duration::from_secs(100 * 24 * 60 * 60));
    other.restart().await;
    assert_eq!(kept(&other).await, Value::Null);
    assert_eq!(status(&other, &endless).await, 401);
    let bobs = other.token("bob").with("exp", NEVER).sign();
    assert_eq!(status(&other, &bobs).await, 200);
}

/// What ends by itself goes without anybody who asks.
/// The workspace where revocations are kept may be another after a restart: each has one place all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_is_renewed_elsewhere_is_taken_back_for_good() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = "[surfaces.product]\nworkspace = \"elsewhere\"\n";
    let serve = async |config: &str| {
        let data = Some(data.path().to_owned());
        TestServer::with(Options { config: config.to_owned(), data, ..Options::default() }).await
    };
    let mut server = serve("").await;
    let token = server.token("alice").sign();
    revoke(&server, json!({"user": "alice"})).await;
    server.stop().await;
    let mut server = serve(elsewhere).await;
    let renewed = revoke(&server, json!({"user": "alice"})).await;
    assert_eq!(status(&server, &token).await, 401);
    let path = format!("/v1/revocations/{}", renewed["id"].as_str().unwrap());
    done(server.send("DELETE", &path, &operator(&server), "").await);
    server.stop().await;
    for config in ["", elsewhere] {
        let mut server = serve(config).await;
        assert_eq!((revocations(&server).await.len(), status(&server, &token).await), (0, 200));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_revocation_is_dropped_by_the_clock() {
    let server = TestServer::start().await;
    let token = server.token("alice").with("jti", "one").with("exp", server.now() + 7_200).sign();
    revoke(&server, json!({"tokenId": "one", "expiresAt": in_an_hour(&server)})).await;
    assert_eq!(status(&server, &token).await, 401);
    // The operator's own word about the token's end was wrong, so that it can be seen.
    server.clock.advance(Duration::from_secs(3_606));
    until("it is dropped", async || status(&server, &token).await == 200).await;
}

/// As much of `workspace` is under way as may be, and nobody has a turn to ask rules, until it is dropped.
async fn flood(server: &TestServer, workspace: &str) -> impl Drop + use<> {
    struct Flood {
        _admitted: Admitted,
        _turns: Vec<Turn>,
    }
    impl Drop for Flood {
        fn drop(&mut self) {}
    }
    let (engine, slug) = (&server.running().engine, Slug::new(workspace).unwrap());
    let admitted = engine.rota.admit(&slug, 10_000).unwrap_or_else(|error| panic!("{error}"));
    let mut turns = vec![];
    while let Ok(turn) = tokio::time::timeout(Duration::from_millis(100), engine.rota.turn(&slug)).await {
        turns.push(turn);
    }
    Flood { _admitted: admitted, _turns: turns }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flood_of_events_holds_up_what_takes_access_away() {
    let mut server = TestServer::start().await;
    let bot = create(&server, "bot", &["notifications:write"]).await;
    let bots = token_of(&server, &bot).await;
    let token = server.token("alice").with("iat", server.now()).sign();
    let mut alice = Client::connect(server.address, &on_workspace(&token)).await;
    let mut carol = server.workspace("carol").await;
    let floods = (flood(&server, "default").await, flood(&server, "acme").await);
    let event = crate::backend::event("e", "order.paid", json!({}));
    refused(report(&server, "default", &event).await, 503, "overloaded");

    let promptly = Duration::from_secs(5);
    let began = Instant::now();
    let revoked = revoke(&server, json!({"user": "alice"})).await;
    assert!(began.elapsed() < promptly, "revoked after {:?}", began.elapsed());
    assert_eq!(alice.close().await, (4001, "unauthorized".into()));
    assert_eq!(status(&server, &token).await, 401);
    for (method, path, body) in [
        ("DELETE", "/access/carol", Value::Null),
        ("PUT", "/access/dave", Value::Null),
        ("POST", "/service-accounts", json!({"name": "other", "scopes": ["admin"]})),
        ("POST", "/service-accounts/bot/rotate", Value::Null),
        ("DELETE", "/service-accounts/bot", Value::Null),
    ] {
        let began = Instant::now();
        done(call(&server, method, path, &body).await);
        assert!(began.elapsed() < promptly, "{method} {path} after {:?}", began.elapsed());
    }
    assert_eq!(carol.close().await, (4001, "unauthorized".into()));
    refused(server.post("/v1/tickets", &bots, "").await, 401, "token_invalid");
    let path = format!("/v1/revocations/{}", revoked["id"].as_str().unwrap());
    done(server.send("DELETE", &path, &operator(&server), "").await);
    revoke(&server, json!({"user": "alice"})).await;

    // Whoever revokes many does not wait for each.
    let engine = Arc::clone(&server.running().engine);
    let waiting = tokio::spawn(async move { drop(engine.rota.turn(&Slug::new("default").unwrap()).await) });
    tokio::task::yield_now().await;
    let began = Instant::now();
    for n in 0..20 {
        revoke(&server, json!({"tokenId": n.to_string()})).await;
    }
    assert!(began.elapsed() < promptly, "20 after {:?}", began.elapsed());
    waiting.abort();

    // The events are there, and nobody was told yet.
    let events = async |server: &TestServer, workspace: &str| {
        let path = format!("/v1/workspaces/{workspace}/events?limit=100");
        let page = done(server.get(&path, &crate::backend::token(server)).await);
        page["events"].as_array().unwrap().clone()
    };
    let kinds =
        |events: &[Value]| events.iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let of_default = events(&server, "default").await;
    assert_eq!(kinds(&of_default[20..]), ["token.revoked", "token.reinstated", "token.revoked"]);
    let of_acme = [
        "service_account.deleted",
        "service_account.rotated",
        "service_account.created",
        "user.access_granted",
        "user.access_withdrawn",
        "service_account.created",
    ];
    assert_eq!(kinds(&events(&server, "acme").await), of_acme);
    assert_eq!(inbox(&server, "dave").await["items"], json!([]));

    // They are told once there is a turn, also if the server has started again since.
    server.stop().await;
    drop(floods);
    server.start_again().await;
    until("the rules were asked", async || each(&inbox(&server, "dave").await, "type") == ["access_granted"])
        .await;
    server.pass(Duration::from_secs(1)).await;
    let new = server.token("alice").with("iat", server.now()).with("workspaces", json!(["default"])).sign();
    until("the user is told", async || {
        let inbox = done(server.get("/v1/workspaces/default/inbox", &new).await);
        let mut told = each(&inbox, "type");
        told.sort_unstable();
        told == ["token_reinstated", "token_revoked", "token_revoked"]
    })
    .await;
    assert_eq!(kinds(&events(&server, "acme").await), of_acme, "no event comes of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_nobody_is() {
    let server = TestServer::start().await;
    let ops = operator(&server);
    for issuer in ["https://issuer.example", "", "Campanile"] {
        let body = json!({"user": "alice", "issuer": issuer}).to_string();
        let problem = refused(server.post("/v1/revocations", &ops, &body).await, 422, "invalid_request");
        assert_eq!(problem["field"], "issuer");
    }
    assert!(revocations(&server).await.is_empty());
    // The server's own.
    let bot = create(&server, "bot", &["notifications:write"]).await;
    let bots = token_of(&server, &bot).await;
    revoke(&server, json!({"user": "service:acme.bot", "issuer": "campanile"})).await;
    refused(server.post("/v1/tickets", &bots, "").await, 401, "token_invalid");
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
