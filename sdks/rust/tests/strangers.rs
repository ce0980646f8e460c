//! What was done, or is to be resumed, where the server's word on whose it is comes late.

use campanile_client::{
    Campanile, Change, Clock, Error, Filter, MemoryStorage, Position, State, Surface, TokenSource,
};
use serde_json::{Value, json};

use crate::bench::{Bench, hello, page};
use crate::kept::Gated;
use crate::scripted::Dial;
use crate::token;

/// A client on the product surface whose tokens say nothing of a user.
fn opaque(bench: &Bench) -> Campanile {
    let builder = bench.builder().surface(Surface::Product).user("customer 4711").token("opaque");
    builder.connect().unwrap().0
}

fn established(user: &str) -> String {
    json!({"type": "CONNECTION_ESTABLISHED", "userId": user}).to_string()
}

/// The next frame that a client sent but for `PING`.
async fn frame(dial: &mut Dial) -> Value {
    serde_json::from_str(&dial.frames.recv().await.unwrap()).unwrap()
}

#[tokio::test]
async fn what_waits_of_another_user_of_the_same_name_is_not_sent() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = opaque(&bench);
    let dial = bench.dial().await;
    assert!(dial.send(established("alice")).await);
    client.until(|shown| shown.state == State::Live).await.unwrap();
    client.disconnect().await.unwrap();
    client.read("alices").await.unwrap();
    client.leave().await.unwrap();

    let client = opaque(&bench);
    client.until(|shown| shown.pending == 1).await.unwrap();
    // Bob has that name by now. The client hangs up, and comes back without what was alice's.
    let _alices = bench.dial().await.send(established("bob")).await;
    let mut dial = bench.dial().await;
    assert!(dial.send(established("bob")).await);
    client.until(|shown| shown.state == State::Live).await.unwrap();
    client.read("bobs").await.unwrap();
    assert_eq!(frame(&mut dial).await["id"], "bobs");
    assert_eq!(client.snapshot().user.as_deref(), Some("bob"));
}

#[tokio::test]
async fn what_comes_late_of_another_user_of_the_same_name_is_not_sent() {
    let (storage, open) = Gated::new();
    open.send(()).unwrap();
    let mut bench = Bench::new(storage).await;
    let client = opaque(&bench);
    let dial = bench.dial().await;
    assert!(dial.send(established("alice")).await);
    client.until(|shown| shown.state == State::Live).await.unwrap();
    client.disconnect().await.unwrap();
    client.read("alices").await.unwrap();
    client.leave().await.unwrap();

    let client = opaque(&bench);
    let at = bench.clock.now() + 2_000;
    bench.clock.wakes_at(at).await;
    bench.clock.advance(2_000);
    let mut dial = bench.dial().await;
    assert!(dial.send(established("bob")).await);
    client.until(|shown| shown.state == State::Live).await.unwrap();
    let mut written = {
        client.read("bobs").await.unwrap();
        assert_eq!(frame(&mut dial).await["id"], "bobs");
        client.snapshots()
    };
    drop(open);
    assert!(dial.send(json!({"type": "marked_read", "id": "bobs"}).to_string()).await);
    written.wait_for(|shown| shown.pending == 0).await.unwrap();
    client.read("more").await.unwrap();
    assert_eq!(frame(&mut dial).await["id"], "more");
}

#[tokio::test]
async fn a_newer_socket_of_another_user_takes_no_place() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    // What it says is when it ends, and not whose it is.
    let tokens = bench.clock.clone();
    let token = TokenSource::callback(move |_| {
        let token = token::nameless(tokens.now() + 60_000);
        std::future::ready(Ok::<_, Error>(token))
    });
    let client = bench.builder().surface(Surface::Product).token(token).connect().unwrap().0;
    let dial = bench.dial().await;
    assert!(dial.send(established("alice")).await);
    client.until(|shown| shown.state == State::Live).await.unwrap();
    assert!(dial.send(json!({"id": "alices", "message": "M", "type": "info"}).to_string()).await);
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.read("alices").await.unwrap();
    bench.clock.pass(30_000).await;
    let newer = bench.dial().await;
    let _taken = newer.send(established("bob")).await;
    let mut dial = bench.dial().await;
    assert!(dial.send(established("bob")).await);
    let shown = client.until(|shown| shown.user.as_deref() == Some("bob")).await.unwrap();
    assert_eq!((shown.items.len(), shown.pending), (0, 0));
    client.read("bobs").await.unwrap();
    assert_eq!(frame(&mut dial).await["id"], "bobs");
}

#[tokio::test]
async fn a_place_in_a_log_that_is_gone_marks_nothing_in_another_one() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let dial = bench.dial().await;
    assert!(dial.send(hello("alice", false).to_string()).await);
    // The list was not read yet: nothing of it is kept, but for what was done.
    let _asked = bench.request().await;
    dial.fault("cut").await;
    client.until(|shown| shown.state == State::Waiting).await.unwrap();
    client.read_all().await.unwrap();
    client.archive("an-entry").await.unwrap();
    client.leave().await.unwrap();

    let again = bench.client("alice");
    again.until(|shown| shown.pending == 2).await.unwrap();
    let mut dial = bench.dial().await;
    let mut restored = hello("alice", false);
    restored["epoch"] = json!("another");
    assert!(dial.send(restored.to_string()).await);
    assert_eq!(frame(&mut dial).await["action"], "archive");
}

#[tokio::test]
async fn what_is_done_before_anybody_is_known_is_refused_and_not_lost_without_a_word() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.builder().workspace("demo").token("opaque").connect().unwrap().0;
    assert!(matches!(client.read("one").await, Err(Error::Missing(_))));
    let mut dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.read("alice-7").await.unwrap();
    assert_eq!(frame(&mut dial).await["id"], "alice-7");
}

/// Where it was told to go on from.
fn position() -> Position {
    Position { epoch: Some("e".into()), seq: 5, rev: 1 }
}

#[tokio::test]
async fn a_place_to_go_on_from_holds_for_the_first_token_whosever_it_is() {
    for renewable in [true, false] {
        let mut bench = Bench::new(MemoryStorage::default()).await;
        let token = bench.token("bob");
        let token = if renewable {
            TokenSource::callback(move |_| std::future::ready(Ok::<_, Error>(token.clone())))
        } else {
            token.into()
        };
        let builder = bench.builder().workspace("demo").user("alice").resume(position()).token(token);
        let client = builder.connect().unwrap().0;
        let dial = bench.dial().await;
        assert_eq!(dial.query.get("since").map(String::as_str), Some("5"));
        assert!(dial.send(hello("bob", true).to_string()).await);
        client.until(|shown| shown.user.as_deref() == Some("bob")).await.unwrap();
        // Once: it is no place of another workspace.
        client.update(Change::default().workspace("other")).await.unwrap();
        assert_eq!(bench.dial().await.query.get("since"), None);
    }
}

#[tokio::test]
async fn there_is_more_to_load_once_it_is_known_whose_list_it_is() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.builder().workspace("demo").token("opaque").resume(position()).connect().unwrap().0;
    let dial = bench.dial().await;
    let shown = client.snapshot();
    assert!(!shown.has_more && !shown.list(Filter { unread: true, archived: true }).has_more);
    assert!(dial.send(hello("alice", true).to_string()).await);
    assert!(client.until(|shown| shown.state == State::Live).await.unwrap().has_more);
    bench.request().await.answer(200, vec![], page(&[], None));
    client.until(|shown| !shown.has_more).await.unwrap();

    let client = bench.client("alice");
    let _dial = bench.dial().await;
    assert!(client.snapshot().has_more, "its token says so");
    client.update(Change::default().without_token()).await.unwrap();
    assert!(!client.snapshot().has_more);
}

#[tokio::test]
async fn a_token_that_is_given_and_refused_is_not_told_again() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let client = bench.client("alice");
    let mut dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    let another = token::unsigned("alice", 1, 2);
    client.update(Change::default().token(another)).await.unwrap();
    let told = frame(&mut dial).await;
    assert_eq!(told["action"], "refresh");
    let mut events = client.events().unwrap();
    assert!(
        dial.send(json!({"type": "error", "code": "token_expired", "ref": told["ref"]}).to_string()).await
    );
    assert!(matches!(events.recv().await.unwrap(), campanile_client::Event::Error(_)));
    bench.clock.pass(20_000).await;
    client.read("alice-7").await.unwrap();
    assert_eq!(frame(&mut dial).await["action"], "read");
}

#[tokio::test]
async fn where_nobody_says_whose_it_is_another_token_shows_nothing_of_the_former() {
    for says_so in [false, true] {
        let mut bench = Bench::new(MemoryStorage::default()).await;
        let builder = bench.builder().workspace("demo").surface(Surface::Workspace).token("opaque-a");
        let client = builder.connect().unwrap().0;
        let dial = bench.dial().await;
        client.until(|shown| shown.state == State::Live).await.unwrap();
        assert!(dial.send(json!({"id": "alices", "message": "M", "type": "info"}).to_string()).await);
        client.until(|shown| shown.items.len() == 1).await.unwrap();
        dial.fault("cut").await;
        client.until(|shown| shown.state == State::Waiting).await.unwrap();
        client.read("alices").await.unwrap();
        let another = if says_so { bench.token("bob") } else { "opaque-b".to_owned() };
        client.update(Change::default().token(another)).await.unwrap();
        let shown = client.snapshot();
        assert_eq!((shown.items.len(), shown.pending), (0, 0));
        let mut dial = bench.dial().await;
        client.until(|shown| shown.state == State::Live).await.unwrap();
        client.read("bobs").await.unwrap();
        assert_eq!(frame(&mut dial).await["id"], "bobs");
    }
}
