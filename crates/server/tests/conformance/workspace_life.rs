//! Checks 88, 89, 93 and 96: time, restarts and the end of the server on the workspace surface.

use std::cell::Cell;

use campanile_testkit::Client;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::manager::Manager;
use super::*;

#[tokio::test]
async fn check_088_five_silent_minutes_end_a_connection() {
    let server = configured(ONE_SHARD).await;
    let mut witness = server.product("witness").await;
    let mut client = server.workspace("alice").await;
    // It answers our keep-alive pings all the while: that is no activity.
    for _ in 0..11 {
        server.pass(secs(25)).await;
        assert_eq!(client.next().await, Message::Ping(Bytes::new()));
    }
    server.pass(secs(20)).await;
    caught_up(&mut witness).await;
    assert_eq!(server.running().gauge.sockets(), 2, "295 s are not five minutes");
    // Not so far that the time to answer the close would be over as well.
    server.pass(secs(6)).await;
    assert_eq!(client.close().await, closed(4008, "idle timeout"));
}

#[tokio::test]
async fn check_089_activity_starts_the_five_minutes_again() {
    let server = configured(ONE_SHARD).await;
    let mut witness = server.product("witness").await;
    let mut client = server.workspace("alice").await;
    let pong = async |client: &mut Client| loop {
        match client.next().await {
            Message::Ping(_) => {}
            other => return other,
        }
    };
    for what in ["ping frame", "text", "notification", "nothing"] {
        server.pass(secs(299)).await;
        caught_up(&mut witness).await;
        assert_eq!(server.running().gauge.sockets(), 2, "before: {what}");
        match what {
            "ping frame" => {
                client.send_message(Message::Ping(Bytes::from_static(b"here"))).await.unwrap();
                assert_eq!(pong(&mut client).await, Message::Pong(Bytes::from_static(b"here")));
            }
            "text" => {
                client.send("PING").await;
                assert_eq!(client.text().await, r#"{"type":"pong"}"#);
            }
            "notification" => delivers(&server, "acme", "alice", &mut client).await,
            _ => {}
        }
    }
    server.pass(secs(2)).await;
    assert_eq!(client.close().await, closed(4008, "idle timeout"));
}

#[tokio::test]
async fn check_093_the_documented_client_survives_a_restart() {
    let mut server = server().await;
    let path = server.workspace_path("alice");
    let mut manager = Manager::new(|| path.clone());
    assert!(manager.connect(server.address, secs(0)).await);
    let id = server.notify("acme", "alice", "before").await;
    assert_eq!(manager.notification().await["id"], id);
    server.stop().await;
    assert_eq!(manager.closed(secs(0)).await, 1001);
    // It is down for three seconds.
    for at in [1, 3] {
        assert_eq!(manager.wake_at, Some(secs(at)));
        assert!(!manager.connect(server.address, secs(at)).await);
    }
    server.start_again().await;
    assert_eq!(manager.wake_at, Some(secs(7)));
    assert!(manager.connect(server.address, secs(7)).await);
    assert_eq!(manager.delays, [1, 2, 4].map(secs));
    let id = server.notify("acme", "alice", "after").await;
    assert_eq!(manager.notification().await["id"], id);
}

#[tokio::test]
async fn check_093_the_documented_client_stops_on_4001_and_refreshes_on_4003() {
    let server = server().await;
    to_the_second(&server);
    let mut stranger = Manager::new(|| workspace_at("bad"));
    assert!(stranger.connect(server.address, secs(0)).await, "an authentication close follows an open");
    assert_eq!(stranger.closed(secs(0)).await, 4001);
    assert_eq!((stranger.wake_at, stranger.gave_up), (None, false));

    let fetched = Cell::new(0);
    let mut manager = Manager::new(|| {
        fetched.set(fetched.get() + 1);
        workspace_at(&server.token("alice").with("exp", server.now() + 3).sign())
    });
    let mut now = secs(0);
    for round in 1..=8 {
        assert!(manager.connect(server.address, now).await);
        assert_eq!(fetched.get(), round, "a token for each attempt");
        let id = server.notify("acme", "alice", "with a fresh token").await;
        assert_eq!(manager.notification().await["id"], id);
        server.pass(secs(4)).await;
        now += secs(4);
        assert_eq!(manager.closed(now).await, 4003);
        assert_eq!(manager.wake_at, Some(now + secs(1)), "it comes back after a second");
        server.pass(secs(1)).await;
        now += secs(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_096_a_drain_is_spread_and_everybody_is_told() {
    const SOCKETS: usize = 600;
    let mut server = configured(ONE_SHARD).await;
    let mut readers = JoinSet::new();
    for user in 0..SOCKETS {
        let mut client = server.workspace(&format!("u{user}")).await;
        readers.spawn(async move { client.close().await });
    }
    let path = server.workspace_path("alice");
    let mut manager = Manager::new(|| path.clone());
    assert!(manager.connect(server.address, secs(0)).await);
    // 601 closes at 5,000 a second are two ticks: in the first, half of them.
    let (gauge, clock) = (server.running().gauge.clone(), std::sync::Arc::clone(&server.clock));
    let time = async {
        until("half of them are gone", || gauge.sockets() == SOCKETS.div_ceil(2) + 1).await;
        clock.advance(millis(100));
    };
    tokio::join!(server.stop(), time);
    assert_eq!(gauge.sockets(), 0);
    while let Some(close) = readers.join_next().await {
        assert_eq!(close.unwrap(), closed(1001, "server shutting down"));
    }
    assert_eq!(manager.closed(secs(0)).await, 1001);
    assert_eq!(manager.wake_at, Some(secs(1)));
    server.start_again().await;
    assert!(manager.connect(server.address, secs(1)).await);
    let id = server.notify("acme", "alice", "back").await;
    assert_eq!(manager.notification().await["id"], id);
}
