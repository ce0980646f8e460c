//! Checks 53 to 58: the two routes beside the product surface's socket.

use campanile_testkit::{Answer, forge, request};
use serde_json::{Value, json};

use super::*;

const LIST: &str = "/api/notification/list";

fn mark_path(id: &str) -> String {
    format!("/api/notification/mark-read/{id}")
}

fn said(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json())
}

fn no_header() -> (u16, Value) {
    (401, json!({"detail": "Authorization header missing or invalid."}))
}

fn bad_token() -> (u16, Value) {
    (401, json!({"detail": "Access token is invalid."}))
}

fn refused_tokens(server: &TestServer) -> Vec<String> {
    let good = product_token(server, "alice");
    let other_key = "another-secret-of-enough-bytes-0123456789";
    vec![
        "garbage".into(),
        good.clone().with("exp", server.now() - 1).sign(),
        good.clone().without("exp").sign(),
        forge(r#"{"alg":"HS256"}"#, &good.0.to_string(), other_key),
        format!("{}.", forge(r#"{"alg":"none"}"#, &good.0.to_string(), "").rsplit_once('.').unwrap().0),
        good.clone().with("userId", json!(null)).sign(),
        // Opens other workspaces, not this surface's.
        good.with("workspaces", json!(["acme"])).sign(),
    ]
}

#[tokio::test]
async fn check_053_list_without_a_good_token_is_401() {
    let server = server().await;
    server.notify("default", "alice", "m").await;
    let token = product_token(&server, "alice").sign();
    let cookie = format!("access_token={token}");
    for headers in [
        vec![],
        vec![("Authorization", "")],
        vec![("Authorization", "Bearer")],
        vec![("Authorization", "Bearer ")],
        vec![("Authorization", "Basic YTpi")],
        vec![("Authorization", token.as_str())],
        vec![("Cookie", cookie.as_str())],
    ] {
        let answer = request(server.address, "GET", LIST, &headers, b"").await;
        assert_eq!(said(&answer), no_header(), "{headers:?}");
    }
    let in_query = request(server.address, "GET", &format!("{LIST}?access_token={token}"), &[], b"").await;
    assert_eq!(said(&in_query), no_header());
    for token in refused_tokens(&server) {
        assert_eq!(said(&server.get(LIST, &token).await), bad_token(), "{token}");
    }
    assert_eq!(server.get(LIST, &token).await.status, 200);
}

#[tokio::test]
async fn check_054_mark_read_without_a_good_token_is_401_and_changes_nothing() {
    let server = server().await;
    let id = server.notify("default", "alice", "m").await;
    for token in refused_tokens(&server) {
        assert_eq!(said(&server.post(&mark_path(&id), &token, "").await), bad_token(), "{token}");
    }
    let answer = request(server.address, "POST", &mark_path(&id), &[], b"").await;
    assert_eq!(said(&answer), no_header());
    let list = server.get(LIST, &product_token(&server, "alice").sign()).await.json();
    assert_eq!(list["notifications"][0]["isRead"], false);
}

#[tokio::test]
async fn check_055_others_entries_are_404_and_stay_unread() {
    let server = server().await;
    let id = server.notify("default", "bob", "m").await;
    let answer = server.post(&mark_path(&id), &product_token(&server, "alice").sign(), "").await;
    assert_eq!(said(&answer), (404, json!({"detail": "Notification not found"})));
    let list = server.get(LIST, &product_token(&server, "bob").sign()).await.json();
    assert_eq!(list["notifications"][0]["isRead"], false);
}

#[tokio::test]
async fn check_056_own_entries_are_marked_unknown_ones_are_404() {
    let server = server().await;
    let id = server.notify("default", "alice", "m").await;
    let token = product_token(&server, "alice").sign();
    for _ in 0..2 {
        let answer = server.post(&mark_path(&id), &token, "").await;
        assert_eq!(said(&answer), (200, json!({"message": "Notification marked as read"})));
    }
    assert_eq!(server.get(LIST, &token).await.json()["notifications"][0]["isRead"], true);
    for unknown in ["01890a5d-ac96-774b-bcce-b302099a8057", "x", "%00", "..%2f..", "1%27%20OR%201=1"] {
        let answer = server.post(&mark_path(unknown), &token, "").await;
        assert_eq!(said(&answer), (404, json!({"detail": "Notification not found"})), "{unknown}");
    }
}

#[tokio::test]
async fn check_057_list_rows_have_the_documented_members() {
    let server = server().await;
    let token = product_token(&server, "alice").sign();
    assert_eq!(said(&server.get(LIST, &token).await), (200, json!({"notifications": []})));
    let mut ids = vec![];
    for kind in ["info", "success", "warning", "error", "alert", "record_created"] {
        let body =
            json!({"to": {"user": "alice"}, "title": "T", "message": kind, "type": kind, "productName": "P"});
        ids.push(server.publish("default", body).await["id"].clone());
        server.clock.advance(secs(1));
    }
    server.post(&mark_path(ids[2].as_str().unwrap()), &token, "").await;
    let list = server.get(LIST, &token).await.json();
    assert_eq!(keys(&list), ["notifications"]);
    let rows = list["notifications"].as_array().unwrap();
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    ids.reverse();
    assert_eq!(column("id"), ids, "newest first");
    assert_eq!(column("type"), ["info", "warning", "error", "warning", "info", "info"]);
    assert_eq!(column("message"), ["record_created", "alert", "error", "warning", "success", "info"]);
    assert_eq!(column("isRead"), [false, false, false, true, false, false]);
    for row in rows {
        assert_eq!(keys(row), ["createdAt", "id", "isRead", "message", "type"]);
        assert!(row["createdAt"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{row}");
    }
    let times = column("createdAt");
    assert!(times.windows(2).all(|pair| pair[0].as_str() > pair[1].as_str()), "{times:?}");
}

#[tokio::test]
async fn check_058_the_sockets_path_without_an_upgrade() {
    let server = server().await;
    let path = server.product_path("alice");
    let answer = request(server.address, "GET", &path, &[], b"").await;
    assert_eq!((answer.status, &answer.json()["code"]), (426, &json!("upgrade_required")));
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(request(server.address, method, &path, &[], b"").await.status, 405, "{method}");
    }
    let upgrade = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];
    assert_eq!(request(server.address, "POST", &path, &upgrade, b"").await.status, 405);
}
