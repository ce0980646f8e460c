//! What can go wrong. No error holds a part of a token.

use serde::Deserialize;

/// Any other error, such as one of a token callback.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a client or a publisher could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address can't be used.
    #[error("the server's address can't be used: {0}")]
    Address(&'static str),
    /// A token would travel in the clear, to another machine.
    #[error("no encryption to {host}: use https, or allow_insecure")]
    Insecure {
        /// The host of the address.
        host: String,
    },
    /// An option is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// TLS can't be set up on this machine.
    #[error("TLS can't be set up")]
    Tls(#[source] rustls::Error),
    /// HTTP can't be set up on this machine.
    #[error("HTTP can't be set up")]
    Http(#[source] reqwest::Error),
    /// No token could be had.
    #[error("no token could be had")]
    Token(#[source] Cause),
    /// The server could not be reached, or did not answer in full.
    #[error("the server did not answer")]
    Network(#[source] reqwest::Error),
    /// The server answered with a problem.
    #[error("the server refused: {} ({}): {}", .0.code, .0.status, .0.detail)]
    Problem(Box<Problem>),
    /// The server answered something that this version does not understand.
    #[error("the server's answer was not understood")]
    Answer(#[source] serde_json::Error),
    /// The server can't do an action, and it is undone.
    #[error("{action} can't be done: {code}")]
    Refused {
        /// The action's name.
        action: &'static str,
        /// The server's code for it, such as `not_found`.
        code: String,
    },
    /// Too many actions wait for a connection.
    #[error("{limit} actions wait already")]
    QueueFull {
        /// How many may.
        limit: usize,
    },
    /// A batch has no entries, or too many.
    #[error("a batch of {got}: 1 to {limit} are possible")]
    BatchSize {
        /// How many were given.
        got: usize,
        /// How many may be.
        limit: usize,
    },
    /// What is kept across restarts could not be read or written.
    #[error("what is kept could not be read or written")]
    Storage(#[source] std::io::Error),
    /// The surface in use has no inbox.
    #[error("this surface has no inbox")]
    NoInbox,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// An answer of the REST API that is an error: `application/problem+json`. Switch on `code`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, such as `invalid_request`. Empty where the answer was no problem, such as a proxy's.
    pub code: String,
    /// The code in words.
    pub title: String,
    /// What exactly is wrong.
    pub detail: String,
    /// The entry of a batch, from 0.
    pub index: Option<usize>,
    /// The member or header concerned.
    pub field: Option<String>,
    /// After how many milliseconds to try again, where the server said so.
    #[serde(skip)]
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    /// Reads the problem of an answer.
    pub(crate) async fn read(answer: reqwest::Response) -> Self {
        let status = answer.status().as_u16();
        let retry_after_ms =
            retry_after_ms(answer.headers().get("retry-after").map(|value| value.as_bytes()));
        let body = answer.bytes().await.unwrap_or_default();
        let problem: Self = serde_json::from_slice(&body).unwrap_or_default();
        Self { status, retry_after_ms, ..problem }
    }
}

/// The pause that a `Retry-After` asks for, where it is a number of seconds.
pub(crate) fn retry_after_ms(value: Option<&[u8]>) -> Option<u64> {
    let seconds: u64 = std::str::from_utf8(value?).ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1000))
}
