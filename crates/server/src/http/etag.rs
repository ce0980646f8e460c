//! Optimistic concurrency: the state of a thing as `ETag`, and what a change expects of it (RFC 9110 §13).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::problem::{self, Problem};

/// The state that a change expects: what `If-Match` names, 0 ("there is none") for `If-None-Match: *`, none
/// where neither header is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&parts.headers).map(Self)
    }
}

fn read(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let if_match = only(headers, &header::IF_MATCH, "If-Match")?;
    let if_none = only(headers, &header::IF_NONE_MATCH, "If-None-Match")?;
    let refuse = |field, detail: &'static str| {
        Err(Problem::new(&problem::INVALID_REQUEST).field(field).detail(detail))
    };
    match (if_match, if_none) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => refuse("If-None-Match", "give If-Match or If-None-Match, not both"),
        (None, Some("*")) => Ok(Some(0)),
        (None, Some(_)) => refuse("If-None-Match", "of If-None-Match, only * is understood here"),
        (Some(text), None) => match version(text) {
            Some(version) => Ok(Some(version)),
            None => refuse("If-Match", "If-Match names one state, as its ETag was given"),
        },
    }
}

fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    field: &'static str,
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::to_str);
    match (first, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text.trim())),
        _ => {
            let detail = format!("{field} is given once, in visible ASCII");
            Err(Problem::new(&problem::INVALID_REQUEST).field(field).detail(detail))
        }
    }
}

fn version(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let plain = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| digits.parse().ok())?
}

/// `answer`, with the state `version` of what it shows as its `ETag`.
pub fn tagged(version: u64, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    // A number in quotes is a valid header.
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(list: &[(HeaderName, &'static str)]) -> Result<Option<u64>, u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name, HeaderValue::from_static(value));
        }
        read(&headers).map_err(|problem| problem.code().status.as_u16())
    }

    #[test]
    fn a_state_is_named_once() {
        assert_eq!(expected(&[]), Ok(None));
        assert_eq!(expected(&[(header::IF_MATCH, "\"17\"")]), Ok(Some(17)));
        assert_eq!(expected(&[(header::IF_MATCH, "\"0\"")]), Ok(Some(0)));
        assert_eq!(expected(&[(header::IF_NONE_MATCH, "*")]), Ok(Some(0)));
        for bad in
            ["17", "\"", "\"\"", "W/\"17\"", "\"-1\"", "\"+1\"", "\"007\"", "*", "\"1\", \"2\"", "\"x\""]
        {
            assert_eq!(expected(&[(header::IF_MATCH, bad)]), Err(422), "{bad}");
        }
        assert_eq!(expected(&[(header::IF_NONE_MATCH, "\"1\"")]), Err(422));
        assert_eq!(expected(&[(header::IF_MATCH, "\"1\""), (header::IF_MATCH, "\"1\"")]), Err(422));
        assert_eq!(expected(&[(header::IF_MATCH, "\"1\""), (header::IF_NONE_MATCH, "*")]), Err(422));
    }

    #[test]
    fn a_tag_is_read_as_it_was_given() {
        let response = tagged(42, "");
        assert_eq!(version(response.headers()[header::ETAG].to_str().unwrap()), Some(42));
    }
}
