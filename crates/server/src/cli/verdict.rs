//! What a surface answers to a token.

use campanile_auth::{Identity, Refusal, Workspaces};
use campanile_model::Slug;
use campanile_wire::Surface;
use campanile_wire::close::Close;

use crate::socket::Judge;

/// The word for no token at all.
const MISSING: &str = "token_missing";
/// The word for a genuine token that does not open the workspace.
const NOT_GRANTED: &str = "slug_not_granted";

/// What one surface would answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The socket stays open.
    Accepted,
    /// The socket is closed after the handshake.
    Refused {
        /// Code and reason.
        close: &'static Close,
        /// Why, in the word of the server's log.
        cause: &'static str,
    },
}

impl Verdict {
    /// What `surface` answers to a token that was `judged` so. `workspace` is the one it is shown for;
    /// `None`: any that the token opens. Whether the workspace exists is not asked.
    pub fn of(surface: &Surface, judged: Result<&Identity, Refusal>, workspace: Option<&Slug>) -> Self {
        let refusals = &surface.refusals;
        let identity = match judged {
            Ok(identity) => identity,
            Err(refusal) => {
                return match refusal {
                    Refusal::Missing => Self::Refused { close: refusals.token_missing, cause: MISSING },
                    _ => Self::Refused { close: Judge::close_for(surface, refusal), cause: refusal.cause() },
                };
            }
        };
        let opens = match (&identity.workspaces, workspace) {
            (workspaces, Some(workspace)) => Judge::grants(surface, workspaces, workspace),
            (Workspaces::Unstated, None) => !surface.needs_workspaces_claim,
            (Workspaces::Named(named), None) => !named.is_empty(),
            (Workspaces::All { .. }, None) => true,
        };
        if opens {
            Self::Accepted
        } else {
            Self::Refused { close: refusals.workspace_refused, cause: NOT_GRANTED }
        }
    }

    /// Whether the socket stays open.
    pub fn is_accepted(self) -> bool {
        self == Self::Accepted
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::{Timestamp, UserId};
    use campanile_wire::{PRODUCT, WORKSPACE};

    use super::*;

    fn identity(workspaces: Workspaces) -> Identity {
        Identity {
            user: UserId::new("alice").unwrap(),
            workspaces,
            scopes: Default::default(),
            issuer: None,
            issued_at: None,
            expires_at: Timestamp::from_millis(0),
            token_id: None,
        }
    }

    fn code(verdict: Verdict) -> u16 {
        match verdict {
            Verdict::Accepted => 0,
            Verdict::Refused { close, .. } => close.code,
        }
    }

    #[test]
    fn refusals_are_the_surfaces_own() {
        let answer = |surface, refusal| code(Verdict::of(surface, Err(refusal), None));
        assert_eq!(answer(&WORKSPACE, Refusal::BadSignature), 4001);
        assert_eq!(answer(&WORKSPACE, Refusal::Expired), 4003);
        assert_eq!(answer(&PRODUCT, Refusal::Expired), 1008);
    }

    #[test]
    fn a_token_without_workspaces_opens_the_product_surface_only() {
        let identity = identity(Workspaces::Unstated);
        let slug = Slug::new("default").unwrap();
        assert_eq!(code(Verdict::of(&WORKSPACE, Ok(&identity), Some(&slug))), 4001);
        assert!(Verdict::of(&PRODUCT, Ok(&identity), Some(&slug)).is_accepted());
    }

    #[test]
    fn a_token_opens_what_it_names() {
        let identity = identity(Workspaces::Named(["acme"].into_iter().collect()));
        let ask = |slug: &str| Verdict::of(&WORKSPACE, Ok(&identity), Some(&Slug::new(slug).unwrap()));
        assert!(ask("acme").is_accepted());
        assert_eq!(code(ask("other")), 4001);
    }
}
