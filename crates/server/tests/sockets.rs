//! What a connection is held to, beyond the documents: room, slow readers, withdrawn access, pooled
//! connections, the end of the process.

use std::time::{Duration, Instant};

use campanile_model::{Slug, UserId};
use campanile_store::Write;
use campanile_testkit::{Answer, Client, SECRET, TestServer, Token, WAIT, frame, raw_upgrade};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Process;
use crate::program::Program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_the_limit_newcomers_get_503_and_the_live_ones_stay() {
    let server = TestServer::configured("[server]\nmax_connections = 3\n").await;
    let mut alice = server.workspace("alice").await;
    let _bob = server.workspace("bob").await;
    let carol = server.workspace("carol").await;
    server.sockets(3).await;
    let refused = Client::try_connect(server.address, &server.workspace_path("dave")).await;
    let refused = refused.err().expect("no room");
    assert_eq!((refused.status, refused.retry_after), (503, Some(5)));
    // The publish needs a connection of its own: there is none, and that is said as well.
    let full =
        server.try_publish("acme", json!({"to": {"user": "alice"}, "title": "T", "message": "m"})).await;
    assert_eq!((full.status, full.json()["code"].as_str()), (503, Some("overloaded")));
    carol.leave().await;
    server.sockets(2).await;
    let id = server.notify("acme", "alice", "still here").await;
    assert_eq!(alice.json().await["id"], id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_closed_and_delays_nobody() {
    let server = TestServer::start().await;
    let (answer, mut slow) = raw_upgrade(server.address, &server.workspace_path("slow")).await;
    assert_eq!(answer.status, 101);
    let mut alice = server.workspace("alice").await;
    server.sockets(2).await;
    // More than the kernel's buffers and the outbox hold together, in pieces of 60 KB.
    let message = "x".repeat(60_000);
    for nth in 0..200 {
        let body = json!({"to": {"workspace": true}, "title": nth.to_string(), "message": message});
        server.publish("acme", body).await;
        assert_eq!(alice.json().await["title"], nth.to_string());
        if server.running().gauge.sockets() == 1 {
            break;
        }
    }
    // Its close frame waits behind half a frame that it does not read: once it reads, it finds both.
    let mut bytes = vec![];
    tokio::time::timeout(WAIT, async {
        let mut piece = vec![0; 65_536];
        while let Ok(read) = slow.read(&mut piece).await {
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(&piece[..read]);
            if bytes.ends_with(b"reader too slow") {
                break;
            }
        }
    })
    .await
    .expect("an end in time");
    let close = [&[0x88, 17, 0x03, 0xF5][..], b"reader too slow"].concat();
    assert!(bytes.ends_with(&close), "the end of {} bytes: {:?}", bytes.len(), &bytes[bytes.len() - 24..]);
    let id = server.notify("acme", "alice", "after").await;
    assert_eq!(alice.json().await["id"], id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_reader_is_closed_after_ten_seconds_without_a_byte() {
    let server = TestServer::start().await;
    let (_, slow) = raw_upgrade(server.address, &server.workspace_path("slow")).await;
    server.sockets(1).await;
    // Until something waits, but less than the outbox holds.
    let message = "x".repeat(60_000);
    let body = json!({"to": {"workspace": true}, "title": "t", "message": message});
    let mut published = 0;
    while published < 100 && server.running().gauge.backlogs() == 0 {
        server.publish("acme", body.clone()).await;
        published += 1;
    }
    assert!(server.running().gauge.backlogs() == 1, "nothing waits after {published} entries");
    server.pass(Duration::from_secs(9)).await;
    server.sockets(1).await;
    assert_eq!(server.running().gauge.sockets(), 1);
    // Closed 1013, which it does not hear, and dropped once its answer was waited for.
    let waited = Instant::now();
    while server.running().gauge.sockets() > 0 {
        assert!(waited.elapsed() < WAIT, "still there");
        server.pass(Duration::from_secs(1)).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn withdrawn_access_closes_live_sockets_and_keeps_new_ones_out() {
    let server = TestServer::start().await;
    let mut alice = server.workspace("alice").await;
    let mut bob = server.workspace("bob").await;
    server.notify("acme", "alice", "before").await;
    assert_eq!(alice.json().await["message"], "before");
    let (acme, name) = (Slug::new("acme").unwrap(), UserId::new("alice").unwrap());
    let store = &server.running().engine.store;
    store.append(&acme, Write::Withdraw { user: name.clone() }, server.now_ms()).await.unwrap();
    server
        .publish("acme", json!({"to": {"workspace": true}, "title": "T", "message": "for the others"}))
        .await;
    assert_eq!(alice.close().await, (4001, "unauthorized".into()));
    assert_eq!(bob.json().await["message"], "for the others");
    let mut back = server.workspace("alice").await;
    assert_eq!(back.close().await, (4001, "unauthorized".into()));
    store.append(&acme, Write::Grant { user: name }, server.now_ms()).await.unwrap();
    let path = server.workspace_path("alice") + "&replay=unread";
    let mut alice = Client::connect(server.address, &path).await;
    assert_eq!(alice.json().await["message"], "before", "and nothing of what was sent in between");
    server.notify("acme", "alice", "after").await;
    assert_eq!(alice.json().await["message"], "after");
}

/// A request on a connection that stays open.
async fn pooled(stream: &mut TcpStream, head: &str) -> (Answer, Vec<u8>) {
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = vec![];
    loop {
        let mut piece = [0; 4096];
        let read = tokio::time::timeout(WAIT, stream.read(&mut piece)).await.expect("in time").unwrap();
        bytes.extend_from_slice(&piece[..read]);
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let answer = Answer::parse(&bytes);
            let length = answer.header("content-length").map_or(0, |l| l.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let rest = bytes.split_off(end + 4 + length);
                return (answer, rest);
            }
        }
        assert!(read > 0, "the connection ended");
    }
}

fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

async fn first_frame(stream: &mut TcpStream, mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.len() < 2 || bytes.len() < 2 + usize::from(bytes[1]) {
        let mut piece = [0; 4096];
        let read = tokio::time::timeout(WAIT, stream.read(&mut piece)).await.expect("in time").unwrap();
        assert!(read > 0, "the connection ended");
        bytes.extend_from_slice(&piece[..read]);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_spoke_http_before_can_be_upgraded() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let (alive, _) = pooled(&mut stream, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(alive.status, 200);
    let (answer, rest) = pooled(&mut stream, &upgrade(&server.product_path("alice"))).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pplmbitxaq9kygzzhzrbk+xoo="));
    let greeting = first_frame(&mut stream, rest).await;
    assert!(greeting[2..].starts_with(b"{\"type\":\"CONNECTION_ESTABLISHED\""), "{greeting:?}");
    stream.write_all(&frame(0x81, b"PING")).await.unwrap();
    assert_eq!(first_frame(&mut stream, vec![]).await, b"\x81\x0f{\"type\":\"pong\"}");

    let mut refused = TcpStream::connect(server.address).await.unwrap();
    pooled(&mut refused, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (answer, rest) = pooled(&mut refused, &upgrade("/?token=x&workspaceSlug=acme")).await;
    assert_eq!(answer.status, 101);
    assert_eq!(first_frame(&mut refused, rest).await[..4], [0x88, 14, 0x0F, 0xA1]);
}

/// SIGTERM, or another signal, to a process of ours.
fn signal(process: &Process, name: &str) {
    let sent =
        std::process::Command::new("kill").args([format!("-{name}"), process.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_closes_1001_and_exits_0() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let mut server = Process::start(&program);
    let now = campanile_server::clock::Clock::system().now().as_secs();
    let path =
        format!("/api/ws/notification?access_token={}", Token::of("alice", now).without("workspaces").sign());
    let mut alice = Client::connect(server.address, &path).await;
    alice.json().await;
    let asked = Instant::now();
    signal(&server, "TERM");
    assert_eq!(alice.close().await, (1001, "server shutting down".into()));
    assert_eq!(server.wait(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_exits_now() {
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let mut server = Process::start(&program);
    let now = campanile_server::clock::Clock::system().now().as_secs();
    let path =
        format!("/api/ws/notification?access_token={}", Token::of("alice", now).without("workspaces").sign());
    // A client that never answers the close keeps the server waiting, until it is asked again.
    let (answer, mut stream) = raw_upgrade(server.address, &path).await;
    assert_eq!(answer.status, 101);
    signal(&server, "TERM");
    let mut bytes = vec![];
    while !bytes.ends_with(b"server shutting down") {
        let mut piece = [0; 256];
        let read = tokio::time::timeout(WAIT, stream.read(&mut piece)).await.expect("in time").unwrap();
        assert!(read > 0, "ended without a close: {bytes:?}");
        bytes.extend_from_slice(&piece[..read]);
    }
    let again = Instant::now();
    signal(&server, "TERM");
    assert_eq!(server.wait(), Some(1));
    assert!(again.elapsed() < Duration::from_secs(2), "{:?}", again.elapsed());
}
