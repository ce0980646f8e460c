//! Who is told of runs, and what they are not told.

use campanile_testkit::{Client, TestServer};
use serde_json::{Value, json};

use super::{put_as, subscribe, token};
use crate::backend::{done, inbox_of, until};

/// It is in what the function got, logged, threw and returned, and belongs into no frame.
const CANARY: &str = "canary-4b7f";

/// How a function ends, by its name.
const ENDS: [(&str, &str, &str); 3] = [
    (
        "completes",
        "async function run() { api.log(executionParams); return executionParams }",
        "function_complete",
    ),
    (
        "fails",
        "async function run() { api.logError(executionParams); throw new Error(executionParams.secret) }",
        "function_failed",
    ),
    ("spins", "async function run() { for (;;) api.log(executionParams) }", "function_timeout"),
];

/// The next two frames, what comes live first.
async fn pair(client: &mut Client, started: impl Fn(&Value) -> bool) -> (Value, Value) {
    let (mut first, mut second) = (client.text().await, client.text().await);
    assert!(!first.contains(CANARY) && !second.contains(CANARY), "{first} {second}");
    // No order is promised between what is kept and what is not.
    if !started(&serde_json::from_str(&first).unwrap()) {
        std::mem::swap(&mut first, &mut second);
    }
    (serde_json::from_str(&first).unwrap(), serde_json::from_str(&second).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_started_it_and_its_subscribers_are_told_of_beginning_and_end() {
    let server = TestServer::start().await;
    let mut workspace = [server.workspace("alice").await, server.workspace("bob").await];
    let mut product = [server.product("alice").await, server.product("bob").await];
    for (name, code, kind) in ENDS {
        for slug in ["acme", "default"] {
            let body = json!({"code": code, "limits": {"cpuMs": 200}}).to_string();
            let path = format!("/v1/workspaces/{slug}/functions/{name}");
            done(server.send("PUT", &path, &token(&server, "author"), &body).await);
            subscribe(&server, slug, &format!("function:{name}"), "bob").await;
            let params = json!({"executionParams": {"secret": CANARY}}).to_string();
            let run =
                done(server.post(&format!("{path}/run?wait=15"), &token(&server, "alice"), &params).await);
            assert!(run.to_string().contains(CANARY), "{run}");
            if slug == "default" {
                for client in &mut product {
                    let (started, ended) =
                        pair(client, |frame| frame["title"] == format!("{name} started")).await;
                    assert_eq!(started["type"], "info", "{started}");
                    let is_good = kind == "function_complete";
                    assert_eq!(ended["type"], if is_good { "info" } else { "error" }, "{ended}");
                    assert_eq!((&ended["productName"], &ended["userId"]), (&json!(""), &Value::Null));
                }
                continue;
            }
            for client in &mut workspace {
                let (started, ended) = pair(client, |frame| frame["type"] == "function_started").await;
                assert_eq!(
                    started["metadata"],
                    json!({
                        "level": "info", "function": name, "runId": run["id"], "trigger": "http",
                    })
                );
                assert_eq!(ended["type"], kind);
                let level = if kind == "function_complete" { "success" } else { "error" };
                assert_eq!(ended["metadata"]["level"], level);
                assert_eq!(ended["metadata"]["runId"], run["id"]);
                assert_eq!(ended["metadata"]["durationMs"], run["usage"]["wallMs"]);
            }
        }
    }
    // The beginning was for those who were there.
    for user in ["alice", "bob"] {
        for slug in ["acme", "default"] {
            let kept = inbox_of(&server, slug, user).await;
            let kinds = crate::backend::each(&kept, "type");
            assert_eq!(kinds, ["function_timeout", "function_failed", "function_complete"], "{user}, {slug}");
            assert!(!kept.to_string().contains(CANARY));
        }
    }
    let nobody = inbox_of(&server, "acme", "author").await;
    assert_eq!(nobody["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_names_it_may_tell_the_error() {
    let server = TestServer::start().await;
    let rule = json!({
        "name": "operators", "on": {"types": ["function_failed"]}, "to": {"user": "'olga'"},
        "title": "{{ data.function }} failed", "message": "{{ data.error.name }}: {{ data.error.message }}",
        "type": "alert",
    });
    done(super::call(&server, "PUT", "/rules/operators", &rule).await);
    put_as(&server, "fails", "function run() { throw new RangeError('no more room') }", json!({})).await;
    super::run(&server, "fails", json!({})).await;
    let shown = async || inbox_of(&server, "acme", "olga").await;
    until("olga is told", async || shown().await["items"][0]["message"] == "RangeError: no more room").await;
}
