//! Whether a handshake is let in, and how it is turned away if not.

use std::hint::black_box;
use std::sync::Arc;

use campanile_auth::{Identity, Mark, Refusal, Verifier, Workspaces};
use campanile_engine::Engine;
use campanile_model::{NotificationId, Slug, Timestamp, UserId};
use campanile_wire::close::Close;
use campanile_wire::{Replay, Surface};

use super::query::{Parameter, parameter};
use crate::tickets::Tickets;

/// What is asked before anybody is let in.
pub struct Judge {
    /// Judges tokens.
    pub verifier: Arc<Verifier>,
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

/// Why somebody is turned away: the close to send after the 101, and a word for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnedAway {
    /// What the client is told.
    pub close: &'static Close,
    /// What the operator is told.
    pub cause: &'static str,
    /// A token was refused, alone or for this workspace: coming back with the same one is hammering.
    pub for_token: bool,
}

/// The parameter of a one-time ticket, in place of the token's on every surface.
const TICKET: &str = "ticket";

/// The token or the ticket as it stands in the query, for whoever has to recognise its repetition.
pub fn token_of(surface: &Surface, query: &str) -> String {
    match (parameter(query, surface.token_parameter), parameter(query, TICKET)) {
        (Parameter::Once(text), Parameter::Missing) | (Parameter::Missing, Parameter::Once(text)) => text,
        (Parameter::Missing, Parameter::Missing) => String::new(),
        _ => query.to_owned(),
    }
}

impl Judge {
    /// Judges the query of a handshake: first the token, then the workspace, so that nothing about
    /// workspaces is told to the unauthenticated.
    pub fn judge(&self, surface: &Surface, query: &str, now: Timestamp) -> Result<Admitted, TurnedAway> {
        let refusals = &surface.refusals;
        let no = |close, cause| Err(TurnedAway { close, cause, for_token: true });
        let mut remembered = None;
        let identity = match (parameter(query, surface.token_parameter), parameter(query, TICKET)) {
            (Parameter::Once(token), Parameter::Missing) if !token.trim().is_empty() => {
                let judged = self.verifier.judge(&token, now);
                remembered = judged.as_ref().is_ok_and(|judged| judged.remembered).then_some(token);
                judged.map(|judged| judged.identity)
            }
            (Parameter::Missing, Parameter::Once(ticket)) if !ticket.is_empty() => {
                let Some(identity) = self.tickets.take(&ticket, now) else {
                    return no(refusals.token_invalid, "ticket_invalid");
                };
                self.verifier.is_good(&identity, now).map(|()| identity)
            }
            (Parameter::Once(_) | Parameter::Missing, Parameter::Once(_) | Parameter::Missing)
                if token_of(surface, query).trim().is_empty() =>
            {
                let (close, cause) = (refusals.token_missing, "token_missing");
                return Err(TurnedAway { close, cause, for_token: false });
            }
            _ => return no(refusals.token_invalid, "token_ambiguous"),
        };
        let identity = match identity {
            Ok(identity) => identity,
            Err(refusal) => {
                // As much is looked at as for a good token that opens nothing: the time does not tell them apart.
                let _unbelieved = black_box(self.workspace(surface, query, &Workspaces::Unstated));
                return no(Self::close_for(surface, refusal), refusal.cause());
            }
        };
        let workspace = self.workspace(surface, query, &identity.workspaces).inspect_err(|_| {
            if let Some(token) = &remembered {
                self.verifier.examine(token);
            }
        })?;
        Ok(self.admitted(surface, query, workspace, &identity))
    }

    /// The workspace that a query asks for, if a genuine token of `workspaces` opens it and it is there.
    fn workspace(&self, surface: &Surface, query: &str, workspaces: &Workspaces) -> Result<Slug, TurnedAway> {
        let refusals = &surface.refusals;
        let no = |close, cause| Err(TurnedAway { close, cause, for_token: true });
        let slug = match surface.workspace_parameter.map(|name| parameter(query, name)) {
            None => Some(self.product_workspace.clone()),
            Some(Parameter::Once(slug)) if !slug.is_empty() => Slug::new(&slug).ok(),
            Some(Parameter::Ambiguous) => return no(refusals.workspace_missing, "workspace_ambiguous"),
            Some(_) => return no(refusals.workspace_missing, "workspace_missing"),
        };
        // One text and the same work for a workspace that is not granted and for one that is not there.
        let open = |slug: &Slug| {
            let named_in_full = workspaces.named_in_full(slug);
            let exists = self.engine.workspaces.exists(slug, named_in_full);
            Self::grants(surface, workspaces, slug) && exists
        };
        slug.filter(open).map_or_else(|| no(refusals.workspace_refused, "slug_not_granted"), Ok)
    }

    fn admitted(&self, surface: &Surface, query: &str, workspace: Slug, identity: &Identity) -> Admitted {
        Admitted {
            workspace,
            user: identity.user.clone(),
            expires_at: Timestamp::from_millis(identity.expires_at.as_millis() + self.leeway_ms),
            mark: self.verifier.revoked().mark(identity),
            replay: replay(surface, query),
        }
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

/// What the query asks of the past. `since` wins over `replay`; what can't be understood is answered by a
/// resync where the surface has one.
fn replay(surface: &Surface, query: &str) -> Replay {
    match parameter(query, "since") {
        Parameter::Once(id) if surface.resync.is_some() => {
            NotificationId::parse(&id).map_or(Replay::Unknown, Replay::Since)
        }
        Parameter::Ambiguous if surface.resync.is_some() => Replay::Unknown,
        _ => match parameter(query, "replay") {
            Parameter::Once(word) if word == "unread" => Replay::Unread,
            Parameter::Once(word) if word == "none" => Replay::None,
            _ => surface.replay,
        },
    }
}
