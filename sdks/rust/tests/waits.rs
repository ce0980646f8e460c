//! When a client comes back: as it was told before the socket, and by the inbox.

use campanile_client::{Clock, MemoryStorage, State};
use serde_json::json;

use crate::bench::{Bench, hello, page};

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
