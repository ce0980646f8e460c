//! Functions through the real server: written, triggered, run in processes, told.

mod api;
mod command;
mod ends;
mod hostile;
mod process;
mod refusals;
mod runs;
mod told;
mod triggers;

use campanile_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::backend::{done, until};

const SCOPES: &str = "functions:write functions:execute records:write events:write notifications:write admin";

/// A token of `user` for everything.
pub fn token(server: &TestServer, user: &str) -> String {
    let workspaces = json!(["acme", "default", "other"]);
    server.token(user).with("workspaces", workspaces).with("scope", SCOPES).sign()
}

/// A request below `/v1/workspaces/acme` by the user `author`; `null` is no body.
pub async fn call(server: &TestServer, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/v1/workspaces/acme{path}");
    server.send(method, &path, &token(server, "author"), &body).await
}

/// Puts a function of this source.
pub async fn put(server: &TestServer, name: &str, code: &str) {
    put_as(server, name, code, json!({})).await;
}

/// Puts a function with further members.
pub async fn put_as(server: &TestServer, name: &str, code: &str, mut members: Value) {
    members["code"] = code.into();
    done(call(server, "PUT", &format!("/functions/{name}"), &members).await);
}

/// Runs a function to its end, by the user `author`.
pub async fn run(server: &TestServer, name: &str, params: Value) -> Value {
    let path = format!("/functions/{name}/run?wait=15");
    let answer = call(server, "POST", &path, &json!({ "executionParams": params })).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// Queues a run; its id.
pub async fn begin(server: &TestServer, name: &str) -> String {
    let answer = call(server, "POST", &format!("/functions/{name}/run"), &Value::Null).await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// The runs of a function, newest first.
pub async fn runs(server: &TestServer, name: &str) -> Vec<Value> {
    let listed = done(call(server, "GET", &format!("/functions/{name}/runs?limit=1000"), &Value::Null).await);
    listed["runs"].as_array().unwrap().clone()
}

/// One run with everything that is kept of it.
pub async fn read(server: &TestServer, name: &str, id: &Value) -> Value {
    let id = id.as_str().unwrap();
    done(call(server, "GET", &format!("/functions/{name}/runs/{id}"), &Value::Null).await)
}

/// Waits until a function has `count` runs, all of which have ended; they, newest first.
pub async fn ended(server: &TestServer, name: &str, count: usize) -> Vec<Value> {
    let has_ended = |run: &Value| !run["endedAt"].is_null();
    let all_ended = async || {
        let runs = runs(server, name).await;
        assert!(runs.len() <= count, "{} runs of {name}", runs.len());
        runs.len() == count && runs.iter().all(has_ended)
    };
    until(&format!("{count} runs of {name} end"), all_ended).await;
    runs(server, name).await
}

/// Waits until a run is in this state.
pub async fn reaches(server: &TestServer, name: &str, id: &str, status: &str) {
    let id = Value::from(id);
    until(status, async || read(server, name, &id).await["status"] == status).await;
}

/// Creates a record in `orders`.
pub async fn order(server: &TestServer, id: &str, data: Value) -> Value {
    done(call(server, "POST", "/collections/orders/records", &json!({"id": id, "data": data})).await)
}

/// How many records of `acme` are in a collection.
pub async fn records(server: &TestServer, collection: &str) -> usize {
    let listed = done(call(server, "GET", &format!("/collections/{collection}/records"), &Value::Null).await);
    listed["records"].as_array().unwrap().len()
}

/// Subscribes a user of a workspace to a topic.
pub async fn subscribe(server: &TestServer, workspace: &str, topic: &str, user: &str) {
    let path = format!("/v1/workspaces/{workspace}/topics/{topic}/subscribers");
    let body = json!({ "users": [user] }).to_string();
    done(server.post(&path, &token(server, "author"), &body).await);
}
