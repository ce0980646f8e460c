//! kill -9 under publish load: whatever was acknowledged is there once, and the log has no hole.
//!
//! `CAMPANILE_CRASH_ROUNDS` sets how often (default 50).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use campanile_testkit::{Answer, SECRET, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::process::Process;
use crate::program::Program;

/// Publishers at work when the server is killed.
const PUBLISHERS: u64 = 8;

/// One request on a connection of its own; `None` if the server died under it.
async fn try_post(to: SocketAddr, path: &str, token: &str, key: &str, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.ok()?;
    let complete = answer.windows(4).any(|w| w == b"\r\n\r\n");
    complete.then(|| Answer::parse(&answer)).filter(|answer| !answer.body.is_empty())
}

#[derive(Default)]
struct Ledger {
    /// Message to (id, seq), as acknowledged.
    acknowledged: BTreeMap<u64, (String, u64)>,
    /// Messages whose request had no answer.
    unanswered: BTreeSet<u64>,
}

fn body(message: u64) -> String {
    json!({"to": {"user": "alice"}, "title": "T", "message": message.to_string()}).to_string()
}

const PATH: &str = "/v1/workspaces/acme/notifications";

async fn publish(to: SocketAddr, token: &str, message: u64, ledger: &Mutex<Ledger>) -> bool {
    let answer = try_post(to, PATH, token, &format!("key-{message}"), &body(message)).await;
    let mut ledger = ledger.lock().await;
    match answer {
        Some(answer) if answer.status == 201 => {
            let told = answer.json();
            let entry = (told["id"].as_str().unwrap().to_owned(), told["seq"].as_u64().unwrap());
            ledger.unanswered.remove(&message);
            if let Some(before) = ledger.acknowledged.insert(message, entry.clone()) {
                assert_eq!(before, entry, "a repeated request got another answer");
            }
            true
        }
        _ => {
            ledger.unanswered.insert(message);
            false
        }
    }
}

/// Everything of alice's inbox, oldest last, as (id, seq, message).
async fn inbox(to: SocketAddr, token: &str) -> Vec<(String, u64, u64)> {
    let mut items = vec![];
    let mut before: Option<u64> = None;
    loop {
        let path = match before {
            None => "/v1/workspaces/acme/inbox?limit=100".to_owned(),
            Some(seq) => format!("/v1/workspaces/acme/inbox?limit=100&before={seq}"),
        };
        let bearer = format!("Bearer {token}");
        let answer = campanile_testkit::request(to, "GET", &path, &[("Authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let page = answer.json();
        let page: &Vec<Value> = page["items"].as_array().expect("items");
        let Some(last) = page.last() else { return items };
        before = last["seq"].as_u64();
        items.extend(page.iter().map(|item| {
            let message = item["message"].as_str().unwrap().parse().unwrap();
            (item["id"].as_str().unwrap().to_owned(), item["seq"].as_u64().unwrap(), message)
        }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    #[allow(clippy::disallowed_methods, reason = "how long to try is the caller's of the test")]
    let rounds = std::env::var("CAMPANILE_CRASH_ROUNDS");
    let rounds: u64 = rounds.map_or(50, |rounds| rounds.parse().expect("a number of rounds"));
    let program = Program::new().set("CAMPANILE_SECRET", SECRET);
    let now = campanile_server::clock::Clock::system().now().as_secs();
    let publisher = Token::of("backend", now).with("scope", "notifications:write").sign();
    let alice = Token::of("alice", now).sign();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let next = Arc::new(AtomicU64::new(1));
    for round in 0..rounds {
        let mut server = Process::start(&program);
        // Whatever had no answer is asked again under its key: done or not, it is done once.
        let unanswered: Vec<u64> = ledger.lock().await.unanswered.iter().copied().collect();
        for message in unanswered {
            assert!(publish(server.address, &publisher, message, &ledger).await, "message {message}");
        }
        let killed = Arc::new(AtomicBool::new(false));
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| {
                let (ledger, next, killed) = (Arc::clone(&ledger), Arc::clone(&next), Arc::clone(&killed));
                let (publisher, to) = (publisher.clone(), server.address);
                tokio::spawn(async move {
                    while !killed.load(Ordering::Relaxed) {
                        let message = next.fetch_add(1, Ordering::Relaxed);
                        publish(to, &publisher, message, &ledger).await;
                    }
                })
            })
            .collect();
        // Not a synchronisation: the kill may come at any moment, and each round takes another.
        tokio::time::sleep(Duration::from_millis(20 + (round * 37) % 150)).await;
        server.kill();
        killed.store(true, Ordering::Relaxed);
        for publisher in publishers {
            publisher.await.expect("a publisher ends");
        }
    }
    let mut server = Process::start(&program);
    let unanswered: Vec<u64> = ledger.lock().await.unanswered.iter().copied().collect();
    for message in unanswered {
        assert!(publish(server.address, &publisher, message, &ledger).await, "message {message}");
    }
    let items = inbox(server.address, &alice).await;
    let ledger = ledger.lock().await;
    assert!(ledger.acknowledged.len() as u64 >= rounds, "the load was too small to tell anything");
    let stored: BTreeMap<u64, (String, u64)> =
        items.iter().map(|(id, seq, message)| (*message, (id.clone(), *seq))).collect();
    assert_eq!(stored.len(), items.len(), "a message is there twice");
    assert_eq!(stored, ledger.acknowledged, "what is stored is what was acknowledged");
    let seqs: Vec<u64> = items.iter().rev().map(|(_, seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=items.len() as u64).collect::<Vec<_>>(), "the log has a hole");
    server.kill();
}
