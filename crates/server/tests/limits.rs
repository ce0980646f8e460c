//! A workspace's limits: told once they are nearly reached, refused once they are.

use std::sync::Arc;

use campanile_model::{Slug, Timestamp};
use campanile_store::{Change, Contents, DocumentKind, DocumentWrite, Expect, Write};
use campanile_testkit::TestServer;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::backend::{call, done, each, event, inbox, inbox_of, refused, report, rule, until};
use crate::functions;

/// Makes what a workspace has many of, without asking for it one by one.
async fn seed(
    server: &TestServer,
    workspace: &str,
    kind: DocumentKind,
    count: usize,
    body: impl Fn(&str) -> Value,
) {
    // Functions are counted by their heads.
    let group = if kind == DocumentKind::Function { "head" } else { "" };
    let documents = (0..count).map(|n| format!("seeded-{n:04}")).map(|id| DocumentWrite {
        kind,
        expect: Expect::Absent,
        put: Some(Contents {
            group: group.into(),
            due: None,
            expires: None,
            body: body(&id).to_string().into(),
        }),
        id: id.into(),
    });
    let change = Change { documents: documents.collect(), ..Change::default() };
    let slug = Slug::new(workspace).unwrap();
    let now = Timestamp::from_millis(0);
    server.running().engine.store.append(&slug, Write::Change(change), now).await.unwrap();
}

async fn subscribe(server: &TestServer, user: &str) {
    for workspace in ["acme", "default"] {
        functions::subscribe(server, workspace, "workspace:limits", user).await;
    }
}

fn warning(limit: &str, used: u64, max: u64, percent: u64, actor: &str) -> Value {
    json!({"limit": limit, "used": used, "max": max, "percent": percent, "actor": actor, "level": "warning"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_nearly_all_made_are_told_once_for_each_crossing_on_both_surfaces() {
    let server = TestServer::start().await;
    subscribe(&server, "alice").await;
    let mut alice = server.workspace("alice").await;
    let mut backend = server.workspace("backend").await;
    let mut product = server.product("alice").await;
    for workspace in ["acme", "default"] {
        seed(&server, workspace, DocumentKind::Rule, 448, |name| rule(name, "never")).await;
    }
    done(call(&server, "PUT", "/rules/r449", &rule("r449", "never")).await);
    done(call(&server, "PUT", "/rules/r450", &rule("r450", "never")).await);
    for client in [&mut alice, &mut backend] {
        let frame = client.json().await;
        assert_eq!(frame["type"], "limit_nearly_reached", "{frame}");
        assert_eq!(frame["metadata"], warning("rules", 450, 500, 90, "backend"));
        assert_eq!(frame["message"], "450 of 500 rules (90 %)");
    }
    // Further up, replacing one, and at the limit: nobody is told again.
    done(call(&server, "PUT", "/rules/r451", &rule("r451", "never")).await);
    done(call(&server, "PUT", "/rules/r451", &rule("r451", "other")).await);
    let listed = call(&server, "GET", "/events?type=limit_nearly_reached", &Value::Null).await.json();
    let listed = listed["events"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["source"], &listed[0]["subject"]), (&json!("/workspace"), &json!("rules")));
    // Below and up again: once more, and the unread one no longer counts.
    for name in ["r450", "r451"] {
        done(call(&server, "DELETE", &format!("/rules/{name}"), &Value::Null).await);
    }
    done(call(&server, "PUT", "/rules/again", &rule("again", "never")).await);
    assert_eq!(alice.json().await["metadata"]["used"], 450);
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["limit_nearly_reached"]);

    // Many at once cross it once, and stop at the limit.
    let server = Arc::new(server);
    let mut puts = JoinSet::new();
    for n in 0..60 {
        let server = Arc::clone(&server);
        puts.spawn(async move {
            let name = format!("at-once-{n}");
            let path = format!("/v1/workspaces/default/rules/{name}");
            let body = rule(&name, "never").to_string();
            server.send("PUT", &path, &crate::backend::token(&server), &body).await
        });
    }
    let mut made = 0;
    while let Some(put) = puts.join_next().await {
        match put.unwrap() {
            put if put.status == 200 => made += 1,
            put => assert_eq!(
                refused(put, 422, "limit_exceeded")["detail"],
                "rules of one workspace: at most 500"
            ),
        }
    }
    assert_eq!(made, 52);
    let frame = product.json().await;
    assert_eq!((&frame["type"], &frame["message"]), (&json!("warning"), &json!("450 of 500 rules (90 %)")));
    assert_eq!(each(&inbox_of(&server, "default", "alice").await, "message"), ["450 of 500 rules (90 %)"]);
    server.notify("default", "alice", "the next").await;
    assert_eq!(product.json().await["message"], "the next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_nearly_all_made_are_told_without_their_source() {
    let server = TestServer::start().await;
    subscribe(&server, "alice").await;
    seed(&server, "acme", DocumentKind::Function, 449, |_| json!({})).await;
    let mut author = server.workspace("author").await;
    let mut alice = server.workspace("alice").await;
    // A schedule is a document of its own, and no function.
    let nightly = json!({"schedule": {"cron": "0 3 * * *"}});
    functions::put_as(&server, "canary", "function run() { return 'canary' }", nightly).await;
    for client in [&mut author, &mut alice] {
        let frame = client.json().await;
        assert_eq!(frame["metadata"], warning("functions", 450, 500, 90, "author"));
        assert!(!frame.to_string().contains("canary"), "{frame}");
    }
    functions::put(&server, "canary", "function run() {}").await;
    functions::put(&server, "next", "function run() {}").await;
    assert_eq!(each(&inbox(&server, "author").await, "type"), ["limit_nearly_reached"]);
    for n in 0..49 {
        functions::put(&server, &format!("f{n}"), "function run() {}").await;
    }
    let one_more = json!({"code": "function run() {}"});
    refused(functions::call(&server, "PUT", "/functions/more", &one_more).await, 422, "limit_exceeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_accounts_nearly_all_made_are_told() {
    let server = TestServer::start().await;
    subscribe(&server, "alice").await;
    seed(&server, "acme", DocumentKind::ServiceAccount, 178, |_| json!({})).await;
    let mut backend = server.workspace("backend").await;
    let mut alice = server.workspace("alice").await;
    let make = async |n: usize| {
        let body = json!({"name": format!("bot-{n}"), "scopes": ["events:write"]});
        call(&server, "POST", "/service-accounts", &body).await
    };
    for n in 179..=200 {
        done(make(n).await);
    }
    for client in [&mut backend, &mut alice] {
        let frame = client.json().await;
        assert_eq!(frame["metadata"], warning("service_accounts", 180, 200, 90, "backend"));
        assert_eq!(frame["message"], "180 of 200 service accounts (90 %)");
    }
    let refusal = refused(make(201).await, 422, "limit_exceeded");
    assert_eq!(refusal["detail"], "service accounts of one workspace: at most 200");
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["limit_nearly_reached"], "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_wait_are_told_before_no_more_may() {
    let server = TestServer::configured("[functions]\nworkers = 1\n").await;
    subscribe(&server, "alice").await;
    let waits = "async function run() { await api.sleep(60000) }";
    let waits = json!({"code": waits, "on": {"types": ["tick"]}}).to_string();
    let token = functions::token(&server, "author");
    for workspace in ["acme", "default"] {
        for n in 0..5 {
            let path = format!("/v1/workspaces/{workspace}/functions/waits{n}");
            done(server.send("PUT", &path, &token, &waits).await);
        }
    }
    let ticks = |from: usize, count: usize| -> Value {
        (from..from + count).map(|n| event(&n.to_string(), "tick", json!({}))).collect()
    };
    done(report(&server, "acme", &ticks(0, 1)).await);
    let executed = async || functions::runs(&server, "waits0").await[0]["status"] == "running";
    until("one is executed, and four wait", executed).await;
    let mut alice = server.workspace("alice").await;
    let mut author = server.workspace("author").await;
    for thousand in 1..9 {
        done(report(&server, "acme", &ticks(thousand * 1_000, 1_000)).await);
    }
    done(report(&server, "acme", &ticks(9_000, 999)).await);
    assert_eq!(inbox(&server, "alice").await["items"], json!([]));
    functions::begin(&server, "waits0").await;
    assert_eq!(alice.json().await["metadata"], warning("queued_runs", 45_000, 50_000, 90, "author"));
    assert_eq!(author.json().await["message"], "45000 of 50000 queued runs (90 %)");
    done(report(&server, "acme", &ticks(10_000, 50)).await);
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["limit_nearly_reached"], "once");

    // An event that crosses it says who caused that; many in one request are one crossing.
    for thousand in 0..9 {
        let mut rows = ticks(thousand * 1_000, 1_000);
        rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["actor"] = "carol".into());
        let answer = done(report(&server, "default", &rows).await);
        assert_eq!(
            answer["events"][999]["notifications"],
            json!([]),
            "what was made of the events themselves"
        );
    }
    for user in ["alice", "carol"] {
        let shown = inbox_of(&server, "default", user).await;
        assert_eq!(each(&shown, "message"), ["45000 of 50000 queued runs (90 %)"]);
    }

    // Above it none is asked for; an event says so, and is kept.
    done(report(&server, "default", &ticks(9_000, 1_000)).await);
    let answer = done(report(&server, "default", &ticks(10_000, 1)).await);
    assert_eq!(answer["events"][0]["failed"], 5);
    let path = "/v1/workspaces/default/functions/waits0/run";
    let refusal = refused(server.post(path, &token, "{}").await, 422, "limit_exceeded");
    assert_eq!(refusal["detail"], "runs of one workspace that wait: at most 50000");
}
