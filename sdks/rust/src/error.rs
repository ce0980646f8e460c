//! What can go wrong. No error holds a part of a token.

use serde::Deserialize;

use crate::retry_after;

/// Any other error, such as one of a token callback.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a client or a publisher could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address can't be used.
    #[error("the server's address can't be used: {0}")]
    BadUrl(&'static str),
    /// A token would travel in the clear, to another machine.
    #[error("no encryption to {host}: use https, or allow_insecure")]
    InsecureUrl {
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
    TokenFailed(#[source] Cause),
    /// The server could not be reached, or did not answer in full.
    #[error("the server did not answer")]
    Network(#[source] reqwest::Error),
    /// The server answered with a problem.
    #[error("the server refused: {} ({}): {}", .0.code, .0.status, .0.detail)]
    Problem(Box<Problem>),
    /// The server answered something that this version does not understand.
    #[error("the server's answer was not understood")]
    BadAnswer(#[source] serde_json::Error),
    /// The server can't do an action, and it is undone.
    #[error("{action} can't be done: {code}")]
    ActionRefused {
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
    /// A batch has too many entries.
    #[error("a batch of {got}: at most {limit} are possible")]
    BatchTooLarge {
        /// How many were given.
        got: usize,
        /// How many may be.
        limit: usize,
    },
    /// What is kept across restarts could not be read or written.
    #[error("what is kept could not be read or written")]
    StorageFailed(#[source] std::io::Error),
    /// The surface in use has no words for this.
    #[error("this surface has no {0}")]
    Unsupported(&'static str),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

impl Error {
    /// What failed: stable, and the same in every SDK. The code of the server's problem or refusal where it is one.
    pub fn code(&self) -> &str {
        match self {
            Self::BadUrl(_) => "bad_url",
            Self::InsecureUrl { .. } => "insecure_url",
            Self::Missing(_) => "missing",
            Self::Tls(_) => "tls",
            Self::Http(_) => "failed",
            Self::TokenFailed(_) => "token_failed",
            Self::Network(_) => "network",
            Self::Problem(problem) => &problem.code,
            Self::BadAnswer(_) => "bad_answer",
            Self::ActionRefused { code, .. } => code,
            Self::QueueFull { .. } => "queue_full",
            Self::BatchTooLarge { .. } => "batch_too_large",
            Self::StorageFailed(_) => "storage_failed",
            Self::Unsupported(_) => "unsupported",
            Self::Closed => "closed",
        }
    }
}

/// An answer of the REST API that is an error: `application/problem+json`. Switch on `code`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, such as `invalid_request`; `http` where the answer was no problem, such as a proxy's.
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
    /// The code of a problem document.
    pub(crate) fn code_of(body: &[u8]) -> Option<String> {
        serde_json::from_slice(body).ok().map(|problem: Self| problem.code).filter(|code| !code.is_empty())
    }

    /// Reads the problem of an answer that came at `now`.
    pub(crate) async fn read(answer: reqwest::Response, now: u64) -> Self {
        let status = answer.status().as_u16();
        let retry_after_ms =
            retry_after::pause_ms(answer.headers().get("retry-after").map(|value| value.as_bytes()), now);
        let is_ours = is_problem(answer.headers().get("content-type").map(|value| value.as_bytes()));
        let body = answer.bytes().await.unwrap_or_default();
        let said = if is_ours { serde_json::from_slice(&body).ok() } else { None };
        let mut problem: Self = said.unwrap_or_default();
        if problem.code.is_empty() {
            "http".clone_into(&mut problem.code);
        }
        Self { status, retry_after_ms, ..problem }
    }
}

/// Whether an answer is a problem document (RFC 9457): the server's, and no proxy's or portal's page.
pub(crate) fn is_problem(content_type: Option<&[u8]>) -> bool {
    let kind = content_type.and_then(|value| value.split(|byte| *byte == b';').next()).unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/problem+json")
}
