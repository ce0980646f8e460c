//! The product documents' two REST routes, with their own bodies (protocol §3).

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campanile_auth::{Identity, Workspaces};
use campanile_engine::{EngineError, access, inbox, mark};
use campanile_model::{Mark, NotificationId};
use campanile_store::StoreError;
use campanile_wire::product_rest::{self, ListItem};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::caller::{Bearer, client};
use super::params::InPath;
use super::problem::Problem;
use super::{Api, Unidentified};
use crate::auth_failures::Away;

/// Rows of the list, which has no pages: the newest.
const MAX_LISTED: usize = 1_000;
/// Bytes of its rows, 4 MiB: as many rows of the longest messages would make an answer of 64 MiB.
const MAX_LISTED_BYTES: usize = 4 * 1024 * 1024;

/// A caller of this surface: any genuine token, unless it names other workspaces only.
pub struct Customer(Arc<Identity>);

/// A caller who is not one.
pub enum Stranger {
    /// In the documents' words.
    Refused(&'static str),
    /// For which the documents have no words.
    TurnedAway(Away),
}

impl FromRequestParts<Arc<Api>> for Customer {
    type Rejection = Stranger;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Stranger> {
        let token = match Bearer::read(&parts.headers) {
            Bearer::Token(token) => token,
            Bearer::Absent | Bearer::Repeated => return Err(Stranger::Refused(product_rest::HEADER_MISSING)),
        };
        match api.identify(client(parts), token).await {
            Ok(identity) if opens(&identity, api).await => Ok(Self(identity)),
            Ok(_) | Err(Unidentified::Refused(_)) => Err(Stranger::Refused(product_rest::TOKEN_INVALID)),
            Err(Unidentified::TurnedAway(away)) => Err(Stranger::TurnedAway(away)),
        }
    }
}

async fn opens(identity: &Identity, api: &Api) -> bool {
    let (workspace, granted) = (&api.product_workspace, &identity.workspaces);
    let is_granted = matches!(granted, Workspaces::Unstated) || granted.grants(workspace);
    // A store that can't tell lets nobody in.
    is_granted && access::is_withdrawn(&api.engine, workspace, &identity.user).await.is_ok_and(|gone| !gone)
}

/// How this surface says no.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Detail {
    /// In words.
    detail: &'static str,
}

impl IntoResponse for Stranger {
    fn into_response(self) -> Response {
        let detail = match self {
            Self::Refused(detail) => detail,
            Self::TurnedAway(away) => return Problem::from(away).into_response(),
        };
        let challenge = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        (StatusCode::UNAUTHORIZED, [challenge], Json(Detail { detail })).into_response()
    }
}

#[derive(Serialize)]
struct List {
    notifications: Vec<Box<RawValue>>,
}

/// The caller's notifications.
#[derive(utoipa::ToSchema)]
#[schema(as = ProductList)]
#[allow(dead_code, reason = "the schema of what wire::product_rest writes; tests compare the two")]
struct ListSchema {
    /// Newest first.
    notifications: Vec<ItemSchema>,
}

/// One notification.
#[derive(utoipa::ToSchema)]
#[schema(as = ProductItem, rename_all = "camelCase")]
#[allow(dead_code, reason = "the schema of what wire::product_rest writes; tests compare the two")]
struct ItemSchema {
    /// Its id, a UUID.
    #[schema(format = Uuid)]
    id: String,
    /// `info`, `warning` or `error`.
    r#type: String,
    /// The text.
    message: String,
    /// When the server took it.
    #[schema(format = DateTime)]
    created_at: String,
    /// Whether the caller has read it.
    is_read: bool,
}

/// List
///
/// The caller's notifications, newest first: all that were not archived, at most the newest 1,000, and no
/// more of them than fit into 4 MiB.
#[utoipa::path(
    get,
    path = "/api/notification/list",
    operation_id = "list_product",
    tag = "product",
    responses(
        (status = 200, body = ListSchema, description = "The list"),
        (status = 401, body = Detail, description = "The token is missing or not accepted"),
    ),
    security(("bearer" = [])),
)]
pub async fn list(State(api): State<Arc<Api>>, customer: Customer) -> Result<Response, Problem> {
    let (mut notifications, mut bytes) = (vec![], 0);
    let (workspace, user) = (&api.product_workspace, &customer.0.user);
    inbox::newest(&api.engine, workspace, user, MAX_LISTED, |item| {
        // Strings and booleans can't fail to serialize.
        let row = to_raw_value(&ListItem::new(&item.notification, item.receipt.read)).unwrap_or_default();
        bytes += row.get().len();
        let fits = bytes <= MAX_LISTED_BYTES;
        if fits {
            notifications.push(row);
        }
        fits
    })
    .await?;
    Ok(Json(List { notifications }).into_response())
}

/// What was done.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Done {
    /// In words.
    message: &'static str,
}

/// Mark read
///
/// Marks one of the caller's own notifications read. Doing it again answers the same.
#[utoipa::path(
    post,
    path = "/api/notification/mark-read/{id}",
    operation_id = "mark_read_product",
    tag = "product",
    params(("id" = String, Path, description = "The notification's id")),
    responses(
        (status = 200, body = Done, description = "It is read"),
        (status = 401, body = Detail, description = "The token is missing or not accepted"),
        (status = 404, body = Detail, description = "The caller has no such notification"),
    ),
    security(("bearer" = [])),
)]
pub async fn mark_read(
    State(api): State<Arc<Api>>,
    customer: Customer,
    id: Result<InPath<NotificationId>, Problem>,
) -> Result<Response, Problem> {
    // What can't be an id is answered as one that is not there.
    let Ok(InPath(id)) = id else { return Ok(not_found()) };
    let (user, now) = (&customer.0.user, api.clock.now());
    match mark::mark(&api.engine, &api.product_workspace, user, Mark::Read(id), None, now).await {
        Ok(_) => Ok(Json(Done { message: product_rest::MARKED }).into_response()),
        Err(EngineError::Store(StoreError::NotFound)) => Ok(not_found()),
        Err(error) => Err(error.into()),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Json(Detail { detail: product_rest::NOT_FOUND })).into_response()
}
