//! Checks 1 to 7 and 17 to 23: coming in on the product surface, and being sent out again.

use campanile_testkit::{Client, Refused};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::*;

const PATH: &str = "/api/ws/notification";

#[tokio::test]
async fn check_001_valid_token_is_greeted() {
    let server = server().await;
    let mut client = Client::connect(server.address, &server.product_path("alice")).await;
    let Message::Text(first) = client.next().await else { panic!("the first frame is a text") };
    let greeting: Value = serde_json::from_str(&first).unwrap();
    let expected = json!({"type": "CONNECTION_ESTABLISHED", "message": "Notification WebSocket connected", "userId": "alice"});
    assert_eq!(greeting, expected);
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_002_greeting_comes_before_any_notification() {
    let server = server().await;
    let mut published = vec![];
    for _ in 0..30 {
        // One is published while the handshake is under way: it comes live or by replay, never twice.
        let path = server.product_path("alice");
        let (mut client, id) =
            tokio::join!(Client::connect(server.address, &path), server.notify("default", "alice", "now"));
        published.push(id);
        assert_eq!(client.json().await["type"], "CONNECTION_ESTABLISHED");
        for id in &published {
            assert_eq!(client.json().await["id"], *id);
        }
        client.send("PING").await;
        assert_eq!(client.text().await, r#"{"type":"pong"}"#);
        client.leave().await;
    }
}

#[tokio::test]
async fn check_003_no_query_is_closed_1008() {
    let server = server().await;
    assert_eq!(turned_away(&server, PATH).await, closed(1008, "Access token required"));
    assert_eq!(turned_away(&server, &format!("{PATH}?")).await, closed(1008, "Access token required"));
}

#[tokio::test]
async fn check_004_empty_token_is_closed_1008() {
    let server = server().await;
    assert_eq!(turned_away(&server, &product_at("")).await, closed(1008, "Access token required"));
    assert_eq!(
        turned_away(&server, &format!("{PATH}?access_token")).await,
        closed(1008, "Access token required")
    );
}

#[tokio::test]
async fn check_005_blank_token_is_closed_1008() {
    let server = server().await;
    for blank in ["%20", "%20%09%20"] {
        assert_eq!(turned_away(&server, &product_at(blank)).await, closed(1008, "Access token required"));
    }
}

#[tokio::test]
async fn check_006_wrong_parameter_name_is_closed_1008() {
    let server = server().await;
    let token = product_token(&server, "alice").sign();
    for name in ["token", "Access_Token", "access_token%00"] {
        let path = format!("{PATH}?{name}={token}");
        assert_eq!(turned_away(&server, &path).await, closed(1008, "Access token required"), "{name}");
    }
}

#[tokio::test]
async fn check_007_garbage_is_closed_cleanly() {
    let server = server().await;
    let long = "x".repeat(4_000);
    for garbage in ["garbage", "a.b.c", "..", "....", "%00", "%FF", "%E2%98%83", "null", "{}", &long] {
        assert_eq!(
            turned_away(&server, &product_at(garbage)).await,
            closed(1008, "Access token invalid"),
            "{garbage}"
        );
    }
}

#[tokio::test]
async fn check_017_bearer_prefix_is_closed_1008() {
    let server = server().await;
    let token = product_token(&server, "alice").sign();
    for prefix in ["Bearer%20", "Bearer+", "bearer%20", "%20"] {
        let path = product_at(&format!("{prefix}{token}"));
        assert_eq!(turned_away(&server, &path).await, closed(1008, "Access token invalid"), "{prefix}");
    }
}

#[tokio::test]
async fn check_018_percent_encoded_token_is_accepted() {
    let server = server().await;
    let token = product_token(&server, "alice").sign();
    for spelt in [token.replace('.', "%2E"), token.replace('.', "%2e"), encoded(&token)] {
        let mut client = Client::connect(server.address, &product_at(&spelt)).await;
        assert_eq!(client.json().await["userId"], "alice");
        client.leave().await;
    }
}

#[tokio::test]
async fn check_019_duplicate_token_is_closed_1008() {
    let server = server().await;
    let token = product_token(&server, "alice").sign();
    for (first, second) in [(token.as_str(), token.as_str()), (&token, "bad"), ("bad", &token), (&token, "")]
    {
        let path = format!("{}&access_token={second}", product_at(first));
        assert_eq!(turned_away(&server, &path).await, closed(1008, "Access token invalid"), "{second}");
    }
    // The name can be spelt another way, the parameter is the same.
    server.pass(secs(61)).await;
    let path = format!("{}&%61ccess_token=bad", product_at(&product_token(&server, "alice").sign()));
    assert_eq!(turned_away(&server, &path).await, closed(1008, "Access token invalid"));
}

#[tokio::test]
async fn check_020_extra_parameters_are_ignored() {
    let server = server().await;
    let token = product_token(&server, "alice").sign();
    let path = format!("{PATH}?x=1&access_token={token}&token=bad&workspaceSlug=acme&userId=bob&&=&%zz=%");
    let mut client = Client::connect(server.address, &path).await;
    assert_eq!(client.json().await["userId"], "alice");
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_021_oversized_query_is_refused_and_forgotten() {
    let server = server().await;
    let refused =
        async |length: usize| match Client::try_connect(server.address, &product_at(&"x".repeat(length)))
            .await
        {
            Err(Refused { status, .. }) => status,
            Ok(mut client) => client.close().await.0,
        };
    // Up to 8 KiB of target it is read as a token; above, the request is refused before the upgrade.
    assert_eq!(refused(8_192 - product_at("").len()).await, 1008);
    assert_eq!(refused(8_193 - product_at("").len()).await, 414);
    for length in [9_000, 15_000, 20_000, 60_000] {
        assert!([414, 431].contains(&refused(length).await), "{length}");
    }
    until("every refused connection is gone", || server.running().gauge.open() == 0).await;
    let mut client = server.product("alice").await;
    delivers(&server, "default", "alice", &mut client).await;
}

#[tokio::test]
async fn check_022_expiry_while_connected_closes() {
    let server = server().await;
    to_the_second(&server);
    let token = product_token(&server, "alice").with("exp", server.now() + 3);
    let mut client = Client::connect(server.address, &product_at(&token.sign())).await;
    assert_eq!(client.json().await["type"], "CONNECTION_ESTABLISHED");
    server.pass(millis(2_900)).await;
    delivers(&server, "default", "alice", &mut client).await;
    server.pass(millis(1_100)).await;
    assert_eq!(client.close().await, closed(1008, "Access token expired"));
}

#[tokio::test]
async fn check_023_pings_do_not_put_expiry_off() {
    let server = server().await;
    to_the_second(&server);
    let token = product_token(&server, "alice").with("exp", server.now() + 3);
    let mut client = Client::connect(server.address, &product_at(&token.sign())).await;
    assert_eq!(client.json().await["type"], "CONNECTION_ESTABLISHED");
    for _ in 0..5 {
        server.pass(millis(500)).await;
        client.send("PING").await;
        assert_eq!(client.text().await, r#"{"type":"pong"}"#);
    }
    for _ in 0..3 {
        server.pass(millis(500)).await;
        // May come after the close.
        let _sent = client.send_message(Message::text("PING")).await;
    }
    let end = loop {
        match client.next().await {
            Message::Text(text) => assert_eq!(text.as_str(), r#"{"type":"pong"}"#),
            Message::Close(frame) => break frame.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((end.code.into(), end.reason.as_str()), (1008, "Access token expired"));
}
