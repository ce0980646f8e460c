//! Checks 30 to 37: notifications on the product surface.

use std::collections::HashSet;

use campanile_testkit::request;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn check_030_notification_has_the_documented_members() {
    let server = server().await;
    let mut client = server.product("alice").await;
    let full = json!({
        "to": {"user": "alice"}, "title": "Milk", "message": "Product Milk has expired", "type": "warning",
        "productName": "Milk", "event": "product_expiration", "expiryDate": "2026-01-03", "metadata": {"a": 1},
    });
    let id = server.publish("default", full).await["id"].as_str().unwrap().to_owned();
    let text = client.text().await;
    let frame: Value = serde_json::from_str(&text).unwrap();
    let at = frame["created_at"].as_str().unwrap();
    // In this order and to the letter; what we add comes behind.
    assert_eq!(
        text,
        format!(
            r#"{{"id":"{id}","message":"Product Milk has expired","type":"warning","productName":"Milk","created_at":"{at}","timestamp":"{at}","title":"Milk","event":"product_expiration","expiryDate":"2026-01-03"}}"#
        )
    );
    for (kind, shown) in [
        ("info", "info"),
        ("success", "info"),
        ("warning", "warning"),
        ("alert", "warning"),
        ("error", "error"),
        ("record_created", "info"),
    ] {
        let body = json!({"to": {"user": "alice"}, "title": "Only a title", "message": "", "type": kind});
        server.publish("default", body).await;
        let frame = client.json().await;
        assert_eq!(frame["type"], shown, "{kind}");
        assert_eq!((&frame["productName"], &frame["message"]), (&json!(""), &json!("Only a title")));
        for member in ["id", "message", "type", "productName", "created_at"] {
            assert!(frame[member].is_string(), "{member}");
        }
    }
}

#[tokio::test]
async fn check_031_created_at_is_an_instant_in_utc() {
    let server = server().await;
    let mut client = server.product("alice").await;
    for _ in 0..3 {
        server.clock.advance(millis(1_000_017));
        server.notify("default", "alice", "now").await;
        let frame = client.json().await;
        let at = frame["created_at"].as_str().unwrap();
        assert_eq!(unix_millis(at), server.now_ms().as_millis(), "{at}");
    }
}

/// Reads `2026-01-31T23:59:59.999Z`, by the calendar and no library's word.
fn unix_millis(text: &str) -> i64 {
    let bytes = text.as_bytes();
    assert_eq!((bytes.len(), bytes[10], bytes[19], bytes[23]), (24, b'T', b'.', b'Z'), "{text}");
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = |year: i64| i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let mut days = (1970..year).map(|year| 365 + leap(year)).sum::<i64>() + day - 1;
    let lengths = [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    days += lengths.iter().take(usize::try_from(month - 1).unwrap()).sum::<i64>();
    (((days * 24 + number(11..13)) * 60 + number(14..16)) * 60 + number(17..19)) * 1000 + number(20..23)
}

/// Publishes an array and returns the ids in its order.
async fn publish_batch(server: &TestServer, entries: &[Value]) -> Vec<String> {
    let answer = server.publish("default", Value::from(entries)).await;
    answer.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn check_032_ids_are_unique_over_10000() {
    let server = server().await;
    let entries = vec![json!({"to": {"user": "alice"}, "title": "T", "message": "M"}); 1_000];
    let mut ids = HashSet::new();
    for _ in 0..10 {
        ids.extend(publish_batch(&server, &entries).await);
    }
    assert_eq!(ids.len(), 10_000);
}

#[tokio::test]
async fn check_033_unicode_arrives_as_it_was_sent() {
    let server = server().await;
    let (mut product, mut workspace) = (server.product("alice").await, server.workspace("alice").await);
    for text in [
        "👩‍👩‍👧 🇳🇱 😀",
        "\u{202e}שלום עולם\u{202c} مرحبا",
        "e\u{301} a\u{308}\u{323}",
        "line\u{2028}and\u{2029}paragraph",
        "a NUL \u{0} within, \u{1f} \u{7f}",
        "\"quotes\" and \\back\\slashes\\ /",
        "\r\n\t\u{feff}\u{fffd}\u{10ffff}</script>",
    ] {
        for (name, client) in [("default", &mut product), ("acme", &mut workspace)] {
            let body = json!({"to": {"user": "alice"}, "title": text, "message": text, "productName": text});
            server.publish(name, body).await;
            let frame = client.json().await;
            assert_eq!((&frame["title"], &frame["message"]), (&json!(text), &json!(text)), "{name}");
        }
    }
}

#[tokio::test]
async fn check_034_lone_surrogates_are_refused_at_publish() {
    let server = server().await;
    let mut client = server.product("alice").await;
    let bearer = format!("Bearer {}", server.publisher());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let path = "/v1/workspaces/default/notifications";
    for message in
        [&br#"\ud800"#[..], br#"x\udc00y"#, br#"\ud800\ud800"#, br#"\ud83dx"#, b"\xed\xa0\x80", b"\xff"]
    {
        let mut body = br#"{"to":{"user":"alice"},"title":"T","message":""#.to_vec();
        body.extend(message);
        body.extend(br#""}"#);
        let answer = request(server.address, "POST", path, &headers, &body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_json")), "{message:?}");
    }
    let bytes = br#"{"to":{"user":"alice"},"title":"T","message":"","metadata":{"a":["\ud800"]}}"#;
    let answer = request(server.address, "POST", path, &headers, bytes).await;
    assert!([400, 422].contains(&answer.status), "{answer:?}");
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_035_a_thousand_arrive_once_in_order() {
    let server = server().await;
    let mut client = server.product("alice").await;
    let entry = |n: usize| json!({"to": {"user": "alice"}, "title": "T", "message": n.to_string()});
    for hundred in 0..10 {
        let published = if hundred < 5 {
            publish_batch(&server, &(0..100).map(|n| entry(hundred * 100 + n)).collect::<Vec<_>>()).await
        } else {
            let mut published = vec![];
            for n in 0..100 {
                let answer = server.publish("default", entry(hundred * 100 + n)).await;
                published.push(answer["id"].as_str().unwrap().to_owned());
            }
            published
        };
        for (n, id) in published.iter().enumerate() {
            let frame = client.json().await;
            assert_eq!(frame["id"], *id);
            assert_eq!(frame["message"], (hundred * 100 + n).to_string());
        }
    }
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_036_nobody_gets_what_is_for_others() {
    let server = server().await;
    let name = |user: usize| format!("u{user}");
    let mut readers = JoinSet::new();
    for user in 0..50 {
        let mut client = server.product(&name(user)).await;
        readers.spawn(async move {
            let mut got = vec![];
            loop {
                let frame = client.json().await;
                if frame["title"] == "the end" {
                    return (user, got);
                }
                got.push(frame["message"].as_str().unwrap().parse::<usize>().unwrap());
            }
        });
    }
    // A fixed sequence of audiences: one user, two, three, or everybody but one.
    let mut owed = vec![vec![]; 50];
    let mut state = 20_260_101_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % below).unwrap()
    };
    let mut n = 0;
    for _ in 0..10 {
        let batch: Vec<Value> = (0..1_000)
            .map(|_| {
                let picked: HashSet<usize> = (0..=random(3)).map(|_| random(50)).collect();
                let everybody = random(100) == 0;
                let (to, except) = if everybody {
                    (json!({"workspace": true}), picked.iter().map(|u| name(*u)).collect())
                } else {
                    (json!({"users": picked.iter().map(|u| name(*u)).collect::<Vec<_>>()}), vec![])
                };
                for (user, owed) in owed.iter_mut().enumerate() {
                    if picked.contains(&user) != everybody {
                        owed.push(n);
                    }
                }
                n += 1;
                json!({"to": to, "except": except, "title": "T", "message": (n - 1).to_string()})
            })
            .collect();
        publish_batch(&server, &batch).await;
    }
    server.publish("default", json!({"to": {"workspace": true}, "title": "the end", "message": ""})).await;
    assert_eq!(n, 10_000);
    while let Some(reader) = readers.join_next().await {
        let (user, got) = reader.unwrap();
        assert_eq!(got, owed[user], "user {user}");
    }
}

#[tokio::test]
async fn check_037_what_came_while_away_is_listed_unread() {
    let server = server().await;
    let id = server.notify("default", "alice", "hello").await;
    let list = server.get("/api/notification/list", &product_token(&server, "alice").sign()).await;
    assert_eq!(list.status, 200);
    let rows = list.json()["notifications"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!((&rows[0]["id"], &rows[0]["isRead"]), (&json!(id), &json!(false)));
}
