//! Who hangs or panics holds nobody up: storages, token callbacks, servers.

use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use campanile_client::{
    Campanile, Change, Clock, Error, Event, Events, Filter, MemoryStorage, Snapshot, State, Storage,
    TokenReason, TokenSource,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::{mpsc as channel, oneshot};

use crate::bench::{Bench, hello};
use crate::clock::START;
use crate::kept::{Gated, waiting};

/// Panics, whatever is asked of it.
struct Broken;

impl Storage for Broken {
    fn get(&self, _name: &str) -> io::Result<Option<String>> {
        panic!("a fault of the storage")
    }

    fn set(&self, _name: &str, _text: &str) -> io::Result<()> {
        panic!("a fault of the storage")
    }

    fn erase(&self, _prefix: &str) -> io::Result<()> {
        panic!("a fault of the storage")
    }
}

/// The next failure that is told.
async fn failure(events: &mut Events) -> Arc<Error> {
    loop {
        let told = tokio::time::timeout(Duration::from_secs(10), events.recv()).await;
        if let Event::Error(error) = told.expect("nothing is told").unwrap() {
            return error;
        }
    }
}

#[tokio::test]
async fn a_storage_that_panics_has_failed() {
    let mut bench = Bench::new(Broken).await;
    let client = bench.client("alice");
    let mut events = client.events().unwrap();
    let _dial = bench.greet("alice").await;
    assert!(matches!(&*failure(&mut events).await, Error::StorageFailed(_)));
    client.read("alice-7").await.unwrap();
    assert!(matches!(&*failure(&mut events).await, Error::StorageFailed(_)));
    assert!(matches!(client.leave().await, Err(Error::StorageFailed(_))));
}

#[tokio::test]
async fn a_storage_that_hangs_is_waited_for_two_seconds_and_taken_in_whenever_it_comes() {
    let (storage, open) = Gated::new();
    let mut bench = Bench::new(storage).await;
    let client = bench.client("alice");
    bench.clock.wakes_at(START + 2_000).await;
    bench.clock.advance(2_000);
    let mut dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.read("alice-7").await.unwrap();
    assert!(dial.frames.recv().await.unwrap().contains("alice-7"));
    let left = tokio::spawn(async move { client.leave().await });
    drop(open);
    left.await.unwrap().unwrap();
    assert_eq!(bench.client("alice").until(|shown| shown.pending == 1).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn who_leaves_waits_for_five_seconds_and_what_was_done_is_kept_all_the_same() {
    let (storage, open) = Gated::new();
    let mut written = storage.written.subscribe();
    let bench = Bench::new(storage).await;
    let client = bench.client("alice");
    client.read("one").await.unwrap();
    let left = tokio::spawn(async move { client.leave().await });
    bench.clock.wakes_at(START + 5_000).await;
    bench.clock.advance(5_000);
    let error = left.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::StorageFailed(cause) if cause.kind() == io::ErrorKind::TimedOut));
    drop(open);
    written.wait_for(|count| *count > 0).await.unwrap();
    assert_eq!(waiting(&bench, "demo").await, 2);
}

/// It hangs in `erase`, until the means to go on is dropped.
struct NeverErases {
    inner: MemoryStorage,
    gate: Mutex<mpsc::Receiver<()>>,
}

impl Storage for NeverErases {
    fn get(&self, name: &str) -> io::Result<Option<String>> {
        self.inner.get(name)
    }

    fn set(&self, name: &str, text: &str) -> io::Result<()> {
        self.inner.set(name, text)
    }

    fn erase(&self, prefix: &str) -> io::Result<()> {
        let _ = self.gate.lock().unwrap().recv();
        self.inner.erase(prefix)
    }
}

#[tokio::test]
async fn who_closes_waits_for_five_seconds() {
    let (open, gate) = mpsc::channel();
    let storage = NeverErases { inner: MemoryStorage::default(), gate: Mutex::new(gate) };
    let bench = Bench::new(storage).await;
    let client = bench.client("alice");
    let closed = tokio::spawn(async move { client.close().await });
    bench.clock.wakes_at(START + 5_000).await;
    bench.clock.advance(5_000);
    assert!(matches!(closed.await.unwrap(), Err(Error::StorageFailed(_))));
    drop(open);
}

#[tokio::test]
async fn a_callback_that_panics_has_failed() {
    let bench = Bench::new(MemoryStorage::default()).await;
    let fault = || -> Result<String, Error> { panic!("a fault of the callback") };
    let token = TokenSource::callback(move |_| async move { fault() });
    let (_client, mut events) = bench.builder().workspace("demo").token(token).connect().unwrap();
    assert!(matches!(&*failure(&mut events).await, Error::TokenFailed(_)));
}

#[tokio::test]
async fn a_callback_that_is_late_has_failed_and_ends() {
    let bench = Bench::new(MemoryStorage::default()).await;
    let (ends, mut ended) = channel::channel::<()>(1);
    let token = TokenSource::callback(move |_| {
        let held = ends.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, Error>("never".to_owned())
        }
    });
    let builder = bench.builder().workspace("demo").token(token.clone());
    let (client, mut events) = builder.connect().unwrap();
    drop(token);
    client.until(|shown| shown.state == State::Connecting).await.unwrap();
    bench.clock.wakes_at(START + 30_000).await;
    bench.clock.advance(30_000);
    assert!(matches!(&*failure(&mut events).await, Error::TokenFailed(_)));
    client.update(Change::default().without_token()).await.unwrap();
    // Nobody holds the callback any more, unless it still runs.
    let over = tokio::time::timeout(Duration::from_secs(10), ended.recv()).await;
    assert!(matches!(over, Ok(None)), "it still runs");
}

#[tokio::test]
async fn a_server_that_never_answers_is_hung_up_on() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::new(MemoryStorage::default()).await;
    let environment =
        campanile_client::Environment { clock: Arc::new(bench.clock.clone()), random: Arc::new(|| 0.5) };
    let builder = Campanile::builder(format!("http://{}", silent.local_addr().unwrap()));
    let builder = builder.workspace("demo").token(bench.token("alice")).environment(environment);
    let (client, _events) = builder.connect().unwrap();
    let (mut socket, _) = silent.accept().await.unwrap();
    bench.clock.wakes_at(START + 10_000).await;
    bench.clock.advance(10_000);
    client.until(|shown| shown.state == State::Waiting).await.unwrap();
    let mut asked = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut asked)).await;
    assert!(read.is_ok(), "the socket is still open");
}

#[tokio::test]
async fn a_page_that_nobody_waits_for_any_more_is_not_asked_for() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    dial.fault("cut").await;
    client.until(|shown| shown.state == State::Waiting).await.unwrap();
    let filter = Filter { unread: false, archived: true };
    let asking = client.clone();
    let asked = tokio::spawn(async move { asking.load_more(filter).await });
    // Whatever was called before this is with the client by the time that it answers.
    tokio::task::yield_now().await;
    client.read("alice-7").await.unwrap();
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    client.retry().await.unwrap();
    let mut dial = bench.dial().await;
    assert!(dial.send(hello("alice", true).to_string()).await);
    assert!(dial.frames.recv().await.unwrap().contains("alice-7"));
    client.disconnect().await.unwrap();
    dial.closed.take().unwrap().await.unwrap();
    assert!(bench.server.requests.try_recv().is_err(), "it is asked for");
}

#[tokio::test]
async fn until_there_is_another_token_the_callback_is_told_that_the_former_has_expired() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (asks, mut asked) = channel::channel::<(TokenReason, oneshot::Sender<Option<String>>)>(1);
    let token = TokenSource::callback(move |reason| {
        let (give, given) = oneshot::channel();
        let _ = asks.try_send((reason, give));
        async move { given.await.unwrap_or_default().ok_or("no network") }
    });
    let client = bench.builder().workspace("demo").token(token).connect().unwrap().0;
    let (reason, give) = asked.recv().await.unwrap();
    assert_eq!(reason, TokenReason::Initial);
    let former = bench.token("alice");
    give.send(Some(former.clone())).unwrap();
    let dial = bench.greet("alice").await;
    dial.close(4003, "token expired").await;
    let shown = client.until(|shown| shown.state == State::Waiting).await.unwrap();
    come_back(&bench, &shown).await;
    for answer in [None, Some(former)] {
        let (reason, give) = asked.recv().await.unwrap();
        assert_eq!(reason, TokenReason::Expired);
        give.send(answer).unwrap();
        let shown = client.until(|shown| shown.state == State::Waiting).await.unwrap();
        come_back(&bench, &shown).await;
    }
    let (reason, _give) = asked.recv().await.unwrap();
    assert_eq!(reason, TokenReason::Expired);
}

/// Lets time pass until a client that waits comes back.
async fn come_back(bench: &Bench, shown: &Snapshot) {
    let at = shown.retry_at.unwrap();
    while bench.clock.now() < at {
        bench.clock.pass(at - bench.clock.now()).await;
    }
}

#[tokio::test]
async fn whoever_waits_for_a_page_as_the_client_ends_is_told_so_though_the_storage_hangs() {
    for closes in [true, false] {
        let (storage, open) = Gated::new();
        let bench = Bench::new(storage).await;
        let client = bench.client("alice");
        let asking = client.clone();
        let asked = tokio::spawn(async move { asking.load_more(Filter::default()).await });
        // Whatever was called before this is with the client by the time that it answers.
        tokio::task::yield_now().await;
        client.read("alice-7").await.unwrap();
        let ended = tokio::spawn(async move {
            if closes { client.close().await } else { client.leave().await.map(drop) }
        });
        let told = tokio::time::timeout(Duration::from_secs(10), asked).await;
        assert!(matches!(told.expect("it waits for ever").unwrap(), Err(Error::Closed)));
        drop(open);
        ended.await.unwrap().unwrap();
    }
}
