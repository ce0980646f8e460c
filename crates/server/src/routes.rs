//! All routes on one page. A test holds this table against the OpenAPI document.
//!
//! | method | path | handler |
//! |---|---|---|
//! | POST | `/v1/workspaces/{workspace}/notifications` | [`notifications::publish`] |
//! | GET | `/v1/workspaces/{workspace}/notifications/{id}` | [`notifications::read`] |
//! | GET | `/v1/workspaces/{workspace}/inbox` | [`inbox::list`] |
//! | POST | `/v1/workspaces/{workspace}/inbox/{id}/read` | [`inbox::read`] |
//! | POST | `/v1/workspaces/{workspace}/inbox/{id}/unread` | [`inbox::unread`] |
//! | POST | `/v1/workspaces/{workspace}/inbox/{id}/archive` | [`inbox::archive`] |
//! | POST | `/v1/workspaces/{workspace}/inbox/read-all` | [`inbox::read_all`] |
//! | POST | `/v1/workspaces/{workspace}/inbox/seen` | [`inbox::seen`] |
//! | GET | `/v1/workspaces/{workspace}/topics/{topic}/subscribers` | [`topics::list`] |
//! | POST | `/v1/workspaces/{workspace}/topics/{topic}/subscribers` | [`topics::subscribe`] |
//! | DELETE | `/v1/workspaces/{workspace}/topics/{topic}/subscribers` | [`topics::unsubscribe`] |
//! | DELETE | `/v1/workspaces/{workspace}/topics/{topic}/subscribers/{user}` | [`topics::unsubscribe_one`] |
//! | GET | `/api/notification/list` | [`product::list`] |
//! | POST | `/api/notification/mark-read/{id}` | [`product::mark_read`] |
//! | GET | `/healthz` | [`health::live`] |
//! | GET | `/readyz` | [`health::ready`] |
//!
//! Beside them: `/openapi.json` and [`problem::DOCS_PATH`] explain the API, and the sockets' paths
//! ([`campanile_wire::SURFACES`]) answer 426 to whoever asks without an upgrade.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::{Api, edge, health, inbox, notifications, openapi, problem, product, topics};

/// The whole HTTP API. Upgrades of the sockets' paths are taken before it.
pub fn router(api: Arc<Api>) -> Router {
    let (mut router, document) = documented().split_for_parts();
    let document = finished(document);
    router = router
        .route("/openapi.json", get(move || std::future::ready(openapi::serve(document.clone()))))
        .route(problem::DOCS_PATH, get(openapi::problems));
    for path in campanile_wire::SURFACES.iter().flat_map(|surface| surface.paths) {
        router = router.route(path, get(edge::upgrade_required));
    }
    router
        .fallback(edge::unknown_route)
        .method_not_allowed_fallback(edge::unknown_method)
        .layer(from_fn(edge::guard))
        .with_state(api)
}

/// The OpenAPI document as it is served and committed.
pub fn document() -> String {
    finished(documented().into_openapi())
}

fn documented() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(notifications::publish))
        .routes(routes!(notifications::read))
        .routes(routes!(inbox::list))
        .routes(routes!(inbox::read))
        .routes(routes!(inbox::unread))
        .routes(routes!(inbox::archive))
        .routes(routes!(inbox::read_all))
        .routes(routes!(inbox::seen))
        .routes(routes!(topics::list, topics::subscribe, topics::unsubscribe))
        .routes(routes!(topics::unsubscribe_one))
        .routes(routes!(product::list))
        .routes(routes!(product::mark_read))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

fn finished(mut document: utoipa::openapi::OpenApi) -> String {
    openapi::Everywhere.modify(&mut document);
    // A document of strings, numbers and maps with string keys can't fail to serialize.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
