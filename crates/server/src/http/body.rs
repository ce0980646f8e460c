//! JSON that comes in: declared, bounded, and refused with a reason.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use campanile_model::limits::MAX_BODY_BYTES;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::problem::{self, Problem};

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(20);
/// Longest name of an unknown member that is worth repeating to whoever sent it.
const MAX_ECHOED_NAME: usize = 64;

/// A body that is declared as JSON, as it came; or no body at all.
pub struct JsonBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let declared = is_json(request.headers());
        let body = whole(request).await?;
        if declared || body.is_empty() {
            Ok(Self(body))
        } else {
            Err(Problem::new(&problem::UNSUPPORTED_MEDIA_TYPE)
                .detail("send Content-Type: application/json, and no Content-Encoding"))
        }
    }
}

/// The body of a request, whatever it is declared as: at most [`MAX_BODY_BYTES`], within [`ARRIVAL`]. For those who have
/// shown a token.
///
/// # Errors
/// It is too large, too slow, or ended too early.
pub(super) async fn whole(request: Request) -> Result<Bytes, Problem> {
    whole_up_to(request, MAX_BODY_BYTES).await
}

/// As [`whole`], of at most `limit` bytes.
///
/// # Errors
/// As of [`whole`].
pub(super) async fn whole_up_to(request: Request, limit: usize) -> Result<Bytes, Problem> {
    if declared_length(request.headers()).is_some_and(|length| length > limit) {
        return Err(Problem::new(&problem::BODY_TOO_LARGE));
    }
    match tokio::time::timeout(ARRIVAL, to_bytes(request.into_body(), limit)).await {
        Err(_) => Err(Problem::new(&problem::BODY_TIMEOUT)),
        Ok(Err(error)) => Err(broken(&error)),
        Ok(Ok(body)) => Ok(body),
    }
}

impl JsonBody {
    /// Reads the body as a `T`.
    ///
    /// # Errors
    /// `invalid_json` with line and column, or `invalid_body` with what was expected.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.0).map_err(|error| refuse(&error))
    }

    /// Reads the body as a `T` whose members may all be left out. An array, which would pass for one, is refused.
    ///
    /// # Errors
    /// As [`JsonBody::parse`].
    pub fn parse_object<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        match self.0.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'[') => Err(Problem::new(&problem::INVALID_BODY).detail("expected an object")),
            _ => self.parse(),
        }
    }

    /// Reads the body as a `T`, or the default where there is none.
    ///
    /// # Errors
    /// As [`JsonBody::parse`].
    pub fn parse_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.0.is_empty() { Ok(T::default()) } else { self.parse() }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && is_plain(headers)
}

/// What the body is declared as, without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

/// Whether the body comes as it is, not compressed.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn broken(error: &axum::Error) -> Problem {
    let too_long = std::error::Error::source(error).is_some_and(|source| source.is::<LengthLimitError>());
    if too_long {
        Problem::new(&problem::BODY_TOO_LARGE)
    } else {
        Problem::new(&problem::INVALID_JSON).detail("the body ended before it was complete")
    }
}

/// What a parser's error says to whoever sent the body. None of the body's values are repeated.
pub(super) fn refuse(error: &serde_json::Error) -> Problem {
    let place = format!("at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(&place).unwrap_or(&text).trim_end();
    if error.is_data() {
        Problem::new(&problem::INVALID_BODY).detail(format!("{}, {place}", expectation(text, "member")))
    } else {
        Problem::new(&problem::INVALID_JSON).detail(format!("{text}, {place}"))
    }
}

/// The part of a shape error that tells what would be right of a `member`, as its format calls it. The other
/// part quotes what was sent.
pub(super) fn expectation(text: &str, member: &str) -> String {
    if let Some(rest) = text.strip_prefix("unknown field `")
        && let Some((name, expected)) = rest.rsplit_once("`, expected ")
        && let Some(name) = name.split("`, expected ").next()
    {
        return if name.len() <= MAX_ECHOED_NAME {
            format!("unknown {member} `{name}`, expected {expected}")
        } else {
            format!("unknown {member}, expected {expected}")
        };
    }
    let quotes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    if quotes.iter().any(|prefix| text.starts_with(prefix)) {
        return match text.rsplit_once(", expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => format!("a {member} has another type than expected"),
        };
    }
    // Missing and repeated members, and the rules of our own types: they name, but quote nothing.
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        name: String,
        count: Option<u8>,
    }

    fn detail(text: &str) -> (u16, String) {
        let problem = refuse(&serde_json::from_str::<Sample>(text).unwrap_err());
        (problem.code().status.as_u16(), format!("{problem:?}"))
    }

    #[track_caller]
    fn says(text: &str, status: u16, detail_part: &str) {
        let (got, said) = detail(text);
        assert_eq!(got, status, "{said}");
        assert!(said.contains(detail_part), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn errors_tell_what_is_right_and_quote_no_value() {
        says("", 400, "EOF while parsing a value, at line 1 column 0");
        says("{\n\"name\": x}", 400, "at line 2 column");
        says(r#"{"name":"\ud800"}"#, 400, "surrogate");
        says(r#"{"name":"secret"} secret"#, 400, "trailing characters");
        says(r#"{"name":1}"#, 422, "expected a string, at line 1 column 9");
        says(r#"{"name":["secret, expected secret"]}"#, 422, "expected a string");
        says(r#"{"name":"a","count":"secret, expected secret"}"#, 422, "expected u8");
        says(r#"{"name":"a","naem":"secret"}"#, 422, "unknown member `naem`, expected `name` or `count`");
        says(&format!(r#"{{"{}":1}}"#, "secret".repeat(20)), 422, "unknown member, expected `name`");
        says("{}", 422, "missing field `name`");
        says(r#"{"name":"a","name":"b"}"#, 422, "duplicate field `name`");
    }

    #[test]
    fn only_json_in_the_clear_is_json() {
        let with = |list: &[(header::HeaderName, &'static str)]| {
            is_json(&list.iter().map(|(n, v)| (n.clone(), v.parse().unwrap())).collect())
        };
        assert!(with(&[(header::CONTENT_TYPE, "application/json")]));
        assert!(with(&[(header::CONTENT_TYPE, "Application/JSON; charset=utf-8")]));
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            assert!(!with(&[(header::CONTENT_TYPE, other)]), "{other}");
        }
        assert!(!with(&[(header::CONTENT_TYPE, "application/json"), (header::CONTENT_ENCODING, "gzip")]));
    }
}
