//! The real server behind a network that delays, cuts, halves frames and falls silent: nothing twice, nothing missed.
//!
//! Needs `CAMPANILE_BIN`, the server's binary: `cargo test -p campanile-client -- --ignored chaos`. `CAMPANILE_CHAOS` is how
//! often to break the connection (default 60; a full run has 1,000), and `CAMPANILE_SEED` repeats a run.

mod network;
mod server;

use std::borrow::Borrow;
use std::iter;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campanile_client::{
    Campanile, Clock, Draft, Environment, Event, Notification, Pending, Publisher, Snapshot, State,
};

use self::network::Network;
use self::server::{Inbox, Server};

/// How much faster than real the clock of a client in trouble runs: a back-off of seconds takes milliseconds.
const SPEED: u64 = 50;
/// How many clients come later.
const LATE: u64 = 4;

/// A clock that runs fast, until it is told not to.
struct FastClock {
    /// Since when it runs how fast, and what it said then.
    pace: Mutex<(tokio::time::Instant, u64, u64)>,
}

impl FastClock {
    fn new() -> Self {
        Self { pace: Mutex::new((tokio::time::Instant::now(), 1_767_225_600_000, SPEED)) }
    }

    /// From now on its seconds are seconds, as the server's heartbeats are.
    fn slow_down(&self) {
        let now = self.now();
        *self.pace.lock().unwrap() = (tokio::time::Instant::now(), now, 1);
    }
}

impl Clock for FastClock {
    fn now(&self) -> u64 {
        let (since, then, speed) = *self.pace.lock().unwrap();
        then + u64::try_from(since.elapsed().as_millis()).unwrap() * speed
    }

    fn sleep_until(&self, at: u64) -> Pending<()> {
        let speed = self.pace.lock().unwrap().2;
        let pause = at.saturating_sub(self.now()).min(1 << 32).div_ceil(speed);
        Box::pin(tokio::time::sleep(Duration::from_millis(pause)))
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server's binary"]
async fn chaos_repeats_nothing_and_loses_nothing() {
    let binary = variable("CAMPANILE_BIN").expect("CAMPANILE_BIN must name the server's binary");
    let reconnects: u64 = variable("CAMPANILE_CHAOS").map_or(60, |count| count.parse().unwrap());
    let seed: u64 = variable("CAMPANILE_SEED").map_or(7, |seed| seed.parse().unwrap());
    eprintln!("seed {seed}, {reconnects} reconnects");

    let server = Server::start(&binary).await;
    let network = Network::start(server.address, seed).await;
    let token = server.token("alice", "notifications:write");
    let clock = Arc::new(FastClock::new());
    // The shortest pause each time: connections that are broken at once would be left alone for minutes otherwise.
    let connect = || {
        let environment = Environment { clock: clock.clone(), random: Arc::new(|| 0.0) };
        Campanile::builder(format!("http://{}", network.address))
            .workspace("demo")
            .token(token.clone())
            .environment(environment)
            .connect()
            .unwrap()
    };
    let (client, mut events) = connect();
    let publisher = Publisher::builder(format!("http://{}", server.address))
        .workspace("demo")
        .token(token.clone())
        .build()
        .unwrap();
    client.until(|shown| shown.state == State::Live && !shown.loading).await.unwrap();

    // A resync tells of a gap that the inbox fills: then the sequence goes on behind it.
    let heard = tokio::spawn(async move {
        let mut places = Vec::new();
        while let Some(event) = events.recv().await {
            match event {
                Event::Notification { item, .. } => places.push(item.seq.unwrap()),
                Event::Resync { reason } => panic!("a gap of a few entries was not replayed: {reason}"),
                Event::Lagged(missed) => panic!("this reader is too slow: {missed}"),
                _ => {}
            }
        }
        places
    });

    let mut published = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    // These come into the midst of it, and read the inbox over the same network.
    let mut late = Vec::new();
    while network.broken() < reconnects {
        let count = published.len();
        let mut notification = Draft::to_user("alice", "T", "M");
        if count % 5 == 0 {
            notification = notification.collapse_key("newest");
        }
        let answer = publisher.publish(&notification).await.unwrap();
        published.push(answer.seq.unwrap());
        ids.push(answer.id);
        match count % 7 {
            2 => server.retract(&ids[count - 1], &token).await,
            4 => server.retitle(&ids[count - 2], &format!("anew {count}"), &token).await,
            1 => act(late.last().unwrap_or(&client), count).await,
            6 => act(&client, count).await,
            _ => {}
        }
        if network.broken() > reconnects * (late.len() as u64 + 1) / (LATE + 1) {
            late.push(connect().0);
        }
        network.trouble().await;
    }
    network.heal();
    clock.slow_down();

    let last = published.last().copied().unwrap();
    let settled = |shown: &Snapshot| {
        let there = shown.position.as_ref().is_some_and(|position| position.seq >= last);
        there && shown.pending == 0 && shown.state == State::Live && !shown.loading
    };
    let clients: Vec<&Campanile> = iter::once(&client).chain(&late).collect();
    for client in &clients {
        let settled = tokio::time::timeout(Duration::from_secs(120), client.until(settled));
        settled.await.expect("it does not settle").unwrap();
    }
    let truth = server.inbox("alice").await;
    for client in &clients {
        let same = client.until(|shown| shown.unread == truth.unread && shows(shown, &truth));
        // One heartbeat: 25 s of the server's clock.
        if tokio::time::timeout(Duration::from_secs(30), same).await.is_err() {
            let shown = client.snapshot();
            assert_eq!(shown.unread, truth.unread, "the badge stays wrong");
            assert_eq!(titles(&shown.items), titles(&truth.items), "the list stays wrong");
        }
    }
    client.close().await.unwrap();
    // An entry that came and went while nobody was connected is told to nobody.
    let heard = heard.await.unwrap();
    let gone = |seq: &u64| !truth.items.iter().any(|item| item.seq == Some(*seq));
    let missed = published.iter().filter(|seq| !heard.contains(seq) && !gone(seq));
    assert_eq!(missed.count(), 0, "entries that are there were not told of");
    assert!(heard.is_sorted_by(|one, next| one < next), "each once, and in order: {heard:?}");
    assert!(heard.iter().all(|seq| published.contains(seq)));
    eprintln!("{} entries over {} broken connections", published.len(), network.broken());
}

/// The user does something, now this and now that, to the newest entry for which there is a point in it.
async fn act(client: &Campanile, count: usize) {
    let shown = client.snapshot();
    let newest = |read: bool| shown.items.iter().find(|item| item.read == read).map(|item| item.id.clone());
    match (count / 7 % 6, newest(false), newest(true)) {
        (0..=2, Some(unread), _) => client.read(unread).await,
        (3, _, Some(read)) => client.unread(read).await,
        (4, Some(unread), _) => client.archive(unread).await,
        (5, ..) => client.seen().await,
        _ => Ok(()),
    }
    .unwrap();
}

/// The list of a client is the inbox, as far down as the client has it.
fn shows(shown: &Snapshot, truth: &Inbox) -> bool {
    let (held, there) = (titles(&shown.items), titles(&truth.items));
    there.starts_with(&held) && (shown.has_more || held.len() == there.len())
}

/// What is compared of each entry.
fn titles<I: Borrow<Notification>>(items: &[I]) -> Vec<(Option<u64>, String, bool, bool)> {
    items
        .iter()
        .map(|item| {
            let item: &Notification = item.borrow();
            (item.seq, item.title.clone(), item.seen, item.read)
        })
        .collect()
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment what to run against")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
