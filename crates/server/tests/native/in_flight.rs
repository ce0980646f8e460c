//! Commands that have no answer yet.

use std::sync::{Arc, OnceLock};

use campanile_store::Store;
use campanile_testkit::{Options, TestServer};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use super::{Native, number};
use crate::conformance::{ONE_SHARD, caught_up, secs};
use crate::handover::{Pauses, Pausing};

/// Marks one entry read and unread in turns.
async fn say_marks(alice: &mut Native, id: &str, numbers: std::ops::Range<u64>) {
    for nth in numbers {
        let action = if nth % 2 == 0 { "read" } else { "unread" };
        alice
            .say(json!({"action": action, "id": id, "key": format!("k{nth}"), "ref": nth.to_string()}))
            .await;
    }
}

/// The next answer to a command.
async fn answer(alice: &mut Native) -> Value {
    loop {
        let frame = alice.client.json().await;
        if !matches!(frame["type"].as_str(), Some("receipts" | "heartbeat")) {
            return frame;
        }
    }
}

async fn hear_oks(alice: &mut Native, numbers: std::ops::Range<u64>) {
    for nth in numbers {
        let ok = answer(alice).await;
        assert_eq!((&ok["type"], &ok["ref"]), (&json!("ok"), &json!(nth.to_string())), "{ok}");
        assert_eq!((&ok["changed"], number(&ok, "unread")), (&json!(true), nth % 2), "{ok}");
    }
}

#[tokio::test]
async fn two_hundred_at_once_are_all_answered_in_order() {
    let server = TestServer::start().await;
    let id = server.notify("acme", "alice", "one").await;
    let mut alice = Native::open(&server, "alice", "").await;
    say_marks(&mut alice, &id, 0..200).await;
    // So many messages may come at once, and then 20 a second.
    hear_oks(&mut alice, 0..128).await;
    server.pass(secs(4)).await;
    hear_oks(&mut alice, 128..200).await;
    let page = server.get("/v1/workspaces/acme/inbox", &server.token("alice").sign()).await.json();
    assert_eq!((number(&page, "unread"), number(&page, "rev")), (1, 200), "{page}");
}

static PAUSES: Pauses = OnceLock::new();

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_thirty_two_without_an_answer_nothing_is_read() {
    let wrap = |inner| -> Arc<dyn Store> {
        Arc::new(Pausing { inner, pauses: &PAUSES, writes: |_| true, before_writes: false })
    };
    let config = ONE_SHARD.to_owned();
    let server =
        TestServer::with(Options { config, memory: true, wrap: Some(wrap), ..Options::default() }).await;
    let id = server.notify("acme", "alice", "one").await;
    let mut alice = Native::open(&server, "alice", "").await;
    let mut witness = server.product("witness").await;
    let (pauses, paused) = mpsc::channel(64);
    *PAUSES.get_or_init(Mutex::default).lock().await = Some(pauses);

    say_marks(&mut alice, &id, 0..31).await;
    alice.say(json!({"action": "ping", "ref": "early"})).await;
    let pong = answer(&mut alice).await;
    assert_eq!((&pong["type"], &pong["ref"]), (&json!("pong"), &json!("early")), "31 leave room");
    say_marks(&mut alice, &id, 31..32).await;
    alice.say(json!({"action": "ping", "ref": "late"})).await;
    say_marks(&mut alice, &id, 32..40).await;
    // The shard has had time for all of it; an answer to the ping would be the first to come.
    caught_up(&mut witness).await;

    // Whatever waits goes on.
    *PAUSES.get_or_init(Mutex::default).lock().await = None;
    drop(paused);
    let first = answer(&mut alice).await;
    assert_eq!(first["type"], "ok", "{first}");
    let mut answered = vec![first];
    while answered.len() < 41 {
        answered.push(answer(&mut alice).await);
    }
    let mut refs: Vec<_> = answered.iter().map(|frame| frame["ref"].as_str().unwrap().to_owned()).collect();
    refs.sort_unstable();
    let mut all: Vec<_> = (0..40).map(|nth| nth.to_string()).chain(["late".to_owned()]).collect();
    all.sort_unstable();
    assert_eq!(refs, all, "each once, and none is lost");
}
