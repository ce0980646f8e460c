//! What is kept across restarts, and what is not.

use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use campanile_client::{
    Campanile, Change, Clock, Error, Event, Events, FileStorage, MemoryStorage, State, Storage, Surface,
    TokenSource,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::bench::{Bench, files, hello};

#[tokio::test]
async fn a_restarted_client_shows_what_it_had_resumes_and_sends_what_waited() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(FileStorage::open(directory.path()).unwrap()).await;
    let first = bench.client("alice");
    let dial = bench.greet("alice").await;
    first.until(|shown| shown.items.len() == 1).await.unwrap();
    dial.fault("cut").await;
    first.until(|shown| shown.state == State::Waiting).await.unwrap();
    first.read("alice-7").await.unwrap();
    let position = first.leave().await.unwrap().unwrap();
    assert_eq!((position.epoch.as_deref(), position.seq, position.rev), (Some("e"), 7, 3));
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("eyJ"), "a token is kept");
    }

    let second = bench.client("alice");
    let shown = second.until(|shown| shown.items.len() == 1).await.unwrap();
    assert_eq!((shown.unread, shown.pending, shown.items[0].read), (0, 1, true));
    let mut dial = bench.dial().await;
    assert_eq!((dial.query["since"].as_str(), dial.query["rev"].as_str()), ("7", "3"));
    assert!(dial.send(hello("alice", true).to_string()).await);
    let frame: Value = serde_json::from_str(&dial.frames.recv().await.unwrap()).unwrap();
    assert_eq!((&frame["action"], &frame["id"]), (&json!("read"), &json!("alice-7")));
}

#[tokio::test]
async fn nobody_sees_what_was_kept_of_another_and_close_erases_it() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let alice = bench.client("alice");
    let _dial = bench.greet("alice").await;
    alice.until(|shown| shown.items.len() == 1).await.unwrap();
    alice.leave().await.unwrap();

    let bob = bench.client("bob");
    let _dial = bench.greet("bob").await;
    let shown = bob.until(|shown| shown.items.len() == 1).await.unwrap();
    assert_eq!(shown.items[0].id, "bob-7");
    bob.close().await.unwrap();
    assert_eq!((bob.snapshot().state, bob.snapshot().items.len()), (State::Closed, 0));

    let bob = bench.client("bob");
    let dial = bench.dial().await;
    assert_eq!(dial.query.get("since"), None, "what was erased is not resumed");
    drop((bob, dial));
    let alice = bench.client("alice");
    let dial = bench.dial().await;
    assert_eq!(dial.query["since"], "7", "another's is untouched");
    drop(alice);
}

#[tokio::test]
async fn close_erases_every_place_of_its_user_connected_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(FileStorage::open(directory.path()).unwrap()).await;
    // Alice in two workspaces and on another surface, and bob.
    let bob = bench.client("bob");
    let _dial = bench.greet("bob").await;
    bob.until(|shown| shown.items.len() == 1).await.unwrap();
    bob.leave().await.unwrap();
    for never_connects in [true, false] {
        let alice = bench.client("alice");
        let _dial = bench.greet("alice").await;
        alice.until(|shown| shown.items.len() == 1).await.unwrap();
        alice.update(Change::default().workspace("other")).await.unwrap();
        let _dial = bench.greet("alice").await;
        alice.until(|shown| shown.items.len() == 1).await.unwrap();
        let product =
            bench.builder().surface(Surface::Product).token(bench.token("alice")).connect().unwrap().0;
        product.read("alice-7").await.unwrap();
        let dial = bench.dial().await;
        assert!(dial.send(json!({"type": "CONNECTION_ESTABLISHED", "userId": "alice"}).to_string()).await);
        product.until(|shown| shown.state == State::Live).await.unwrap();
        product.leave().await.unwrap();
        if never_connects {
            alice.leave().await.unwrap();
            assert_eq!(files(&directory), 4);
            bench.builder().token(bench.token("alice")).connect().unwrap().0.close().await.unwrap();
        } else {
            alice.close().await.unwrap();
        }
        assert_eq!(files(&directory), 1, "bob's");
    }
}

#[tokio::test]
async fn who_has_no_connection_any_more_is_signed_out_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(FileStorage::open(directory.path()).unwrap()).await;
    let token = bench.token("alice");
    let source = TokenSource::callback(move |_| std::future::ready(Ok::<_, Error>(token.clone())));
    let alice = bench.builder().workspace("demo").token(source).connect().unwrap().0;
    let _dial = bench.greet("alice").await;
    alice.until(|shown| shown.items.len() == 1).await.unwrap();
    alice.read("alice-7").await.unwrap();
    alice.disconnect().await.unwrap();
    alice.close().await.unwrap();
    assert_eq!(files(&directory), 0);
}

#[tokio::test]
async fn a_live_client_that_gets_another_users_token_begins_anew() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let mut first = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.update(Change::default().token(bench.token("bob"))).await.unwrap();
    let _second = bench.greet("bob").await;
    let shown =
        client.until(|shown| shown.user.as_deref() == Some("bob") && !shown.items.is_empty()).await.unwrap();
    assert!(shown.items.iter().all(|item| item.id == "bob-7"));
    assert!(first.closed.take().unwrap().await.is_ok());
    assert!(first.frames.try_recv().is_err(), "bob's token was told to alice's connection");
}

#[tokio::test]
async fn a_slow_reader_of_events_is_told_and_stops_nobody() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let mut events = client.events().unwrap();
    let dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    for seq in 8..8 + 5_000_u64 {
        let item = json!({"seq": seq, "id": seq.to_string(), "title": "T", "message": "", "type": "info"});
        assert!(dial.send(json!({"type": "notification", "seq": seq, "item": item}).to_string()).await);
    }
    client.until(|shown| shown.unread == 5_001).await.unwrap();
    let mut lagged = false;
    let mut newest = 0;
    while newest < 5_007 {
        match events.recv().await.unwrap() {
            Event::Lagged(missed) => lagged |= missed > 0,
            Event::Notification { item, position } => {
                assert_eq!(position.map(|position| position.seq), item.seq);
                newest = item.seq.unwrap();
            }
            _ => {}
        }
    }
    assert!(lagged);
}

#[tokio::test]
async fn a_token_that_does_not_say_whose_it_is_shows_nothing_until_the_server_does() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    dial.fault("cut").await;
    client.until(|shown| shown.state == State::Waiting).await.unwrap();
    client.update(Change::default().token("opaque")).await.unwrap();
    let dial = bench.dial().await;
    assert_eq!(dial.query.get("since"), None, "another's place is told to nobody");
    let shown = client.snapshot();
    assert!(shown.items.is_empty() && shown.user.is_none());
    assert!(dial.send(hello("bob", false).to_string()).await);
    client.until(|shown| shown.user.as_deref() == Some("bob")).await.unwrap();
}

/// What it answers waits until the test lets it go, once or, as it drops the means to that, for ever.
pub(crate) struct Gated {
    inner: MemoryStorage,
    gate: Mutex<mpsc::Receiver<()>>,
    /// How often something was written.
    pub(crate) written: watch::Sender<u64>,
}

impl Gated {
    pub(crate) fn new() -> (Self, mpsc::Sender<()>) {
        let (open, gate) = mpsc::channel();
        let written = watch::Sender::new(0);
        (Self { inner: MemoryStorage::default(), gate: Mutex::new(gate), written }, open)
    }
}

impl Storage for Gated {
    fn get(&self, name: &str) -> io::Result<Option<String>> {
        let _ = self.gate.lock().unwrap().recv();
        self.inner.get(name)
    }

    fn set(&self, name: &str, text: &str) -> io::Result<()> {
        self.inner.set(name, text)?;
        self.written.send_modify(|count| *count += 1);
        Ok(())
    }

    fn erase(&self, prefix: &str) -> io::Result<()> {
        self.inner.erase(prefix)
    }
}

/// How many actions wait of alice in this workspace, as another client finds them.
pub(crate) async fn waiting(bench: &Bench, workspace: &str) -> usize {
    let client = bench.builder().workspace(workspace).token(bench.token("alice")).connect().unwrap().0;
    // What is kept is read before it leaves.
    client.read("last").await.unwrap();
    let shown = client.until(|shown| shown.pending > 1);
    tokio::time::timeout(Duration::from_secs(10), shown).await.expect("nothing was kept").unwrap().pending
}

#[tokio::test]
async fn what_is_done_while_the_storage_is_read_is_kept() {
    let (storage, open) = Gated::new();
    let bench = Bench::new(storage).await;
    let client = bench.client("alice");
    client.read("one").await.unwrap();
    client.archive("two").await.unwrap();
    let left = tokio::spawn(async move { client.leave().await });
    open.send(()).unwrap();
    left.await.unwrap().unwrap();
    drop(open);
    assert_eq!(waiting(&bench, "demo").await, 3);
}

#[tokio::test]
async fn what_is_done_before_another_takes_over_is_kept_of_who_did_it() {
    let (storage, open) = Gated::new();
    let bench = Bench::new(storage).await;
    let client = bench.client("alice");
    client.read("one").await.unwrap();
    client.update(Change::default().workspace("other")).await.unwrap();
    client.archive("two").await.unwrap();
    client.update(Change::default().without_token()).await.unwrap();
    client.until(|shown| shown.state == State::Idle).await.unwrap();
    let left = tokio::spawn(async move { client.leave().await });
    drop(open);
    left.await.unwrap().unwrap();
    assert_eq!((waiting(&bench, "demo").await, waiting(&bench, "other").await), (2, 2));
}

#[tokio::test]
async fn what_is_done_at_rest_is_kept_of_whom_the_token_or_the_program_names() {
    let bench = Bench::new(MemoryStorage::default()).await;
    let never = TokenSource::callback(|_| std::future::pending::<Result<String, Error>>());
    for (workspace, token) in [("other", bench.token("alice").into()), ("third", never)] {
        let builder = bench.builder().workspace("demo").user("alice").token(token);
        let client = builder.connect().unwrap().0;
        client.disconnect().await.unwrap();
        client.update(Change::default().workspace(workspace)).await.unwrap();
        client.read("one").await.unwrap();
        client.leave().await.unwrap();
        assert_eq!(waiting(&bench, workspace).await, 2);
    }
}

/// Its first write fails, once the test drops what holds it up.
struct FailsOnce {
    inner: MemoryStorage,
    gate: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Storage for FailsOnce {
    fn get(&self, name: &str) -> io::Result<Option<String>> {
        self.inner.get(name)
    }

    fn set(&self, name: &str, text: &str) -> io::Result<()> {
        let Some(gate) = self.gate.lock().unwrap().take() else { return self.inner.set(name, text) };
        let _ = gate.recv();
        Err(io::Error::other("full"))
    }

    fn erase(&self, prefix: &str) -> io::Result<()> {
        self.inner.erase(prefix)
    }
}

#[tokio::test]
async fn who_leaves_is_told_what_could_not_be_kept_though_another_thing_could() {
    let (open, gate) = mpsc::channel();
    let storage = FailsOnce { inner: MemoryStorage::default(), gate: Mutex::new(Some(gate)) };
    let mut bench = Bench::new(storage).await;
    let client = bench.client("alice");
    let _dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.read("alice-7").await.unwrap();
    client.update(Change::default().workspace("other")).await.unwrap();
    let dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.read("alice-7").await.unwrap();
    let left = tokio::spawn(async move { client.leave().await });
    dial.closed.unwrap().await.unwrap();
    drop(open);
    assert!(matches!(left.await.unwrap(), Err(Error::StorageFailed(_))));
}

#[tokio::test]
async fn what_was_done_before_who_did_it_came_back_is_written_with_what_was_read() {
    let (storage, open) = Gated::new();
    let mut written = storage.written.subscribe();
    let bench = Bench::new(storage).await;
    let client = bench.client("alice");
    client.read("one").await.unwrap();
    for workspace in ["other", "demo"] {
        client.update(Change::default().workspace(workspace)).await.unwrap();
    }
    // By no later action, and by nobody who leaves.
    client.disconnect().await.unwrap();
    drop(open);
    let kept = tokio::time::timeout(Duration::from_secs(10), written.wait_for(|count| *count > 0)).await;
    assert!(kept.is_ok(), "it is not written");
}

/// Leaves in the storage what alice had as of the entry at 7, and that she then archived it.
async fn archived(bench: &mut Bench) {
    let client = bench.client("alice");
    let _dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.disconnect().await.unwrap();
    client.archive("alice-7").await.unwrap();
    client.leave().await.unwrap();
}

/// A client of alice whose storage took too long, and the means to let it go on.
async fn overdue() -> (Bench, Campanile, Events, mpsc::Sender<()>) {
    let (storage, open) = Gated::new();
    open.send(()).unwrap();
    let mut bench = Bench::new(storage).await;
    archived(&mut bench).await;
    let client = bench.client("alice");
    let mut events = client.events().unwrap();
    let at = bench.clock.now() + 2_000;
    bench.clock.wakes_at(at).await;
    bench.clock.advance(2_000);
    let told = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Event::Error(error) = events.recv().await.unwrap() {
                return error;
            }
        }
    });
    let error = told.await.expect("nobody is told");
    assert!(matches!(&*error, Error::StorageFailed(cause) if cause.kind() == io::ErrorKind::TimedOut));
    (bench, client, events, open)
}

#[tokio::test]
async fn a_place_that_comes_before_the_greeting_is_gone_on_from() {
    let (mut bench, client, _events, open) = overdue().await;
    let _first = bench.dial().await;
    drop(open);
    let dial = bench.dial().await;
    assert_eq!(dial.query.get("since").map(String::as_str), Some("7"));
    assert!(dial.send(hello("alice", true).to_string()).await);
    client.until(|shown| shown.state == State::Live).await.unwrap();
}

#[tokio::test]
async fn what_a_place_that_comes_too_late_missed_is_told_and_nothing_newer_is_undone() {
    let (mut bench, client, mut events, open) = overdue().await;
    let mut dial = bench.dial().await;
    assert_eq!(dial.query.get("since"), None);
    let mut greeting = hello("alice", false);
    (greeting["seq"], greeting["head"]) = (json!(9), json!(9));
    assert!(dial.send(greeting.to_string()).await);
    let _asked = bench.request().await;
    client.unread("alice-7").await.unwrap();
    let sent: Value = serde_json::from_str(&dial.frames.recv().await.unwrap()).unwrap();
    assert_eq!(sent["action"], "unread");
    assert!(dial.send(json!({"type": "ok", "ref": sent["ref"], "changed": false}).to_string()).await);
    client.until(|shown| shown.pending == 0).await.unwrap();
    drop(open);
    let told = tokio::time::timeout(Duration::from_secs(10), async {
        while !matches!(events.recv().await.unwrap(), Event::Resync { .. }) {}
    });
    told.await.expect("nobody is told");
    client.read("more").await.unwrap();
    let sent: Value = serde_json::from_str(&dial.frames.recv().await.unwrap()).unwrap();
    assert_eq!(sent["id"], "more");
}

/// It can't be read so many times.
struct Unreadable {
    inner: MemoryStorage,
    failures: Arc<Mutex<u32>>,
}

impl Storage for Unreadable {
    fn get(&self, name: &str) -> io::Result<Option<String>> {
        let mut failures = self.failures.lock().unwrap();
        if *failures == 0 {
            return self.inner.get(name);
        }
        *failures -= 1;
        Err(io::Error::other("a fault"))
    }

    fn set(&self, name: &str, text: &str) -> io::Result<()> {
        self.inner.set(name, text)
    }

    fn erase(&self, prefix: &str) -> io::Result<()> {
        self.inner.erase(prefix)
    }
}

#[tokio::test]
async fn what_could_not_be_read_is_not_written_over() {
    let failures = Arc::new(Mutex::new(0));
    let storage = Unreadable { inner: MemoryStorage::default(), failures: Arc::clone(&failures) };
    let mut bench = Bench::new(storage).await;
    archived(&mut bench).await;
    // It is read again with the next connection, as something is done, and at the end; in vain here.
    *failures.lock().unwrap() = 1_000;
    let client = bench.client("alice");
    let mut dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.read("one").await.unwrap();
    assert!(dial.frames.recv().await.unwrap().contains("one"));
    assert!(matches!(client.leave().await, Err(Error::StorageFailed(_))));
    *failures.lock().unwrap() = 1;
    let client = bench.client("alice");
    let _dial = bench.dial().await;
    client.read("two").await.unwrap();
    let shown = tokio::time::timeout(Duration::from_secs(10), client.until(|shown| shown.pending == 2));
    shown.await.expect("it is lost").unwrap();
    client.leave().await.unwrap();
    assert_eq!(waiting(&bench, "demo").await, 3);
}

#[tokio::test]
async fn what_is_lost_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(FileStorage::open(directory.path()).unwrap()).await;
    archived(&mut bench).await;
    let file = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::write(file, [0xFF]).unwrap();
    let client = bench.client("alice");
    client.read("one").await.unwrap();
    client.leave().await.unwrap();
    assert_eq!(waiting(&bench, "demo").await, 2);
}
