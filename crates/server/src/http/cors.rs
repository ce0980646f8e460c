//! Pages of other origins: what their browsers let them ask of the API, and read of its answers (the Fetch
//! standard, §3.2). Cookies are never taken into account, so no answer allows credentials.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::problem::{self, Problem};
use crate::origin::Visit;

/// What a page may do with the resources here. `*` does not stand for `Authorization`.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, *";
const ANSWER_HEADERS: &str = "ETag, Location, Retry-After, WWW-Authenticate, Allow";
/// Seconds a browser may remember the answer to a preflight: a change of the list is to be seen soon.
const MAX_AGE: &str = "600";

/// Answers preflights, and lets pages of allowed origins read what is answered to them.
pub async fn answer(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let visit = api.origins.judge(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let preflight = *request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && visit != Visit::Direct;
    let origin = headers.get(header::ORIGIN).cloned().filter(|_| visit == Visit::Allowed);
    let mut response = match (preflight, visit) {
        (true, Visit::Refused) => Problem::new(&problem::ORIGIN_REFUSED).into_response(),
        (true, _) => allowed(),
        (false, _) => next.run(request).await,
    };
    // Also where it is refused or has none: what is answered depends on it.
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        insert(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
    }
    response
}

fn allowed() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    insert(headers, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    insert(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    insert(headers, header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
