//! What becomes of a handshake, wherever its request was read.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use campanile_engine::connect::Reader;
use campanile_store::StoreError;
use campanile_wire::{NotRefreshed, Replay, Secret, Surface};
use campanile_ws::Accept;

use super::ask::{Ask, Credential};
use super::attach::{Newcomer, Start};
use super::gauge::{Entered, Gauge};
use super::hammer::Hammer;
use super::judge::{Admitted, Judge, Refreshed, TurnedAway};
use super::queue::{Command, Shards};
use super::refuse;
use crate::auth_failures::Away;
use crate::clock::Clock;
use crate::http::problem::{self, Code};
use crate::key_sources::KeySources;
use crate::origin::{Origins, Visit};
use crate::proxies::Proxies;

/// Decides handshakes and takes the admitted to their shards.
pub struct Handshakes {
    judge: Judge,
    sources: Arc<KeySources>,
    origins: Arc<Origins>,
    /// Who is believed about where clients are.
    pub(super) proxies: Arc<Proxies>,
    hammer: Mutex<Hammer>,
    shards: Shards,
    clock: Clock,
    room: Room,
    /// TCP connections accepted so far: the newest wins.
    accepted: AtomicU64,
}

/// How many connections there may be.
pub struct Room {
    /// Counts those that are.
    pub gauge: Gauge,
    /// Open at once, all kinds together; above: 503.
    pub max_connections: usize,
}

/// How a handshake that is none is answered: the problem, and the headers that go with it.
pub type Unfit = (&'static Code, Vec<(&'static str, &'static str)>);

/// What becomes of one handshake.
pub enum Decision {
    /// An HTTP answer before the upgrade, to be repeated after so many seconds.
    Refuse(&'static Code, u64),
    /// The upgrade, then this close: a browser hides the status of a refused upgrade.
    TurnAway(TurnedAway),
    /// The upgrade, and a place.
    Admit(Admitted),
    /// Nothing yet: the token may be good by a key that its issuer has just published. Decide again once
    /// [`Handshakes::decide_at_leisure`] has waited for it.
    Await,
}

/// Whether a decision may be put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Until keys are here that may be on their way.
    Awaited,
    /// It may not: they were waited for.
    AsTheyAre,
}

impl Handshakes {
    /// Nobody was accepted or refused yet.
    pub fn new(
        judge: Judge,
        sources: Arc<KeySources>,
        origins: Arc<Origins>,
        proxies: Arc<Proxies>,
        shards: Shards,
        room: Room,
        clock: Clock,
    ) -> Self {
        let (hammer, accepted) = (Mutex::default(), AtomicU64::new(0));
        Self { judge, sources, origins, proxies, hammer, shards, room, clock, accepted }
    }

    /// The number of a TCP connection just accepted.
    pub fn count(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts one more connection that did not come through the door; `None`: there is no room for it.
    pub fn enter(&self) -> Option<Entered> {
        let counted = self.room.gauge.enter();
        (self.room.gauge.open() <= self.room.max_connections).then_some(counted)
    }

    /// Reads the headers of a handshake: well-formed, and not of a page that may not connect.
    ///
    /// # Errors
    /// The answer.
    pub fn read<'a>(
        &self,
        surface: &Surface,
        method: &str,
        minor: u8,
        headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    ) -> Result<Accept, Unfit> {
        let accept = campanile_ws::check(method, minor, headers.clone()).map_err(refuse::handshake)?;
        if let Some(ours) = surface.subprotocol
            && !accept.protocols().is_empty()
            && !accept.protocols().iter().any(|offered| offered == ours)
        {
            return Err((&problem::BAD_HANDSHAKE, vec![("Sec-WebSocket-Protocol", ours)]));
        }
        match self.origins.judge(headers) {
            Visit::Direct | Visit::Allowed => Ok(accept),
            Visit::Refused => Err((&problem::ORIGIN_REFUSED, vec![])),
        }
    }

    /// Where a request comes from whose connection `peer` opened.
    pub fn client(&self, peer: IpAddr, headers: &[(&str, &[u8])]) -> IpAddr {
        let forwarded = |(name, _): &&(&str, &[u8])| name.eq_ignore_ascii_case("x-forwarded-for");
        self.proxies.client(peer, headers.iter().filter(forwarded).map(|(_, value)| *value))
    }

    /// Decides; every refusal is logged with its cause, never with the token.
    pub fn decide(&self, ask: &Ask<'_>, peer: IpAddr, keys: Keys) -> Decision {
        let (surface, now) = (ask.surface, self.clock.monotonic());
        let (caller, blocked) = {
            let mut hammer = self.hammer.lock().unwrap_or_else(PoisonError::into_inner);
            let caller = hammer.caller(peer, &ask.token());
            (caller, hammer.blocked(caller, now))
        };
        let away = |code: &'static Code, seconds| {
            tracing::info!(surface = surface.name, status = code.status.as_u16(), cause = code.name, %peer, "connection refused");
            Decision::Refuse(code, seconds)
        };
        if let Some(seconds) = blocked {
            return away(&problem::TOKEN_REFUSED_REPEATEDLY, seconds);
        }
        let shown = match ask.credential() {
            Credential::Token(token) => match self.judge.failures.hear(Some(peer), &token, now) {
                Ok(shown) => Some(shown),
                Err(Away { code, seconds }) => return away(code, seconds),
            },
            // Nothing of these costs a signature.
            Credential::Ticket(_) | Credential::Missing | Credential::Ambiguous => None,
        };
        let judged = |is_forged| {
            if let Some(shown) = shown {
                self.judge.failures.judged(shown, is_forged, now);
            }
        };
        match self.judge.judge(ask, self.clock.now()) {
            Ok(admitted) => {
                judged(false);
                Decision::Admit(admitted)
            }
            Err(away) if keys == Keys::Awaited && self.sources.may_bring(&ask.token()) => {
                tracing::debug!(surface = surface.name, cause = away.cause, %peer, "a connection waits for its issuer's keys");
                Decision::Await
            }
            Err(away) => {
                judged(away.is_forged);
                if away.for_token {
                    self.hammer.lock().unwrap_or_else(PoisonError::into_inner).strike(caller, now);
                }
                tracing::info!(surface = surface.name, code = away.close.code, cause = away.cause, %peer, "connection refused");
                Decision::TurnAway(away)
            }
        }
    }

    /// Decides, waiting for keys that may be on their way.
    pub async fn decide_at_leisure(&self, ask: &Ask<'_>, peer: IpAddr) -> Decision {
        match self.decide(ask, peer, Keys::Awaited) {
            Decision::Await => {
                self.keys_for(ask).await;
                self.decide(ask, peer, Keys::AsTheyAre)
            }
            decided => decided,
        }
    }

    /// Waits for the keys that the token of a handshake may need, two seconds at the most.
    async fn keys_for(&self, ask: &Ask<'_>) {
        // Whether any have come or not, the next decision says what there is to say.
        let _brought = self.sources.bring(&ask.token()).await;
    }

    /// Judges a token that is to take the place of a live connection's. Where its issuer may have published its key
    /// just now, that is waited for.
    ///
    /// # Errors
    /// Why the connection keeps the one it has.
    pub async fn refresh(&self, reader: &Reader, token: &Secret) -> Result<Refreshed, NotRefreshed> {
        match self.judge.refresh(reader, &token.0, self.clock.now()) {
            Err(NotRefreshed::Invalid) if self.sources.bring(&token.0).await => {
                self.judge.refresh(reader, &token.0, self.clock.now())
            }
            judged => judged,
        }
    }

    /// Where a newcomer begins whose 101 is answered before its shard has it: live delivery counts from the
    /// log's head as of now.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn start_of(&self, surface: &Surface, admitted: &Admitted) -> Result<Start, StoreError> {
        Ok(match admitted.replay {
            // Elsewhere the first message says where it begins.
            Replay::None if surface.envelopes.is_none() => {
                let store = &self.judge.engine.store;
                let snapshot = store.snapshot(&admitted.workspace, &admitted.user).await?;
                Start::After(snapshot.counts.head)
            }
            replay => Start::Replay(replay),
        })
    }

    /// Takes a newcomer to its user's shard.
    ///
    /// # Errors
    /// Gives it back where the shard has no room for it.
    pub fn hand_over(&self, newcomer: Box<Newcomer>) -> Result<(), Box<Newcomer>> {
        let shard = self.shards.of(&newcomer.workspace, &newcomer.user);
        match shard.try_tell(Command::Attach(newcomer)) {
            Err(Command::Attach(newcomer)) => {
                tracing::warn!("a connection was refused: its shard is overloaded");
                Err(newcomer)
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
