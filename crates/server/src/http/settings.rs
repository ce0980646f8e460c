//! What a workspace is set to: `/v1/workspaces/{workspace}/settings`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use campanile_engine::settings::{self, Settings};

use super::Api;
use super::body::JsonBody;
use super::caller::{Admin, Allowed};
use super::etag::{Expected, tagged};
use super::problem::Problem;

/// Read settings
///
/// What the workspace is set to; a member that was never set has its default. The `ETag` names the state.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/settings",
    operation_id = "read_settings",
    tag = "settings",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    responses((status = 200, body = Settings, description = "The settings", headers(("ETag", description = "Their state")))),
    security(("bearer" = ["admin"])),
)]
pub async fn read(State(api): State<Arc<Api>>, admin: Allowed<Admin>) -> Result<Response, Problem> {
    let stored = settings::load(&api.engine, &admin.workspace).await?;
    Ok(tagged(stored.version, Json(stored.settings)))
}

/// Replace settings
///
/// Sets all of them; what is left out has its default again. Everybody in the workspace is told what was changed,
/// by name, and products whose dates follow from it are planned anew.
#[utoipa::path(
    put,
    path = "/v1/workspaces/{workspace}/settings",
    operation_id = "replace_settings",
    tag = "settings",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("If-Match" = Option<String>, Header, description = "The state they are to be in"),
    ),
    request_body = Settings,
    responses((status = 200, body = Settings, description = "They are set", headers(("ETag", description = "Their state")))),
    security(("bearer" = ["admin"])),
)]
pub async fn replace(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    Expected(expected): Expected,
    body: JsonBody,
) -> Result<Response, Problem> {
    let settings: Settings = body.parse_object()?;
    let (workspace, user, now) = (&admin.workspace, admin.user(), api.clock.now());
    let stored = settings::replace(&api.engine, workspace, settings, expected, user, now).await?;
    Ok(tagged(stored.version, Json(stored.settings)))
}
