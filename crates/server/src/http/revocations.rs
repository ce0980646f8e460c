//! Tokens that are taken back before they expire: `/v1/revocations`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use campanile_engine::revocation::{self, Draft, Tokens};
use campanile_engine::service_account;
use campanile_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::JsonBody;
use super::caller::Operator;
use super::params::{InPath, InQuery, Named, limit};
use super::problem::{self, Problem};

/// Tokens that are refused.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Follows from what is revoked: revoking the same again keeps it.
    #[schema(value_type = String)]
    id: Arc<str>,
    /// The `jti` of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_id: Option<String>,
    /// The user whose tokens they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    user: Option<UserId>,
    /// Only those with this `iss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    issuer: Option<String>,
    /// When they were revoked. Of a user's tokens those with a later `iat`, in whole seconds, are good.
    #[schema(value_type = String, format = DateTime)]
    revoked_at: Timestamp,
    /// Until when the revocation is kept: every token it can mean has ended by then. `null`: until it is taken back.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    kept_until: Option<Timestamp>,
    /// Who revoked them.
    #[schema(value_type = String)]
    revoked_by: UserId,
}

impl From<revocation::Revocation> for Revocation {
    fn from(revocation: revocation::Revocation) -> Self {
        let (token_id, user, issuer) = match revocation.tokens {
            Tokens::One { token_id } => (Some(token_id), None, None),
            Tokens::Of { user, issuer } => (None, Some(user), issuer),
        };
        Self {
            id: revocation.id,
            token_id,
            user,
            issuer,
            revoked_at: revocation.at,
            kept_until: revocation.until,
            revoked_by: revocation.by,
        }
    }
}

/// Which page of the revocations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevocationsQuery {
    /// Revocations in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Those whose ids come after this one: the `next` of another page.
    after: Option<String>,
}

/// Some of the revocations in force.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RevocationPage {
    /// By id.
    revocations: Vec<Revocation>,
    /// Give this as `after` for the next page; `null`: there is none.
    #[schema(value_type = Option<String>, required)]
    next: Option<Arc<str>>,
}

/// The id of a revocation.
pub struct RevocationId(String);

impl Named for RevocationId {
    const NAME: &'static str = "id";
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self(text.to_owned()))
    }
}

/// Revoke tokens
///
/// One by its id, or all that a user has, in every workspace: they are refused from the answer on, and their live
/// connections are closed as of an invalid token within a second. A user's access to one workspace is taken away by
/// `DELETE /v1/workspaces/{workspace}/access/{user}`. At most 10,000 are in force. One is kept until it is taken back, or
/// until every token it can mean has ended, where that can be told: by `expiresAt`, or for a user by `tokens.longest_life`.
#[utoipa::path(
    post,
    path = "/v1/revocations",
    operation_id = "revoke_tokens",
    tag = "tokens",
    request_body = Draft,
    responses((status = 201, body = Revocation, description = "They are refused")),
    security(("bearer" = ["operator"])),
)]
pub async fn revoke(
    State(api): State<Arc<Api>>,
    operator: Operator,
    body: JsonBody,
) -> Result<(StatusCode, Json<Revocation>), Problem> {
    let draft: Draft = body.parse_object()?;
    if draft.issuer.as_deref().is_some_and(|iss| api.verifier.keys().issuer(iss).is_none()) {
        let reason = "no such issuer is configured, so no token is of it: leave `issuer` out to revoke all of the user's";
        return Err(Problem::new(&problem::INVALID_REQUEST).detail(reason).field("issuer"));
    }
    // Some of our own tokens say a second that has yet to come.
    let ours =
        draft.user.as_ref().is_some_and(|user| user.as_str().starts_with(service_account::USER_PREFIX));
    let now = if ours { api.clock.now().max(api.keys.latest()) } else { api.clock.now() };
    let revocation = revocation::revoke(&api.engine, draft, operator.user(), now).await?;
    Ok((StatusCode::CREATED, Json(revocation.into())))
}

/// List revocations
///
/// Those in force.
#[utoipa::path(
    get,
    path = "/v1/revocations",
    operation_id = "list_revocations",
    tag = "tokens",
    params(RevocationsQuery),
    responses((status = 200, body = RevocationPage, description = "The page")),
    security(("bearer" = ["operator"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    _operator: Operator,
    InQuery(query): InQuery<RevocationsQuery>,
) -> Result<Json<RevocationPage>, Problem> {
    let limit = limit(query.limit)?;
    let page = revocation::list(&api.engine, query.after.as_deref(), limit, api.clock.now())?;
    let revocations = page.items.into_iter().map(Revocation::from).collect();
    Ok(Json(RevocationPage { revocations, next: page.next }))
}

/// Take a revocation back
///
/// Tokens that have not expired are good again.
#[utoipa::path(
    delete,
    path = "/v1/revocations/{id}",
    operation_id = "take_back_revocation",
    tag = "tokens",
    params(("id" = String, Path, description = "The revocation's id")),
    responses((status = 200, body = Revocation, description = "What is no longer revoked")),
    security(("bearer" = ["operator"])),
)]
pub async fn take_back(
    State(api): State<Arc<Api>>,
    operator: Operator,
    InPath(RevocationId(id)): InPath<RevocationId>,
) -> Result<Json<Revocation>, Problem> {
    let now = api.clock.now();
    Ok(Json(revocation::take_back(&api.engine, &id, operator.user(), now).await?.into()))
}
