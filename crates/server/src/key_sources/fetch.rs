//! One request for a key set: bounded in time and bytes, to nowhere but the address it is given.

use std::time::Duration;

use campanile_auth::MAX_JWKS_BYTES;
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap};
use reqwest::{Client, StatusCode, redirect};

use crate::config::JwksUrl;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long all of it may take.
const TOTAL: Duration = Duration::from_secs(5);

/// Fetches key sets. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher(Client);

/// A key set, and how long its issuer says it is good for.
#[derive(Debug)]
pub struct Fetched {
    /// The text.
    pub text: String,
    /// `max-age` of its `Cache-Control` (RFC 9111 §5.2.2.1), if it says one.
    pub max_age: Option<Duration>,
}

/// Why there is no key set. Holds nothing of the answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Another status than 200. Redirects are not followed: they would lead to addresses that nobody configured.
    #[error("the answer's status is {0}, not 200")]
    Status(StatusCode),
    /// The answer is larger than any key set.
    #[error("the answer has more than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// The answer is no text.
    #[error("the answer is not UTF-8")]
    NotText,
    /// No complete answer in time.
    #[error("there was no complete answer within {} s", TOTAL.as_secs())]
    TimedOut,
    /// No connection, no certificate that holds, or one that broke.
    #[error("there was no answer: {0}")]
    Failed(String),
}

impl Fetcher {
    /// A client that follows no redirect and uses no proxy.
    ///
    /// # Errors
    /// Where the system's root certificates cannot be used.
    pub fn new() -> Result<Self, reqwest::Error> {
        Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("campanile/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
    }

    /// Makes the request.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(&self, from: &JwksUrl) -> Result<Fetched, FetchError> {
        tokio::time::timeout(TOTAL, self.exchange(from)).await.map_err(|_| FetchError::TimedOut)?
    }

    async fn exchange(&self, from: &JwksUrl) -> Result<Fetched, FetchError> {
        let request =
            self.0.get(from.url().clone()).header(ACCEPT, "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let max_age = max_age(response.headers());
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_JWKS_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(body).map_err(|_| FetchError::NotText)?;
        Ok(Fetched { text, max_age })
    }
}

/// The innermost cause, without the URL: its query may hold a key.
fn failed(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    FetchError::Failed(cause.to_string())
}

/// `no-store` and `no-cache` say that it is good for no time at all.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        lines.flat_map(|line| line.split(',')).map(|part| part.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(Duration::ZERO);
    }
    directives.iter().find_map(|directive| {
        directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok().map(Duration::from_secs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_an_answer_is_good_for() {
        let read = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CACHE_CONTROL, reqwest::header::HeaderValue::from_static(line));
            }
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(read(&["public, max-age=15, stale-while-revalidate=15"]), Some(15));
        assert_eq!(read(&["public", "Max-Age=\"3600\""]), Some(3600));
        assert_eq!(read(&["no-cache, max-age=100"]), Some(0));
        for none in [&[][..], &["public"], &["max-age=soon"], &["s-maxage=5"], &["max-age=-1"]] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }
}
