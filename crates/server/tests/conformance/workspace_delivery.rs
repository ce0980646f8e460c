//! Checks 80 to 83, 87 and 90 to 92: notifications and messages on the workspace surface.

use campanile_testkit::Client;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::raw::{Raw, TEXT};
use super::*;

#[tokio::test]
async fn check_080_notification_has_the_documented_members() {
    let server = server().await;
    let mut client = server.workspace("alice").await;
    let metadata =
        r#"{"a":{"b":[1,2.50,null,true,1e3,-0.0,[]]},"big":12345678901234567890123,"s":"\u00e9é","":{}}"#;
    let body = format!(
        r#"{{"to":{{"user":"alice"}},"title":"New Order","message":"Order #12345 has been placed","type":"success","metadata":{metadata}}}"#
    );
    let answer = server.post("/v1/workspaces/acme/notifications", &server.publisher(), &body).await;
    assert_eq!(answer.status, 201);
    let published = answer.json();
    let (id, at) = (published["id"].as_str().unwrap(), published["timestamp"].as_str().unwrap());
    assert_eq!(
        client.text().await,
        format!(
            r#"{{"id":"{id}","title":"New Order","message":"Order #12345 has been placed","type":"success","read":false,"timestamp":"{at}","metadata":{metadata}}}"#
        )
    );
    for metadata in [json!(null), json!(7), json!("text"), json!([1, {"a": null}]), json!({})] {
        let body = json!({"to": {"user": "alice"}, "title": "T", "message": "", "metadata": metadata});
        server.publish("acme", body).await;
        let frame = client.json().await;
        assert_eq!(keys(&frame), ["id", "message", "metadata", "read", "timestamp", "title", "type"]);
        assert_eq!((&frame["metadata"], &frame["read"]), (&metadata, &json!(false)));
    }
    server.notify("acme", "alice", "plain").await;
    assert_eq!(keys(&client.json().await), ["id", "message", "read", "timestamp", "title", "type"]);
    // Extra members sit inside `metadata`, and only where there is room.
    for (metadata, shown) in [
        (None, json!({"event": "e"})),
        (Some(json!({"a": 1})), json!({"a": 1, "event": "e"})),
        (Some(json!({"event": "mine"})), json!({"event": "mine"})),
        (Some(json!([1])), json!([1])),
    ] {
        let mut body =
            json!({"to": {"user": "alice"}, "title": "T", "message": "", "event": "e", "productName": "P"});
        if let Some(metadata) = metadata {
            body["metadata"] = metadata;
        }
        server.publish("acme", body).await;
        let frame = client.json().await;
        assert_eq!(frame["metadata"], shown);
        assert_eq!(keys(&frame), ["id", "message", "metadata", "read", "timestamp", "title", "type"]);
    }
}

#[tokio::test]
async fn check_081_types_are_delivered_verbatim() {
    let server = server().await;
    let mut client = server.workspace("alice").await;
    for kind in ["info", "success", "warning", "error", "alert", "record_created", "Ünknown Type/1"] {
        server
            .publish("acme", json!({"to": {"user": "alice"}, "title": "T", "message": "", "type": kind}))
            .await;
        assert_eq!(client.json().await["type"], kind);
    }
}

#[tokio::test]
async fn check_082_one_user_in_two_workspaces() {
    let server = server().await;
    let token = server.token("alice").with("workspaces", json!(["acme", "other"])).sign();
    let mut acme = Client::connect(server.address, &workspace_at(&token)).await;
    let mut other = Client::connect(server.address, &format!("/?token={token}&workspaceSlug=other")).await;
    for _ in 0..3 {
        // Were anything delivered across, it would come before the next of one's own.
        delivers(&server, "acme", "alice", &mut acme).await;
        delivers(&server, "other", "alice", &mut other).await;
        let to_all = json!({"to": {"workspace": true}, "title": "T", "message": "acme"});
        let id = server.publish("acme", to_all).await["id"].clone();
        assert_eq!(acme.json().await["id"], id);
    }
    delivers(&server, "other", "alice", &mut other).await;
    server.sockets(2).await;
}

#[tokio::test]
async fn check_083_to_one_user_and_to_the_workspace() {
    let server = server().await;
    let (mut alice, mut bob) = (server.workspace("alice").await, server.workspace("bob").await);
    let mut elsewhere = server.product("alice").await;
    let to_alice = server.notify("acme", "alice", "for alice").await;
    let to_all =
        server.publish("acme", json!({"to": {"workspace": true}, "title": "T", "message": "all"})).await;
    assert_eq!(alice.json().await["id"], to_alice);
    assert_eq!(alice.json().await["id"], to_all["id"]);
    assert_eq!(bob.json().await["id"], to_all["id"], "what is for alice does not reach bob");
    let both = json!({"to": {"users": ["alice", "bob"]}, "title": "T", "message": "both"});
    let id = server.publish("acme", both).await["id"].clone();
    assert_eq!((&alice.json().await["id"], &bob.json().await["id"]), (&id, &id));
    let but_bob = json!({"to": {"workspace": true}, "except": ["bob"], "title": "T", "message": "but bob"});
    let id = server.publish("acme", but_bob).await["id"].clone();
    assert_eq!(alice.json().await["id"], id);
    delivers(&server, "acme", "bob", &mut bob).await;
    delivers(&server, "default", "alice", &mut elsewhere).await;
}

#[tokio::test]
async fn check_087_nothing_comes_late() {
    let server = server().await;
    let mut client = server.workspace("alice").await;
    delivers(&server, "acme", "alice", &mut client).await;
    client.leave().await;
    server.sockets(0).await;
    for _ in 0..5 {
        server.notify("acme", "alice", "while away").await;
    }
    let mut client = server.workspace("alice").await;
    delivers(&server, "acme", "alice", &mut client).await;
}

#[tokio::test]
async fn check_090_messages_of_the_client_are_ignored_but_ping_and_mark_read() {
    let server = server().await;
    let mut client = server.workspace("alice").await;
    let id = server.notify("acme", "alice", "to be read").await;
    assert_eq!(client.json().await["id"], id);
    let deep = "[".repeat(60_000);
    for text in
        ["", "ping", "hello", "{}", "[]", "null", "{", r#"{"type":"ping"}"#, r#"{"action":"x"}"#, &deep]
    {
        client.send(text).await;
    }
    client.send_message(Message::binary(&b"PING"[..])).await.unwrap();
    for bad in [json!("notif_123"), json!(7), json!(id)] {
        client.send(&json!({"action": "mark_read", "id": bad}).to_string()).await;
    }
    for ping in ["PING", "\"PING\""] {
        client.send(ping).await;
        assert_eq!(client.text().await, r#"{"type":"pong"}"#, "the first answer to all of this");
    }
    delivers(&server, "acme", "alice", &mut client).await;
    // The mark did what it does on the product surface; it only answers nothing.
    let path = "/v1/workspaces/acme/inbox";
    let token = server.token("alice").sign();
    let deadline = std::time::Instant::now() + campanile_testkit::WAIT;
    loop {
        let inbox = server.get(path, &token).await.json();
        if receipt_of(&inbox, &id)["read"] == true {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{inbox}");
    }
}

/// The row of an inbox page that is about `id`.
fn receipt_of<'a>(page: &'a Value, id: &str) -> &'a Value {
    let rows = page.as_object().unwrap().values().find_map(Value::as_array).expect("rows");
    rows.iter().find(|row| row["id"] == id).expect("a row of that id")
}

#[tokio::test]
async fn check_091_messages_have_65536_bytes_at_most() {
    let server = server().await;
    let too_big = closed(1009, "message too big");
    let mut raw = Raw::workspace(&server, "alice").await;
    raw.frame(TEXT, &[b'x'; 65_536]).await;
    raw.frame(0x82, &[0; 65_536]).await;
    raw.is_open().await;
    raw.frame(TEXT, &[b'x'; 65_537]).await;
    assert_eq!(raw.close().await, too_big);

    let mut raw = Raw::workspace(&server, "alice").await;
    raw.frame(0x01, &[b'x'; 1_024]).await;
    for _ in 0..62 {
        raw.frame(0x00, &[b'x'; 1_024]).await;
    }
    raw.frame(0x80, &[b'x'; 1_024]).await;
    raw.is_open().await;
    raw.frame(0x01, &[b'x'; 1_025]).await;
    for _ in 0..62 {
        raw.frame(0x00, &[b'x'; 1_025]).await;
    }
    raw.frame(0x80, &[b'x'; 1_025]).await;
    assert_eq!(raw.close().await, too_big, "64 × 1,025");
}

#[tokio::test]
async fn check_092_frames_have_65536_bytes_at_most() {
    let server = server().await;
    let (mut workspace, mut product) = (server.workspace("alice").await, server.product("alice").await);
    // Here metadata makes the workspace's encoding the longest, there the message makes the product's.
    let with_metadata =
        |n: usize| json!({"to": {"user": "alice"}, "title": "T", "message": "", "metadata": "x".repeat(n)});
    let with_message = |n: usize| json!({"to": {"user": "alice"}, "title": "T", "message": "x".repeat(n)});
    let bodies: [&dyn Fn(usize) -> Value; 2] = [&with_metadata, &with_message];
    for ((slug, client), body) in
        [("acme", &mut workspace), ("default", &mut product)].into_iter().zip(bodies)
    {
        server.publish(slug, body(1)).await;
        let room = 65_536 - client.text().await.len();
        server.publish(slug, body(1 + room)).await;
        assert_eq!(client.text().await.len(), 65_536);
        let answer = server.try_publish(slug, body(2 + room)).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (413, &json!("notification_too_large")),
            "{slug}"
        );
        delivers(&server, slug, "alice", client).await;
    }
}
