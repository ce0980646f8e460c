//! Whose the list is: other users, and tokens that say something else than the program does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use campanile_client::{
    Campanile, Change, Clock, Error, Event, Events, FileStorage, Filter, MemoryStorage, State, TokenReason,
    TokenSource,
};
use serde_json::json;

use crate::bench::{Bench, files, hello, page};
use crate::scripted::Dial;

type User = Arc<Mutex<Option<&'static str>>>;

/// A callback whose tokens are of whoever stands here; of nobody, it gives none.
fn callback(bench: &Bench, user: &User) -> TokenSource {
    let tokens = ["alice", "bob"].map(|user| (user, bench.token(user)));
    let user = Arc::clone(user);
    TokenSource::callback(move |_| {
        let user = *user.lock().unwrap();
        let token = tokens.iter().find(|(of, _)| Some(*of) == user).map(|(_, token)| token.clone());
        std::future::ready(Ok::<_, Error>(token))
    })
}

fn of(user: &'static str) -> User {
    Arc::new(Mutex::new(Some(user)))
}

/// The ids and users that a client shows from now on.
fn shown_by(client: &Campanile) -> tokio::task::JoinHandle<BTreeSet<String>> {
    let mut snapshots = client.snapshots();
    tokio::spawn(async move {
        let mut shown = BTreeSet::new();
        loop {
            {
                let snapshot = snapshots.borrow_and_update();
                shown.extend(snapshot.items.iter().map(|item| item.id.clone()));
                shown.extend(snapshot.user.clone());
            }
            if snapshots.changed().await.is_err() {
                return shown;
            }
        }
    })
}

/// A client of alice, named as such, that is live. Its tokens come from a callback if a user is given.
async fn alices(bench: &mut Bench, user: Option<&User>) -> (Campanile, Dial) {
    let token = user.map_or_else(|| bench.token("alice").into(), |user| callback(bench, user));
    let client = bench.builder().workspace("demo").user("alice").token(token).connect().unwrap().0;
    let dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    (client, dial)
}

/// Answers as bob's server: the client begins anew, and has shown nothing of alice.
async fn becomes_bobs(
    bench: &mut Bench,
    client: Campanile,
    shown: tokio::task::JoinHandle<BTreeSet<String>>,
) {
    let _dial = bench.greet("bob").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.leave().await.unwrap();
    drop(client);
    assert!(shown.await.unwrap().into_iter().eq(["bob", "bob-7"]));
}

#[tokio::test]
async fn who_is_named_sees_what_is_kept_before_there_is_a_token() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, _dial) = alices(&mut bench, None).await;
    client.leave().await.unwrap();
    let never = TokenSource::callback(|_| std::future::pending::<Result<String, Error>>());
    let again = bench.builder().workspace("demo").user("alice").token(never).connect().unwrap().0;
    let shown = again.until(|shown| shown.items.len() == 1).await.unwrap();
    assert_eq!((shown.state, shown.user.as_deref()), (State::Connecting, Some("alice")));
    // Whom nobody names sees nothing.
    let never = TokenSource::callback(|_| std::future::pending::<Result<String, Error>>());
    let nobody = bench.builder().workspace("demo").token(never).connect().unwrap().0;
    nobody.until(|shown| shown.state == State::Connecting).await.unwrap();
    assert!(nobody.snapshot().items.is_empty());
}

#[tokio::test]
async fn a_name_of_the_programs_own_is_no_other_user() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let named = |bench: &Bench| {
        let builder = bench.builder().workspace("demo").user("customer 4711").token("opaque");
        builder.connect().unwrap().0
    };
    let client = named(&bench);
    let _dial = bench.greet("alice").await;
    let shown = client.until(|shown| shown.items.len() == 1).await.unwrap();
    assert_eq!(shown.user.as_deref(), Some("alice"));
    client.leave().await.unwrap();
    let again = named(&bench);
    let dial = bench.dial().await;
    assert_eq!(dial.query["since"], "7");
    again.until(|shown| shown.items.len() == 1).await.unwrap();
    // Of another one than was kept it asks anew, and hangs up.
    let _taken = dial.send(hello("bob", true).to_string()).await;
    let _dial = bench.greet("bob").await;
    let shown =
        again.until(|shown| shown.user.as_deref() == Some("bob") && shown.items.len() == 1).await.unwrap();
    assert_eq!(shown.items[0].id, "bob-7");
}

#[tokio::test]
async fn a_token_of_another_user_than_the_one_that_is_named_shows_neither() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(FileStorage::open(directory.path()).unwrap()).await;
    let (client, _dial) = alices(&mut bench, None).await;
    client.leave().await.unwrap();
    let token = bench.token("bob");
    let client = bench.builder().workspace("demo").user("alice").token(token).connect().unwrap().0;
    let shown = shown_by(&client);
    becomes_bobs(&mut bench, client, shown).await;
    assert_eq!(files(&directory), 2, "alice's, and what is under both names");
    // Signing out under both names leaves what is under one.
    let token = bench.token("bob");
    let client = bench.builder().workspace("demo").user("alice").token(token).connect().unwrap().0;
    client.close().await.unwrap();
    assert_eq!(files(&directory), 1);
}

#[tokio::test]
async fn without_a_token_it_is_idle_and_what_is_still_said_holds_for_no_other_one() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, mut dial) = alices(&mut bench, None).await;
    client.update(Change::default().without_token()).await.unwrap();
    let shown = client.until(|shown| shown.state == State::Idle).await.unwrap();
    assert_eq!((shown.items.len(), shown.unread, shown.user.as_deref()), (0, 0, None));
    assert!(dial.closed.take().unwrap().await.is_ok());
    assert!(matches!(client.read("alice-7").await, Err(Error::Missing(_))));
    let shown = shown_by(&client);
    client.update(Change::default().token(callback(&bench, &of("bob")))).await.unwrap();
    becomes_bobs(&mut bench, client, shown).await;
}

#[tokio::test]
async fn who_comes_back_with_a_token_has_what_was_kept() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, _dial) = alices(&mut bench, None).await;
    client.update(Change::default().without_token()).await.unwrap();
    client.until(|shown| shown.state == State::Idle).await.unwrap();
    client.update(Change::default().token(bench.token("alice"))).await.unwrap();
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    assert_eq!(bench.dial().await.query["since"], "7");
}

#[tokio::test]
async fn a_callback_that_gives_no_token_any_more_took_it_away_too() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let user = of("alice");
    let (client, dial) = alices(&mut bench, Some(&user)).await;
    *user.lock().unwrap() = None;
    dial.fault("cut").await;
    client.until(|shown| shown.state == State::Waiting).await.unwrap();
    client.retry().await.unwrap();
    let shown = client.until(|shown| shown.state == State::Idle).await.unwrap();
    assert!(shown.items.is_empty() && shown.user.is_none());
    let shown = shown_by(&client);
    *user.lock().unwrap() = Some("bob");
    client.connect().await.unwrap();
    becomes_bobs(&mut bench, client, shown).await;
}

#[tokio::test]
async fn who_is_no_longer_named_is_gone_whosever_the_next_token_is() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let user = of("alice");
    let (client, _dial) = alices(&mut bench, Some(&user)).await;
    *user.lock().unwrap() = Some("bob");
    client.update(Change::default().without_user()).await.unwrap();
    client.until(|shown| shown.items.is_empty()).await.unwrap();
    let shown = shown_by(&client);
    becomes_bobs(&mut bench, client, shown).await;
}

#[tokio::test]
async fn another_callback_is_asked_before_anything_more_is_shown() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, former) = alices(&mut bench, None).await;
    let (give, given) = tokio::sync::oneshot::channel::<String>();
    let given = Arc::new(Mutex::new(Some(given)));
    let token = TokenSource::callback(move |_| {
        let given = given.lock().unwrap().take();
        async move { given.ok_or("asked twice")?.await.map_err(|_| "never given") }
    });
    client.update(Change::default().token(token)).await.unwrap();
    let shown = client.until(|shown| shown.items.is_empty()).await.unwrap();
    assert_eq!((shown.state, shown.unread, shown.user.as_deref()), (State::Connecting, 0, None));
    former.closed.unwrap().await.unwrap();
    // The same user after all: what was there is there again, and goes on.
    give.send(bench.token("alice")).unwrap();
    let dial = bench.dial().await;
    assert_eq!(dial.query["since"], "7");
    assert!(dial.send(hello("alice", true).to_string()).await);
    let shown = client.until(|shown| shown.state == State::Live).await.unwrap();
    assert_eq!((shown.items.len(), shown.unread, shown.user.as_deref()), (1, 1, Some("alice")));
}

#[tokio::test]
async fn who_is_named_in_another_way_than_the_token_says_is_signed_out_as_who_was_shown() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(FileStorage::open(directory.path()).unwrap()).await;
    let user = of("alice");
    let token = callback(&bench, &user);
    let client = bench.builder().workspace("demo").user("somebody").token(token).connect().unwrap().0;
    let _dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.update(Change::default().workspace("other")).await.unwrap();
    let _dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    client.update(Change::default().without_token()).await.unwrap();
    client.until(|shown| shown.state == State::Idle).await.unwrap();
    client.close().await.unwrap();
    assert_eq!(files(&directory), 0);
}

#[tokio::test]
async fn an_update_that_changes_nothing_is_none() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, mut dial) = alices(&mut bench, None).await;
    let same = Change::default().workspace("demo").user("alice").token(bench.token("alice"));
    client.update(same).await.unwrap();
    client.read("alice-7").await.unwrap();
    let frame: serde_json::Value = serde_json::from_str(&dial.frames.recv().await.unwrap()).unwrap();
    assert_eq!(frame["action"], json!("read"), "no token was told");
    assert_eq!(client.snapshot().state, State::Live);
}

/// Whether neither entries nor a page can be had.
async fn reads_nothing(client: &Campanile) -> bool {
    let filter = Filter::default();
    matches!(client.entries(filter, None).await, Err(Error::Missing(_)))
        && matches!(client.load_more(filter).await, Err(Error::Missing(_)))
}

fn never() -> TokenSource {
    TokenSource::callback(|_| std::future::pending::<Result<String, Error>>())
}

#[tokio::test]
async fn nobody_reads_with_the_token_of_the_former_user() {
    let token = Bench::new(MemoryStorage::default()).await.token("bob");
    // No token any more; another user's before it is live; another place; a callback whose token is not known.
    for change in [
        Change::default().without_token(),
        Change::default().user("bob").token(token),
        Change::default().workspace("other"),
        Change::default().token(never()),
    ] {
        let mut bench = Bench::new(MemoryStorage::default()).await;
        let (client, _dial) = alices(&mut bench, None).await;
        let asking = client.clone();
        let under_way = tokio::spawn(async move { asking.entries(Filter::default(), None).await });
        let asked = bench.request().await;
        assert!(asked.headers["authorization"].ends_with(&bench.token("alice")));
        client.update(change).await.unwrap();
        assert!(matches!(client.entries(Filter::default(), None).await, Err(Error::Missing(_))));
        let refused = under_way.await.unwrap();
        assert!(matches!(refused, Err(Error::Missing(_))), "alice's entries are told: {refused:?}");
        asked.answer(200, vec![], page(&[], None));
        assert!(bench.server.requests.try_recv().is_err());
    }
}

#[tokio::test]
async fn who_is_signed_out_reads_nothing_and_whoever_waits_for_a_page_is_refused() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let user = of("alice");
    let (client, dial) = alices(&mut bench, Some(&user)).await;
    *user.lock().unwrap() = None;
    dial.fault("cut").await;
    client.until(|shown| shown.state == State::Waiting).await.unwrap();
    // In this order: the page is asked for while the client waits.
    let (waited, retried) = tokio::join!(biased; client.load_more(Filter::default()), client.retry());
    retried.unwrap();
    assert!(matches!(waited, Err(Error::Missing(_))), "{waited:?}");
    client.until(|shown| shown.state == State::Idle).await.unwrap();
    assert!(reads_nothing(&client).await);
    client.update(Change::default().token(never())).await.unwrap();
    client.until(|shown| shown.state == State::Connecting).await.unwrap();
    assert!(reads_nothing(&client).await);
}

#[tokio::test]
async fn what_is_done_before_it_is_known_whose_it_is_is_refused() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, _dial) = alices(&mut bench, None).await;
    client.update(Change::default().token(never())).await.unwrap();
    assert!(matches!(client.read("alice-7").await, Err(Error::Missing(_))));
    // It is not alice's either, once she is there again.
    client.update(Change::default().token(bench.token("alice"))).await.unwrap();
    let shown = client.until(|shown| !shown.items.is_empty()).await.unwrap();
    assert_eq!((shown.pending, shown.items[0].read), (0, false));
}

/// The ids of the entries that are told before this state.
async fn told_before(events: &mut Events, state: State) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match events.recv().await.unwrap() {
            Event::Notification { item, .. } => told.push(item.id.clone()),
            Event::State(reached) if reached == state => return told,
            _ => {}
        }
    }
}

/// Tells one more entry, which waits for whoever hears the events.
async fn tell_more(client: &Campanile, dial: &Dial) {
    let item = json!({"seq": 8, "id": "alice-8", "title": "T", "message": "", "type": "info"});
    assert!(dial.send(json!({"type": "notification", "seq": 8, "item": item}).to_string()).await);
    client.until(|shown| shown.items.len() == 2).await.unwrap();
}

#[tokio::test]
async fn what_waits_to_be_told_is_told_to_nobody_else() {
    for (change, state) in [
        (Change::default().without_token(), State::Idle),
        (Change::default().workspace("other"), State::Connecting),
        (Change::default().token(never()), State::Connecting),
    ] {
        let mut bench = Bench::new(MemoryStorage::default()).await;
        let (client, dial) = alices(&mut bench, None).await;
        let mut events = client.events().unwrap();
        tell_more(&client, &dial).await;
        client.update(change).await.unwrap();
        client.until(|shown| shown.state == state).await.unwrap();
        assert!(told_before(&mut events, state).await.is_empty());
        client.close().await.unwrap();
        assert!(told_before(&mut events, State::Closed).await.is_empty());
    }
}

#[tokio::test]
async fn what_waits_to_be_told_is_told_once_it_is_the_same_user_after_all() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (client, dial) = alices(&mut bench, None).await;
    let mut events = client.events().unwrap();
    tell_more(&client, &dial).await;
    client.update(Change::default().token(never())).await.unwrap();
    client.until(|shown| shown.state == State::Connecting).await.unwrap();
    assert!(told_before(&mut events, State::Connecting).await.is_empty());
    client.update(Change::default().token(bench.token("alice"))).await.unwrap();
    let dial = bench.dial().await;
    assert!(dial.send(hello("alice", true).to_string()).await);
    client.until(|shown| shown.state == State::Live).await.unwrap();
    assert_eq!(told_before(&mut events, State::Live).await, ["alice-8"]);
}

#[tokio::test]
async fn at_a_refresh_with_another_users_token_nothing_of_who_is_named_comes_back() {
    let mut bench = Bench::new(MemoryStorage::default()).await;
    let (end, bobs) = (bench.clock.now() + 20_000, bench.token("bob"));
    let (give, given) = tokio::sync::oneshot::channel::<()>();
    let given = Arc::new(Mutex::new(Some(given)));
    let token = TokenSource::callback(move |reason| {
        let bobs = bobs.clone();
        let given = given.lock().unwrap().take_if(|_| reason == TokenReason::Reconnect);
        async move {
            if reason == TokenReason::Initial {
                return Ok::<_, Error>(crate::token::unsigned("alice", end, 1));
            }
            if let Some(given) = given {
                let _ = given.await;
            }
            Ok(bobs)
        }
    });
    let client = bench.builder().workspace("demo").user("alice").token(token).connect().unwrap().0;
    let _dial = bench.greet("alice").await;
    client.until(|shown| shown.items.len() == 1).await.unwrap();
    bench.clock.pass(10_000).await;
    client.until(|shown| shown.state == State::Connecting).await.unwrap();
    let shown = shown_by(&client);
    assert!(matches!(client.read_all().await, Err(Error::Missing(_))));
    give.send(()).unwrap();
    becomes_bobs(&mut bench, client, shown).await;
}
