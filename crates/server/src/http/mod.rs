//! The HTTP API, a file for each noun of the routes.
//!
//! A request passes [`cors`] (pages of other origins) and [`edge`] (deadline, panics, caching), is let in by `caller` (token, workspace, scope)
//! and read by `params`, `body` and `batch`; [`notifications`], [`inbox`], [`topics`], [`product`]
//! and [`health`] are the handlers; what goes wrong is a [`problem`], by way of `failure`.

pub mod access;
pub mod announcements;
mod audience;
mod batch;
mod body;
mod broadcast;
mod caller;
mod cloudevents;
pub mod cors;
pub mod drain;
pub mod edge;
mod etag;
pub mod events;
mod failure;
pub mod functions;
pub mod health;
pub mod inbox;
pub mod issuers;
mod issuing;
pub mod keys;
mod merge_patch;
pub mod notifications;
pub mod oidc;
pub mod openapi;
mod params;
pub mod problem;
pub mod product;
pub mod products;
pub mod records;
pub mod revocations;
pub mod rules;
pub mod service_accounts;
pub mod settings;
pub mod stream;
pub mod tickets;
pub mod topics;
mod trials;

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use campanile_auth::{Identity, Refusal, Verifier};
use campanile_engine::Engine;
use campanile_model::Slug;

use crate::auth_failures::{AuthFailures, Away, is_forgery};
use crate::clock::Clock;
use crate::key_sources::KeySources;
use crate::origin::Origins;
use crate::signing_keys::SigningKeys;
use crate::socket::Hammer;
use crate::tickets::Tickets;

pub use self::issuing::Issuing;

/// What the handlers work with.
pub struct Api {
    /// The use cases.
    pub engine: Arc<Engine>,
    /// Judges tokens.
    pub verifier: Arc<Verifier>,
    /// Brings keys that the verifier does not have yet.
    pub sources: Arc<KeySources>,
    /// What time it is.
    pub clock: Clock,
    /// The workspace of the product surface.
    pub product_workspace: Slug,
    /// Whether the node takes traffic: false while it starts and once it stops.
    pub ready: Arc<AtomicBool>,
    /// The pages whose scripts may read answers.
    pub origins: Arc<Origins>,
    /// Makes the tokens of service accounts.
    pub keys: Arc<SigningKeys>,
    /// One-time tickets that wait to be used.
    pub tickets: Arc<Tickets>,
    /// Keeps tokens and the deletion of their account apart.
    pub issuing: Issuing,
    /// Slows those down who guess secrets.
    pub guesses: Mutex<Hammer>,
    /// Slows those down who guess tokens.
    pub failures: Arc<AuthFailures>,
    /// Where requests are answered that may ask rules, conditions and filters.
    pub background: tokio::runtime::Handle,
}

/// Why a token names nobody.
enum Unidentified {
    /// It was looked at.
    Refused(Refusal),
    /// It was not: too many were refused before.
    TurnedAway(Away),
}

impl Api {
    /// Who a token names that `client` shows. Where its issuer may have published its key just now, that is waited for.
    async fn identify(&self, client: Option<IpAddr>, token: &str) -> Result<Arc<Identity>, Unidentified> {
        let shown = self.failures.hear(client, token, self.clock.monotonic());
        let shown = shown.map_err(|away| {
            tracing::debug!(cause = away.code.name, ?client, "a request's token was not looked at");
            Unidentified::TurnedAway(away)
        })?;
        let judged = match self.verifier.verify(token, self.clock.now()) {
            Err(_) if self.sources.bring(token).await => self.verifier.verify(token, self.clock.now()),
            judged => judged,
        };
        let is_forged = judged.as_ref().is_err_and(|refusal| is_forgery(*refusal));
        self.failures.judged(shown, is_forged, self.clock.monotonic());
        judged.map_err(|refusal| {
            tracing::debug!(cause = refusal.cause(), ?client, "a request's token was refused");
            Unidentified::Refused(refusal)
        })
    }
}
