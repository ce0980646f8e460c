//! Checks 24 to 29, 43 and 45 to 47: what clients may say on the product surface.

use campanile_testkit::{Client, TestServer};
use serde_json::json;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::raw::{Raw, TEXT};
use super::*;

const PONG: &str = r#"{"type":"pong"}"#;

/// The answer to what is not understood: it says what is wrong and repeats nothing.
async fn is_refused(client: &mut Client, text: &str) {
    client.send(text).await;
    let answer = client.json().await;
    let shown = &text[..text.len().min(80)];
    assert_eq!(keys(&answer), ["code", "message", "type"], "{shown}: {answer}");
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("bad_request")), "{shown}");
    assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{shown}");
}

#[tokio::test]
async fn check_024_ping_is_answered_once() {
    let server = server().await;
    let mut client = server.product("alice").await;
    client.send("PING").await;
    assert_eq!(client.text().await, PONG);
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_025_a_hundred_pings_get_a_hundred_pongs() {
    let server = server().await;
    let mut client = server.product("alice").await;
    for _ in 0..100 {
        client.send("PING").await;
    }
    for _ in 0..100 {
        assert_eq!(client.text().await, PONG);
    }
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_026_ping_in_quotes_is_answered() {
    let server = server().await;
    let mut client = server.product("alice").await;
    client.send("\"PING\"").await;
    assert_eq!(client.text().await, PONG);
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_027_nearly_a_ping_is_a_bad_request() {
    let server = server().await;
    let mut client = server.product("alice").await;
    for text in
        ["ping", " PING", "PING\n", r#"{"type":"PING"}"#, r#"{"action":"ping"}"#, "\"ping\"", "PINGPING"]
    {
        is_refused(&mut client, text).await;
    }
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_028_ping_frames_are_answered_with_their_payload() {
    let server = server().await;
    let mut client = server.product("alice").await;
    for payload in [vec![], vec![7; 125], (0..=124).collect::<Vec<u8>>()] {
        client.send_message(Message::Ping(Bytes::from(payload.clone()))).await.unwrap();
        assert_eq!(client.next().await, Message::Pong(Bytes::from(payload)));
    }
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_029_a_binary_frame_is_closed_1003() {
    let server = server().await;
    let mut client = server.product("alice").await;
    client.send_message(Message::binary(&b"PING"[..])).await.unwrap();
    assert_eq!(client.close().await, closed(1003, "binary frames are not accepted"));
}

#[tokio::test]
async fn check_043_half_a_mark_read_is_a_bad_request() {
    let server = server().await;
    let id = server.notify("default", "alice", "m").await;
    let mut client = server.product("alice").await;
    assert_eq!(client.json().await["id"], id);
    for text in [
        json!({"action": "mark_read"}),
        json!({"id": id}),
        json!({"action": "MARK_READ", "id": id}),
        json!({"action": "markRead", "id": id}),
        json!({"Action": "mark_read", "id": id}),
        json!({"action": "mark_read", "ID": id}),
        json!({"action": ["mark_read"], "id": id}),
        json!({"action": null, "id": id}),
        json!([{"action": "mark_read", "id": id}]),
    ] {
        is_refused(&mut client, &text.to_string()).await;
    }
    assert_eq!(unread(&server).await, [id.as_str()]);
    // Further members change nothing.
    client
        .send(&json!({"x": {"action": "nothing"}, "action": "mark_read", "id": id, "y": []}).to_string())
        .await;
    assert_eq!(client.json().await, json!({"type": "marked_read", "id": id}));
    assert!(unread(&server).await.is_empty());
    delivers(&server, "default", "alice", &mut client).await;
}

async fn unread(server: &TestServer) -> Vec<String> {
    let list = server.get("/api/notification/list", &product_token(server, "alice").sign()).await.json();
    let rows = list["notifications"].as_array().unwrap().iter();
    rows.filter(|row| row["isRead"] == false).map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn check_045_what_is_no_object_is_a_bad_request() {
    let server = server().await;
    let mut client = server.product("alice").await;
    let (deep, nested) = ("[".repeat(60_000), r#"{"action":"#.repeat(6_000));
    for text in ["{", "", "[]", "1", "null", "\"x\"", "true", "{}", "\u{feff}PING", "[1,", &deep, &nested] {
        is_refused(&mut client, text).await;
    }
    delivers(&server, "default", "alice", &mut client).await;
    // 100,000 levels are more bytes than a message may have.
    let _sent = client.send_message(Message::text("[".repeat(100_000))).await;
    assert_eq!(client.close().await, closed(1009, "message too big"));
    let mut next = server.product("bob").await;
    delivers(&server, "default", "bob", &mut next).await;
}

#[tokio::test]
async fn check_046_invalid_utf8_is_closed_1007() {
    let server = server().await;
    let surrogate: &[u8] = b"\xed\xa0\x80";
    for bad in [&b"\xff"[..], b"PING\xc0\xaf", surrogate, b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        let mut raw = Raw::product(&server, "alice").await;
        raw.frame(TEXT, bad).await;
        assert_eq!(raw.close().await, closed(1007, "invalid UTF-8"), "{bad:?}");
    }
    // A character cut in two by fragments is whole again; half of one is not.
    let mut raw = Raw::product(&server, "alice").await;
    raw.frame(0x01, b"\xe2\x82").await;
    raw.frame(0x80, b"\xac").await;
    assert!(raw.text().await.contains("bad_request"));
    raw.frame(0x01, b"\xe2\x82").await;
    raw.frame(0x80, b"x").await;
    assert_eq!(raw.close().await, closed(1007, "invalid UTF-8"));
}

#[tokio::test]
async fn check_047_messages_have_65536_bytes_at_most() {
    let server = server().await;
    let too_big = closed(1009, "message too big");
    let mut raw = Raw::product(&server, "alice").await;
    raw.frame(TEXT, &[b'x'; 65_536]).await;
    assert!(raw.text().await.contains("bad_request"));
    raw.is_open().await;
    raw.frame(TEXT, &[b'x'; 65_537]).await;
    assert_eq!(raw.close().await, too_big);

    // The header alone is enough: its bytes are never waited for.
    let mut raw = Raw::product(&server, "alice").await;
    raw.send(&frame_header(TEXT, 65_537)).await;
    assert_eq!(raw.close().await, too_big);

    let mut raw = Raw::product(&server, "alice").await;
    raw.frame(0x01, &[b'x'; 1_025]).await;
    for _ in 0..62 {
        raw.frame(0x00, &[b'x'; 1_025]).await;
    }
    raw.is_open().await;
    raw.send(&frame_header(0x80, 1_025)).await;
    assert_eq!(raw.close().await, too_big, "64 × 1,025");
}

/// The header of a masked frame whose payload does not follow.
fn frame_header(first: u8, length: usize) -> Vec<u8> {
    let mut bytes = campanile_testkit::frame(first, &vec![0; length]);
    bytes.truncate(bytes.len() - length);
    bytes
}
