//! What holds for every request, whatever its route.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::problem::{self, Problem};

/// How long a request may take, its body included.
const DEADLINE: Duration = Duration::from_secs(30);

/// Bounds a request in time, turns a panic into an answer, and keeps every answer out of caches.
pub async fn guard(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(tokio::time::timeout(DEADLINE, next.run(request))).catch_unwind().await;
    let mut response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::new(&problem::TIMED_OUT).retry_after(5).into_response(),
        Err(_) => {
            // The panic hook has said where; what was asked for is nobody's business.
            tracing::error!("a request handler panicked");
            Problem::new(&problem::INTERNAL).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Nothing stands at this path.
pub async fn unknown_route() -> Problem {
    Problem::new(&problem::ROUTE_NOT_FOUND)
}

/// Something stands at this path, but not for this method; the router adds `Allow`.
pub async fn unknown_method() -> Problem {
    Problem::new(&problem::METHOD_NOT_ALLOWED)
}

/// A socket's path, asked for without an upgrade.
pub async fn upgrade_required() -> Response {
    let mut response = Problem::new(&problem::UPGRADE_REQUIRED)
        .detail("connect here with a WebSocket client; the token goes into the query string")
        .into_response();
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response
}
