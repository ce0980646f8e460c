//! Machine clients: what they are given for their secret, and what becomes of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use campanile_store::Store;
use campanile_testkit::{Answer, Client, Options, SECRET, TestServer, read_head, request};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::backend::{call, done, refused};
use crate::functions;
use crate::handover::{Pauses, Pausing};
use crate::program::Program;
use crate::revocations::operator;
use crate::tls::Secured;

/// A service account of `acme`, with its secret.
pub async fn create(server: &TestServer, name: &str, scopes: &[&str]) -> Value {
    done(call(server, "POST", "/service-accounts", &json!({"name": name, "scopes": scopes})).await)
}

/// Asks for a token with these headers and this form.
async fn ask(server: &TestServer, headers: &[(&str, &str)], form: &str) -> Answer {
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    request(server.address, "POST", "/oidc/token", &all, form.as_bytes()).await
}

/// Asks with the credentials in the header.
async fn ask_as(server: &TestServer, id: &str, secret: &str, form: &str) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    ask(server, &[("Authorization", &basic)], form).await
}

/// A token of the account.
pub async fn token_of(server: &TestServer, account: &Value) -> String {
    let (id, secret) = (account["clientId"].as_str().unwrap(), account["clientSecret"].as_str().unwrap());
    let answer = ask_as(server, id, secret, "grant_type=client_credentials").await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// The same, where the server speaks TLS.
pub async fn token_within(tls: &Secured, account: &Value) -> String {
    let field = |name: &str| account[name].as_str().unwrap().to_owned();
    let (id, secret) = (field("clientId"), field("clientSecret"));
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let request = format!(
        "POST /oidc/token HTTP/1.1\r\nHost: n\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    let answer = tls.answer(request.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[track_caller]
fn says(answer: &Answer, status: u16, error: &str) {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]), (status, &json!(error)), "{body}");
    assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

fn note() -> String {
    json!({"to": {"user": "alice"}, "title": "T", "message": "from a machine"}).to_string()
}

const NOTIFICATIONS: &str = "/v1/workspaces/acme/notifications";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_publishes_and_listens() {
    let mut server = TestServer::start().await;
    let account = create(&server, "orders", &["notifications:write"]).await;
    let secret = account["clientSecret"].as_str().unwrap();
    assert!(secret.starts_with("cmp_sa_") && secret.len() == 50, "256 bits in base64url");
    assert_eq!(
        (&account["clientId"], &account["user"], &account["createdBy"]),
        (&json!("acme.orders"), &json!("service:acme.orders"), &json!("backend"))
    );
    let answer = ask_as(&server, "acme.orders", secret, "grant_type=client_credentials").await;
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        (Some("no-store"), Some("no-cache"))
    );
    let body = answer.json();
    let said = (&body["token_type"], &body["expires_in"], &body["scope"]);
    assert_eq!(said, (&json!("Bearer"), &json!(3600), &json!("notifications:write")));
    let token = body["access_token"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    for (claim, value) in [
        ("iss", json!("campanile")),
        ("sub", json!("service:acme.orders")),
        ("userId", json!("service:acme.orders")),
        ("workspaces", json!(["acme"])),
        ("scope", json!("notifications:write")),
        ("exp", json!(server.now() + 3600)),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    assert_eq!(claims["jti"].as_str().unwrap().len(), 22, "128 bits");

    let mut alice = server.workspace("alice").await;
    done(server.post(NOTIFICATIONS, token, &note()).await);
    assert_eq!(alice.json().await["message"], "from a machine");
    refused(server.get("/v1/workspaces/acme/rules", token).await, 403, "scope_missing");
    refused(
        server.post("/v1/workspaces/other/notifications", token, &note()).await,
        403,
        "workspace_refused",
    );
    let mut own = Client::connect(server.address, &format!("/?token={token}&workspaceSlug=acme")).await;
    server.notify("acme", "service:acme.orders", "to a machine").await;
    assert_eq!(own.json().await["message"], "to a machine");
    own.leave().await;
    alice.leave().await;
    server.restart().await;
    done(server.post(NOTIFICATIONS, token, &note()).await);
    token_of(&server, &account).await;
    server.pass(Duration::from_secs(3_600)).await;
    refused(server.post(NOTIFICATIONS, token, &note()).await, 401, "token_expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_token_endpoint_refuses() {
    let server = TestServer::start().await;
    let account = create(&server, "bot", &["events:write", "notifications:write"]).await;
    let secret = account["clientSecret"].as_str().unwrap();
    let grant = "grant_type=client_credentials";
    let form = format!("{grant}&client_id=acme.bot&client_secret={secret}");
    let answer = ask(&server, &[], &(form.clone() + "&scope=events%3Awrite")).await;
    assert_eq!((answer.status, &answer.json()["scope"]), (200, &json!("events:write")));
    says(&ask(&server, &[], &(form.clone() + "&scope=admin")).await, 400, "invalid_scope");
    says(&ask(&server, &[], &(form.clone() + "&scope=operator")).await, 400, "invalid_scope");
    says(&ask(&server, &[], &(form.clone() + "&" + grant)).await, 400, "invalid_request");
    says(
        &ask(&server, &[], &form.replace("client_credentials", "password")).await,
        400,
        "unsupported_grant_type",
    );
    says(&ask(&server, &[], &form.replace(grant, "a=b")).await, 400, "invalid_request");
    says(&ask(&server, &[], grant).await, 401, "invalid_client");
    let json = [("Content-Type", "application/json")];
    says(&request(server.address, "POST", "/oidc/token", &json, b"{}").await, 400, "invalid_request");
    // Nobody knows yet who sends it: a form that is too long is not waited for, nor read.
    let long = "POST /oidc/token HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8193\r\n\r\n";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(long.as_bytes()).await.unwrap();
    assert_eq!(read_head(&mut stream).await.status, 413);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let long = vec![b'x'; 8 * 1024 + 1];
    refused(request(server.address, "POST", "/oidc/token", &form, &long).await, 413, "body_too_large");
    for id in ["acme.nobody", "other.bot", "acme", "", "ACME.bot", "acme.bot.bot"] {
        says(&ask_as(&server, id, secret, grant).await, 401, "invalid_client");
    }
    for wrong in ["", "cmp_sa_", &secret[..49], &format!("{secret}A")] {
        says(&ask_as(&server, "acme.bot", wrong, grant).await, 401, "invalid_client");
    }
    says(&ask_as(&server, "acme.bot", "x", grant).await, 401, "invalid_client");
    let blocked = ask_as(&server, "acme.bot", secret, grant).await;
    assert_eq!((blocked.status, blocked.header("retry-after")), (429, Some("60")), "five wrong ones");
    create(&server, "other", &["events:write"]).await;
    server.pass(Duration::from_secs(60)).await;
    token_of(&server, &account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_rotated() {
    let server = TestServer::start().await;
    let first = create(&server, "bot", &["notifications:write"]).await;
    let status = async |account: &Value| {
        let secret = account["clientSecret"].as_str().unwrap();
        ask_as(&server, "acme.bot", secret, "grant_type=client_credentials").await.status
    };
    let path = "/service-accounts/bot/rotate";
    let second = done(call(&server, "POST", path, &json!({"overlap": "1h"})).await);
    assert!(second["formerSecretUntil"].is_string() && second["clientSecret"] != first["clientSecret"]);
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    server.pass(Duration::from_secs(3_600)).await;
    assert_eq!((status(&first).await, status(&second).await), (401, 200));
    let token = token_of(&server, &second).await;
    let third = done(call(&server, "POST", path, &Value::Null).await);
    assert!(third["formerSecretUntil"].is_null());
    assert_eq!((status(&second).await, status(&third).await), (401, 200));
    done(server.post(NOTIFICATIONS, &token, &note()).await);
    let problem =
        refused(call(&server, "POST", path, &json!({"overlap": "25h"})).await, 422, "invalid_request");
    assert_eq!(problem["field"], "overlap");
    refused(call(&server, "POST", "/service-accounts/nobody/rotate", &Value::Null).await, 404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_one_ends_its_tokens_and_sockets() {
    // One shard: what it does to several sockets, it does in an order.
    let mut server = TestServer::configured("[server]\nshards = 1\n").await;
    let (bot, other) =
        (create(&server, "bot", &["notifications:write"]).await, create(&server, "other", &["admin"]).await);
    let (token, others) = (token_of(&server, &bot).await, token_of(&server, &other).await);
    let connect = async |token: &str| {
        Client::connect(server.address, &format!("/?token={token}&workspaceSlug=acme")).await
    };
    let (mut gone, mut stays) = (connect(&token).await, connect(&others).await);
    done(call(&server, "DELETE", "/service-accounts/bot", &Value::Null).await);
    // The close waits for nothing: the server's clock stands, and what is published later is delivered after it.
    server.notify("acme", "service:acme.other", "still here").await;
    assert_eq!(stays.json().await["message"], "still here");
    assert_eq!(gone.close_by_now().await, (4001, "unauthorized".into()));
    refused(server.post(NOTIFICATIONS, &token, &note()).await, 401, "token_invalid");
    let secret = bot["clientSecret"].as_str().unwrap();
    says(&ask_as(&server, "acme.bot", secret, "grant_type=client_credentials").await, 401, "invalid_client");
    refused(call(&server, "GET", "/service-accounts/bot", &Value::Null).await, 404, "not_found");
    stays.leave().await;
    server.restart().await;
    refused(server.post(NOTIFICATIONS, &token, &note()).await, 401, "token_invalid");

    // One of the same name is another one, in the same second too; what the first had stays dead.
    let again = create(&server, "bot", &["notifications:write"]).await;
    done(server.post(NOTIFICATIONS, &token_of(&server, &again).await, &note()).await);
    refused(server.post(NOTIFICATIONS, &token, &note()).await, 401, "token_invalid");
    server.restart().await;
    refused(server.post(NOTIFICATIONS, &token, &note()).await, 401, "token_invalid");
    done(server.post(NOTIFICATIONS, &token_of(&server, &again).await, &note()).await);
    server.pass(Duration::from_secs(60)).await;
    refused(server.post(NOTIFICATIONS, &token, &note()).await, 401, "token_invalid");
}

static PAUSES: Pauses = OnceLock::new();

/// A token that is asked for while its account is being deleted, in the next second already, does not outlive it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_made_of_an_account_that_is_being_deleted() {
    let wrap = |inner| -> Arc<dyn Store> {
        Arc::new(Pausing { inner, pauses: &PAUSES, writes: |_| true, before_writes: true })
    };
    let server = TestServer::with(Options { memory: true, wrap: Some(wrap), ..Options::default() }).await;
    let server = Arc::new(server);
    for what in ["DELETE", "rotate"] {
        let bot = create(&server, "bot", &["notifications:write"]).await;
        let token = token_of(&server, &bot).await;
        let ticket = done(server.post("/v1/tickets", &token, "").await)["ticket"].clone();
        let (pauses, mut paused) = mpsc::channel(1);
        *PAUSES.get_or_init(Mutex::default).lock().await = Some(pauses);
        let other = Arc::clone(&server);
        let ending = tokio::spawn(async move {
            match what {
                "DELETE" => call(&other, "DELETE", "/service-accounts/bot", &Value::Null).await,
                _ => call(&other, "POST", "/service-accounts/bot/rotate", &Value::Null).await,
            }
        });
        // The store is about to write it. Meanwhile another second begins.
        let (_, go_on) = paused.recv().await.unwrap();
        server.clock.advance(Duration::from_secs(1));
        let (other, secret) = (Arc::clone(&server), bot["clientSecret"].as_str().unwrap().to_owned());
        let asked = tokio::spawn(async move {
            ask_as(&other, "acme.bot", &secret, "grant_type=client_credentials").await
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!asked.is_finished(), "{what}: it waits for the end of it");
        *PAUSES.get_or_init(Mutex::default).lock().await = None;
        drop(paused);
        let _sent = go_on.send(());
        done(ending.await.unwrap());
        says(&asked.await.unwrap(), 401, "invalid_client");
        if what == "DELETE" {
            refused(server.post(NOTIFICATIONS, &token, &note()).await, 401, "token_invalid");
            let late = format!("/?ticket={}&workspaceSlug=acme", ticket.as_str().unwrap());
            assert_eq!(Client::connect(server.address, &late).await.close().await.0, 4001);
        }
    }
}

/// Tokens that say the second after the one in which they are made are revoked like any others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_within_one_second() {
    let server = TestServer::start().await;
    let is_good = async |token: &str| server.post(NOTIFICATIONS, token, &note()).await.status == 201;
    let bot = create(&server, "bot", &["notifications:write"]).await;
    let revoke = async |body: Value| {
        done(server.post("/v1/revocations", &operator(&server), &body.to_string()).await);
    };
    let mut dead = vec![token_of(&server, &bot).await];
    for body in [
        json!({"user": "service:acme.bot"}),
        json!({"user": "service:acme.bot", "issuer": "campanile"}),
        json!({"user": "service:acme.bot"}),
    ] {
        revoke(body).await;
        let token = token_of(&server, &bot).await;
        assert!(is_good(&token).await, "made after the revocation");
        for token in &dead {
            assert!(!is_good(token).await, "made before it");
        }
        dead.push(token);
        // Into the second that it says.
        server.pass(Duration::from_secs(1)).await;
    }
    for _ in 0..3 {
        done(call(&server, "DELETE", "/service-accounts/bot", &Value::Null).await);
        let bot = create(&server, "bot", &["notifications:write"]).await;
        let token = token_of(&server, &bot).await;
        assert!(is_good(&token).await, "of another account");
        for token in &dead {
            assert!(!is_good(token).await, "of a deleted one");
        }
        dead.push(token);
        server.pass(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_arranged_by_administrators() {
    let server = TestServer::start().await;
    for name in ["a", "b"] {
        create(&server, name, &["records:write", "admin", "admin"]).await;
    }
    let page = done(call(&server, "GET", "/service-accounts?limit=1", &Value::Null).await);
    let listed = &page["serviceAccounts"][0];
    assert_eq!((&listed["id"], &listed["scopes"]), (&json!("a"), &json!(["admin", "records:write"])));
    assert!(listed.get("clientSecret").is_none() && page["next"] == "a");
    let read = done(call(&server, "GET", "/service-accounts/b", &Value::Null).await);
    assert_eq!(read["clientId"], "acme.b");
    refused(
        call(&server, "POST", "/service-accounts", &json!({"name": "a", "scopes": ["admin"]})).await,
        409,
        "already_exists",
    );
    for (body, field) in [
        (json!({"name": "", "scopes": ["admin"]}), "name"),
        (json!({"name": "A", "scopes": ["admin"]}), "name"),
        (json!({"name": "a.b", "scopes": ["admin"]}), "name"),
        (json!({"name": "-a", "scopes": ["admin"]}), "name"),
        (json!({"name": "a".repeat(41), "scopes": ["admin"]}), "name"),
        (json!({"name": "c", "scopes": []}), "scopes"),
        (json!({"name": "c", "scopes": ["operator"]}), "scopes"),
        (json!({"name": "c", "scopes": ["*"]}), "scopes"),
        (json!({"name": "c", "scopes": ["admin"], "description": "x".repeat(501)}), "description"),
    ] {
        let problem =
            refused(call(&server, "POST", "/service-accounts", &body).await, 422, "invalid_request");
        assert_eq!(problem["field"], field, "{body}");
    }
    let user = server.token("alice").with("scope", "notifications:write").sign();
    for (method, path) in [("GET", ""), ("POST", ""), ("GET", "/a"), ("DELETE", "/a"), ("POST", "/a/rotate")]
    {
        let path = format!("/v1/workspaces/acme/service-accounts{path}");
        refused(server.send(method, &path, &user, "").await, 403, "scope_missing");
    }
    done(call(&server, "POST", "/service-accounts/a/rotate", &Value::Null).await);
    done(call(&server, "DELETE", "/service-accounts/a", &Value::Null).await);
    let events = done(call(&server, "GET", "/events", &Value::Null).await);
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|e| e["type"].clone()).collect();
    let expected =
        ["deleted", "rotated", "created", "created"].map(|what| json!(format!("service_account.{what}")));
    assert_eq!(kinds, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_after_access_is_told() {
    let server = TestServer::start().await;
    for workspace in ["acme", "default"] {
        for user in ["olga", "backend"] {
            functions::subscribe(&server, workspace, "workspace:access", user).await;
        }
    }
    let mut olga = server.workspace("olga").await;
    let mut backend = server.workspace("backend").await;
    let mut product = server.product("olga").await;
    let account = create(&server, "bot", &["events:write"]).await;
    done(call(&server, "POST", "/service-accounts/bot/rotate", &Value::Null).await);
    done(call(&server, "DELETE", "/service-accounts/bot", &Value::Null).await);
    for what in ["created", "rotated", "deleted"] {
        let text = olga.text().await;
        let secret = account["clientSecret"].as_str().unwrap();
        assert!(!text.contains(secret) && !text.contains("events:write"), "{text}");
        let frame: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&frame["type"], &frame["message"]),
            (&json!(format!("service_account_{what}")), &json!("bot by backend"))
        );
        assert_eq!(frame["metadata"], json!({"subject": "bot", "actor": "backend", "level": "info"}));
    }
    // Who did it is not told.
    server.notify("acme", "backend", "the next").await;
    assert_eq!(backend.json().await["message"], "the next");

    let ops = operator(&server);
    done(server.post("/v1/revocations", &ops, r#"{"user": "bob"}"#).await);
    let frame = product.json().await;
    assert_eq!((&frame["title"], &frame["message"]), (&json!("Token revoked"), &json!("bob by ops")));
    done(server.post("/v1/revocations", &ops, r#"{"user": "olga"}"#).await);
    let inbox = crate::backend::inbox_of(&server, "default", "backend").await;
    assert_eq!(crate::backend::each(&inbox, "message"), ["olga by ops", "bob by ops"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_signing_key_is_rotated() {
    let mut server = TestServer::start().await;
    let account = create(&server, "bot", &["notifications:write"]).await;
    let token = token_of(&server, &account).await;
    let keys = async |server: &TestServer| {
        let answer = request(server.address, "GET", "/.well-known/jwks.json", &[], b"").await;
        answer.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    let before = keys(&server).await;
    let published = request(server.address, "GET", "/.well-known/jwks.json", &[], b"").await.json();
    assert!(published["keys"][0].get("d").is_none() && published["keys"][0]["kty"] == "OKP");
    refused(server.post("/v1/keys/rotate", &crate::backend::token(&server), "").await, 403, "scope_missing");
    let rotated = done(server.post("/v1/keys/rotate", &operator(&server), "{}").await);
    assert_eq!(keys(&server).await, [rotated["keyId"].clone(), before[0].clone()]);
    assert_eq!(rotated["former"][0]["keyId"], before[0]);
    done(server.post(NOTIFICATIONS, &token, &note()).await);
    let new = token_of(&server, &account).await;
    server.restart().await;
    assert_eq!(keys(&server).await.len(), 2);
    for token in [&token, &new] {
        done(server.post(NOTIFICATIONS, token, &note()).await);
    }
    let socket = async |token: &str| {
        Client::connect(server.address, &format!("/?token={token}&workspaceSlug=acme")).await
    };
    let other = create(&server, "other", &["notifications:write"]).await;
    let others = token_of(&server, &other).await;
    let (mut first, mut second, mut alice) =
        (socket(&token).await, socket(&others).await, server.workspace("alice").await);
    let ticket = done(server.post("/v1/tickets", &new, "").await)["ticket"].as_str().unwrap().to_owned();
    let forgotten =
        done(server.post("/v1/keys/rotate", &operator(&server), r#"{"forgetFormer":true}"#).await);
    assert_eq!(keys(&server).await, [forgotten["keyId"].clone()]);
    for token in [&token, &new] {
        refused(server.post(NOTIFICATIONS, token, &note()).await, 401, "token_invalid");
    }
    // Their sockets are closed, nobody else's; in the same second new ones are opened.
    assert_eq!((first.close().await.0, second.close().await.0), (4001, 4001));
    let late = format!("/?ticket={ticket}&workspaceSlug=acme");
    assert_eq!(Client::connect(server.address, &late).await.close().await.0, 4001);
    let newest = token_of(&server, &account).await;
    let mut own = socket(&newest).await;
    done(server.post(NOTIFICATIONS, &newest, &note()).await);
    assert_eq!(alice.json().await["message"], "from a machine");
    server.notify("acme", "service:acme.bot", "to a machine").await;
    assert_eq!(own.json().await["message"], "to a machine");
    // A key that is only replaced ends nothing.
    done(server.post("/v1/keys/rotate", &operator(&server), "{}").await);
    server.notify("acme", "service:acme.bot", "again").await;
    assert_eq!(own.json().await["message"], "again");
}

/// A token is judged on the server's machine by the keys in its data directory, without the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_verifies_tokens_of_machines() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let data = program.path("campanile-data");
    let mut server = TestServer::with(Options { data: Some(data.clone()), ..Options::default() }).await;
    let account = create(&server, "bot", &["notifications:write"]).await;
    let token = token_of(&server, &account).await;
    done(server.post("/v1/keys/rotate", &operator(&server), "{}").await);
    let verify = |token: &str| {
        let ran = program.run_with(token, ["token", "verify", "--workspace", "acme"]);
        (ran.status, ran.stdout + &ran.stderr)
    };
    let (status, said) = verify(&token);
    assert!(status == Some(0) && said.contains("workspace  accepted"), "{said}");
    assert!(said.contains("service:acme.bot") && said.contains("issuer     campanile"), "{said}");
    done(server.post("/v1/keys/rotate", &operator(&server), r#"{"forgetFormer":true}"#).await);
    let (status, said) = verify(&token);
    assert!(status == Some(1) && said.contains("workspace  close 4001"), "{said}");
    server.stop().await;
    std::fs::write(data.join("signing-keys.json"), "{\"keys\":[{\"seed\":\"AAAA\"").unwrap();
    let (status, said) = verify(&token);
    assert!(status == Some(1) && said.contains("signing-keys.json is damaged"), "{said}");
    assert!(!said.contains("AAAA") && !said.contains(&token), "{said}");
    // Others are judged as before, and where the server never ran nothing is made.
    let alice = server.token("alice").sign();
    assert_eq!(verify(&alice).0, Some(0));
    std::fs::remove_file(data.join("signing-keys.json")).unwrap();
    let (status, said) = verify(&token);
    assert!(status == Some(1) && said.contains("workspace  close 4001"), "{said}");
    assert!(!data.join("signing-keys.json").exists());
}
