//! Announcements of maintenance: `/v1/workspaces/{workspace}/announcements`, and `/v1/announcements` for every
//! workspace at once.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use campanile_engine::EngineError;
use campanile_engine::announcement::{self, Draft, Patch, State as Standing};
use campanile_model::{NotificationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::JsonBody;
use super::broadcast::{PATIENCE, within};
use super::caller::{Admin, Allowed, Operator};
use super::params::{InPath, InQuery, limit};
use super::problem::{self, Problem};

/// An announcement of maintenance.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    /// Its id, a UUID.
    #[schema(value_type = String, format = Uuid)]
    id: NotificationId,
    /// The text for people.
    message: String,
    /// When maintenance starts.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// What became of it.
    state: Standing,
}

impl From<announcement::Announcement> for Announcement {
    fn from(a: announcement::Announcement) -> Self {
        Self { id: a.id, message: a.message, starts_at: a.starts_at, ends_at: a.ends_at, state: a.state }
    }
}

/// Which page of the announcements.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AnnouncementsQuery {
    /// Announcements in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Announcements made before this place: the `next` of another page.
    before: Option<u64>,
}

/// Some of the announcements.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Announcements {
    /// The newest first.
    announcements: Vec<Announcement>,
    /// Give this as `before` for the next page; `null`: there is none.
    #[schema(required)]
    next: Option<u64>,
}

/// What was done in every workspace.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Everywhere {
    /// The announcement's id, the same in all of them.
    #[schema(value_type = String, format = Uuid)]
    id: NotificationId,
    /// In how many workspaces something was done now.
    workspaces: usize,
    /// In how many it could not be done: repeat the request with this `id`.
    failed: usize,
}

impl From<announcement::Everywhere> for Everywhere {
    fn from(all: announcement::Everywhere) -> Self {
        Self { id: all.id, workspaces: all.done, failed: all.failed }
    }
}

/// Waits for what is done in every workspace, which goes on if that takes too long.
async fn finished(
    patience: Duration,
    id: NotificationId,
    doing: impl Future<Output = Result<announcement::Everywhere, EngineError>> + Send + 'static,
) -> Result<Everywhere, Problem> {
    match within(patience, doing).await.map_err(|problem| problem.id(id))? {
        Some(done) => Ok(done?.into()),
        None => Err(Problem::new(&problem::ANNOUNCEMENT_UNFINISHED).id(id).retry_after(5)),
    }
}

/// Announce maintenance
///
/// Everybody in the workspace is told now. What is not read no longer holds once the announcement is changed,
/// withdrawn or over.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/announcements",
    operation_id = "announce",
    tag = "announcements",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    request_body = Draft,
    responses((status = 201, body = Announcement, description = "It was announced")),
    security(("bearer" = ["admin"])),
)]
pub async fn announce(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (draft, now) = (body.parse()?, api.clock.now());
    let made = announcement::announce(&api.engine, &admin.workspace, draft, admin.user(), now).await?;
    Ok((StatusCode::CREATED, Json(Announcement::from(made))).into_response())
}

/// List announcements
///
/// Those that hold, and those that ended or were withdrawn within 30 days.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/announcements",
    operation_id = "list_announcements",
    tag = "announcements",
    params(("workspace" = String, Path, description = "The workspace's slug"), AnnouncementsQuery),
    responses((status = 200, body = Announcements, description = "The page")),
    security(("bearer" = ["admin"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InQuery(query): InQuery<AnnouncementsQuery>,
) -> Result<Json<Announcements>, Problem> {
    let limit = limit(query.limit)?;
    let page = announcement::list(&api.engine, &admin.workspace, query.before, limit).await?;
    let announcements = page.items.into_iter().map(Announcement::from).collect();
    Ok(Json(Announcements { announcements, next: page.next }))
}

/// Read an announcement
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/announcements/{id}",
    operation_id = "read_announcement",
    tag = "announcements",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The announcement's id"),
    ),
    responses((status = 200, body = Announcement, description = "The announcement")),
    security(("bearer" = ["admin"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(id): InPath<NotificationId>,
) -> Result<Json<Announcement>, Problem> {
    Ok(Json(announcement::read(&api.engine, &admin.workspace, id).await?.into()))
}

/// Change an announcement
///
/// Everybody is told what it says now, unless that is what it said. One that is over or withdrawn stays so.
#[utoipa::path(
    patch,
    path = "/v1/workspaces/{workspace}/announcements/{id}",
    operation_id = "change_announcement",
    tag = "announcements",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The announcement's id"),
    ),
    request_body = Patch,
    responses((status = 200, body = Announcement, description = "As it says now")),
    security(("bearer" = ["admin"])),
)]
pub async fn change(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(id): InPath<NotificationId>,
    body: JsonBody,
) -> Result<Json<Announcement>, Problem> {
    let (patch, now) = (body.parse_object()?, api.clock.now());
    let changed = announcement::change(&api.engine, &admin.workspace, id, &patch, admin.user(), now).await?;
    Ok(Json(changed.into()))
}

/// Withdraw an announcement
///
/// Everybody is told that there is no maintenance. One that is over stays so.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/announcements/{id}",
    operation_id = "withdraw_announcement",
    tag = "announcements",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The announcement's id"),
    ),
    responses((status = 200, body = Announcement, description = "It was withdrawn")),
    security(("bearer" = ["admin"])),
)]
pub async fn withdraw(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(id): InPath<NotificationId>,
) -> Result<Json<Announcement>, Problem> {
    let now = api.clock.now();
    let withdrawn = announcement::withdraw(&api.engine, &admin.workspace, id, admin.user(), now).await?;
    Ok(Json(withdrawn.into()))
}

/// Announce maintenance everywhere
///
/// Announces it in every workspace, under one id, one workspace after the other. One that fails stops no other, and is
/// counted as `failed`. Repeat the request with the same `id` then: workspaces that have the announcement are passed
/// over. The `id` is in every answer and problem from the first write on.
#[utoipa::path(
    post,
    path = "/v1/announcements",
    operation_id = "announce_everywhere",
    tag = "announcements",
    request_body = Draft,
    responses((status = 201, body = Everywhere, description = "It was announced")),
    security(("bearer" = ["operator"])),
)]
pub async fn announce_everywhere(
    State(api): State<Arc<Api>>,
    operator: Operator,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (draft, now): (Draft, _) = (body.parse()?, api.clock.now());
    let id = draft.id.unwrap_or_else(|| (api.engine.ids)(now));
    let (engine, actor) = (Arc::clone(&api.engine), operator.user().clone());
    let announced = async move { announcement::announce_everywhere(&engine, id, draft, &actor, now).await };
    Ok((StatusCode::CREATED, Json(finished(PATIENCE, id, announced).await?)).into_response())
}

/// Change an announcement everywhere
///
/// In every workspace in which it holds. One that fails stops no other, and is counted as `failed`. Repeating it is safe.
#[utoipa::path(
    patch,
    path = "/v1/announcements/{id}",
    operation_id = "change_announcement_everywhere",
    tag = "announcements",
    params(("id" = String, Path, description = "The announcement's id")),
    request_body = Patch,
    responses((status = 200, body = Everywhere, description = "It was changed")),
    security(("bearer" = ["operator"])),
)]
pub async fn change_everywhere(
    State(api): State<Arc<Api>>,
    operator: Operator,
    InPath(id): InPath<NotificationId>,
    body: JsonBody,
) -> Result<Json<Everywhere>, Problem> {
    let (patch, now): (Patch, _) = (body.parse_object()?, api.clock.now());
    let (engine, actor) = (Arc::clone(&api.engine), operator.user().clone());
    let changed = async move { announcement::change_everywhere(&engine, id, &patch, &actor, now).await };
    Ok(Json(finished(PATIENCE, id, changed).await?))
}

/// Withdraw an announcement everywhere
///
/// In every workspace in which it holds. One that fails stops no other, and is counted as `failed`. Repeating it is safe.
#[utoipa::path(
    delete,
    path = "/v1/announcements/{id}",
    operation_id = "withdraw_announcement_everywhere",
    tag = "announcements",
    params(("id" = String, Path, description = "The announcement's id")),
    responses((status = 200, body = Everywhere, description = "It was withdrawn")),
    security(("bearer" = ["operator"])),
)]
pub async fn withdraw_everywhere(
    State(api): State<Arc<Api>>,
    operator: Operator,
    InPath(id): InPath<NotificationId>,
) -> Result<Json<Everywhere>, Problem> {
    let (engine, actor, now) = (Arc::clone(&api.engine), operator.user().clone(), api.clock.now());
    let withdrawn = async move { announcement::withdraw_everywhere(&engine, id, &actor, now).await };
    Ok(Json(finished(PATIENCE, id, withdrawn).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_kept_waiting_is_told_the_id() {
        let id = NotificationId::parse("0198c0de-0000-7000-8000-000000000001").unwrap();
        let late = finished(Duration::ZERO, id, std::future::pending()).await.unwrap_err();
        assert_eq!(late.code(), &problem::ANNOUNCEMENT_UNFINISHED);
        let body = late.into_response().into_body();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["id"], id.to_string());
    }
}
