//! Checks 48 to 52: several sockets, coming back, going away, and the end of the server.

use std::time::Instant;

use campanile_testkit::{Client, WAIT};
use serde_json::json;
use tokio::task::JoinSet;

use super::raw::Raw;
use super::*;

#[tokio::test]
async fn check_048_two_sockets_of_one_user_are_both_served() {
    let server = server().await;
    let (mut first, mut second) = (server.product("alice").await, server.product("alice").await);
    for _ in 0..3 {
        let id = server.notify("default", "alice", "m").await;
        assert_eq!(first.json().await["id"], id);
        assert_eq!(second.json().await["id"], id);
    }
    first.leave().await;
    delivers(&server, "default", "alice", &mut second).await;
}

#[tokio::test]
async fn check_048_the_17th_socket_closes_the_longest_silent_one() {
    let server = server().await;
    let mut clients = vec![];
    for _ in 0..16 {
        clients.push(server.product("alice").await);
        server.pass(millis(500)).await;
    }
    // The first of them speaks up, so that the second is the longest silent.
    clients[0].send("PING").await;
    assert_eq!(clients[0].text().await, r#"{"type":"pong"}"#);
    let newest = server.product("alice").await;
    assert_eq!(clients.remove(1).close().await, closed(1008, "Too many connections"));
    clients.push(newest);
    server.sockets(16).await;
    let id = server.notify("default", "alice", "m").await;
    for client in &mut clients {
        assert_eq!(client.json().await["id"], id);
    }
}

#[tokio::test]
async fn check_049_a_hundred_fast_reconnects_leak_nothing() {
    let server = server().await;
    for round in 0..100 {
        let client = server.product("alice").await;
        if round % 2 == 0 { client.vanish() } else { client.leave().await }
    }
    let mut last = server.product("alice").await;
    server.sockets(1).await;
    until("every other connection is gone", || server.running().gauge.open() == 1).await;
    delivers(&server, "default", "alice", &mut last).await;
}

/// The network's own limit runs in real time: this test takes half a minute.
#[tokio::test]
async fn check_050_a_client_that_vanished_is_freed_within_a_minute() {
    let server = server().await;
    let mut bob = server.product("bob").await;
    let dead = Raw::product(&server, "alice").await;
    dead.lose_everything();
    let began = Instant::now();
    // The keep-alive comes after 25 s at the latest; what is left of the minute is the network's.
    server.pass(secs(25)).await;
    for _ in 0..20 {
        server.notify("default", "alice", "to nobody").await;
    }
    delivers(&server, "default", "bob", &mut bob).await;
    while server.running().gauge.sockets() > 1 {
        assert!(began.elapsed() < secs(42), "35 s and a fifth");
        tokio::time::sleep(millis(50)).await;
    }
    delivers(&server, "default", "bob", &mut bob).await;
}

#[tokio::test]
async fn check_050_a_client_that_stops_reading_is_closed_and_delays_nobody() {
    let server = server().await;
    let mut bob = server.product("bob").await;
    let stuck = Raw::product(&server, "alice").await;
    // Far more than kernel buffers hold; the rest fills its queue of 256 KiB.
    let big = "x".repeat(60_000);
    for _ in 0..200 {
        server.notify("default", "alice", &big).await;
        if server.running().gauge.sockets() == 1 {
            break;
        }
    }
    delivers(&server, "default", "bob", &mut bob).await;
    server.pass(secs(20)).await;
    server.sockets(1).await;
    drop(stuck);
}

#[tokio::test]
async fn check_051_what_was_missed_is_replayed_and_listed() {
    let server = server().await;
    let client = server.product("alice").await;
    client.leave().await;
    server.sockets(0).await;
    let mut missed = vec![];
    for n in 0..5 {
        missed.push(server.notify("default", "alice", &n.to_string()).await);
    }
    let replay = async |count: usize| {
        let mut client = server.product("alice").await;
        let mut got = vec![];
        for _ in 0..count {
            got.push(client.json().await["id"].as_str().unwrap().to_owned());
        }
        client.send("PING").await;
        assert_eq!(client.text().await, r#"{"type":"pong"}"#, "no more than {count}");
        client.leave().await;
        got
    };
    assert_eq!(replay(5).await, missed, "oldest first");
    assert_eq!(replay(5).await, missed, "again, for none is read");
    let list = server.get("/api/notification/list", &product_token(&server, "alice").sign()).await.json();
    let listed: Vec<_> =
        list["notifications"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    assert_eq!(listed, missed.iter().rev().map(|id| json!(id)).collect::<Vec<_>>());

    let mut none =
        Client::connect(server.address, &format!("{}&replay=none", server.product_path("alice"))).await;
    assert_eq!(none.json().await["type"], "CONNECTION_ESTABLISHED");
    none.send(&json!({"action": "mark_read", "id": missed[1]}).to_string()).await;
    assert_eq!(none.json().await["type"], "marked_read");
    none.leave().await;
    missed.remove(1);
    assert_eq!(replay(4).await, missed);

    // Of many, the newest hundred.
    for n in 5..110 {
        missed.push(server.notify("default", "alice", &n.to_string()).await);
    }
    assert_eq!(replay(100).await, missed[missed.len() - 100..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_052_the_end_of_the_server_is_told_to_everybody() {
    let mut server = server().await;
    let mut readers = JoinSet::new();
    for user in 0..10 {
        let (mut product, mut workspace) =
            (server.product(&format!("u{user}")).await, server.workspace(&format!("u{user}")).await);
        readers.spawn(async move { product.close().await });
        readers.spawn(async move { workspace.close().await });
    }
    // One never answers the close: it may not hold the others, or the end, for ever.
    let mut silent = Raw::product(&server, "silent").await;
    let clock = std::sync::Arc::clone(&server.clock);
    let began = clock_now(&server);
    let time = async {
        loop {
            tokio::time::sleep(millis(10)).await;
            clock.advance(millis(100));
        }
    };
    let stop = async {
        tokio::select! {
            () = server.stop() => {}
            () = time => {}
        }
    };
    tokio::time::timeout(WAIT, stop).await.expect("the server ends");
    assert!(clock_now(&server) - began <= 20_000, "20 s at most");
    while let Some(close) = readers.join_next().await {
        assert_eq!(close.unwrap(), closed(1001, "server shutting down"));
    }
    assert_eq!(silent.close().await, closed(1001, "server shutting down"));
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

fn clock_now(server: &TestServer) -> i64 {
    server.now_ms().as_millis()
}
