//! Checks 38 to 42 and 44: marking as read on the product surface.

use campanile_testkit::Client;
use serde_json::{Value, json};

use super::*;

/// The ids that `user`'s list shows, newest first, with whether they are read.
async fn listed(server: &TestServer, user: &str) -> Vec<(String, bool)> {
    let answer = server.get("/api/notification/list", &product_token(server, user).sign()).await;
    let rows = answer.json()["notifications"].as_array().unwrap().clone();
    let row = |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["isRead"].as_bool().unwrap());
    rows.iter().map(row).collect()
}

fn mark(id: &str) -> String {
    json!({"action": "mark_read", "id": id}).to_string()
}

/// What a connection without a replay is answered.
async fn answer(client: &mut Client, text: &str) -> Value {
    client.send(text).await;
    client.json().await
}

async fn without_replay(server: &TestServer, user: &str) -> Client {
    let path = format!("{}&replay=none", server.product_path(user));
    let mut client = Client::connect(server.address, &path).await;
    assert_eq!(client.json().await["type"], "CONNECTION_ESTABLISHED");
    client
}

#[tokio::test]
async fn check_038_a_mark_is_listed_and_survives_a_restart() {
    let mut server = TestServer::start().await;
    let (first, second) =
        (server.notify("default", "alice", "1").await, server.notify("default", "alice", "2").await);
    let mut client = without_replay(&server, "alice").await;
    assert_eq!(answer(&mut client, &mark(&first)).await, json!({"type": "marked_read", "id": first}));
    let expected = [(second, false), (first, true)];
    assert_eq!(listed(&server, "alice").await, expected);
    client.leave().await;
    server.restart().await;
    assert_eq!(listed(&server, "alice").await, expected);
}

#[tokio::test]
async fn check_039_marking_twice_is_marking_once() {
    let server = server().await;
    let id = server.notify("default", "alice", "m").await;
    let mut client = without_replay(&server, "alice").await;
    for _ in 0..3 {
        assert_eq!(answer(&mut client, &mark(&id)).await, json!({"type": "marked_read", "id": id}));
    }
    assert_eq!(listed(&server, "alice").await, [(id, true)]);
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_040_others_entries_stay_as_they_are() {
    let server = server().await;
    let id = server.notify("default", "bob", "for bob").await;
    let mut client = without_replay(&server, "alice").await;
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
    let refusal = |id: &str| json!({"type": "error", "code": "not_found", "id": id});
    assert_eq!(answer(&mut client, &mark(&id)).await, refusal(&id));
    assert_eq!(answer(&mut client, &mark(unknown)).await, refusal(unknown), "told apart from another's");
    assert_eq!(listed(&server, "bob").await, [(id, false)]);
    assert_eq!(listed(&server, "alice").await, []);
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_041_unknown_ids_change_nothing() {
    let server = server().await;
    let id = server.notify("default", "alice", "m").await;
    let elsewhere = server.notify("acme", "alice", "in another workspace").await;
    let mut client = without_replay(&server, "alice").await;
    for unknown in ["01890a5d-ac96-774b-bcce-b302099a8057", &elsewhere, "notif_123", "x"] {
        let expected = json!({"type": "error", "code": "not_found", "id": unknown});
        assert_eq!(answer(&mut client, &mark(unknown)).await, expected);
    }
    assert_eq!(listed(&server, "alice").await, [(id, false)]);
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_042_malformed_ids_change_nothing() {
    let server = server().await;
    let id = server.notify("default", "alice", "m").await;
    let mut client = without_replay(&server, "alice").await;
    let long = "x".repeat(10_240);
    for bad in [json!(7), json!(null), json!({"id": id}), json!([id]), json!(""), json!(long), json!(true)] {
        let refusal = answer(&mut client, &json!({"action": "mark_read", "id": bad}).to_string()).await;
        assert_eq!(
            (&refusal["type"], &refusal["code"]),
            (&json!("error"), &json!("bad_request")),
            "{refusal}"
        );
        assert_eq!(keys(&refusal), ["code", "message", "type"]);
    }
    let padded = [
        format!(" {id}"),
        format!("{id}\u{0}"),
        format!("{id}' OR '1'='1"),
        "'; DROP TABLE entries; --".into(),
    ];
    for bad in &padded {
        let refusal = answer(&mut client, &mark(bad)).await;
        assert_eq!(refusal, json!({"type": "error", "code": "not_found", "id": bad}));
    }
    assert_eq!(listed(&server, "alice").await, [(id, false)]);
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_044_members_given_twice_are_a_bad_request() {
    let server = server().await;
    let (a, b) = (server.notify("default", "alice", "a").await, server.notify("default", "alice", "b").await);
    let mut client = without_replay(&server, "alice").await;
    for text in [
        format!(r#"{{"action":"mark_read","id":"{a}","id":"{b}"}}"#),
        format!(r#"{{"action":"mark_read","id":"{a}","id":"{a}"}}"#),
        format!(r#"{{"action":"mark_read","id":"{a}","\u0069d":"{b}"}}"#),
        format!(r#"{{"action":"mark_read","action":"mark_read","id":"{a}"}}"#),
        format!(r#"{{"action":"nothing","id":"{a}","action":"mark_read"}}"#),
    ] {
        let refusal = answer(&mut client, &text).await;
        assert_eq!((&refusal["type"], &refusal["code"]), (&json!("error"), &json!("bad_request")), "{text}");
    }
    assert_eq!(listed(&server, "alice").await, [(b, false), (a, false)]);
    delivers(&server, "default", "alice", &mut client).await;
}
