//! How the sources of keys are: `/v1/issuers`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use campanile_model::Timestamp;
use serde::Serialize;

use super::Api;
use super::caller::Operator;
use crate::key_sources::Status;

/// The issuers whose keys are fetched.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Issuers {
    /// In the order of the configuration.
    issuers: Vec<IssuerKeys>,
}

/// An issuer whose keys are fetched from a URL.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerKeys {
    /// Its name in the configuration.
    name: String,
    /// How many of its keys are in use. With none, all of its tokens are refused.
    keys: usize,
    /// When its keys were fetched last; `null`: never yet.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    fetched_at: Option<Timestamp>,
    /// Since when every fetch has failed; `null`: the last one did not. The log says why.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    failing_since: Option<Timestamp>,
}

impl From<Status> for IssuerKeys {
    fn from(Status { name, keys, fetched_at, failing_since }: Status) -> Self {
        Self { name, keys, fetched_at, failing_since }
    }
}

/// List issuers
///
/// Those whose keys are fetched, and how that goes on this server. While it fails, the keys that were fetched before
/// stay in use.
#[utoipa::path(
    get,
    path = "/v1/issuers",
    operation_id = "list_issuers",
    tag = "operations",
    responses((status = 200, body = Issuers, description = "The issuers")),
    security(("bearer" = ["operator"])),
)]
pub async fn list(State(api): State<Arc<Api>>, _operator: Operator) -> Json<Issuers> {
    Json(Issuers { issuers: api.sources.status().into_iter().map(IssuerKeys::from).collect() })
}
