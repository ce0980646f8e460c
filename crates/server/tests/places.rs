//! Who gets a user's place, and keeps it: newcomers to a dead socket, a limit above one, and handshakes on
//! connections that spoke HTTP before.

use std::sync::{Arc, OnceLock};

use campanile_testkit::{Client, Options, TestServer, read_head, upgrade_on};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::conformance::raw::{PING, Raw};
use crate::conformance::*;
use crate::handover::{Pause, Pausing};

fn replaced() -> Closed {
    closed(4009, "replaced by a newer connection")
}

/// A server whose duel guard is up for alice, whose only socket never answers a ping.
async fn guarded() -> (TestServer, Client, Raw) {
    let server = configured(ONE_SHARD).await;
    let witness = server.product("witness").await;
    let mut live = server.workspace("alice").await;
    for _ in 0..3 {
        let newer = server.workspace("alice").await;
        assert_eq!(live.close().await, replaced());
        live = newer;
    }
    live.leave().await;
    server.sockets(1).await;
    let silent = Raw::workspace(&server, "alice").await;
    (server, witness, silent)
}

async fn was_asked(silent: &mut Raw) {
    assert_eq!(silent.next().await.map(|(first, _)| first), Some(PING));
}

/// It gets the next publishes, each once.
async fn has_the_place(server: &TestServer, client: &mut Client) {
    server.sockets(2).await;
    delivers(server, "acme", "alice", client).await;
    delivers(server, "acme", "alice", client).await;
}

#[tokio::test]
async fn of_two_newcomers_to_a_dead_socket_the_later_one_stays() {
    let (server, mut witness, mut silent) = guarded().await;
    let path = server.workspace_path("alice");
    let asked = async {
        was_asked(&mut silent).await;
        let second = Client::try_connect(server.address, &path);
        let asked = async {
            was_asked(&mut silent).await;
            server.pass(millis(2_100)).await;
            caught_up(&mut witness).await;
        };
        tokio::join!(second, asked).0
    };
    let (first, second) = tokio::join!(Client::try_connect(server.address, &path), asked);
    let (mut first, mut second) = (first.expect("admitted, then replaced"), second.expect("admitted"));
    assert_eq!(silent.close().await, replaced());
    assert_eq!(first.close().await, replaced());
    has_the_place(&server, &mut second).await;
}

#[tokio::test]
async fn of_two_newcomers_to_a_dead_socket_the_later_accepted_one_stays_though_it_asks_first() {
    let (server, mut witness, mut silent) = guarded().await;
    let path = server.workspace_path("alice");
    let open = server.running().gauge.open();
    let mut early = TcpStream::connect(server.address).await.unwrap();
    until("the door has accepted it", || server.running().gauge.open() == open + 1).await;
    let rest = async {
        was_asked(&mut silent).await;
        let asked = async {
            was_asked(&mut silent).await;
            server.pass(millis(2_100)).await;
            caught_up(&mut witness).await;
        };
        tokio::join!(upgrade_on(&mut early, &path), asked).0
    };
    let (late, answer) = tokio::join!(Client::try_connect(server.address, &path), rest);
    let mut late = late.expect("admitted");
    assert_eq!(answer.status, 101);
    assert_eq!(silent.close().await, replaced());
    assert_eq!(Raw { stream: early }.close().await, replaced());
    has_the_place(&server, &mut late).await;
}

#[tokio::test]
async fn a_third_connection_replaces_the_oldest_of_two() {
    let server = configured("[surfaces.workspace]\nmax_per_user = 2\n").await;
    let mut first = server.workspace("alice").await;
    let mut second = server.workspace("alice").await;
    delivers(&server, "acme", "alice", &mut first).await;
    second.json().await;
    let mut third = server.workspace("alice").await;
    assert_eq!(first.close().await, replaced());
    server.sockets(2).await;
    delivers(&server, "acme", "alice", &mut second).await;
    third.json().await;
    let mut fourth = server.workspace("alice").await;
    assert_eq!(second.close().await, replaced());
    server.sockets(2).await;
    delivers(&server, "acme", "alice", &mut third).await;
    fourth.json().await;
}

/// A connection that has had an answer over plain HTTP.
async fn pooled(server: &TestServer) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = read_head(&mut stream).await;
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    assert_eq!(answer.status, 200);
    stream
}

/// Upgrades such a connection.
async fn upgraded(mut stream: TcpStream, path: &str) -> Raw {
    let answer = upgrade_on(&mut stream, path).await;
    assert_eq!(answer.status, 101, "{}", answer.head);
    Raw { stream }
}

async fn json(raw: &mut Raw) -> Value {
    serde_json::from_str(&raw.text().await).unwrap()
}

static PAUSES: OnceLock<Mutex<Option<mpsc::Sender<Pause>>>> = OnceLock::new();

#[tokio::test]
async fn nothing_published_behind_the_101_of_a_pooled_connection_is_missed() {
    let server = TestServer::with(Options {
        memory: true,
        wrap: Some(|inner| {
            Arc::new(Pausing { inner, pauses: &PAUSES, writes: |_| true, before_writes: false })
        }),
        ..Options::default()
    })
    .await;
    server.notify("acme", "alice", "long before").await;
    let (listen, mut pauses) = mpsc::channel(1);
    for path in [server.workspace_path("alice"), server.product_path("alice") + "&replay=none"] {
        let workspace = if path.contains("workspaceSlug") { "acme" } else { "default" };
        let stream = pooled(&server).await;
        *PAUSES.get_or_init(Mutex::default).lock().await = Some(listen.clone());
        // One read belongs to the handshake. Whatever is read for the connection later stands still until the
        // publish is done.
        let mut raw = {
            let mut upgraded = std::pin::pin!(upgraded(stream, &path));
            let mut pauses_before = 2;
            loop {
                tokio::select! {
                    biased;
                    raw = &mut upgraded => break raw,
                    Some((_, go_on)) = pauses.recv(), if pauses_before > 0 => {
                        pauses_before -= 1;
                        go_on.send(()).expect("the read waits");
                    }
                }
            }
        };
        let id = server.notify(workspace, "alice", "right behind the 101").await;
        *PAUSES.get_or_init(Mutex::default).lock().await = None;
        let frame = {
            let mut read = std::pin::pin!(async {
                let frame = json(&mut raw).await;
                if frame["type"] == "CONNECTION_ESTABLISHED" { json(&mut raw).await } else { frame }
            });
            loop {
                tokio::select! {
                    frame = &mut read => break frame,
                    // Dropping it lets the read go on.
                    Some((_, go_on)) = pauses.recv() => drop(go_on),
                }
            }
        };
        assert_eq!(frame["id"], id, "{frame}");
        let id = server.notify(workspace, "alice", "live").await;
        assert_eq!(json(&mut raw).await["id"], id);
    }
}

#[tokio::test]
async fn a_pooled_connection_catches_up_as_any_other() {
    let server = server().await;
    let mut ids = vec![];
    for nth in 0..4 {
        ids.push(server.notify("acme", "alice", &nth.to_string()).await);
    }
    let path = server.workspace_path("alice");
    let mut since = upgraded(pooled(&server).await, &format!("{path}&since={}", ids[1])).await;
    for id in &ids[2..] {
        assert_eq!(json(&mut since).await["id"], **id);
    }
    let mut unread = upgraded(pooled(&server).await, &format!("{path}&replay=unread")).await;
    assert_eq!(since.close().await, replaced());
    for id in &ids {
        assert_eq!(json(&mut unread).await["id"], **id);
    }
    let id = server.notify("acme", "alice", "live").await;
    assert_eq!(json(&mut unread).await["id"], id);

    let id = server.notify("default", "alice", "product").await;
    let mut product = upgraded(pooled(&server).await, &server.product_path("alice")).await;
    assert_eq!(json(&mut product).await["type"], "CONNECTION_ESTABLISHED");
    assert_eq!(json(&mut product).await["id"], id);
}

#[tokio::test]
async fn a_pooled_connection_with_a_bad_token_is_turned_away_behind_its_101() {
    let server = server().await;
    let forged = server.token("alice").sign() + "x";
    let refusals = [
        (workspace_at(&forged), closed(4001, "unauthorized")),
        (product_at(&forged), closed(1008, "Access token invalid")),
    ];
    for (path, refusal) in refusals {
        let mut raw = upgraded(pooled(&server).await, &path).await;
        assert_eq!(raw.close().await, refusal);
    }
    server.sockets(0).await;
}

#[tokio::test]
async fn the_newest_handshake_wins_whatever_its_connection_was_used_for_before() {
    let server = server().await;
    let path = server.workspace_path("alice");
    let (old, older) = (pooled(&server).await, pooled(&server).await);
    let mut direct = server.workspace("alice").await;
    let mut old = upgraded(old, &path).await;
    assert_eq!(direct.close().await, replaced());
    let mut older = upgraded(older, &path).await;
    assert_eq!(old.close().await, replaced());
    server.sockets(1).await;
    let id = server.notify("acme", "alice", "for the newest").await;
    assert_eq!(json(&mut older).await["id"], id);
    let mut direct = server.workspace("alice").await;
    assert_eq!(older.close().await, replaced());
    delivers(&server, "acme", "alice", &mut direct).await;
}
