//! One-time tickets for sockets: `/v1/tickets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use campanile_model::Timestamp;
use serde::Serialize;

use super::Api;
use super::caller::Anybody;
use super::problem::{self, Problem};
use crate::tickets::TicketError;

/// A ticket.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketGiven {
    /// What to put into the socket's address as `ticket`, in place of the token. Good for one connection.
    #[schema(example = "cmp_tk_…")]
    ticket: String,
    /// Until when: 60 seconds, or less where the token has less.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Get a ticket
///
/// It stands for the token that the request brings, once: a socket that is opened with it lives as long as that token,
/// and a revocation of that token closes it. A user may have 64 that are not used.
#[utoipa::path(
    post,
    path = "/v1/tickets",
    operation_id = "get_ticket",
    tag = "tokens",
    responses((status = 201, body = TicketGiven, description = "The ticket")),
    security(("bearer" = [])),
)]
pub async fn give(
    State(api): State<Arc<Api>>,
    Anybody(identity): Anybody,
) -> Result<(StatusCode, Json<TicketGiven>), Problem> {
    let given = api.tickets.give(identity, api.clock.now()).map_err(|error| match error {
        TicketError::TooMany => Problem::new(&problem::OVERLOADED).detail(error.to_string()).retry_after(60),
        TicketError::Random(_) => {
            tracing::error!(%error, "no ticket can be given");
            Problem::new(&problem::INTERNAL)
        }
    })?;
    let (ticket, expires_at) = given;
    Ok((StatusCode::CREATED, Json(TicketGiven { ticket, expires_at })))
}
