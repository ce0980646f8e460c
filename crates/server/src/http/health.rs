//! Whether the node lives, and whether it takes traffic.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Api;
use super::problem::{self, Problem};

/// How the node is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
}

/// Live
///
/// Answers as long as the process does. Restart it when it does not.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "live",
    tag = "operations",
    responses((status = 200, body = Health, description = "It lives")),
    security(()),
)]
pub async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Ready
///
/// Whether the node takes traffic: it has started, is not stopping, and its store takes writes.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    tag = "operations",
    responses((status = 200, body = Health, description = "It is ready")),
    security(()),
)]
pub async fn ready(State(api): State<Arc<Api>>) -> Result<Json<Health>, Problem> {
    let refuse = |detail| Problem::new(&problem::NOT_READY).detail(detail).retry_after(1);
    if !api.ready.load(Ordering::Acquire) {
        return Err(refuse("the server is starting or stopping"));
    }
    match api.engine.store.health() {
        Ok(()) => Ok(Json(Health { status: "ok" })),
        Err(error) => {
            tracing::debug!(%error, "not ready");
            Err(refuse("the store takes no writes"))
        }
    }
}
