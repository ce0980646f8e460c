//! `api.http`, done by the server: a worker has no sockets.

mod address;
mod allow;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, redirect};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

pub use allow::{AllowEntry, AllowError, AllowList};

use crate::HostError;
use address::Public;

/// Makes the requests of functions, to whom its list allows and nobody else.
///
/// Redirects are answers like any other and not followed; there are no cookies and no proxy, whatever the environment
/// says. A name is resolved once, each address is judged, and the connection goes to an address that was judged.
#[derive(Debug)]
pub struct HttpClient {
    allow: AllowList,
    /// `None` where nobody is allowed: a machine without root certificates needs none then.
    clients: Option<Clients>,
}

#[derive(Debug)]
struct Clients {
    public: Client,
    private: Client,
}

/// One request, as a function wrote it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRequest {
    /// `GET` and the like.
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// At most 64, of 16 KiB in all.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// At most as long as the arguments of a call.
    #[serde(default)]
    pub body: Option<String>,
    /// Default 10 s, at most 30 s, for everything together.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// What came back.
#[derive(Debug, Clone, Serialize)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names in lower case; what came several times is joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The body; bytes that are no UTF-8 are replaced.
    pub body: String,
}

impl HttpClient {
    /// A client for `allow`.
    ///
    /// # Errors
    /// Where the system's root certificates cannot be used.
    pub fn new(allow: AllowList) -> Result<Self, reqwest::Error> {
        let clients = if allow.is_empty() { None } else { Some(Clients::new()?) };
        Ok(Self { allow, clients })
    }

    /// Makes one request.
    ///
    /// # Errors
    /// `http_not_allowed` (no entry for it, or an address that is not public), `http_invalid` (the request is none),
    /// `http_timeout`, `http_too_large` (above 1 MiB), `http_failed`. Messages name the host, no more of the URL.
    pub async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HostError> {
        let wait = request.timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis).min(MAX_TIMEOUT);
        let url = reqwest::Url::parse(&request.url).map_err(|error| invalid(&format!("the URL: {error}")))?;
        let (Some(entry), Some(clients)) = (self.allow.entry_for(&url), &self.clients) else {
            let host = url.host_str().unwrap_or("it");
            let message = format!("{host} is not on the list of allowed hosts");
            return Err(HostError::new("http_not_allowed", message));
        };
        let client = if entry.allows_private_addresses() { &clients.private } else { &clients.public };
        let method: Method =
            request.method.to_ascii_uppercase().parse().map_err(|_| invalid("the method is none"))?;
        if !METHODS.contains(&method) {
            return Err(invalid("the method is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        let mut sent = client.request(method, url).headers(headers(&request.headers)?);
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        match timeout(wait, exchange(sent)).await {
            Ok(response) => response,
            Err(_) => {
                Err(HostError::new("http_timeout", format!("no answer within {} ms", wait.as_millis())))
            }
        }
    }
}

impl Clients {
    fn new() -> Result<Self, reqwest::Error> {
        let plain = || {
            Client::builder()
                .no_proxy()
                .redirect(redirect::Policy::none())
                .referer(false)
                .connect_timeout(DEFAULT_TIMEOUT)
                .pool_max_idle_per_host(4)
                .user_agent(concat!("campanile-functions/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { public: plain().dns_resolver(Arc::new(Public)).build()?, private: plain().build()? })
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<HttpResponse, HostError> {
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            let message = format!("the response has more than {MAX_RESPONSE_BYTES} bytes");
            return Err(HostError::new("http_too_large", message));
        }
        body.extend_from_slice(&chunk);
    }
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in response.headers() {
        bytes += name.as_str().len() + value.len();
        if bytes > MAX_HEADER_BYTES {
            return Err(HostError::new(
                "http_too_large",
                format!("more than {MAX_HEADER_BYTES} bytes of headers"),
            ));
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        names
            .entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let body = String::from_utf8(body)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(HttpResponse { status: response.status().as_u16(), headers: names, body })
}

fn headers(asked: &BTreeMap<String, String>) -> Result<HeaderMap, HostError> {
    let bytes: usize = asked.iter().map(|(name, value)| name.len() + value.len()).sum();
    if asked.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(invalid(&format!(
            "more than {MAX_HEADERS} headers, or {MAX_HEADER_BYTES} bytes of them"
        )));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in asked {
        let parsed: HeaderName = name.parse().map_err(|_| invalid("the name of a header"))?;
        // They say where the message ends, or whom it is for: that is the client's to say.
        if OWN_HEADERS.contains(&parsed.as_str()) {
            return Err(invalid(&format!("the header {parsed} cannot be chosen")));
        }
        headers.insert(parsed, HeaderValue::from_str(value).map_err(|_| invalid("the value of a header"))?);
    }
    Ok(headers)
}

fn invalid(message: &str) -> HostError {
    HostError::new("http_invalid", message)
}

/// Without the URL: its query may hold a key.
fn failed(error: reqwest::Error) -> HostError {
    let error = error.without_url();
    let mut source = std::error::Error::source(&error);
    let mut last = error.to_string();
    while let Some(inner) = source {
        if inner.is::<address::NotPublic>() {
            return HostError::new("http_not_allowed", inner.to_string());
        }
        last = inner.to_string();
        source = inner.source();
    }
    HostError::new("http_failed", last)
}

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

const OWN_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_RESPONSE_BYTES: usize = 1 << 20;
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 << 10;
