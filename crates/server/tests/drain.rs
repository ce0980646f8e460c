//! A planned drain: told, changed, cancelled, kept, and lost with its process.

use std::sync::Arc;
use std::time::Duration;

use campanile_engine::drain::{self, Draft, Plan};
use campanile_engine::due::Work;
use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{Change, Contents, DocumentKind, DocumentWrite, Expect, Write};
use campanile_testkit::{Answer, Client, SECRET, TestServer, Token, WAIT};
use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::backend::{call, done, each, inbox, inbox_of, refused, rule, until};
use crate::process::Process;
use crate::program::Program;

const MINUTE: i64 = 60_000;

fn at(server: &TestServer, millis: i64) -> String {
    Timestamp::from_millis(server.now_ms().as_millis() + millis).to_string()
}

fn operator(server: &TestServer) -> String {
    server.token("op").with("workspaces", json!(["*"])).with("scope", "operator").sign()
}

async fn ask(server: &TestServer, method: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.send(method, "/v1/drain", &operator(server), &body).await
}

/// A socket that has seen no more than what is told from here on.
async fn fresh_product(server: &TestServer, user: &str) -> Client {
    let path = format!("{}&replay=none", server.product_path(user));
    let mut client = Client::connect(server.address, &path).await;
    assert_eq!(client.json().await["type"], "CONNECTION_ESTABLISHED");
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_told_of_a_plan_of_its_change_and_of_its_end() {
    let server = TestServer::start().await;
    server.notify("acme", "alice", "so that it exists").await;
    let (mut alice, mut product) = (server.workspace("alice").await, fresh_product(&server, "bob").await);
    refused(ask(&server, "GET", &Value::Null).await, 404, "not_found");
    refused(ask(&server, "DELETE", &Value::Null).await, 404, "not_found");

    let planned = ask(&server, "POST", &json!({"after": "10m"})).await;
    assert_eq!(planned.status, 201);
    let planned = planned.json();
    let instant = at(&server, 10 * MINUTE);
    assert_eq!(planned["at"], json!(instant));
    assert_eq!(
        [&planned["message"], &planned["workspaces"], &planned["failed"]],
        [&Value::Null, &json!(2), &json!(0)]
    );
    let frame = alice.json().await;
    assert_eq!(frame["type"], "drain_planned", "{frame}");
    assert_eq!(frame["metadata"], json!({"drainId": planned["id"], "at": instant, "level": "alert"}));
    assert_eq!(frame["message"], format!("All connections are closed at {instant}"));
    let frame = product.json().await;
    assert_eq!((&frame["type"], &frame["title"]), (&json!("warning"), &json!("Interruption planned")));
    let read = done(ask(&server, "GET", &Value::Null).await);
    assert_eq!(read, json!({"id": planned["id"], "at": instant, "message": null}));

    let body = json!({"at": at(&server, 20 * MINUTE), "message": "New disks."});
    let changed = ask(&server, "POST", &body).await;
    assert_eq!((changed.status, &changed.json()["id"]), (200, &planned["id"]));
    let frame = alice.json().await;
    assert_eq!((&frame["type"], &frame["message"]), (&json!("drain_changed"), &json!("New disks.")));
    assert_eq!(frame["metadata"]["at"], body["at"]);
    assert_eq!(product.json().await["title"], "Planned interruption changed");
    assert_eq!(done(ask(&server, "POST", &body).await)["workspaces"], 0, "everybody knows");
    let shown = inbox(&server, "carol").await;
    assert_eq!((each(&shown, "type"), &shown["unread"]), (vec!["drain_changed"], &json!(1)));

    let cancelled = done(ask(&server, "DELETE", &Value::Null).await);
    assert_eq!([&cancelled["at"], &cancelled["workspaces"]], [&body["at"], &json!(2)]);
    assert_eq!(alice.json().await["type"], "drain_cancelled");
    let frame = product.json().await;
    assert_eq!(
        (&frame["type"], &frame["title"]),
        (&json!("warning"), &json!("Interruption no longer planned"))
    );
    assert_eq!(each(&inbox(&server, "carol").await, "type"), ["drain_cancelled"]);
    refused(ask(&server, "GET", &Value::Null).await, 404, "not_found");
    server.clock.advance(Duration::from_secs(3_600));
    let listed = done(call(&server, "GET", "/events", &Value::Null).await);
    assert_eq!(each(&json!({"items": listed["events"]}), "source"), ["/maintenance"; 3]);
    assert_eq!(each(&json!({"items": listed["events"]}), "actor"), ["op"; 3]);
    assert!(!server.running().engine.drains.is_due(server.now_ms()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_its_instant_the_server_ends_and_nobody_is_told_afterwards() {
    let mut server = TestServer::start().await;
    let (mut alice, mut product) = (server.workspace("alice").await, server.product("alice").await);
    done(call(&server, "PUT", "/settings", &json!({"timeZone": "Asia/Tokyo"})).await);
    assert_eq!(alice.json().await["type"], "workspace_updated");
    done(ask(&server, "POST", &json!({"after": 20})).await);
    assert_eq!(alice.json().await["type"], "drain_planned");
    assert_eq!(product.json().await["title"], "Interruption planned");
    {
        let comes = server.running().drain_comes();
        tokio::pin!(comes);
        server.clock.advance(Duration::from_millis(19_999));
        assert!(comes.as_mut().now_or_never().is_none(), "a millisecond early");
        server.clock.advance(Duration::from_millis(1));
        tokio::time::timeout(WAIT, comes).await.expect("it comes");
    }
    let ((), alice, product) = tokio::join!(server.stop(), alice.close(), product.close());
    assert_eq!([alice.0, product.0], [1001, 1001]);
    server.start_again().await;
    refused(ask(&server, "GET", &Value::Null).await, 404, "not_found");
    until("it no longer holds", async || {
        each(&inbox(&server, "alice").await, "type") == ["workspace_updated"]
    })
    .await;
    let listed = done(call(&server, "GET", "/events?type=drain_cancelled", &Value::Null).await);
    assert_eq!(listed["events"], json!([]), "it was kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_goes_with_its_process_and_that_is_told() {
    let mut server = TestServer::start().await;
    server.notify("acme", "bob", "so that it exists").await;
    done(ask(&server, "POST", &json!({"after": "1h"})).await);
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["drain_planned"]);
    server.restart().await;
    for workspace in ["acme", "default"] {
        let told = async || each(&inbox_of(&server, workspace, "alice").await, "type") == ["drain_cancelled"];
        until("what was planned is taken back", told).await;
    }
    refused(ask(&server, "GET", &Value::Null).await, 404, "not_found");
    // Another plan is another one, and it holds.
    assert_eq!(ask(&server, "POST", &json!({"after": "2h"})).await.status, 201);
    server.clock.advance(Duration::from_secs(3_600));
    let shown = inbox(&server, "alice").await;
    assert_eq!(each(&shown, "type"), ["drain_planned", "drain_cancelled"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_that_cannot_be_told_keeps_no_other_from_it() {
    let server = TestServer::start().await;
    server.notify("acme", "alice", "so that it exists").await;
    // No rule can be asked where the settings can't be read. `acme` comes before `default`.
    let settings = async |text: &str| {
        let contents = Contents { group: "".into(), due: None, expires: None, body: text.into() };
        let document = DocumentWrite {
            kind: DocumentKind::Settings,
            id: "settings".into(),
            expect: Expect::Anything,
            put: Some(contents),
        };
        let change = Write::Change(Change { documents: vec![document], ..Change::default() });
        let engine = &server.running().engine;
        engine.store.append(&Slug::new("acme").unwrap(), change, server.now_ms()).await.unwrap();
    };
    settings("[").await;
    let body = json!({"at": at(&server, MINUTE)});
    let planned = ask(&server, "POST", &body).await.json();
    assert_eq!([&planned["workspaces"], &planned["failed"]], [&json!(1), &json!(1)]);
    assert_eq!(each(&inbox_of(&server, "default", "alice").await, "type"), ["drain_planned"]);
    settings("{}").await;
    let again = done(ask(&server, "POST", &body).await);
    assert_eq!([&again["workspaces"], &again["failed"]], [&json!(1), &json!(0)]);
    assert_eq!(each(&inbox(&server, "bob").await, "type"), ["drain_planned"]);

    // Whoever can't be told of its end is told as soon as that is possible. A new rule makes the server forget what
    // it read of the settings.
    settings("[").await;
    done(call(&server, "PUT", "/rules/other", &rule("other", "never")).await);
    let cancelled = done(ask(&server, "DELETE", &Value::Null).await);
    assert_eq!([&cancelled["workspaces"], &cancelled["failed"]], [&json!(1), &json!(1)]);
    assert_eq!(each(&inbox(&server, "bob").await, "type"), ["drain_planned"]);
    settings("{}").await;
    until("it is told", async || each(&inbox(&server, "bob").await, "type") == ["drain_cancelled"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_taken_back_by_whoever_cancels_it_and_by_nobody_else() {
    let teams: String = (0..40).map(|n| format!("[workspaces.team-{n}]\n")).collect();
    let server = TestServer::configured(&teams).await;
    let everywhere = server.token("op").with("workspaces", json!(["*"]));
    let everywhere = everywhere.with("scope", "admin").sign();
    let engine = Arc::clone(&server.running().engine);
    let now = server.now_ms();
    // What otherwise looks five times a second, without a pause.
    let looks = tokio::spawn(async move {
        loop {
            Work::Drains.until_done(&engine, || now).await;
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..3 {
        let planned = ask(&server, "POST", &json!({"after": "1h"})).await.json();
        assert_eq!([&planned["workspaces"], &planned["failed"]], [&json!(41), &json!(0)]);
        let cancelled = done(ask(&server, "DELETE", &Value::Null).await);
        assert_eq!([&cancelled["workspaces"], &cancelled["failed"]], [&json!(41), &json!(0)]);
    }
    looks.abort();
    for n in 0..40 {
        let listed = done(server.get(&format!("/v1/workspaces/team-{n}/events"), &everywhere).await);
        assert_eq!(each(&json!({"items": listed["events"]}), "actor"), ["op"; 6], "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_planned_no_longer_and_what_comes_now_is_not_told() {
    let server = TestServer::start().await;
    server.notify("acme", "alice", "so that it exists").await;
    let (engine, actor) = (&server.running().engine, UserId::new("op").unwrap());
    let now = || server.now_ms();
    let plan = |after: Value| {
        let draft: Draft = serde_json::from_value(json!({ "after": after })).unwrap();
        drain::plan(engine, draft, now())
    };
    let tell = async |plan: &Plan| {
        let told = drain::tell(engine, plan, &actor, now).await;
        (told.workspaces, told.failed)
    };
    let (first, is_new) = plan(json!("1h")).unwrap();
    assert!(is_new);
    let (second, is_new) = plan(json!("2h")).unwrap();
    assert!(!is_new);
    assert_eq!(first.id, second.id);
    assert_eq!(tell(&first).await, (0, 0), "it was replaced");
    assert_eq!(tell(&second).await, (2, 0));

    // It is planned no longer at once, whoever is told of what.
    let cancelled = drain::cancel(engine, now()).unwrap();
    assert_eq!(engine.drains.plan(), None);
    Work::Drains.until_done(engine, now).await;
    assert_eq!(each(&inbox(&server, "alice").await, "type")[0], "drain_planned");
    assert_eq!(tell(&second).await, (0, 0), "it was cancelled");
    let told = drain::tell_cancelled(engine, cancelled, &actor, now).await;
    assert_eq!((told.workspaces, told.failed), (2, 0));

    let (third, _) = plan(json!(1)).unwrap();
    assert_ne!(third.id, second.id);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(tell(&third).await, (0, 2), "it is there");
    for (method, body) in [("POST", json!({"after": "1h"})), ("DELETE", Value::Null)] {
        let problem = refused(ask(&server, method, &body).await, 422, "invalid_request");
        assert_eq!(problem["detail"], "the server ends now, as was planned");
    }
    assert!(engine.drains.is_due(now()));
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["drain_cancelled", "info"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_and_scopes() {
    let server = TestServer::start().await;
    for (body, field) in [
        (json!({}), "after"),
        (json!({"after": "1h", "at": at(&server, MINUTE)}), "after"),
        (json!({"after": "0s"}), "after"),
        (json!({"after": "169h"}), "after"),
        (json!({"at": at(&server, 999)}), "at"),
        (json!({"at": at(&server, -MINUTE)}), "at"),
        (json!({"at": at(&server, 7 * 24 * 60 * MINUTE + 1)}), "at"),
        (json!({"after": "1h", "message": " "}), "message"),
        (json!({"after": "1h", "message": "x".repeat(2_001)}), "message"),
        (json!({"after": "1h", "message": "a\u{7}"}), "message"),
    ] {
        let problem = refused(ask(&server, "POST", &body).await, 422, "invalid_request");
        assert_eq!(problem["field"], field, "{problem}");
    }
    for body in [json!({"after": "soon"}), json!({"at": "10:00"}), json!({"in": "1h"}), json!([])] {
        refused(ask(&server, "POST", &body).await, 422, "invalid_body");
    }
    refused(ask(&server, "GET", &Value::Null).await, 404, "not_found");
    for (workspaces, scope, code) in [
        (json!(["acme", "default"]), "operator admin", "workspace_refused"),
        (json!(["*"]), "admin", "scope_missing"),
    ] {
        let token = server.token("op").with("workspaces", workspaces).with("scope", scope).sign();
        for (method, body) in [("POST", r#"{"after":"1h"}"#), ("GET", ""), ("DELETE", "")] {
            refused(server.send(method, "/v1/drain", &token, body).await, 403, code);
        }
    }
    for (after, millis) in [("1s", 1_000), ("7d", 7 * 24 * 60 * MINUTE)] {
        let planned = done(ask(&server, "POST", &json!({"after": after, "message": "Two\nlines"})).await);
        assert_eq!(planned["at"], json!(at(&server, millis)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_plans_and_the_process_ends() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let mut server = Process::start(&program);
    let now = campanile_server::clock::Clock::system().now().as_secs();
    let url = format!("http://{}", server.address);
    let path = format!(
        "/?token={}&workspaceSlug=default",
        Token::of("alice", now).with("workspaces", json!(["default"])).sign()
    );
    let mut alice = Client::connect(server.address, &path).await;
    let run = |arguments: &[&str]| {
        let all = ["drain"].iter().chain(arguments).chain(&["--url", &url]).copied().collect::<Vec<_>>();
        tokio::task::block_in_place(|| program.run(all))
    };
    run(&[]).failed("no such planned drain", "");
    run(&["--cancel"]).failed("no such planned drain", "");
    for wrong in [&["--in", "1h", "--cancel"][..], &["--message", "m"], &["--cancel", "--message", "m"]] {
        assert_eq!(run(wrong).status, Some(2), "{wrong:?}");
    }
    run(&["--in", "8d"]).failed("7 days", "");
    let planned = run(&["--in", "1h", "--message", "A new version."]);
    planned.succeeded();
    assert_eq!(alice.json().await["message"], "A new version.");
    let shown = run(&[]);
    shown.succeeded();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["message"], "A new version.");
    run(&["--cancel"]).succeeded();
    assert_eq!(alice.json().await["type"], "drain_cancelled");
    run(&["--at", shown["at"].as_str().unwrap()]).succeeded();
    assert_eq!(alice.json().await["type"], "drain_planned");
    let asked = std::time::Instant::now();
    run(&["--in", "1s"]).succeeded();
    assert_eq!(alice.json().await["type"], "drain_changed");
    assert_eq!(alice.close().await.0, 1001);
    let took = asked.elapsed();
    assert!(took >= Duration::from_secs(1), "it ended {took:?} after it was asked");
    assert_eq!(tokio::task::block_in_place(|| server.wait()), Some(0));
}
