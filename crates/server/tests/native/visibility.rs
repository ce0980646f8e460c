//! Who hears of changes: whoever saw the entry, and nobody else.

use std::time::Duration;

use campanile_testkit::{BY_NOW, TestServer};
use serde_json::{Value, json};

use super::{Native, number};

async fn change(server: &TestServer, method: &str, id: &str, body: &str) {
    let path = format!("/v1/workspaces/acme/notifications/{id}");
    let answer = server.send(method, &path, &server.publisher(), body).await;
    assert!(answer.status < 300, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
}

async fn to(server: &TestServer, to: Value) -> String {
    let answer = server.publish("acme", json!({"to": to, "title": "T", "message": "M"})).await;
    answer["id"].as_str().unwrap().to_owned()
}

async fn subscribe(server: &TestServer, method: &str, user: &str) {
    let path = "/v1/workspaces/acme/topics/news/subscribers";
    let answer = server.send(method, path, &server.publisher(), &json!({"users": [user]}).to_string()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn updates_and_retractions_reach_live_sockets() {
    let server = TestServer::start().await;
    let mut alice = Native::open(&server, "alice", "").await;
    let mut documented = server.workspace("alice").await;
    let mut bob = Native::open(&server, "bob", "").await;
    let id = server.notify("acme", "alice", "one").await;
    alice.next("notification").await;
    assert_eq!(documented.json().await["message"], "one");
    change(&server, "PATCH", &id, r#"{"title":"Anew","metadata":{"a":1}}"#).await;
    let update = alice.next("update").await;
    assert_eq!((&update["item"]["title"], &update["item"]["metadata"]), (&json!("Anew"), &json!({"a": 1})));
    assert!(update["item"]["updatedAt"].is_string() && update["item"].get("read").is_none(), "{update}");
    change(&server, "DELETE", &id, "").await;
    let retract = alice.past_heartbeats("retract").await;
    assert_eq!((&retract["id"], number(&retract, "itemSeq")), (&json!(id), 1));
    // The badge heals by itself, without waiting for the next regular heartbeat.
    server.pass(Duration::from_secs(3)).await;
    assert_eq!(number(&alice.next("heartbeat").await, "unread"), 0);
    // Whoever never had it hears nothing of it, and documented clients have no words for it.
    server.notify("acme", "bob", "his").await;
    assert_eq!(bob.past_heartbeats("notification").await["item"]["message"], "his");
    server.notify("acme", "alice", "two").await;
    assert_eq!(documented.json().await["message"], "two");
}

#[tokio::test]
async fn whoever_has_left_a_topic_still_hears_of_what_came_before() {
    let server = TestServer::start().await;
    subscribe(&server, "POST", "alice").await;
    let mut alice = Native::open(&server, "alice", "").await;
    let before = to(&server, json!({"topic": "news"})).await;
    alice.next("notification").await;
    subscribe(&server, "DELETE", "alice").await;
    subscribe(&server, "POST", "carol").await;
    let mut carol = Native::open(&server, "carol", "").await;
    let after = to(&server, json!({"topic": "news"})).await;
    carol.next("notification").await;
    change(&server, "DELETE", &after, "").await;
    change(&server, "PATCH", &before, r#"{"title":"Anew"}"#).await;
    assert_eq!(alice.past_heartbeats("update").await["item"]["id"], json!(before));
    assert_eq!(carol.past_heartbeats("retract").await["id"], json!(after));
    to(&server, json!({"workspace": true})).await;
    carol.past_heartbeats("notification").await;
    alice.past_heartbeats("notification").await;
}

#[tokio::test]
async fn what_was_superseded_says_by_what() {
    let server = TestServer::start().await;
    let mut alice = Native::open(&server, "alice", "").await;
    let progress = |message: &str| json!({"to": {"workspace": true}, "title": "T", "message": message, "collapseKey": "progress"});
    let first = server.publish("acme", progress("10 %")).await;
    alice.next("notification").await;
    let second = server.publish("acme", progress("20 %")).await;
    let new = alice.next("notification").await;
    let retract = alice.next("retract").await;
    assert_eq!((&retract["cause"], &retract["id"]), (&json!("superseded"), &first["id"]));
    assert_eq!((&retract["by"], number(&retract, "itemSeq")), (&second["id"], number(&first, "seq")));
    assert!(number(&new, "seq") < number(&retract, "seq"), "each has a place of its own");
}

#[tokio::test]
async fn what_runs_out_is_hidden_at_its_instant() {
    let server = TestServer::start().await;
    let mut alice = Native::open(&server, "alice", "").await;
    let mut bob = Native::open(&server, "bob", "").await;
    let mut documented = server.workspace("alice").await;
    let short = json!({"to": {"user": "alice"}, "title": "T", "message": "short", "ttl": "90s"});
    let short = server.publish("acme", short).await;
    let told = alice.next("notification").await;
    assert_eq!(documented.json().await["message"], "short");
    let unread = async || {
        let token = server.token("alice").sign();
        let inbox = server.get("/v1/workspaces/acme/inbox", &token).await.json();
        (inbox["items"].as_array().unwrap().len(), number(&inbox, "unread"))
    };
    // Heartbeats on the way are no changes.
    server.pass(Duration::from_millis(89_999)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(unread().await, (1, 1));
    server.pass(Duration::from_millis(1)).await;
    let retract = alice.past_heartbeats("retract").await;
    assert_eq!((&retract["cause"], &retract["id"]), (&json!("expired"), &short["id"]));
    assert_eq!((&retract["by"], number(&retract, "itemSeq")), (&Value::Null, number(&told, "seq")));
    assert_eq!(unread().await, (0, 0));

    // Whoever was away hears of it, whoever never had it does not, and documented clients have no words for it.
    let epoch = Native::open(&server, "carol", "").await.hello["epoch"].clone();
    let mut back = Native::resume(&server, "alice", &epoch, number(&told, "seq"), 0).await;
    assert_eq!(back.past_heartbeats("retract").await["cause"], "expired");
    to(&server, json!({"workspace": true})).await;
    assert_eq!(bob.past_heartbeats("notification").await["item"]["message"], "M");
    assert_eq!(documented.json().await["message"], "M");
}

#[tokio::test]
async fn withdrawn_access_ends_the_socket_and_a_new_grant_brings_nothing_back() {
    // One shard: what it sends to several sockets, it sends in the order of the log.
    let server = TestServer::configured("[server]\nshards = 1\n").await;
    let mut alice = Native::open(&server, "alice", "").await;
    let mut bob = Native::open(&server, "bob", "").await;
    let earlier = to(&server, json!({"workspace": true})).await;
    let seen = alice.next("notification").await;
    let epoch = Native::open(&server, "carol", "").await.hello["epoch"].clone();
    let access = "/v1/workspaces/acme/access/alice";
    let withdrawn = server.send("DELETE", access, &server.publisher(), "").await;
    assert!(withdrawn.status < 300, "{}", withdrawn.status);
    // The close waits for nothing: the server's clock stands, and what is published later is delivered after it.
    to(&server, json!({"user": "bob"})).await;
    while bob.past_heartbeats("notification").await["item"]["id"] == json!(earlier) {}
    // What told of it may come first.
    let closed = async {
        loop {
            let message = alice.client.next().await;
            if let tokio_tungstenite::tungstenite::Message::Close(Some(frame)) = message {
                return u16::from(frame.code);
            }
        }
    };
    assert_eq!(tokio::time::timeout(BY_NOW, closed).await.expect("the close is here by now"), 4001);
    let between = to(&server, json!({"workspace": true})).await;
    let granted = server.send("PUT", access, &server.publisher(), "").await;
    assert!(granted.status < 300, "{}", granted.status);
    let since = number(&seen, "seq");
    let mut back = Native::resume(&server, "alice", &epoch, since, 0).await;
    // Changes of both: only that of the one she saw is told.
    change(&server, "DELETE", &between, "").await;
    change(&server, "DELETE", &earlier, "").await;
    loop {
        let message = back.client.json().await;
        assert_ne!(message["id"], json!(between));
        assert_ne!(message["item"]["id"], json!(between));
        if message["type"] == "retract" {
            assert_eq!(message["id"], json!(earlier));
            break;
        }
    }
}
