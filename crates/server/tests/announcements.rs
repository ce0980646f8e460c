//! Maintenance: announced, changed, withdrawn, over.

use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use campanile_model::{Slug, Timestamp};
use campanile_store::Store;
use campanile_testkit::{Options, SECRET, TestServer};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use crate::backend::{call, done, each, inbox, inbox_of, refused, token, until};
use crate::handover::{Pause, Pausing};
use crate::program::{Program, Ran};

const HOUR: i64 = 3_600_000;

fn at(server: &TestServer, millis: i64) -> String {
    Timestamp::from_millis(server.now_ms().as_millis() + millis).to_string()
}

fn draft(server: &TestServer) -> Value {
    json!({"message": "We move to faster disks.", "startsAt": at(server, HOUR), "endsAt": at(server, 2 * HOUR)})
}

async fn read(server: &TestServer, user: &str, id: &Value) {
    let token = server.token(user).sign();
    let path = format!("/v1/workspaces/acme/inbox/{}/read", id.as_str().unwrap());
    done(server.post(&path, &token, "").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announced_changed_and_withdrawn_on_both_surfaces() {
    let mut server = TestServer::start().await;
    let mut alice = server.workspace("alice").await;
    let mut product = server.product("alice").await;
    let admin = token(&server);
    let mut ids = vec![];
    for workspace in ["acme", "default"] {
        let path = format!("/v1/workspaces/{workspace}/announcements");
        let made = server.send("POST", &path, &admin, &draft(&server).to_string()).await;
        assert_eq!(made.status, 201);
        ids.push(format!("{path}/{}", made.json()["id"].as_str().unwrap()));
    }
    let frame = alice.json().await;
    assert_eq!(
        (&frame["type"], &frame["metadata"]["level"]),
        (&json!("maintenance_scheduled"), &json!("alert"))
    );
    assert_eq!(frame["message"], "We move to faster disks.");
    assert_eq!(frame["metadata"]["startsAt"], draft(&server)["startsAt"]);
    assert_eq!(product.json().await["title"], "Maintenance scheduled");
    read(&server, "bob", &frame["id"]).await;

    let later = json!({"endsAt": at(&server, 3 * HOUR)}).to_string();
    for id in &ids {
        assert_eq!(done(server.send("PATCH", id, &admin, &later).await)["state"], "scheduled");
        done(server.send("PATCH", id, &admin, &later).await);
    }
    assert_eq!(alice.json().await["type"], "maintenance_changed");
    assert_eq!(product.json().await["title"], "Maintenance changed");
    // Whoever had read the first still sees it; the others see what holds.
    let shown = inbox(&server, "bob").await;
    assert_eq!(each(&shown, "type"), ["maintenance_changed", "maintenance_scheduled"]);
    assert_eq!((&shown["items"][1]["superseded"], &shown["unread"]), (&json!(true), &json!(1)));
    let shown = inbox(&server, "alice").await;
    assert_eq!((each(&shown, "type"), &shown["unread"]), (vec!["maintenance_changed"], &json!(1)));

    alice.leave().await;
    product.leave().await;
    server.restart().await;
    let mut alice = server.workspace("alice").await;
    let mut product =
        campanile_testkit::Client::connect(server.address, &(server.product_path("alice") + "&replay=none"))
            .await;
    product.json().await;
    for id in &ids {
        assert_eq!(done(server.send("DELETE", id, &admin, "").await)["state"], "cancelled");
        refused(server.send("DELETE", id, &admin, "").await, 422, "invalid_request");
        refused(server.send("PATCH", id, &admin, &later).await, 422, "invalid_request");
    }
    let frame = alice.json().await;
    assert_eq!(
        (&frame["type"], &frame["metadata"]["level"]),
        (&json!("maintenance_cancelled"), &json!("alert"))
    );
    assert_eq!(product.json().await["title"], "Maintenance cancelled");
    let shown = inbox(&server, "alice").await;
    assert_eq!((each(&shown, "type"), &shown["unread"]), (vec!["maintenance_cancelled"], &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_holds_no_longer_and_goes_after_thirty_days() {
    let mut server = TestServer::start().await;
    // An administrator's own rule has no collapse key: what it made is resolved all the same.
    let own = json!({
        "name": "maintenance", "on": {"types": ["maintenance.*"]}, "to": {"workspace": true},
        "title": "Own", "message": "{{ data.message }}", "type": "{{ type | replace('.', '_') }}",
    });
    done(call(&server, "PUT", "/rules/maintenance", &own).await);
    let made = done(call(&server, "POST", "/announcements", &draft(&server)).await);
    let path = format!("/announcements/{}", made["id"].as_str().unwrap());
    done(call(&server, "PATCH", &path, &json!({"message": "A little later."})).await);
    let shown = inbox(&server, "bob").await;
    assert_eq!(each(&shown, "message"), ["A little later."], "the first one no longer holds");
    read(&server, "bob", &shown["items"][0]["id"]).await;
    server.stop().await;
    server.clock.advance(Duration::from_secs(2 * 3600));
    server.start_again().await;
    until("it is over", async || done(call(&server, "GET", &path, &Value::Null).await)["state"] == "ended")
        .await;
    let shown = inbox(&server, "alice").await;
    assert_eq!((&shown["items"], &shown["unread"]), (&json!([]), &json!(0)));
    assert_eq!(each(&inbox(&server, "bob").await, "message"), ["A little later."]);
    refused(call(&server, "PATCH", &path, &json!({"message": "x"})).await, 422, "invalid_request");
    server.clock.advance(Duration::from_secs(29 * 24 * 3600));
    assert_eq!(
        done(call(&server, "GET", "/announcements", &Value::Null).await)["announcements"][0]["state"],
        "ended"
    );
    server.clock.advance(Duration::from_secs(24 * 3600 + 1));
    until("it is gone", async || {
        done(call(&server, "GET", "/announcements", &Value::Null).await)["announcements"] == json!([])
    })
    .await;
    refused(call(&server, "GET", &path, &Value::Null).await, 404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_and_scopes() {
    let server = TestServer::start().await;
    let good = draft(&server);
    for (member, value, field) in [
        ("message", json!(" "), "message"),
        ("message", json!("x".repeat(2_001)), "message"),
        ("message", json!("a\u{7}"), "message"),
        ("endsAt", good["startsAt"].clone(), "endsAt"),
        ("endsAt", json!(at(&server, 366 * 24 * HOUR)), "endsAt"),
        ("startsAt", json!(at(&server, 3 * HOUR)), "endsAt"),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        let problem = refused(call(&server, "POST", "/announcements", &bad).await, 422, "invalid_request");
        assert_eq!(problem["field"], field, "{problem}");
    }
    let mut past = good.clone();
    (past["startsAt"], past["endsAt"]) = (at(&server, -2 * HOUR).into(), at(&server, -HOUR).into());
    refused(call(&server, "POST", "/announcements", &past).await, 422, "invalid_request");
    for bad in [json!({"message": "m"}), json!({"message": "m", "startsAt": "soon", "endsAt": "later"})] {
        refused(call(&server, "POST", "/announcements", &bad).await, 422, "invalid_body");
    }
    // An id of one's own makes a repetition safe.
    let mut named = good.clone();
    named["id"] = "0198c0de-0000-7000-8000-000000000001".into();
    assert_eq!(done(call(&server, "POST", "/announcements", &named).await)["id"], named["id"]);
    refused(call(&server, "POST", "/announcements", &named).await, 409, "already_exists");
    assert_eq!(each(&inbox(&server, "alice").await, "type"), ["maintenance_scheduled"]);
    refused(
        call(&server, "DELETE", "/announcements/0198c0de-0000-7000-8000-00000000dead", &Value::Null).await,
        404,
        "not_found",
    );

    let body = good.to_string();
    let with = |workspaces: Value, scope: &str| {
        server.token("op").with("workspaces", workspaces).with("scope", scope).sign()
    };
    let user = with(json!(["acme"]), "notifications:write operator");
    refused(
        server.send("POST", "/v1/workspaces/acme/announcements", &user, &body).await,
        403,
        "scope_missing",
    );
    refused(server.send("POST", "/v1/announcements", &user, &body).await, 403, "workspace_refused");
    refused(
        server.send("POST", "/v1/announcements", &with(json!(["*"]), "admin"), &body).await,
        403,
        "scope_missing",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_reaches_every_workspace() {
    let server = TestServer::start().await;
    server.notify("acme", "alice", "so that it exists").await;
    let mut alice = server.workspace("alice").await;
    let mut product = server.product("alice").await;
    let operator = server.token("op").with("workspaces", json!(["*"])).with("scope", "operator").sign();
    let mut body = draft(&server);
    body["id"] = "0198c0de-0000-7000-8000-000000000002".into();
    let made = server.send("POST", "/v1/announcements", &operator, &body.to_string()).await;
    assert_eq!((made.status, &made.json()["workspaces"]), (201, &json!(2)));
    assert_eq!(alice.json().await["type"], "maintenance_scheduled");
    assert_eq!(product.json().await["title"], "Maintenance scheduled");
    let again = done(server.send("POST", "/v1/announcements", &operator, &body.to_string()).await);
    assert_eq!(again["workspaces"], 0);
    let path = format!("/v1/announcements/{}", body["id"].as_str().unwrap());
    done(call(&server, "DELETE", &path["/v1".len()..], &Value::Null).await);
    assert_eq!(alice.json().await["type"], "maintenance_cancelled");
    // What a workspace withdrew for itself stays so.
    let changed = done(server.send("PATCH", &path, &operator, r#"{"message":"Sooner."}"#).await);
    assert_eq!(changed["workspaces"], 1);
    assert_eq!(product.json().await["message"], "Sooner.");
    assert_eq!(done(server.send("DELETE", &path, &operator, "").await)["workspaces"], 1);
    refused(server.send("DELETE", &path, &operator, "").await, 404, "not_found");
    assert_eq!(each(&inbox_of(&server, "default", "alice").await, "type"), ["maintenance_cancelled"]);
}

static NEVER: OnceLock<Mutex<Option<mpsc::Sender<Pause>>>> = OnceLock::new();
/// Workspaces that take no writes now.
static CLOSED: RwLock<&[&str]> = RwLock::new(&[]);

fn close(workspaces: &'static [&'static str]) {
    *CLOSED.write().unwrap() = workspaces;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_that_fails_stops_no_other_and_is_reached_by_a_repetition() {
    let wrap = |inner| -> Arc<dyn Store> {
        let writes = |slug: &Slug| !CLOSED.read().unwrap().contains(&slug.as_str());
        Arc::new(Pausing { inner, pauses: &NEVER, writes, before_writes: false })
    };
    let server = TestServer::with(Options { wrap: Some(wrap), ..Options::default() }).await;
    for workspace in ["acme", "beta"] {
        let token = server.token("p").with("workspaces", json!([workspace]));
        let token = token.with("scope", "notifications:write").sign();
        let body = r#"{"to":{"user":"bob"},"title":"T","message":"so that it exists"}"#;
        done(server.post(&format!("/v1/workspaces/{workspace}/notifications"), &token, body).await);
    }
    let operator = server.token("op").with("workspaces", json!(["*"])).with("scope", "operator").sign();
    let announce =
        async |body: &Value| server.send("POST", "/v1/announcements", &operator, &body.to_string()).await;
    let told = async |workspace: &str| {
        let inbox = inbox_of(&server, workspace, "alice").await;
        each(&inbox, "message").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut body = draft(&server);
    body["message"] = "First".into();
    close(&["acme"]);
    let made = announce(&body).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!((&made["workspaces"], &made["failed"]), (&json!(2), &json!(1)), "{made}");
    assert_eq!((told("acme").await.len(), told("beta").await), (0, vec!["First".to_owned()]));
    body["id"] = made["id"].clone();
    let problem = announce(&body).await;
    assert_eq!(problem.json()["id"], made["id"]);
    refused(problem, 503, "announcement_unfinished");
    close(&[]);
    let again = done(announce(&body).await);
    assert_eq!((&again["workspaces"], &again["failed"]), (&json!(1), &json!(0)));
    assert_eq!((told("acme").await, told("beta").await.len()), (vec!["First".to_owned()], 1));

    // Nowhere: the id is told all the same.
    let mut body = draft(&server);
    body["message"] = "Second".into();
    close(&["acme", "beta", "default"]);
    let problem = announce(&body).await;
    body["id"] = problem.json()["id"].clone();
    assert!(problem.header("retry-after").is_some());
    refused(problem, 503, "announcement_unfinished");
    close(&["beta"]);
    let some = done(announce(&body).await);
    assert_eq!((&some["id"], &some["workspaces"], &some["failed"]), (&body["id"], &json!(2), &json!(1)));
    let path = format!("/v1/announcements/{}", made["id"].as_str().unwrap());
    let changed = done(server.send("PATCH", &path, &operator, r#"{"message":"Sooner"}"#).await);
    assert_eq!((&changed["workspaces"], &changed["failed"]), (&json!(2), &json!(1)));
    let gone = done(server.send("DELETE", &path, &operator, "").await);
    assert_eq!((&gone["workspaces"], &gone["failed"]), (&json!(2), &json!(1)));

    // From the command line, which makes the id itself.
    let (starts, ends) = (at(&server, HOUR), at(&server, 2 * HOUR));
    let everywhere = ["announce", "--everywhere", "--message", "Third", "--starts", &starts, "--ends", &ends];
    let failed = maintenance(&server, &everywhere).await;
    let said = serde_json::from_str::<Value>(&failed.stdout).unwrap();
    assert_eq!((failed.status, &said["failed"]), (Some(1), &json!(1)));
    let id = said["id"].as_str().unwrap();
    assert!(failed.stderr.contains(&format!("--id {id} ")), "{failed:?}");
    close(&[]);
    maintenance(&server, &[&everywhere[..], &["--id", id]].concat()).await.succeeded();
    assert_eq!(told("beta").await[0], "Third");
    assert_eq!(told("acme").await.iter().filter(|message| *message == "Third").count(), 1);
}

/// Runs `campanile maintenance` against the server.
async fn maintenance(server: &TestServer, arguments: &[&str]) -> Ran {
    let url = format!("http://{}", server.address);
    let all = [&["maintenance"], arguments, &["--url", &url]].concat();
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let ran = tokio::task::spawn_blocking(move || Program::new().set("CAMPANILE_SECRET", SECRET).run(all));
    ran.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_announces() {
    let server = TestServer::start().await;
    let mut alice = server.workspace("alice").await;
    let (starts, ends) = (at(&server, HOUR), at(&server, 2 * HOUR));
    let run = async |arguments: &[&str]| maintenance(&server, arguments).await;
    let made =
        run(&["announce", "--workspace", "acme", "--message", "Disks", "--starts", &starts, "--ends", &ends])
            .await;
    made.succeeded();
    let id = serde_json::from_str::<Value>(&made.stdout).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(alice.json().await["message"], "Disks");
    run(&["change", &id, "--workspace", "acme", "--message", "More disks"]).await.succeeded();
    assert_eq!(alice.json().await["message"], "More disks");
    let list = run(&["list", "--workspace", "acme"]).await;
    assert!(list.stdout.contains("More disks") && list.stdout.contains("scheduled"), "{list:?}");
    run(&["withdraw", &id, "--workspace", "acme"]).await.succeeded();
    assert_eq!(alice.json().await["type"], "maintenance_cancelled");
    let everywhere =
        run(&["announce", "--everywhere", "--message", "All", "--starts", &starts, "--ends", &ends]).await;
    everywhere.succeeded();
    assert_eq!(alice.json().await["message"], "All");
    let refused = run(&["withdraw", &id, "--workspace", "acme"]).await;
    assert_eq!(refused.status, Some(1));
    assert!(refused.stderr.contains("withdrawn"), "{refused:?}");
    assert_eq!(
        run(&["change", &id, "--workspace", "acme"]).await.status,
        Some(2),
        "nothing is to be changed"
    );
    assert_eq!(
        run(&["announce", "--message", "m", "--starts", &starts, "--ends", &ends]).await.status,
        Some(2)
    );
}
