//! A request that the server refused.

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::Failure;
use super::endpoint::Endpoint;
use super::http_client::Answer;

/// What the server objects to, and what to do about it. The token needs the word `scope`; `again` says what there
/// is to know about repeating the request.
pub fn refusal(endpoint: &Endpoint, answer: &Answer, scope: &str, again: &str) -> Failure {
    let problem: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let mut what = format!("{} answered {}", endpoint.url(), answer.status.as_u16());
    if let Some(said) = text("detail").or(text("title")) {
        what = format!("{what}: {said}");
    }
    if let Some(field) = text("field").filter(|field| !what.contains(field)) {
        what = format!("{what} ({field})");
    }
    let hint = match answer.status {
        StatusCode::UNAUTHORIZED => {
            "is the key here the server's? `campanile token verify` on the server says what it objects to"
                .into()
        }
        StatusCode::FORBIDDEN => {
            format!("the token must name the workspace in `workspaces` and hold `{scope}` in `scope`")
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => match answer.retry_after {
            Some(seconds) => format!("try again in {seconds} s; {again}"),
            None => format!("try again later; {again}"),
        },
        // Whoever knows what a problem is has said what is missing.
        StatusCode::NOT_FOUND if problem.is_empty() => "does a Campanile server listen there?".into(),
        _ => return Failure::new(what),
    };
    Failure::with_hint(what, hint)
}

/// Whether the server objects for this reason.
pub fn has_code(answer: &Answer, code: &str) -> bool {
    let problem: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem.get("code").is_some_and(|found| found == code)
}
