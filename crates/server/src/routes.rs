//! All routes on one page. A test holds this table against the OpenAPI document.
//!
//! | method | path | handler |
//! |---|---|---|
//! | POST | `/v1/workspaces/{workspace}/notifications` | [`notifications::publish`] |
//! | GET | `/v1/workspaces/{workspace}/notifications/{id}` | [`notifications::read`] |
//! | PATCH | `/v1/workspaces/{workspace}/notifications/{id}` | [`notifications::update`] |
//! | DELETE | `/v1/workspaces/{workspace}/notifications/{id}` | [`notifications::retract`] |
//! | GET | `/v1/workspaces/{workspace}/schedules` | [`notifications::schedules`] |
//! | POST | `/v1/workspaces/{workspace}/events` | [`events::take`] |
//! | GET | `/v1/workspaces/{workspace}/events` | [`events::list`] |
//! | GET | `/v1/workspaces/{workspace}/events/{key}` | [`events::read`] |
//! | POST | `/v1/workspaces/{workspace}/events/{key}/rerun` | [`events::rerun`] |
//! | GET | `/v1/workspaces/{workspace}/rules` | [`rules::list`] |
//! | GET | `/v1/workspaces/{workspace}/rules/{name}` | [`rules::read`] |
//! | PUT | `/v1/workspaces/{workspace}/rules/{name}` | [`rules::put`] |
//! | DELETE | `/v1/workspaces/{workspace}/rules/{name}` | [`rules::delete`] |
//! | POST | `/v1/workspaces/{workspace}/rules/try` | [`rules::try_out`] |
//! | GET | `/v1/workspaces/{workspace}/settings` | [`settings::read`] |
//! | PUT | `/v1/workspaces/{workspace}/settings` | [`settings::replace`] |
//! | GET | `/v1/workspaces/{workspace}/access` | [`access::list`] |
//! | PUT | `/v1/workspaces/{workspace}/access/{user}` | [`access::grant`] |
//! | DELETE | `/v1/workspaces/{workspace}/access/{user}` | [`access::withdraw`] |
//! | POST | `/v1/workspaces/{workspace}/announcements` | [`announcements::announce`] |
//! | GET | `/v1/workspaces/{workspace}/announcements` | [`announcements::list`] |
//! | GET | `/v1/workspaces/{workspace}/announcements/{id}` | [`announcements::read`] |
//! | PATCH | `/v1/workspaces/{workspace}/announcements/{id}` | [`announcements::change`] |
//! | DELETE | `/v1/workspaces/{workspace}/announcements/{id}` | [`announcements::withdraw`] |
//! | POST | `/v1/announcements` | [`announcements::announce_everywhere`] |
//! | PATCH | `/v1/announcements/{id}` | [`announcements::change_everywhere`] |
//! | DELETE | `/v1/announcements/{id}` | [`announcements::withdraw_everywhere`] |
//! | POST | `/v1/drain` | [`drain::plan`] |
//! | GET | `/v1/drain` | [`drain::read`] |
//! | DELETE | `/v1/drain` | [`drain::cancel`] |
//! | POST | `/v1/workspaces/{workspace}/service-accounts` | [`service_accounts::create`] |
//! | GET | `/v1/workspaces/{workspace}/service-accounts` | [`service_accounts::list`] |
//! | GET | `/v1/workspaces/{workspace}/service-accounts/{id}` | [`service_accounts::read`] |
//! | POST | `/v1/workspaces/{workspace}/service-accounts/{id}/rotate` | [`service_accounts::rotate`] |
//! | DELETE | `/v1/workspaces/{workspace}/service-accounts/{id}` | [`service_accounts::delete`] |
//! | POST | `/oidc/token` | [`oidc::token`] |
//! | POST | `/v1/tickets` | [`tickets::give`] |
//! | GET | `/.well-known/jwks.json` | [`keys::jwks`] |
//! | POST | `/v1/keys/rotate` | [`keys::rotate`] |
//! | POST | `/v1/revocations` | [`revocations::revoke`] |
//! | GET | `/v1/revocations` | [`revocations::list`] |
//! | DELETE | `/v1/revocations/{id}` | [`revocations::take_back`] |
//! | GET | `/v1/issuers` | [`issuers::list`] |
//! | GET | `/v1/workspaces/{workspace}/stream` | [`stream::follow`] |
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
//! | POST | `/v1/workspaces/{workspace}/collections/{collection}/records` | [`records::create`] |
//! | GET | `/v1/workspaces/{workspace}/collections/{collection}/records` | [`records::list`] |
//! | POST | `/v1/workspaces/{workspace}/collections/{collection}/records/bulk` | [`records::bulk`] |
//! | GET | `/v1/workspaces/{workspace}/collections/{collection}/records/{id}` | [`records::read`] |
//! | PUT | `/v1/workspaces/{workspace}/collections/{collection}/records/{id}` | [`records::replace`] |
//! | PATCH | `/v1/workspaces/{workspace}/collections/{collection}/records/{id}` | [`records::update`] |
//! | DELETE | `/v1/workspaces/{workspace}/collections/{collection}/records/{id}` | [`records::delete`] |
//! | GET | `/v1/workspaces/{workspace}/records/{id}` | [`records::find`] |
//! | POST | `/v1/workspaces/{workspace}/products` | [`products::create`] |
//! | GET | `/v1/workspaces/{workspace}/products` | [`products::list`] |
//! | POST | `/v1/workspaces/{workspace}/products/import` | [`products::import`] |
//! | GET | `/v1/workspaces/{workspace}/products/{id}` | [`products::read`] |
//! | PUT | `/v1/workspaces/{workspace}/products/{id}` | [`products::put`] |
//! | PATCH | `/v1/workspaces/{workspace}/products/{id}` | [`products::change`] |
//! | DELETE | `/v1/workspaces/{workspace}/products/{id}` | [`products::remove`] |
//! | GET | `/v1/workspaces/{workspace}/functions` | [`functions::list`] |
//! | GET | `/v1/workspaces/{workspace}/functions/{name}` | [`functions::read`] |
//! | PUT | `/v1/workspaces/{workspace}/functions/{name}` | [`functions::put`] |
//! | DELETE | `/v1/workspaces/{workspace}/functions/{name}` | [`functions::delete`] |
//! | POST | `/v1/workspaces/{workspace}/functions/{name}/run` | [`functions::run`] |
//! | GET | `/v1/workspaces/{workspace}/functions/{name}/runs` | [`functions::runs`] |
//! | GET | `/v1/workspaces/{workspace}/functions/{name}/runs/{id}` | [`functions::read_run`] |
//! | POST | `/v1/workspaces/{workspace}/functions/{name}/runs/{id}/repeat` | [`functions::repeat`] |
//! | GET | `/api/notification/list` | [`product::list`] |
//! | POST | `/api/notification/mark-read/{id}` | [`product::mark_read`] |
//! | GET | `/healthz` | [`health::live`] |
//! | GET | `/readyz` | [`health::ready`] |
//!
//! Beside them: `/openapi.json` and [`problem::DOCS_PATH`] explain the API, and the sockets' paths
//! ([`campanile_wire::SURFACES`]) answer 426 to whoever asks without an upgrade.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use bytes::Bytes;
use campanile_wire::Surface;
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::{
    Api, access, announcements, cors, drain, edge, events, functions, health, inbox, issuers, keys,
    notifications, oidc, openapi, problem, product, products, records, revocations, rules, service_accounts,
    settings, stream, tickets, topics,
};
use crate::socket::Serves;

/// The whole HTTP API. Upgrades of the sockets' paths are taken before it.
pub fn router(api: Arc<Api>) -> Router {
    let in_background = from_fn_with_state(Arc::clone(&api), edge::in_background);
    let (mut router, document) = documented(|causes| causes.layer(in_background)).split_for_parts();
    let document = Bytes::from(finished(document));
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
        .layer(from_fn_with_state(Arc::clone(&api), cors::answer))
        .with_state(api)
}

/// Whether a path is to be had at a listener. Where the API has one of its own, the main one keeps the sockets and what
/// users ask with their own tokens: inboxes, and what is public anyway.
pub fn is_served(serves: Serves, path: &str) -> bool {
    match serves {
        Serves::All => true,
        Serves::Users => !is_for_machines(path),
        Serves::Api => Surface::at(path).is_none(),
    }
}

fn is_for_machines(path: &str) -> bool {
    let mut parts = path.strip_prefix('/').unwrap_or(path).split('/');
    match parts.next() {
        Some("oidc") => true,
        Some("v1") => match parts.next() {
            Some("tickets" | "connect") => false,
            Some("workspaces") => !matches!(parts.nth(1), Some("inbox" | "stream")),
            _ => true,
        },
        _ => false,
    }
}

/// The OpenAPI document as it is served and committed.
pub fn document() -> String {
    finished(documented(|causes| causes).into_openapi())
}

/// All of them; `behind` says how [`causes`] are answered.
fn documented(
    behind: impl FnOnce(OpenApiRouter<Arc<Api>>) -> OpenApiRouter<Arc<Api>>,
) -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(notifications::publish))
        .routes(routes!(notifications::read, notifications::update, notifications::retract))
        .routes(routes!(notifications::schedules))
        .routes(routes!(access::list))
        .routes(routes!(access::grant, access::withdraw))
        .routes(routes!(drain::plan, drain::read, drain::cancel))
        .routes(routes!(service_accounts::create, service_accounts::list))
        .routes(routes!(service_accounts::read, service_accounts::delete))
        .routes(routes!(service_accounts::rotate))
        .routes(routes!(revocations::revoke, revocations::list))
        .routes(routes!(revocations::take_back))
        .routes(routes!(oidc::token))
        .routes(routes!(tickets::give))
        .routes(routes!(keys::jwks))
        .routes(routes!(keys::rotate))
        .routes(routes!(issuers::list))
        .routes(routes!(stream::follow))
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
        .merge(behind(causes()))
}

/// What may have many rules, conditions and filters asked before it is answered.
fn causes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(events::take, events::list))
        .routes(routes!(events::read))
        .routes(routes!(events::rerun))
        .routes(routes!(rules::list))
        .routes(routes!(rules::read, rules::put, rules::delete))
        .routes(routes!(rules::try_out))
        .routes(routes!(settings::read, settings::replace))
        .routes(routes!(announcements::announce, announcements::list))
        .routes(routes!(announcements::read, announcements::change, announcements::withdraw))
        .routes(routes!(announcements::announce_everywhere))
        .routes(routes!(announcements::change_everywhere, announcements::withdraw_everywhere))
        .routes(routes!(records::create, records::list))
        .routes(routes!(records::bulk))
        .routes(routes!(records::read, records::replace, records::update, records::delete))
        .routes(routes!(records::find))
        .routes(routes!(products::create, products::list))
        .routes(routes!(products::import))
        .routes(routes!(products::read, products::put, products::change, products::remove))
        .routes(routes!(functions::list))
        .routes(routes!(functions::read, functions::put, functions::delete))
        .routes(routes!(functions::run))
        .routes(routes!(functions::runs))
        .routes(routes!(functions::read_run))
        .routes(routes!(functions::repeat))
}

fn finished(mut document: utoipa::openapi::OpenApi) -> String {
    openapi::Everywhere.modify(&mut document);
    // A document of strings, numbers and maps with string keys can't fail to serialize.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
