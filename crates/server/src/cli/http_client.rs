//! One HTTP/1.1 request.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ETAG, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Failure;
use super::endpoint::Endpoint;
use super::trust::Io;

/// Longer than the server takes to give up on a request (30 s).
const DEADLINE: Duration = Duration::from_secs(40);
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Seconds the server asks to wait.
    pub retry_after: Option<u64>,
    /// The state of what was asked for.
    pub etag: Option<HeaderValue>,
    /// The body.
    pub body: Bytes,
}

/// A connection to `endpoint`, within TLS if that is spoken there.
pub async fn connect(endpoint: &Endpoint) -> std::io::Result<Box<dyn Io>> {
    let connecting = async {
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
        match &endpoint.trust {
            Some(trust) => trust.secure(&endpoint.host, stream).await,
            None => Ok(Box::new(stream) as Box<dyn Io>),
        }
    };
    timeout(CONNECT_DEADLINE, connecting).await.map_err(|_| std::io::ErrorKind::TimedOut)?
}

/// Sends `request`, on a connection of its own.
pub async fn request(endpoint: &Endpoint, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
    let stream = connect(endpoint).await.map_err(|error| endpoint.unreachable(&error))?;
    match timeout(DEADLINE, exchange(stream, request)).await {
        Ok(answer) => answer.map_err(|error| {
            Failure::with_hint(
                format!("no answer from {}: {}", endpoint.url(), super::failure::chain(error.as_ref())),
                "does a Campanile server listen there, and speak what the URL says (http:// or https://)?",
            )
        }),
        Err(_) => Err(Failure::with_hint(
            format!("no answer from {} within {} s", endpoint.url(), DEADLINE.as_secs()),
            "what was asked may or may not have happened; an --idempotency-key makes it safe to repeat",
        )),
    }
}

async fn exchange(
    stream: Box<dyn Io>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    let etag = response.headers().get(ETAG).cloned();
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await?.to_bytes();
    driver.abort();
    Ok(Answer { status, retry_after, etag, body })
}

/// `Retry-After` in seconds.
pub fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}
