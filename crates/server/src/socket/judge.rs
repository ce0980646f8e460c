//! Whether a handshake is let in, and how it is turned away if not.

use std::hint::black_box;
use std::sync::Arc;

use campanile_auth::{Identity, Mark, Refusal, Verifier, Workspaces};
use campanile_engine::Engine;
use campanile_engine::connect::Reader;
use campanile_model::{Slug, Timestamp, UserId};
use campanile_wire::close::Close;
use campanile_wire::{NotRefreshed, Replay, Surface};

use super::ask::{Ask, Credential};
use super::query::Parameter;
use crate::auth_failures::{AuthFailures, is_forgery};
use crate::http::problem::{self, Code};
use crate::tickets::Tickets;

/// What is asked before anybody is let in.
pub struct Judge {
    /// Judges tokens.
    pub verifier: Arc<Verifier>,
    /// Slows those down who guess them.
    pub failures: Arc<AuthFailures>,
    /// Knows what stands for one.
    pub tickets: Arc<Tickets>,
    /// Knows the workspaces.
    pub engine: Arc<Engine>,
    /// The workspace of the surface that names none.
    pub product_workspace: Slug,
    /// How long past its `exp` a token is still good, in milliseconds.
    pub leeway_ms: i64,
}

/// Somebody who may come in.
#[derive(Debug, PartialEq)]
pub struct Admitted {
    /// Where to.
    pub workspace: Slug,
    /// Who.
    pub user: UserId,
    /// Until when.
    pub expires_at: Timestamp,
    /// By which a revocation of the token finds the connection.
    pub mark: Mark,
    /// What of the past is asked for.
    pub replay: Replay,
}

/// Another token that a connection lives on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refreshed {
    /// Until when, the leeway included.
    pub expires_at: Timestamp,
    /// By which a revocation finds the connection.
    pub mark: Mark,
    /// The token's own end, which is what clients are told.
    pub told: Timestamp,
}

/// Why somebody is turned away: the close to send after the 101, and a word for the log.
#[derive(Debug, Clone, Copy)]
pub struct TurnedAway {
    /// What the client is told on a socket.
    pub close: &'static Close,
    /// What the client is told by HTTP, where nothing is upgraded.
    pub code: &'static Code,
    /// What the operator is told.
    pub cause: &'static str,
    /// A token was refused, alone or for this workspace: coming back with the same one is hammering.
    pub for_token: bool,
    /// Nobody whom we believe has made the token.
    pub is_forged: bool,
}

impl Judge {
    /// Judges a handshake: first the token, then the workspace, so that nothing about workspaces is told to the
    /// unauthenticated.
    pub fn judge(&self, ask: &Ask<'_>, now: Timestamp) -> Result<Admitted, TurnedAway> {
        let refusals = &ask.surface.refusals;
        let invalid = |cause, is_forged| {
            let (close, code) = (refusals.token_invalid, &problem::TOKEN_INVALID);
            Err(TurnedAway { close, code, cause, for_token: true, is_forged })
        };
        let mut remembered = None;
        let identity = match ask.credential() {
            Credential::Token(token) => {
                let judged = self.verifier.judge(&token, now);
                remembered = judged.as_ref().is_ok_and(|judged| judged.remembered).then_some(token);
                judged.map(|judged| judged.identity)
            }
            Credential::Ticket(ticket) => match self.tickets.take(&ticket, now) {
                Some(identity) => self.verifier.is_good(&identity, now).map(|()| identity),
                // No guess of a token: a ticket is random, and costs no signature. Many come late.
                None => return invalid("ticket_invalid", false),
            },
            Credential::Missing => {
                let (close, code) = (refusals.token_missing, &problem::TOKEN_MISSING);
                let cause = "token_missing";
                return Err(TurnedAway { close, code, cause, for_token: false, is_forged: false });
            }
            Credential::Ambiguous => return invalid("token_ambiguous", false),
        };
        let identity = match identity {
            Ok(identity) => identity,
            Err(refusal) => {
                // As much is looked at as for a good token that opens nothing: the time does not tell them apart.
                let _unbelieved = black_box(self.workspace(ask, &Workspaces::Unstated)).is_ok();
                if !refusal.is_expired() {
                    return invalid(refusal.cause(), is_forgery(refusal));
                }
                let (close, code) = (refusals.token_expired, &problem::TOKEN_EXPIRED);
                let cause = refusal.cause();
                return Err(TurnedAway { close, code, cause, for_token: true, is_forged: false });
            }
        };
        let workspace = self.workspace(ask, &identity.workspaces).inspect_err(|_| {
            if let Some(token) = &remembered {
                self.verifier.examine(token);
            }
        })?;
        let (expires_at, mark) = self.life(&identity);
        let user = identity.user.clone();
        Ok(Admitted { workspace, user, expires_at, mark, replay: ask.replay() })
    }

    /// The workspace that is asked for, if a genuine token of `workspaces` opens it and it is there.
    fn workspace(&self, ask: &Ask<'_>, workspaces: &Workspaces) -> Result<Slug, TurnedAway> {
        let refusals = &ask.surface.refusals;
        let no = |close, cause| {
            let code = &problem::WORKSPACE_REFUSED;
            TurnedAway { close, code, cause, for_token: true, is_forged: false }
        };
        let slug = match ask.workspace() {
            None => Some(self.product_workspace.clone()),
            Some(Parameter::Once(slug)) if !slug.is_empty() => Slug::new(&slug).ok(),
            Some(Parameter::Ambiguous) => return Err(no(refusals.workspace_missing, "workspace_ambiguous")),
            Some(_) => return Err(no(refusals.workspace_missing, "workspace_missing")),
        };
        // One text and the same work for a workspace that is not granted and for one that is not there.
        let open = |slug: &Slug| {
            let exists = self.engine.workspaces.exists(slug, workspaces.named_in_full(slug));
            Self::grants(ask.surface, workspaces, slug) && exists
        };
        slug.filter(open).ok_or_else(|| no(refusals.workspace_refused, "slug_not_granted"))
    }

    /// Until when a connection by this token lives, and by what a revocation finds it.
    fn life(&self, identity: &Identity) -> (Timestamp, Mark) {
        let expires_at = Timestamp::from_millis(identity.expires_at.as_millis() + self.leeway_ms);
        (expires_at, self.verifier.revoked().mark(identity))
    }

    /// Judges a token that is to take the place of a live connection's: the same user's, for the same workspace.
    ///
    /// # Errors
    /// Why the connection keeps the one it has.
    pub fn refresh(&self, reader: &Reader, token: &str, now: Timestamp) -> Result<Refreshed, NotRefreshed> {
        let identity = self.verifier.verify(token, now).map_err(|refusal| match refusal.is_expired() {
            true => NotRefreshed::Expired,
            false => NotRefreshed::Invalid,
        })?;
        let grants = Self::grants(reader.surface, &identity.workspaces, &reader.workspace);
        if identity.user != reader.user || !grants {
            return Err(NotRefreshed::Mismatch);
        }
        let (expires_at, mark) = self.life(&identity);
        Ok(Refreshed { expires_at, mark, told: identity.expires_at })
    }

    /// Whether a genuine token of these workspaces opens `slug` on a surface, if there is such a workspace.
    pub fn grants(surface: &Surface, workspaces: &Workspaces, slug: &Slug) -> bool {
        match workspaces {
            Workspaces::Unstated => !surface.needs_workspaces_claim,
            stated => stated.grants(slug),
        }
    }

    /// What a surface says to a refused token.
    pub fn close_for(surface: &Surface, refusal: Refusal) -> &'static Close {
        if refusal.is_expired() { surface.refusals.token_expired } else { surface.refusals.token_invalid }
    }
}
