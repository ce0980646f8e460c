//! Who asks, and what they may do: the token in the header against the workspace in the path.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use campanile_auth::{Identity, Workspaces};
use campanile_engine::access;
use campanile_model::{Slug, UserId};

use super::oidc::Peer;
use super::problem::{self, Problem};
use super::{Api, Unidentified};

/// A caller whose token opens the workspace that the path names as `{workspace}`.
pub struct Member {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The workspace.
    pub workspace: Slug,
}

impl Member {
    /// The user who asks.
    pub fn user(&self) -> &UserId {
        &self.identity.user
    }
}

impl FromRequestParts<Arc<Api>> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let identity = authenticate(api, parts).await?;
        // Bytes that are no text lead nowhere.
        let params = RawPathParams::from_request_parts(parts, api)
            .await
            .map_err(|_| Problem::new(&problem::ROUTE_NOT_FOUND))?;
        let workspace = params
            .iter()
            .find(|(name, _)| *name == "workspace")
            .and_then(|(_, text)| Slug::new(text).ok())
            .filter(|slug| opens(api, &identity, slug));
        // One answer for a workspace that is not granted, does not exist, could not, or from which they were taken:
        // no difference tells.
        let refused = || Problem::new(&problem::WORKSPACE_REFUSED);
        let workspace = workspace.ok_or_else(refused)?;
        if access::is_withdrawn(&api.engine, &workspace, &identity.user).await? {
            return Err(refused());
        }
        Ok(Self { identity, workspace })
    }
}

fn opens(api: &Api, identity: &Identity, slug: &Slug) -> bool {
    let workspaces = &identity.workspaces;
    workspaces.grants(slug) && api.engine.workspaces.exists(slug, workspaces.named_in_full(slug))
}

/// A word that a token's `scope` may hold.
pub trait Scope: Send + 'static {
    /// The word.
    const WORD: &'static str;
}

/// May publish and look after what was published.
pub struct NotificationsWrite;
impl Scope for NotificationsWrite {
    const WORD: &'static str = "notifications:write";
}

/// May arrange the workspace.
pub struct Admin;
impl Scope for Admin {
    const WORD: &'static str = "admin";
}

/// May read and change records.
pub struct RecordsWrite;
impl Scope for RecordsWrite {
    const WORD: &'static str = "records:write";
}

/// May look after products.
pub struct ProductsWrite;
impl Scope for ProductsWrite {
    const WORD: &'static str = "products:write";
}

/// May write functions and look at their runs.
pub struct FunctionsWrite;
impl Scope for FunctionsWrite {
    const WORD: &'static str = "functions:write";
}

/// May run functions.
pub struct FunctionsExecute;
impl Scope for FunctionsExecute {
    const WORD: &'static str = "functions:execute";
}

/// May report what happened.
pub struct EventsWrite;
impl Scope for EventsWrite {
    const WORD: &'static str = "events:write";
}

/// A caller whose token is good, whatever it opens.
pub struct Anybody(pub Arc<Identity>);

impl FromRequestParts<Arc<Api>> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        authenticate(api, parts).await.map(Self)
    }
}

/// A caller who looks after the whole server: the token's scope holds `operator`, and its workspaces `*`, so that
/// nobody who was let into one workspace reaches another.
pub struct Operator(Arc<Identity>);

impl Operator {
    /// The user who asks.
    pub fn user(&self) -> &UserId {
        &self.0.user
    }
}

impl FromRequestParts<Arc<Api>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let identity = authenticate(api, parts).await?;
        if !identity.has_scope(OPERATOR) {
            return Err(scope_missing(OPERATOR));
        }
        match identity.workspaces {
            Workspaces::All { .. } => Ok(Self(identity)),
            _ => Err(Problem::new(&problem::WORKSPACE_REFUSED)
                .detail("the token's workspaces must hold \"*\": this reaches all of them")),
        }
    }
}

/// The word of an [`Operator`].
const OPERATOR: &str = "operator";

/// A [`Member`] whose token also holds the scope `S`. Judged before a body is read.
pub struct Allowed<S> {
    member: Member,
    scope: PhantomData<S>,
}

impl<S> Deref for Allowed<S> {
    type Target = Member;
    fn deref(&self) -> &Member {
        &self.member
    }
}

impl<S: Scope> FromRequestParts<Arc<Api>> for Allowed<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let member = Member::from_request_parts(parts, api).await?;
        if member.identity.has_scope(S::WORD) {
            return Ok(Self { member, scope: PhantomData });
        }
        Err(scope_missing(S::WORD))
    }
}

fn scope_missing(word: &str) -> Problem {
    let problem = Problem::new(&problem::SCOPE_MISSING).detail(format!("the token's scope must hold {word}"));
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{word}\"");
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => problem.challenge(challenge),
        Err(_) => problem,
    }
}

/// What the headers say about who asks.
pub enum Bearer<'a> {
    /// There is no `Authorization: Bearer` with a token in it.
    Absent,
    /// There is more than one `Authorization`: which one to believe is not ours to guess.
    Repeated,
    /// This token, not yet judged.
    Token(&'a str),
}

impl<'a> Bearer<'a> {
    /// Reads the header (RFC 6750 §2.1). The scheme's case does not matter.
    pub fn read(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (first, second) = (values.next(), values.next());
        if second.is_some() {
            return Self::Repeated;
        }
        first
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| !token.is_empty())
            .map_or(Self::Absent, Self::Token)
    }
}

async fn authenticate(api: &Api, parts: &Parts) -> Result<Arc<Identity>, Problem> {
    let refuse = |code, challenge| Problem::new(code).challenge(HeaderValue::from_static(challenge));
    let token = match Bearer::read(&parts.headers) {
        Bearer::Absent => return Err(refuse(&problem::TOKEN_MISSING, "Bearer")),
        Bearer::Repeated => {
            return Err(refuse(&problem::TOKEN_INVALID, "Bearer error=\"invalid_request\"")
                .detail("the request has more than one Authorization header"));
        }
        Bearer::Token(token) => token,
    };
    api.identify(client(parts), token).await.map_err(|unidentified| match unidentified {
        Unidentified::TurnedAway(away) => away.into(),
        Unidentified::Refused(refusal) => {
            let code = if refusal.is_expired() { &problem::TOKEN_EXPIRED } else { &problem::TOKEN_INVALID };
            refuse(code, "Bearer error=\"invalid_token\"")
        }
    })
}

/// Where a request comes from, as far as that is known.
pub fn client(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get().map(|Peer(client)| *client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_in_its_forms() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            match Bearer::read(&headers) {
                Bearer::Absent => "Absent".to_owned(),
                Bearer::Repeated => "Repeated".to_owned(),
                Bearer::Token(token) => token.to_owned(),
            }
        };
        assert_eq!(read(&["Bearer x.y.z"]), "x.y.z");
        assert_eq!(read(&["bearer  x.y.z "]), "x.y.z");
        for absent in [&[][..], &[""], &["Bearer"], &["Bearer "], &["x.y.z"], &["Basic x"], &["Bearerx y"]] {
            assert_eq!(read(absent), "Absent", "{absent:?}");
        }
        assert_eq!(read(&["Bearer x", "Bearer x"]), "Repeated");
    }
}
