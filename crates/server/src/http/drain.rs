//! The planned end of this server: `/v1/drain`.

use std::sync::Arc;
use std::time::Duration;

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
use super::broadcast::{PATIENCE, within};
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
    /// How many workspaces were told now. Those that knew already are not among them, nor those that hear of another
    /// plan, or of none, instead.
    workspaces: usize,
    /// How many could not be told, or not before its instant; the log says why.
    failed: usize,
}

/// Waits until everybody was told, and says how many, with `status`; 202 without that if it takes too long.
async fn told(
    patience: Duration,
    status: StatusCode,
    plan: Plan,
    telling: impl Future<Output = Told> + Send + 'static,
) -> Result<Response, Problem> {
    let drain = Drain::from(plan);
    match within(patience, telling).await.map_err(|problem| problem.id(drain.id))? {
        Some(Told { workspaces, failed }) => {
            Ok((status, Json(DrainTold { drain, workspaces, failed })).into_response())
        }
        None => Ok((StatusCode::ACCEPTED, Json(drain)).into_response()),
    }
}

/// Plan a drain
///
/// At its instant the server ends as on SIGTERM: every connection is closed 1001, and the process exits with status 0.
/// Everybody in every workspace is told now. A plan that there was before is replaced, and everybody is told of the
/// change. The plan goes with the process.
///
/// It is in force at once. Where telling everybody takes more than 20 seconds, the answer is 202 before that is done:
/// nothing need be repeated. 422 where the instant of the plan before has come.
#[utoipa::path(
    post,
    path = "/v1/drain",
    operation_id = "plan_drain",
    tag = "operations",
    request_body = Draft,
    responses(
        (status = 201, body = DrainTold, description = "It is planned"),
        (status = 200, body = DrainTold, description = "It is planned in place of what was planned before"),
        (status = 202, body = Drain, description = "It is planned, and not everybody was told yet"),
    ),
    security(("bearer" = ["operator"])),
)]
pub async fn plan(
    State(api): State<Arc<Api>>,
    operator: Operator,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (plan, is_new) = drain::plan(&api.engine, body.parse_object()?, api.clock.now())?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let (engine, actor, clock) = (Arc::clone(&api.engine), operator.user().clone(), api.clock.clone());
    let of = plan.clone();
    let telling = async move { drain::tell(&engine, &of, &actor, || clock.now()).await };
    told(PATIENCE, status, plan, telling).await
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
///
/// It is planned no longer at once. Where telling takes more than 20 seconds, the answer is 202 before that is done:
/// nothing need be repeated. 422 where the plan's instant has come.
#[utoipa::path(
    delete,
    path = "/v1/drain",
    operation_id = "cancel_drain",
    tag = "operations",
    responses(
        (status = 200, body = DrainTold, description = "What is no longer planned"),
        (status = 202, body = Drain, description = "The same, and not everybody was told yet"),
    ),
    security(("bearer" = ["operator"])),
)]
pub async fn cancel(State(api): State<Arc<Api>>, operator: Operator) -> Result<Response, Problem> {
    let cancelled = drain::cancel(&api.engine, api.clock.now())?;
    let plan = cancelled.plan().clone();
    let (engine, actor, clock) = (Arc::clone(&api.engine), operator.user().clone(), api.clock.clone());
    let telling = async move { drain::tell_cancelled(&engine, cancelled, &actor, || clock.now()).await };
    told(PATIENCE, StatusCode::OK, plan, telling).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_told_what_is_planned() {
        let id = NotificationId::parse("0198c0de-0000-7000-8000-000000000001").unwrap();
        let plan = Plan { id, at: Timestamp::from_millis(0), message: None };
        let late = told(Duration::ZERO, StatusCode::CREATED, plan, std::future::pending()).await.unwrap();
        assert_eq!(late.status(), StatusCode::ACCEPTED);
        let body = axum::body::to_bytes(late.into_body(), 10_000).await.unwrap();
        let said = serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        let expected = serde_json::json!({"id": id, "at": "1970-01-01T00:00:00.000Z", "message": null});
        assert_eq!(said, expected);
    }
}
