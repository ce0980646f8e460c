//! The planned end of this server: `/v1/drain`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use campanile_engine::EngineError;
use campanile_engine::drain::{self, Draft, Plan, Told};
use campanile_model::{NotificationId, Timestamp};
use serde::Serialize;

use super::Api;
use super::body::JsonBody;
use super::caller::Operator;
use super::problem::Problem;

/// A planned drain.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Drain {
    /// Its id, a UUID. It stays when the plan is changed.
    #[schema(value_type = String, format = Uuid)]
    id: NotificationId,
    /// When the server begins to end.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The text for people; `null`: one of the server's own.
    #[schema(required)]
    message: Option<String>,
}

impl From<Plan> for Drain {
    fn from(Plan { id, at, message }: Plan) -> Self {
        Self { id, at, message }
    }
}

/// A planned drain, and who was told of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DrainTold {
    #[serde(flatten)]
    drain: Drain,
    /// How many workspaces were told now. Those that knew already are not among them.
    workspaces: usize,
    /// How many could not be told; the log says why.
    failed: usize,
}

impl From<Told> for DrainTold {
    fn from(Told { plan, workspaces, failed }: Told) -> Self {
        Self { drain: plan.into(), workspaces, failed }
    }
}

/// Plan a drain
///
/// At its instant the server ends as on SIGTERM: every connection is closed 1001, and the process exits with status 0.
/// Everybody in every workspace is told now. A plan that there was before is replaced, and everybody is told of the
/// change. The plan goes with the process.
#[utoipa::path(
    post,
    path = "/v1/drain",
    operation_id = "plan_drain",
    tag = "operations",
    request_body = Draft,
    responses(
        (status = 201, body = DrainTold, description = "It is planned"),
        (status = 200, body = DrainTold, description = "It is planned in place of what was planned before"),
    ),
    security(("bearer" = ["operator"])),
)]
pub async fn plan(
    State(api): State<Arc<Api>>,
    operator: Operator,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (draft, now) = (body.parse_object()?, api.clock.now());
    let (told, is_new) = drain::plan(&api.engine, draft, operator.user(), now).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(DrainTold::from(told))).into_response())
}

/// Read the planned drain
///
/// 404 where none is planned.
#[utoipa::path(
    get,
    path = "/v1/drain",
    operation_id = "read_drain",
    tag = "operations",
    responses((status = 200, body = Drain, description = "The plan")),
    security(("bearer" = ["operator"])),
)]
pub async fn read(State(api): State<Arc<Api>>, _operator: Operator) -> Result<Json<Drain>, Problem> {
    let plan = api.engine.drains.plan().ok_or(EngineError::Missing { what: "planned drain" })?;
    Ok(Json(plan.into()))
}

/// Cancel the planned drain
///
/// The server goes on, and whoever was told of the plan is told so. 404 where none is planned.
#[utoipa::path(
    delete,
    path = "/v1/drain",
    operation_id = "cancel_drain",
    tag = "operations",
    responses((status = 200, body = DrainTold, description = "What is no longer planned")),
    security(("bearer" = ["operator"])),
)]
pub async fn cancel(State(api): State<Arc<Api>>, operator: Operator) -> Result<Json<DrainTold>, Problem> {
    Ok(Json(drain::cancel(&api.engine, operator.user(), api.clock.now()).await?.into()))
}
