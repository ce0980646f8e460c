//! What becomes of a handshake, wherever its request was read.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use campanile_store::StoreError;
use campanile_wire::close::Close;
use campanile_wire::{Replay, Surface};

use super::attach::{Newcomer, Start};
use super::hammer::Hammer;
use super::judge::{Admitted, Judge, token_of};
use super::queue::{Command, Shards};
use crate::clock::Clock;
use crate::http::problem::{self, Code};
use crate::key_sources::KeySources;

/// Decides handshakes and takes the admitted to their shards.
pub struct Handshakes {
    judge: Judge,
    sources: Arc<KeySources>,
    hammer: Mutex<Hammer>,
    shards: Shards,
    clock: Clock,
    /// TCP connections accepted so far: the newest wins.
    accepted: AtomicU64,
}

/// What becomes of one handshake.
pub enum Decision {
    /// An HTTP answer before the upgrade, to be repeated after so many seconds.
    Refuse(&'static Code, u64),
    /// The upgrade, then this close: a browser hides the status of a refused upgrade.
    TurnAway(&'static Close),
    /// The upgrade, and a place.
    Admit(Admitted),
    /// Nothing yet: the token may be good by a key that its issuer has just published. Decide again once
    /// [`Handshakes::keys_for`] has waited for it.
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
    pub fn new(judge: Judge, sources: Arc<KeySources>, shards: Shards, clock: Clock) -> Self {
        Self { judge, sources, hammer: Mutex::default(), shards, clock, accepted: AtomicU64::new(0) }
    }

    /// The number of a TCP connection just accepted.
    pub fn count(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Decides; every refusal is logged with its cause, never with the token.
    pub fn decide(&self, surface: &Surface, query: &str, peer: IpAddr, keys: Keys) -> Decision {
        let now = self.clock.monotonic();
        let (caller, blocked) = {
            let mut hammer = self.hammer.lock().unwrap_or_else(PoisonError::into_inner);
            let caller = hammer.caller(peer, &token_of(surface, query));
            (caller, hammer.blocked(caller, now))
        };
        if let Some(seconds) = blocked {
            let refused = &problem::TOKEN_REFUSED_REPEATEDLY;
            tracing::info!(surface = surface.name, status = refused.status.as_u16(), cause = refused.name, %peer, "connection refused");
            return Decision::Refuse(refused, seconds);
        }
        match self.judge.judge(surface, query, self.clock.now()) {
            Ok(admitted) => Decision::Admit(admitted),
            Err(away) if keys == Keys::Awaited && self.sources.may_bring(&token_of(surface, query)) => {
                tracing::debug!(surface = surface.name, cause = away.cause, %peer, "a connection waits for its issuer's keys");
                Decision::Await
            }
            Err(away) => {
                if away.for_token {
                    self.hammer.lock().unwrap_or_else(PoisonError::into_inner).strike(caller, now);
                }
                tracing::info!(surface = surface.name, code = away.close.code, cause = away.cause, %peer, "connection refused");
                Decision::TurnAway(away.close)
            }
        }
    }

    /// Waits for the keys that the token of a handshake may need, two seconds at the most.
    pub async fn keys_for(&self, surface: &Surface, query: &str) {
        // Whether any have come or not, the next decision says what there is to say.
        let _brought = self.sources.bring(&token_of(surface, query)).await;
    }

    /// Where a newcomer begins whose 101 is answered before its shard has it: live delivery counts from the
    /// log's head as of now.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn start_of(&self, admitted: &Admitted) -> Result<Start, StoreError> {
        Ok(match admitted.replay {
            Replay::None => {
                let store = &self.judge.engine.store;
                let snapshot = store.snapshot(&admitted.workspace, &admitted.user).await?;
                Start::After(snapshot.head)
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
