//! The key set that one issuer publishes: when it is fetched, and what becomes of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use campanile_auth::{Issuer, JwksError, Verifier};
use campanile_model::Timestamp;
use tokio::sync::{Notify, watch};

use super::fetch::{FetchError, Fetched, Fetcher};
use crate::clock::Clock;
use crate::config::JwksUrl;

/// The shortest time between two fetches: a flood of tokens with keys that nobody has makes one each.
const FLOOR: Duration = Duration::from_secs(30);
/// The bounds on what an issuer's answer may say about the next fetch.
const SOONEST: Duration = Duration::from_secs(5 * 60);
const LATEST: Duration = Duration::from_secs(60 * 60);

/// An issuer's key set at its address.
pub(super) struct Remote {
    iss: String,
    /// Its rules, without keys.
    awaited: Issuer,
    url: JwksUrl,
    refresh: Duration,
    state: Mutex<State>,
    go: Notify,
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// When the last fetch began.
    begun: Option<Duration>,
    under_way: bool,
    /// When the next one is due, whoever asks.
    due: Duration,
    keys: usize,
    fetched_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
}

/// What becomes of the wish for a fetch.
pub(super) enum Asked {
    /// It begins now.
    Begun,
    /// One is under way.
    UnderWay,
    /// The last one began too short a while ago.
    TooSoon,
}

/// How a source of keys is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The issuer's name in the configuration.
    pub name: String,
    /// Keys that are in use.
    pub keys: usize,
    /// When they were fetched last; `None`: never yet.
    pub fetched_at: Option<Timestamp>,
    /// Since when every fetch has failed; `None`: the last one did not.
    pub failing_since: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Jwks(#[from] JwksError),
}

impl Remote {
    pub(super) fn new(iss: &str, awaited: Issuer, url: JwksUrl, refresh: Duration) -> Self {
        Self {
            iss: iss.to_owned(),
            awaited,
            url,
            refresh,
            state: Mutex::default(),
            go: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }

    pub(super) fn iss(&self) -> &str {
        &self.iss
    }

    /// Begins a fetch, if one may begin.
    pub(super) fn ask(&self, now: Duration) -> Asked {
        let mut state = self.state();
        if state.under_way {
            return Asked::UnderWay;
        }
        if !state.may_begin(now) {
            return Asked::TooSoon;
        }
        state.begun = Some(now);
        state.under_way = true;
        drop(state);
        self.go.notify_one();
        Asked::Begun
    }

    /// Whether [`ask`](Self::ask) would lead to anything.
    pub(super) fn may_come(&self, now: Duration) -> bool {
        let state = self.state();
        state.under_way || state.may_begin(now)
    }

    /// Changes whenever a fetch ends, well or not.
    pub(super) fn ends(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    pub(super) fn status(&self) -> Status {
        let state = self.state();
        Status {
            name: self.awaited.name().to_owned(),
            keys: state.keys,
            fetched_at: state.fetched_at,
            failing_since: state.failing_since,
        }
    }

    /// Fetches whenever it is due or asked for, for ever.
    pub(super) async fn keep(self: Arc<Self>, fetcher: Fetcher, verifier: Arc<Verifier>, clock: Clock) {
        let stepped = Arc::new(Notify::new());
        let step = Arc::clone(&stepped);
        clock.on_step(move || step.notify_one());
        loop {
            let now = clock.monotonic();
            let due = self.state().due;
            if now >= due {
                self.ask(now);
            }
            if self.state().under_way {
                let fetched = fetcher.fetch(&self.url).await;
                self.end(fetched, &verifier, &clock);
                continue;
            }
            tokio::select! {
                () = self.go.notified() => {}
                () = stepped.notified() => {}
                () = tokio::time::sleep(due.saturating_sub(now)) => {}
            }
        }
    }

    fn end(&self, fetched: Result<Fetched, FetchError>, verifier: &Verifier, clock: &Clock) {
        let name = self.awaited.name();
        let (now, at) = (clock.monotonic(), clock.now());
        let taken = fetched.map_err(Failure::from).and_then(|fetched| {
            let issuer = self.awaited.with_jwks(&fetched.text)?;
            Ok((issuer, fetched.max_age))
        });
        let mut state = self.state();
        match taken {
            Ok((issuer, max_age)) => {
                let next = max_age.map_or(self.refresh, |age| age.clamp(SOONEST, LATEST));
                state.due = now + next;
                state.keys = issuer.keys();
                if let Some(since) = state.failing_since.take() {
                    tracing::info!(issuer = name, %since, "an issuer's keys can be fetched again");
                }
                state.fetched_at = Some(at);
                take(issuer, verifier);
            }
            Err(error) => {
                state.due = now + FLOOR;
                state.failing_since.get_or_insert(at);
                let (keys, retry_secs) = (state.keys, FLOOR.as_secs());
                tracing::warn!(issuer = name, %error, keys, retry_secs, "an issuer's keys can't be fetched; those that were fetched before stay in use");
            }
        }
        state.under_way = false;
        drop(state);
        self.ended.send_modify(|ends| *ends += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_begin(&self, now: Duration) -> bool {
        self.begun.is_none_or(|begun| now >= begun + FLOOR)
    }
}

/// Puts the keys to use, unless they are the same: a change makes every remembered token be verified anew.
pub(super) fn take(issuer: Issuer, verifier: &Verifier) {
    let (name, keys, unused) = (issuer.name().to_owned(), issuer.keys(), issuer.unused_keys());
    let is_new = verifier.keys().named(&name).is_none_or(|former| !former.has_keys_of(&issuer));
    if is_new {
        verifier.revise(|all| all.with(issuer.clone()));
    }
    if keys == 0 {
        tracing::warn!(issuer = name, unused, "an issuer has no usable key: its tokens are refused");
    } else if is_new {
        tracing::info!(issuer = name, keys, unused, "an issuer's keys are in use");
    }
}
