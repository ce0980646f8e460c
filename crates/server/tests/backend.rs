//! What a user's own backend and its administrators do, in workspace `acme` of a test's server.

use std::time::{Duration, Instant};

use campanile_testkit::{Answer, TestServer, WAIT, request};
use serde_json::{Value, json};

/// A token for everything in `acme` and `default`.
pub fn token(server: &TestServer) -> String {
    let token = server.token("backend").with("workspaces", json!(["acme", "default"]));
    let scope = "notifications:write events:write records:write products:write functions:write functions:execute admin";
    token.with("scope", scope).sign()
}

/// A request below `/v1/workspaces/acme`; `null` is no body.
pub async fn call(server: &TestServer, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.send(method, &format!("/v1/workspaces/acme{path}"), &token(server), &body).await
}

/// The same, which succeeds.
#[track_caller]
pub fn done(answer: Answer) -> Value {
    assert!(
        (200..300).contains(&answer.status),
        "{}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// The same, which is refused with this status and code; the problem.
#[track_caller]
pub fn refused(answer: Answer, status: u16, code: &str) -> Value {
    let problem = answer.json();
    assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{problem}");
    problem
}

/// An event from a shop.
pub fn event(id: &str, kind: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "https://shop.example", "type": kind, "data": data})
}

/// Reports events in `workspace`: one, or an array of them.
pub async fn report(server: &TestServer, workspace: &str, events: &Value) -> Answer {
    let bearer = format!("Bearer {}", token(server));
    let media_type = match events {
        Value::Array(_) => "application/cloudevents-batch+json",
        _ => "application/cloudevents+json",
    };
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", media_type)];
    let path = format!("/v1/workspaces/{workspace}/events");
    request(server.address, "POST", &path, &headers, events.to_string().as_bytes()).await
}

/// A rule for events of one type, for the user that their data name.
pub fn rule(name: &str, kind: &str) -> Value {
    json!({
        "name": name,
        "on": {"types": [kind]},
        "to": {"user": "data.user"},
        "title": "{{ data.title }}",
        "message": "M",
        "type": kind,
    })
}

/// The inbox of a user of `acme`: the page, newest first.
pub async fn inbox(server: &TestServer, user: &str) -> Value {
    inbox_of(server, "acme", user).await
}

/// The inbox of a user.
pub async fn inbox_of(server: &TestServer, workspace: &str, user: &str) -> Value {
    let token = server.token(user).with("workspaces", json!([workspace])).sign();
    done(server.get(&format!("/v1/workspaces/{workspace}/inbox"), &token).await)
}

/// One member of every entry of an inbox.
pub fn each<'a>(inbox: &'a Value, member: &str) -> Vec<&'a str> {
    let items = inbox["items"].as_array().expect("a page").iter();
    items.map(|item| item[member].as_str().unwrap_or_default()).collect()
}

/// Waits for what the server does by itself when time has passed.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
