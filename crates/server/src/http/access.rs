//! Who has access: `/v1/workspaces/{workspace}/access`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use campanile_engine::access;
use campanile_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::{Admin, Allowed};
use super::params::{InPath, InQuery, limit};
use super::problem::Problem;

/// What a decision did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccessDecided {
    /// Whether the user has access now, as far as this workspace says.
    granted: bool,
    /// Whether that is new; nobody is told what is not.
    changed: bool,
}

/// Which page of the decisions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccessQuery {
    /// Users in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Users whose names come after this one: the `next` of another page.
    after: Option<String>,
}

/// Some of the users of whom something was decided.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccessPage {
    /// By name. Whoever is not there has the access that their token gives.
    users: Vec<UserAccess>,
    /// Give this as `after` for the next page; `null`: there is none.
    #[schema(value_type = Option<String>, required)]
    next: Option<Arc<str>>,
}

/// What was last decided of a user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UserAccess {
    /// Who.
    #[schema(value_type = String)]
    user: UserId,
    /// Whether they have access.
    granted: bool,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// List access
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/access",
    operation_id = "list_access",
    tag = "access",
    params(("workspace" = String, Path, description = "The workspace's slug"), AccessQuery),
    responses((status = 200, body = AccessPage, description = "The page")),
    security(("bearer" = ["admin"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InQuery(query): InQuery<AccessQuery>,
) -> Result<Json<AccessPage>, Problem> {
    let limit = limit(query.limit)?;
    let page = access::list(&api.engine, &admin.workspace, query.after.as_deref(), limit).await?;
    let users = page.items.into_iter();
    let users = users.map(|d| UserAccess { user: d.user, granted: d.granted, since: d.since });
    Ok(Json(AccessPage { users: users.collect(), next: page.next }))
}

/// Grant access
///
/// The user sees the workspace's entries from here on, and again those of the times they had access before. They
/// are told, unless it was granted already. Their token must name the workspace as well.
#[utoipa::path(
    put,
    path = "/v1/workspaces/{workspace}/access/{user}",
    operation_id = "grant_access",
    tag = "access",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("user" = String, Path, description = "The user"),
    ),
    responses((status = 200, body = AccessDecided, description = "The user has access")),
    security(("bearer" = ["admin"])),
)]
pub async fn grant(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(user): InPath<UserId>,
) -> Result<Json<AccessDecided>, Problem> {
    let now = api.clock.now();
    let changed = access::grant(&api.engine, &admin.workspace, user, admin.user(), now).await?;
    Ok(Json(AccessDecided { granted: true, changed }))
}

/// Withdraw access
///
/// Whatever their token says, the user sees nothing of the workspace from here on. Their sockets are told, as the
/// last thing, and closed 4001.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/access/{user}",
    operation_id = "withdraw_access",
    tag = "access",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("user" = String, Path, description = "The user"),
    ),
    responses((status = 200, body = AccessDecided, description = "The user has no access")),
    security(("bearer" = ["admin"])),
)]
pub async fn withdraw(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(user): InPath<UserId>,
) -> Result<Json<AccessDecided>, Problem> {
    let now = api.clock.now();
    let changed = access::withdraw(&api.engine, &admin.workspace, user, admin.user(), now).await?;
    Ok(Json(AccessDecided { granted: false, changed }))
}
