//! A burst of the largest entries: who reads misses nothing, whoever does not.

use std::collections::HashMap;

use campanile_testkit::{SECRET, Token, raw_upgrade, request};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::conformance::raw::{PING, Raw, TEXT};
use crate::process::Process;
use crate::program::Program;

/// Publishers at once, and how much each of them publishes, of 60 KB each: together far more
/// than a shard lets wait at once.
const PUBLISHERS: usize = 4;
const EACH: usize = 75;
/// Sockets that take whatever comes.
const CROWD: usize = 16;

/// Publishes one after the other; the titles say by whom and the how manieth.
async fn publish_all(to: std::net::SocketAddr, publisher: usize, token: String) {
    let message = "x".repeat(60_000);
    for nth in 0..EACH {
        let title = format!("{publisher} {nth}");
        let body = json!({"to": {"workspace": true}, "title": title, "message": message}).to_string();
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let path = "/v1/workspaces/acme/notifications";
        let answer = request(to, "POST", path, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 201, "{}", answer.head);
    }
}

/// Reads until everything has come, and sees that each publisher's entries come in its order, once.
async fn read_all(mut reader: Raw) {
    let mut next: HashMap<usize, usize> = HashMap::new();
    for _ in 0..PUBLISHERS * EACH {
        let payload = loop {
            match reader.next().await.expect("nobody who reads is closed") {
                (PING, _) => {}
                (TEXT, payload) => break payload,
                other => panic!("a text was expected, not {other:?}"),
            }
        };
        let entry: Value = serde_json::from_slice(&payload).unwrap();
        let title = entry["title"].as_str().unwrap();
        let (publisher, nth) = title.split_once(' ').unwrap();
        let next = next.entry(publisher.parse().unwrap()).or_default();
        assert_eq!(nth.parse::<usize>().unwrap(), *next, "of publisher {publisher}");
        *next += 1;
    }
    assert!(next.len() == PUBLISHERS && next.values().all(|count| *count == EACH), "{next:?}");
}

/// Takes whatever comes.
async fn drain(mut stream: TcpStream) {
    let mut piece = vec![0; 256 * 1024];
    while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_misses_nothing_of_a_burst() {
    let program = Program::new()
        .set("CAMPANILE_SECRET", SECRET)
        .set("CAMPANILE_SERVER__SHARDS", "1")
        .set("CAMPANILE_CONNECTION__OUTBOX_BYTES", "16777216");
    let server = Process::start(&program);
    let now = campanile_server::clock::Clock::system().now().as_secs();
    let path = |user: &str| format!("/?token={}&workspaceSlug=acme", Token::of(user, now).sign());
    let connect = async |user: &str| {
        let (answer, stream) = raw_upgrade(server.address, &path(user)).await;
        assert_eq!(answer.status, 101);
        stream
    };
    let reader = tokio::spawn(read_all(Raw { stream: connect("reader").await }));
    let idle = connect("idle").await;
    let mut crowd = JoinSet::new();
    for nth in 0..CROWD {
        crowd.spawn(drain(connect(&format!("crowd-{nth}")).await));
    }
    let publisher = Token::of("backend", now).with("scope", "notifications:write").sign();
    let mut publishers = JoinSet::new();
    for nth in 0..PUBLISHERS {
        publishers.spawn(publish_all(server.address, nth, publisher.clone()));
    }
    publishers.join_all().await;
    reader.await.unwrap();
    drop((idle, crowd));
}
