//! Rows of the protocol contract that no check names.

use campanile_testkit::{Client, Options};
use serde_json::json;
use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn a_token_refused_five_times_is_answered_429() {
    let server = server().await;
    for (n, path) in [workspace_at("bad"), product_at("worse")].into_iter().enumerate() {
        for _ in 0..5 {
            turned_away(&server, &path).await;
        }
        let refused = Client::try_connect(server.address, &path).await.err().expect("no sixth time");
        assert_eq!((refused.status, refused.retry_after), (429, Some(60)), "{n}");
        // Whoever brings another token is not concerned.
        let mut client = server.workspace("alice").await;
        delivers(&server, "acme", "alice", &mut client).await;
        client.leave().await;
        server.pass(secs(59)).await;
        let refused = Client::try_connect(server.address, &path).await.err().expect("not yet");
        assert_eq!((refused.status, refused.retry_after), (429, Some(1)), "{n}");
        server.pass(secs(2)).await;
        turned_away(&server, &path).await;
    }
    // No token is no token that was refused: pages of people who are logged out are told so each time.
    for _ in 0..10 {
        turned_away(&server, &product_at("")).await;
    }
}

/// The store is kept busy, so that what a connection needs of it comes late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_after_the_101_is_delivered() {
    let config = "[store]\nreaders = 1\n".to_owned();
    let server = std::sync::Arc::new(TestServer::with(Options { config, ..Options::default() }).await);
    let entry = json!({"to": {"user": "reader"}, "title": "T", "message": "x".repeat(500)});
    server.publish("default", vec![entry; 1_000].into()).await;
    for round in 0..10 {
        let mut busy = JoinSet::new();
        for _ in 0..12 {
            let server = std::sync::Arc::clone(&server);
            let token = product_token(&server, "reader").sign();
            busy.spawn(async move { server.get("/api/notification/list", &token).await.status });
        }
        tokio::task::yield_now().await;
        let path = format!("{}&replay=none", server.product_path("bob"));
        let (mut alice, mut bob) =
            tokio::join!(server.workspace("alice"), Client::connect(server.address, &path));
        delivers(&server, "acme", "alice", &mut alice).await;
        assert_eq!(bob.json().await["type"], "CONNECTION_ESTABLISHED");
        delivers(&server, "default", "bob", &mut bob).await;
        while let Some(status) = busy.join_next().await {
            assert_eq!(status.unwrap(), 200, "round {round}");
        }
        alice.leave().await;
        bob.leave().await;
    }
}

#[tokio::test]
async fn since_brings_what_came_after_it() {
    let server = server().await;
    let mut ids = vec![];
    for n in 0..200 {
        ids.push(server.notify("acme", "alice", &n.to_string()).await);
        server.notify("acme", "bob", "not for alice").await;
    }
    let path = format!("{}&since={}", server.workspace_path("alice"), ids[0]);
    let mut client = Client::connect(server.address, &path).await;
    for id in &ids[1..] {
        let frame = client.json().await;
        assert_eq!((&frame["id"], &frame["read"]), (&json!(id), &json!(false)));
    }
    delivers(&server, "acme", "alice", &mut client).await;
}

#[tokio::test]
async fn replay_of_unread_brings_them_oldest_first() {
    let server = server().await;
    let (a, b) = (server.notify("acme", "alice", "a").await, server.notify("acme", "alice", "b").await);
    let token = server.token("alice").sign();
    let path = format!("/v1/workspaces/acme/inbox/{a}/read");
    assert!(server.post(&path, &token, "").await.status < 300);
    let c = server.notify("acme", "alice", "c").await;
    let path = format!("{}&replay=unread", server.workspace_path("alice"));
    let mut client = Client::connect(server.address, &path).await;
    assert_eq!(client.json().await["id"], b);
    assert_eq!(client.json().await["id"], c);
    delivers(&server, "acme", "alice", &mut client).await;
    client.leave().await;
    // In a replay by position, `read` tells the user's true state.
    let first = server.notify("acme", "bob", "0").await;
    let read = server.notify("acme", "bob", "1").await;
    let path = format!("/v1/workspaces/acme/inbox/{read}/read");
    assert!(server.post(&path, &server.token("bob").sign(), "").await.status < 300);
    let path = format!("{}&since={first}", server.workspace_path("bob"));
    let mut client = Client::connect(server.address, &path).await;
    let frame = client.json().await;
    assert_eq!((&frame["id"], &frame["read"]), (&json!(read), &json!(true)));
}

#[tokio::test]
async fn since_an_unknown_id_is_answered_by_one_resync() {
    let server = server().await;
    let others = server.notify("acme", "bob", "not alice's").await;
    for unknown in ["01890a5d-ac96-774b-bcce-b302099a8057", &others, "notif_123", "", "x&since=y"] {
        let path = format!("{}&since={unknown}", server.workspace_path("alice"));
        let mut client = Client::connect(server.address, &path).await;
        let frame = client.json().await;
        assert_eq!(frame["metadata"], json!({"event": "resync"}), "{unknown}");
        assert_eq!(keys(&frame), ["id", "message", "metadata", "read", "timestamp", "title", "type"]);
        delivers(&server, "acme", "alice", &mut client).await;
        client.leave().await;
    }
}

#[tokio::test]
async fn a_healthy_socket_may_be_silent_for_ever_if_so_configured() {
    let server = configured("[server]\nshards = 1\n[surfaces.workspace]\nidle_timeout = \"off\"\n").await;
    let (mut alice, mut bob) = (server.workspace("alice").await, server.product("bob").await);
    server.pass(secs(900)).await;
    // Twice: the second answer comes after whatever was due.
    for _ in 0..2 {
        bob.send("PING").await;
        assert_eq!(bob.text().await, r#"{"type":"pong"}"#);
    }
    delivers(&server, "acme", "alice", &mut alice).await;
    delivers(&server, "default", "bob", &mut bob).await;
}

#[tokio::test]
async fn a_token_of_other_workspaces_does_not_open_the_product_surface() {
    let server = server().await;
    let token = product_token(&server, "alice").with("workspaces", json!(["acme"])).sign();
    assert_eq!(turned_away(&server, &product_at(&token)).await, closed(1008, "Access token invalid"));
    let token = product_token(&server, "alice").with("workspaces", json!(["acme", "default"])).sign();
    let mut client = Client::connect(server.address, &product_at(&token)).await;
    assert_eq!(client.json().await["userId"], "alice");
    // And one without the claim opens nothing else.
    let token = product_token(&server, "alice").sign();
    assert_eq!(turned_away(&server, &workspace_at(&token)).await, closed(4001, "unauthorized"));
}
