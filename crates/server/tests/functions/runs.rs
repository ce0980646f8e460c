//! Runs that are asked for: begun, waited for, listed, read, repeated.

use campanile_testkit::TestServer;
use serde_json::{Value, json};

use super::{begin, call, ended, order, put, put_as, reaches, read, run, runs, token};
use crate::backend::{done, refused, until};

/// As the workspace documents have it, to the letter.
const SAMPLE: &str = "\
async function run() {
const orderId = executionParams.orderId;
// Process something
const order = await api.fetchRecord(orderId);
// Your processing logic here
api.log({ message: 'Order processed', orderId });
return { success: true, orderId };
}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_sample_runs_unchanged() {
    let server = TestServer::start().await;
    order(&server, "o-1001", json!({"total": 12.5})).await;
    put(&server, "process-order", SAMPLE).await;
    let first = run(&server, "process-order", json!({"orderId": "o-1001"})).await;
    assert_eq!(first["status"], "completed", "{first}");
    assert_eq!(first["result"], json!({"success": true, "orderId": "o-1001"}));
    assert_eq!(first["executionParams"], json!({"orderId": "o-1001"}));
    assert_eq!((&first["origin"], &first["startedBy"]), (&json!("http"), &json!("author")));
    let log = first["log"].as_array().unwrap();
    assert_eq!(log.len(), 1, "{first}");
    assert_eq!(
        (&log[0]["level"], &log[0]["text"]),
        (&json!("info"), &json!(r#"{"message":"Order processed","orderId":"o-1001"}"#),)
    );
    assert_eq!(first["usage"]["hostCalls"], 1);
    assert_eq!(read(&server, "process-order", &first["id"]).await, first);

    let id = first["id"].as_str().unwrap();
    let path = format!("/functions/process-order/runs/{id}/repeat?wait=15");
    let second = done(call(&server, "POST", &path, &Value::Null).await);
    assert_eq!(second["result"], first["result"]);
    assert_eq!((&second["origin"], &second["repeats"]), (&json!("repeat"), &first["id"]));
    assert_ne!(second["id"], first["id"]);

    let absent = run(&server, "process-order", json!({"orderId": "o-1"})).await;
    assert_eq!(absent["status"], "failed");
    assert_eq!(
        (&absent["error"]["name"], &absent["error"]["line"]),
        (&json!("Error"), &json!(4)),
        "{absent}"
    );

    let listed = runs(&server, "process-order").await;
    let ids: Vec<_> = listed.iter().map(|run| &run["id"]).collect();
    assert_eq!(ids, [&absent["id"], &second["id"], &first["id"]]);
    assert_eq!((&listed[0]["error"], &listed[1]["error"]), (&json!("Error"), &Value::Null));
    assert!(listed.iter().all(|run| run.get("log").is_none() && run.get("result").is_none()));
    let page = done(call(&server, "GET", "/functions/process-order/runs?limit=2", &Value::Null).await);
    let rest = format!("/functions/process-order/runs?before={}", page["next"]);
    assert_eq!(done(call(&server, "GET", &rest, &Value::Null).await)["runs"], json!([listed[2]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_waits_as_long_as_it_says() {
    let server = TestServer::start().await;
    put(&server, "slow", "async function run() { await api.sleep(1500); return triggerParams }").await;
    let answer = call(&server, "POST", "/functions/slow/run?wait=1", &Value::Null).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["status"], "running");
    let location = answer.header("location").unwrap().to_owned();
    let read = server.get(&location, &token(&server, "author")).await;
    assert_eq!(done(read)["id"], answer.json()["id"]);
    ended(&server, "slow", 1).await;
    refused(call(&server, "POST", "/functions/slow/run?wait=16", &Value::Null).await, 422, "invalid_request");

    let given = json!({"triggerParams": {"shop": "north"}});
    put_as(&server, "slow", "function run() { return triggerParams }", given).await;
    let by_hand = json!({"manual": true});
    let run = done(call(&server, "POST", "/functions/slow/run?wait=15", &by_hand).await);
    assert_eq!((&run["origin"], &run["result"]), (&json!("manual"), &json!({"shop": "north"})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_off_or_gone_is_not_run() {
    let server = TestServer::configured("[functions]\nworkers = 1\n").await;
    put_as(&server, "off", "function run() {}", json!({"enabled": false})).await;
    refused(call(&server, "POST", "/functions/off/run", &Value::Null).await, 422, "invalid_request");
    refused(call(&server, "POST", "/functions/absent/run", &Value::Null).await, 404, "not_found");
    refused(call(&server, "POST", "/functions/a%2Fb/run", &Value::Null).await, 404, "not_found");
    for id in ["0198c0de-0000-7000-8000-000000000001", "x"] {
        let path = format!("/functions/off/runs/{id}");
        refused(call(&server, "GET", &path, &Value::Null).await, 404, "not_found");
        refused(call(&server, "POST", &format!("{path}/repeat"), &Value::Null).await, 404, "not_found");
    }

    // What waits when its function goes fails without having run.
    put(&server, "blocks", "async function run() { await api.sleep(1000) }").await;
    put(&server, "goes", "async function run() { await api.createRecord('done', {}) }").await;
    let blocking = begin(&server, "blocks").await;
    reaches(&server, "blocks", &blocking, "running").await;
    let waiting = begin(&server, "goes").await;
    assert_eq!(read(&server, "goes", &waiting.clone().into()).await["status"], "queued");
    assert_eq!(call(&server, "DELETE", "/functions/goes", &Value::Null).await.status, 204);
    reaches(&server, "goes", &waiting, "failed").await;
    let failed = read(&server, "goes", &waiting.clone().into()).await;
    assert_eq!(failed["error"]["name"], "Missing");
    assert_eq!(super::records(&server, "done").await, 0);
    let again = format!("/functions/goes/runs/{waiting}/repeat");
    refused(call(&server, "POST", &again, &Value::Null).await, 404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_and_running_are_scopes_of_their_own() {
    let server = TestServer::start().await;
    put(&server, "one", "function run() { return 1 }").await;
    let with = |scope: &str| server.token("someone").with("scope", scope).sign();
    let (author, caller) = (with("functions:write"), with("functions:execute"));
    let at = |path: &str| format!("/v1/workspaces/acme/functions{path}");
    let body = json!({"code": "function run() {}"}).to_string();
    for (method, path, token) in [
        ("GET", "", &caller),
        ("GET", "/one", &caller),
        ("PUT", "/one", &caller),
        ("DELETE", "/one", &caller),
        ("GET", "/one/runs", &caller),
        ("POST", "/one/run", &author),
    ] {
        let body = if method == "PUT" { &*body } else { "" };
        refused(server.send(method, &at(path), token, body).await, 403, "scope_missing");
    }
    let run = done(server.send("POST", &at("/one/run?wait=15"), &caller, "").await);
    assert_eq!((&run["result"], &run["startedBy"]), (&json!(1), &json!("someone")));
    let elsewhere = server.send("POST", "/v1/workspaces/other/functions/one/run", &caller, "").await;
    refused(elsewhere, 403, "workspace_refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_workspace_does_not_keep_another_waiting() {
    let server = TestServer::configured("[functions]\nworkers = 2\n").await;
    put(&server, "slow", "async function run() { await api.sleep(300) }").await;
    let there = "/v1/workspaces/other/functions/quick";
    let body = json!({"code": "function run() { return 1 }"}).to_string();
    done(server.send("PUT", there, &token(&server, "author"), &body).await);
    let mut ids = vec![];
    for _ in 0..20 {
        ids.push(begin(&server, "slow").await);
    }
    let path = format!("{there}/run?wait=15");
    let quick = done(server.send("POST", &path, &token(&server, "other-author"), "").await);
    assert_eq!(quick["status"], "completed");
    let last = read(&server, "slow", &ids[19].clone().into()).await;
    assert_eq!(last["status"], "queued", "it was not passed by");
    // In the order in which they were asked for.
    let first = read(&server, "slow", &ids[0].clone().into()).await;
    assert_ne!(first["status"], "queued");
    ended(&server, "slow", 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_without_end_keep_no_other_workspace_and_no_author_waiting() {
    let server = TestServer::configured("[functions]\nworkers = 3\n").await;
    put(&server, "endless", "async function run() { for (;;) await api.sleep(60000) }").await;
    let mut ids = vec![];
    for _ in 0..5 {
        ids.push(begin(&server, "endless").await);
    }
    reaches(&server, "endless", &ids[1], "running").await;
    let there = "/v1/workspaces/other/functions/quick";
    let body = |code: &str| json!({ "code": code }).to_string();
    let author = token(&server, "author");
    done(server.send("PUT", there, &author, &body("function run() { return 1 }")).await);
    let path = format!("{there}/run?wait=15");
    for _ in 0..3 {
        let quick = done(server.send("POST", &path, &author, "").await);
        assert_eq!(quick["result"], 1, "{quick}");
    }
    // With every slot taken, sources are checked all the same.
    done(server.send("PUT", there, &author, &body("async function run() { await api.sleep(60000) }")).await);
    let last = done(server.send("POST", &format!("{there}/run"), &author, "").await);
    let last = format!("{there}/runs/{}", last["id"].as_str().unwrap());
    let is_running = async || done(server.get(&last, &author).await)["status"] == "running";
    until("the last slot is taken", is_running).await;
    put(&server, "endless", "function run() { return 2 }").await;
    let wrong = json!({ "code": "function run( {" });
    refused(call(&server, "PUT", "/functions/endless", &wrong).await, 422, "invalid_request");
    for (n, id) in ids.iter().enumerate() {
        let status = if n < 2 { "running" } else { "queued" };
        assert_eq!(read(&server, "endless", &id.clone().into()).await["status"], status, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_workspaces_take_turns_too() {
    let mut server = TestServer::configured("[functions]\nworkers = 1\n").await;
    let code = "async function run() { await api.sleep(executionParams.ms ?? 60000) }";
    put(&server, "waits", code).await;
    let other = "/v1/workspaces/other/functions/waits".to_owned();
    let body = json!({ "code": code }).to_string();
    done(server.send("PUT", &other, &token(&server, "author"), &body).await);
    let blocking = begin(&server, "waits").await;
    reaches(&server, "waits", &blocking, "running").await;
    let short = json!({"executionParams": {"ms": 50}});
    for _ in 0..60 {
        assert_eq!(call(&server, "POST", "/functions/waits/run", &short).await.status, 202);
    }
    let asked = server.post(&format!("{other}/run"), &token(&server, "author"), &short.to_string()).await;
    let run = format!("{other}/runs/{}", asked.json()["id"].as_str().unwrap());
    server.stop().await;
    server.start_again().await;
    let ended = async || {
        let read = server.send("GET", &run, &token(&server, "author"), "").await;
        read.json()["status"] == "completed"
    };
    until("the other workspace's run", ended).await;
    let waiting = runs(&server, "waits").await.iter().filter(|run| run["status"] == "queued").count();
    assert!(waiting > 30, "{waiting} of sixty wait still");
}
