//! What is shown by the time that a call or an event says that something happened.

use std::sync::mpsc;
use std::time::Duration;

use campanile_client::{Change, Error, Event, MemoryStorage, Snapshot, State, TokenSource};
use serde_json::json;

use crate::bench::{Bench, hello, page};

#[tokio::test]
async fn who_was_answered_sees_what_came_of_it() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.read("alice-7").await.unwrap();
    assert_eq!((client.snapshot().unread, client.snapshot().pending), (0, 1));
    client.disconnect().await.unwrap();
    assert_eq!(client.snapshot().state, State::Idle);
    client.connect().await.unwrap();
    assert_eq!(client.snapshot().state, State::Connecting);
    client.offline().await.unwrap();
    assert_eq!(client.snapshot().state, State::Suspended);
    // Nobody who comes next is shown what was alice's.
    let never = TokenSource::callback(|_| std::future::pending::<Result<String, Error>>());
    client.update(Change::default().token(never)).await.unwrap();
    assert_eq!((client.snapshot().items.len(), client.snapshot().user.clone()), (0, None));
    drop(dial);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hears_of_an_entry_sees_it() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let mut events = client.events().unwrap();
    let dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    let told = tokio::spawn({
        let client = client.clone();
        async move {
            let mut late = 0;
            for _ in 0..1_000 {
                let item = loop {
                    if let Event::Notification { item, .. } = events.recv().await.unwrap() {
                        break item;
                    }
                };
                let shown = client.snapshot();
                late += u64::from(!shown.items.iter().any(|one| one.id == item.id));
            }
            late
        }
    });
    for seq in 8..1_008_u64 {
        let item = json!({"seq": seq, "id": seq.to_string(), "title": "T", "message": "", "type": "info"});
        assert!(dial.send(json!({"type": "notification", "seq": seq, "item": item}).to_string()).await);
    }
    assert_eq!(told.await.unwrap(), 0, "so many were not shown yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_at_what_is_shown_holds_up_nobody() {
    let bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    client.until(|shown| shown.state == State::Connecting).await.unwrap();
    let (begin, begun) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let other = client.clone();
    let acts = tokio::task::spawn_blocking(move || {
        begun.recv().unwrap();
        let runtime = tokio::runtime::Handle::current();
        runtime.block_on(other.disconnect()).unwrap();
        runtime.block_on(other.until(|shown| shown.state == State::Idle)).unwrap();
        tell.send(()).unwrap();
    });
    let looks = tokio::task::spawn_blocking(move || {
        let (note, noted) = mpsc::channel();
        let shows = |_: &Snapshot| {
            begin.send(()).unwrap();
            note.send(told.recv_timeout(Duration::from_secs(10))).unwrap();
            true
        };
        tokio::runtime::Handle::current().block_on(client.until(shows)).unwrap();
        noted.recv().unwrap()
    });
    assert!(looks.await.unwrap().is_ok(), "nothing was shown meanwhile");
    acts.await.unwrap();
}

#[tokio::test]
async fn numbers_without_end_end_nobody() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let dial = bench.dial().await;
    let mut greeting = hello("alice", false);
    for name in ["seq", "head", "rev", "unread", "unseen"] {
        greeting[name] = json!(u64::MAX);
    }
    greeting["expiresAt"] = json!("2026-01-01T18446744073709551615:00:00Z");
    assert!(dial.send(greeting.to_string()).await);
    bench.request().await.answer(200, vec![], page(&[], None));
    let beat =
        json!({"type": "heartbeat", "seq": u64::MAX, "head": u64::MAX, "rev": u64::MAX, "unread": u64::MAX});
    assert!(dial.send(beat.to_string()).await);
    let item = json!({"id": "x", "title": "T", "message": "", "type": "info"});
    assert!(dial.send(json!({"type": "notification", "seq": u64::MAX, "item": item}).to_string()).await);
    client.unread("x").await.unwrap();
    client.read_all().await.unwrap();
    assert_eq!(client.snapshot().state, State::Live);
}
