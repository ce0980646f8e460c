//! Checks 84 to 86: one connection per user and workspace.

use campanile_testkit::Client;
use tokio_tungstenite::tungstenite::Message;

use super::manager::Manager;
use super::raw::{PING, Raw};
use super::*;

fn replaced() -> Closed {
    closed(4009, "replaced by a newer connection")
}

#[tokio::test]
async fn check_084_the_newer_connection_wins() {
    let server = server().await;
    let mut first = server.workspace("alice").await;
    delivers(&server, "acme", "alice", &mut first).await;
    let mut second = server.workspace("alice").await;
    assert_eq!(first.close().await, replaced());
    server.sockets(1).await;
    delivers(&server, "acme", "alice", &mut second).await;
    // Others, and other surfaces, are not concerned.
    let (mut bob, mut product) = (server.workspace("bob").await, server.product("alice").await);
    delivers(&server, "acme", "bob", &mut bob).await;
    delivers(&server, "default", "alice", &mut product).await;
    delivers(&server, "acme", "alice", &mut second).await;
    server.sockets(3).await;
}

#[tokio::test]
async fn check_085_two_documented_clients_settle() {
    let server = server().await;
    let mut managers =
        [Manager::new(|| server.workspace_path("alice")), Manager::new(|| server.workspace_path("alice"))];
    for manager in &mut managers {
        manager.wake_at = Some(secs(0));
    }
    let (mut now, mut evictions) = (secs(0), vec![]);
    // Sixty seconds to settle, and to stay so for as long again.
    while now < secs(180) {
        for index in 0..2 {
            if managers[index].wake_at.is_none_or(|at| at > now) {
                continue;
            }
            let other = 1 - index;
            if managers[index].connect(server.address, now).await && managers[other].is_open() {
                assert_eq!(managers[other].closed(now).await, 4009);
                evictions.push(now);
            }
        }
        server.pass(millis(500)).await;
        now += millis(500);
    }
    assert_eq!(evictions, [secs(0), secs(1), secs(2)], "at most five, and here three");
    let [first, second] = managers;
    let (mut winner, loser) = if first.is_open() { (first, second) } else { (second, first) };
    assert!(winner.is_open() && winner.refused.is_empty() && !loser.is_open() && loser.gave_up);
    let refused = [3, 5, 9, 17, 33].map(|at| (409, secs(at)));
    assert_eq!(loser.refused, refused, "its five attempts run out");
    server.sockets(1).await;
    let id = server.notify("acme", "alice", "who is here?").await;
    assert_eq!(winner.notification().await["id"], id);
}

#[tokio::test]
async fn check_086_a_half_open_connection_gives_way() {
    let server = server().await;
    let dead = Raw::workspace(&server, "alice").await;
    dead.lose_everything();
    let mut newcomer = server.workspace("alice").await;
    delivers(&server, "acme", "alice", &mut newcomer).await;
}

#[tokio::test]
async fn check_086_a_half_open_connection_gives_way_even_under_the_guard() {
    let server = configured(ONE_SHARD).await;
    let mut witness = server.product("witness").await;
    let path = server.workspace_path("alice");
    let mut live = server.workspace("alice").await;
    for _ in 0..3 {
        let newer = server.workspace("alice").await;
        assert_eq!(live.close().await, replaced());
        live = newer;
    }
    // The guard is up: the live one answers the ping, so the newcomer is refused.
    let answers = async {
        assert!(matches!(live.next().await, Message::Ping(_)));
        // Any byte will do; with it goes the library's pong.
        live.send("here").await;
    };
    let (refused, ()) = tokio::join!(Client::try_connect(server.address, &path), answers);
    let refused = refused.err().expect("a newcomer is refused");
    assert_eq!((refused.status, refused.retry_after), (409, Some(30)));
    live.leave().await;
    server.sockets(1).await;

    // With nobody there the place is free; then its holder falls silent.
    let mut silent = Raw::workspace(&server, "alice").await;
    let mut newcomer = std::pin::pin!(Client::try_connect(server.address, &path));
    tokio::select! {
        _ = &mut newcomer => panic!("not before the holder was asked"),
        asked = silent.next() => assert_eq!(asked.map(|(first, _)| first), Some(PING)),
    }
    server.pass(millis(1_900)).await;
    caught_up(&mut witness).await;
    tokio::select! {
        biased;
        _ = &mut newcomer => panic!("it has two seconds to answer"),
        () = tokio::task::yield_now() => {}
    }
    server.pass(millis(200)).await;
    let mut newcomer = newcomer.await.expect("the newcomer is admitted");
    delivers(&server, "acme", "alice", &mut newcomer).await;
    assert_eq!(silent.close().await, replaced());
}
