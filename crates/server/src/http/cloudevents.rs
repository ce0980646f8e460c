//! CloudEvents 1.0 as they come over HTTP: structured, batched and binary (the HTTP protocol binding, §3).

mod batched;
mod binary;
mod envelope;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use bytes::Bytes;
use campanile_engine::event::Event;
use campanile_model::Timestamp;

use super::body::{self, JsonBody};
use super::problem::{self, Problem};

pub use envelope::{CloudEvent, Envelope};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";

/// A request with events, as it came.
pub struct Incoming {
    mode: Mode,
    headers: HeaderMap,
    body: Bytes,
}

/// How events stand in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One, all of it in the body.
    Structured,
    /// An array of them.
    Batched,
    /// One, its attributes in headers, its data in the body.
    Binary,
    /// The body is JSON; whether it is an event shows inside.
    Undeclared,
}

/// The events of a request.
#[derive(Debug)]
pub struct Events {
    /// In their order.
    pub events: Vec<Event>,
    /// Whether they came as an array.
    pub is_batch: bool,
}

impl<S: Send + Sync> FromRequest<S> for Incoming {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let mode = mode(request.headers())?;
        let headers = request.headers().clone();
        Ok(Self { mode, headers, body: body::whole(request).await? })
    }
}

impl Incoming {
    /// Reads the events; one that does not say when it happened did so `now`.
    ///
    /// # Errors
    /// What is wrong, with the attribute and the place in a batch.
    pub fn read(self, now: Timestamp) -> Result<Events, Problem> {
        let body = JsonBody(self.body);
        let one = |envelope: Envelope| Ok(Events { events: vec![envelope.event(now)?], is_batch: false });
        match self.mode {
            Mode::Structured => one(body.parse()?),
            Mode::Binary => one(binary::read(&self.headers, &body)?),
            Mode::Undeclared => match body.parse::<Envelope>() {
                Ok(envelope) if envelope.is_declared() => one(envelope),
                Err(problem) if problem.code().name == problem::INVALID_JSON.name => Err(problem),
                _ => Err(undeclared()),
            },
            Mode::Batched => batched::read(&body, now),
        }
    }
}

fn mode(headers: &HeaderMap) -> Result<Mode, Problem> {
    let media_type = body::media_type(headers).unwrap_or_default().to_ascii_lowercase();
    if !body::is_plain(headers) {
        return Err(undeclared().detail("send events without a Content-Encoding"));
    }
    // A content type of CloudEvents' own decides, whatever headers there are (the binding, §3).
    match media_type.as_str() {
        STRUCTURED => Ok(Mode::Structured),
        BATCHED => Ok(Mode::Batched),
        other if other.starts_with("application/cloudevents") => Err(undeclared()
            .detail(format!("of the event formats, JSON is understood: {STRUCTURED} or {BATCHED}"))),
        other if headers.contains_key("ce-specversion") => {
            if other.is_empty() || envelope::is_json(other) {
                Ok(Mode::Binary)
            } else {
                Err(undeclared().detail("an event's data is JSON: send Content-Type: application/json"))
            }
        }
        "application/json" => Ok(Mode::Undeclared),
        _ => Err(undeclared()),
    }
}

fn undeclared() -> Problem {
    Problem::new(&problem::UNSUPPORTED_MEDIA_TYPE).detail(format!(
        "send a CloudEvent: Content-Type {STRUCTURED}, or {BATCHED} for an array of them, or the attributes in \
         headers from ce-specversion on and JSON data in the body"
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn judged(list: &[(&'static str, &'static str)]) -> Option<Mode> {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        mode(&headers).ok()
    }

    #[test]
    fn the_content_type_decides() {
        let typed = |value| judged(&[("content-type", value)]);
        assert_eq!(typed("application/cloudevents+json; charset=utf-8"), Some(Mode::Structured));
        assert_eq!(typed("Application/CloudEvents-Batch+JSON"), Some(Mode::Batched));
        assert_eq!(typed("application/json"), Some(Mode::Undeclared));
        for refused in ["application/cloudevents+xml", "application/cloudevents", "text/plain", ""] {
            assert_eq!(typed(refused), None, "{refused}");
        }
        let binary = |value| judged(&[("content-type", value), ("ce-specversion", "1.0")]);
        assert_eq!(binary("application/json"), Some(Mode::Binary));
        assert_eq!(binary("application/vnd.acme+json"), Some(Mode::Binary));
        assert_eq!(binary("application/cloudevents+json"), Some(Mode::Structured));
        assert_eq!(binary("application/xml"), None);
        assert_eq!(judged(&[("ce-specversion", "1.0")]), Some(Mode::Binary));
        let gzip = judged(&[("content-type", "application/json"), ("content-encoding", "gzip")]);
        assert_eq!(gzip, None);
    }
}
