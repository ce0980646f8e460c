//! When a client comes back: as it was told before the socket, and by the inbox.

use std::sync::{Arc, Mutex};

use campanile_client::{Clock, Error, MemoryStorage, State, TokenReason, TokenSource};
use serde_json::json;

use crate::bench::{Bench, hello, page};
use crate::token;

/// Half a minute after the clock's start.
const DATE: &str = "Thu, 01 Jan 2026 00:00:30 GMT";

#[tokio::test]
async fn a_date_before_the_socket_is_when_it_comes_back() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let refusal = (503, vec![("Retry-After", DATE.to_owned())], String::new());
    bench.server.refusals.lock().unwrap().push_back(refusal);
    let start = bench.clock.now();
    let client = bench.client("alice");
    let shown = client.until(|shown| shown.state == State::Waiting).await.unwrap();
    assert_eq!(shown.retry_at, Some(start + 30_000));
    bench.clock.pass(30_000).await;
    bench.greet("alice").await;
}

#[tokio::test]
async fn a_date_is_when_the_inbox_is_read_again() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let start = bench.clock.now();
    let client = bench.client("alice");
    let mut events = client.events().unwrap();
    let dial = bench.dial().await;
    assert!(dial.send(hello("alice", false).to_string()).await);
    let refused = json!({"code": "overloaded", "status": 503});
    bench.request().await.answer(503, vec![("Retry-After", DATE.to_owned())], refused);
    while !matches!(events.recv().await.unwrap(), campanile_client::Event::Error(_)) {}
    // What is kept is written before that.
    bench.clock.pass(2_000).await;
    bench.clock.wakes_at(start + 30_000).await;
    bench.clock.pass(28_000).await;
    bench.request().await.answer(200, vec![], page(&[], None));
    client.until(|shown| shown.state == State::Live && !shown.loading).await.unwrap();
}

#[tokio::test]
async fn a_time_without_end_ends_nobody() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let mut events = client.events().unwrap();
    let dial = bench.dial().await;
    let mut greeting = hello("alice", false);
    greeting["heartbeatMs"] = json!(u64::MAX);
    assert!(dial.send(greeting.to_string()).await);
    let refused = json!({"code": "overloaded", "status": 503});
    bench.request().await.answer(503, vec![("Retry-After", u64::MAX.to_string())], refused);
    while !matches!(events.recv().await.unwrap(), campanile_client::Event::Error(_)) {}
    client.read("alice-7").await.unwrap();
    assert_eq!(client.snapshot().state, State::Live);
}

#[tokio::test]
async fn a_clock_that_is_far_ahead_asks_for_no_token_every_few_seconds() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (past, reasons) = (bench.clock.now() - 3_600_000, Arc::clone(&asked));
    let source = TokenSource::callback(move |reason| {
        let mut reasons = reasons.lock().unwrap();
        reasons.push(reason);
        std::future::ready(Ok::<_, Error>(token::unsigned("alice", past, reasons.len() as u64)))
    });
    let client = bench.builder().workspace("demo").token(source).connect().unwrap().0;
    let mut dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    bench.clock.pass(20_000).await;
    client.read("alice-7").await.unwrap();
    let frame = dial.frames.recv().await.unwrap();
    assert!(frame.contains("alice-7"), "a token is told: {}", frame.contains("refresh"));
    assert_eq!(*asked.lock().unwrap(), [TokenReason::Initial]);
    // The server says when it is over.
    dial.close(4003, "token expired").await;
    client.until(|shown| shown.state == State::Waiting).await.unwrap();
    bench.clock.pass(1_000).await;
    let _dial = bench.dial().await;
    assert_eq!(*asked.lock().unwrap(), [TokenReason::Initial, TokenReason::Expired]);
}
