//! What holds for every request, whatever its route.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::task::{JoinError, JoinHandle};

use super::Api;
use super::problem::{self, Problem};

/// How long a request may take, its body included.
const DEADLINE: Duration = Duration::from_secs(30);

/// Bounds a request in time, turns a panic into an answer, and keeps every answer out of caches.
pub async fn guard(request: Request, next: Next) -> Response {
    let mut response = answer_within(DEADLINE, tokio::spawn(next.run(request))).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Has a request answered by the threads for what strangers' rules may cost.
pub async fn in_background(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    outcome(api.background.spawn(next.run(request)).await)
}

/// The answer is worked out in a task of its own, which goes on if whoever asked has gone, or if it takes too long:
/// what was committed by then has consequences, such as rules to be read anew, that must not be left out.
async fn answer_within(deadline: Duration, answer: JoinHandle<Response>) -> Response {
    match tokio::time::timeout(deadline, answer).await {
        Ok(answer) => outcome(answer),
        Err(_) => Problem::new(&problem::TIMED_OUT).retry_after(5).into_response(),
    }
}

fn outcome(answer: Result<Response, JoinError>) -> Response {
    answer.unwrap_or_else(|_| {
        // The panic hook has said where; what was asked for is nobody's business.
        tracing::error!("a request handler panicked");
        Problem::new(&problem::INTERNAL).into_response()
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_and_a_delay_are_answered() {
        let late = answer_within(Duration::ZERO, tokio::spawn(std::future::pending())).await;
        assert_eq!(late.status().as_u16(), 503);
        assert!(late.headers().contains_key(header::RETRY_AFTER));
        let fallen = answer_within(DEADLINE, tokio::spawn(async { panic!("a defect") })).await;
        assert_eq!(fallen.status().as_u16(), 500);
    }
}
