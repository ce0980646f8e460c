//! Machine clients: `/v1/workspaces/{workspace}/service-accounts`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_engine::Span;
use campanile_engine::service_account::{self, Draft, SecretHash};
use campanile_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::JsonBody;
use super::caller::{Admin, Allowed};
use super::params::{InPath, InQuery, Named, limit};
use super::problem::{self, Problem};
use crate::private_file::random;

/// What every secret begins with, so that scanners of source code find one that was left there.
pub const SECRET_PREFIX: &str = "cmp_sa_";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// A machine client.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Its name in the workspace, which is its id too.
    #[schema(value_type = String)]
    id: Arc<str>,
    /// What it names itself at `POST /oidc/token`.
    #[schema(example = "acme.order-events")]
    client_id: String,
    /// The user that its tokens name.
    #[schema(value_type = String, example = "service:acme.order-events")]
    user: UserId,
    /// What its tokens may do.
    scopes: Vec<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who made it.
    #[schema(value_type = String)]
    created_by: UserId,
    /// When its secret was made.
    #[schema(value_type = String, format = DateTime)]
    rotated_at: Timestamp,
    /// Until when the secret before that one is good too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    former_secret_until: Option<Timestamp>,
}

impl From<service_account::ServiceAccount> for ServiceAccount {
    fn from(account: service_account::ServiceAccount) -> Self {
        Self {
            id: account.name,
            client_id: account.client_id,
            user: account.user,
            scopes: account.scopes,
            description: account.description,
            created_at: account.created,
            created_by: account.by,
            rotated_at: account.rotated,
            former_secret_until: account.former_until,
        }
    }
}

/// A machine client with its new secret.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountSecret {
    #[serde(flatten)]
    account: ServiceAccount,
    /// The secret. It is shown here and never again: only a hash of it is kept.
    client_secret: String,
}

/// Which page of the service accounts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServiceAccountsQuery {
    /// Service accounts in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Those whose names come after this one: the `next` of another page.
    after: Option<String>,
}

/// Some of the service accounts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountPage {
    /// By name.
    service_accounts: Vec<ServiceAccount>,
    /// Give this as `after` for the next page; `null`: there is none.
    #[schema(value_type = Option<String>, required)]
    next: Option<Arc<str>>,
}

/// How a secret is replaced.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateBody {
    /// How much longer the former secret is good: `30m`, `24h` at most, or seconds as a number. Default: not at all.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1h")]
    overlap: Option<Span>,
}

/// The name of a service account.
pub struct AccountName(String);

impl Named for AccountName {
    const NAME: &'static str = "id";
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self(text.to_owned()))
    }
}

/// A new secret, and what is kept of it.
fn secret() -> Result<(String, SecretHash), Problem> {
    let bytes = random::<SECRET_BYTES>().map_err(|error| {
        tracing::error!(%error, "no secret can be made");
        Problem::new(&problem::INTERNAL)
    })?;
    let text = format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let hash = SecretHash::of(&text);
    Ok((text, hash))
}

/// Create a service account
///
/// A client that gets its tokens by `POST /oidc/token`. The secret is shown once. It may do whatever the workspace's
/// administrators say, except what an operator may. At most 200 of a workspace.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/service-accounts",
    operation_id = "create_service_account",
    tag = "service accounts",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    request_body = Draft,
    responses((status = 201, body = ServiceAccountSecret, description = "It is made")),
    security(("bearer" = ["admin"])),
)]
pub async fn create(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    body: JsonBody,
) -> Result<(StatusCode, Json<ServiceAccountSecret>), Problem> {
    let (draft, now) = (body.parse_object()?, api.clock.now());
    let (client_secret, hash) = secret()?;
    let made = service_account::create(&api.engine, &admin.workspace, draft, hash, admin.user(), now).await?;
    let answer = ServiceAccountSecret { account: made.into(), client_secret };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// List service accounts
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/service-accounts",
    operation_id = "list_service_accounts",
    tag = "service accounts",
    params(("workspace" = String, Path, description = "The workspace's slug"), ServiceAccountsQuery),
    responses((status = 200, body = ServiceAccountPage, description = "The page")),
    security(("bearer" = ["admin"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InQuery(query): InQuery<ServiceAccountsQuery>,
) -> Result<Json<ServiceAccountPage>, Problem> {
    let (limit, now) = (limit(query.limit)?, api.clock.now());
    let after = query.after.as_deref();
    let page = service_account::list(&api.engine, &admin.workspace, after, limit, now).await?;
    let service_accounts = page.items.into_iter().map(ServiceAccount::from).collect();
    Ok(Json(ServiceAccountPage { service_accounts, next: page.next }))
}

/// Read a service account
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/service-accounts/{id}",
    operation_id = "read_service_account",
    tag = "service accounts",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The name"),
    ),
    responses((status = 200, body = ServiceAccount, description = "It")),
    security(("bearer" = ["admin"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(AccountName(name)): InPath<AccountName>,
) -> Result<Json<ServiceAccount>, Problem> {
    let now = api.clock.now();
    Ok(Json(service_account::read(&api.engine, &admin.workspace, &name, now).await?.into()))
}

/// Rotate a service account's secret
///
/// The new secret is shown once. The former one is refused from here on, or after the overlap. Tokens that were got
/// with it live on; revoke the user to end them.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/service-accounts/{id}/rotate",
    operation_id = "rotate_service_account",
    tag = "service accounts",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The name"),
    ),
    request_body(content = Option<RotateBody>),
    responses((status = 200, body = ServiceAccountSecret, description = "It has another secret")),
    security(("bearer" = ["admin"])),
)]
pub async fn rotate(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(AccountName(name)): InPath<AccountName>,
    body: JsonBody,
) -> Result<Json<ServiceAccountSecret>, Problem> {
    let RotateBody { overlap } = body.parse_or_default()?;
    let (client_secret, hash) = secret()?;
    let _ends = api.issuing.ends(admin.workspace.as_str()).await;
    let (user, now) = (admin.user(), api.clock.now());
    let rotated =
        service_account::rotate(&api.engine, &admin.workspace, &name, hash, overlap, user, now).await?;
    Ok(Json(ServiceAccountSecret { account: rotated.into(), client_secret }))
}

/// Delete a service account
///
/// Its secrets and its tokens are refused from here on, and its live connections are closed within a second.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/service-accounts/{id}",
    operation_id = "delete_service_account",
    tag = "service accounts",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The name"),
    ),
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["admin"])),
)]
pub async fn delete(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(AccountName(name)): InPath<AccountName>,
) -> Result<StatusCode, Problem> {
    let _ends = api.issuing.ends(admin.workspace.as_str()).await;
    // Some tokens say a second that has yet to come, to be told from others that were taken back.
    let now = api.clock.now().max(api.keys.latest());
    service_account::delete(&api.engine, &admin.workspace, &name, admin.user(), now).await?;
    Ok(StatusCode::NO_CONTENT)
}
