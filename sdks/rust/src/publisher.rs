//! Publishing: each notification once, whatever breaks on the way.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;

use crate::address::Address;
use crate::backoff::Backoff;
use crate::draft::{Draft, Published};
use crate::environment::{Environment, pause_until};
use crate::error::{Error, Problem};
use crate::state::TokenReason;
use crate::tls;
use crate::token::{self, TOKEN_LIMIT_MS, TokenSource};

/// How many notifications a batch has at most.
pub const LARGEST_BATCH: usize = 1_000;
/// How often a publish is tried, unless it is set otherwise.
const ATTEMPTS: u32 = 8;
/// How long each time, unless it is set otherwise: the server's own bound.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Publishes to one workspace. Clones share their connections.
///
/// Each call has an idempotency key of its own, which it keeps over its retries: however often the network breaks, a
/// notification is published once. What can be repeated is: network failures, answers that are cut short, token callbacks
/// that fail (one that answers that there is no token does not), 408, 429 and 5xx, after the server's `Retry-After` or with full jitter; and `token_expired` once, at once,
/// where a callback gives tokens: it is told [`TokenReason::Expired`].
#[derive(Debug, Clone)]
pub struct Publisher {
    http: reqwest::Client,
    url: Url,
    tokens: TokenSource,
    environment: Environment,
    attempts: u32,
    timeout: Duration,
}

/// Options of a publisher.
#[derive(Debug, Clone)]
#[must_use]
pub struct PublisherBuilder {
    url: String,
    workspace: Option<String>,
    tokens: Option<TokenSource>,
    environment: Environment,
    tls: Option<Arc<rustls::ClientConfig>>,
    allow_insecure: bool,
    attempts: u32,
    timeout: Duration,
}

impl PublisherBuilder {
    /// The workspace's slug. Required.
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }

    /// Where tokens come from; they need the scope `notifications:write`. Required. A callback is asked for each call, so
    /// it should remember its token.
    pub fn token(mut self, token: impl Into<TokenSource>) -> Self {
        self.tokens = Some(token.into());
        self
    }

    /// How often a publish is tried at most, the first time included. Default: 8.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How long the server may take to answer one attempt before it is given up, and made again. Default: 30 s, which is the
    /// server's own bound.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Allows `http://` to other machines: tokens travel in the clear. Default: no.
    pub fn allow_insecure(mut self, allow: bool) -> Self {
        self.allow_insecure = allow;
        self
    }

    /// TLS by this configuration. Default: whom the operating system trusts.
    pub fn tls(mut self, tls: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Takes time and randomness from here. Default: from the system.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// The publisher.
    ///
    /// # Errors
    /// The address can't be used, or would carry tokens in the clear; workspace or token is missing; TLS can't be set up.
    pub fn build(self) -> Result<Publisher, Error> {
        let address = Address::parse(&self.url, self.allow_insecure)?;
        let workspace = self.workspace.ok_or(Error::Missing("the workspace"))?;
        let tls = match self.tls {
            _ if !address.is_encrypted() => None,
            Some(tls) => Some(tls),
            None => Some(tls::platform()?),
        };
        Ok(Publisher {
            http: tls::http(tls.as_ref())?,
            url: address.api(&["v1", "workspaces", &workspace, "notifications"]),
            tokens: self.tokens.ok_or(Error::Missing("the token"))?,
            environment: self.environment,
            attempts: self.attempts,
            timeout: self.timeout,
        })
    }
}

impl Publisher {
    /// A publisher to the server at this address, such as `https://example.com`.
    pub fn builder(url: impl Into<String>) -> PublisherBuilder {
        PublisherBuilder {
            url: url.into(),
            workspace: None,
            tokens: None,
            environment: Environment::default(),
            tls: None,
            allow_insecure: false,
            attempts: ATTEMPTS,
            timeout: TIMEOUT,
        }
    }

    /// Publishes one notification. Once this answers, it is on the server's stable storage.
    ///
    /// # Errors
    /// [`Error::Problem`]: the server refuses, and would again. Else the last failure of all attempts: it is not known
    /// whether it was published.
    ///
    /// # Cancel safety
    /// Once it is dropped, it is not known whether it was published. Use [`Publisher::publish_keyed`] to repeat it.
    pub async fn publish(&self, notification: &Draft) -> Result<Published, Error> {
        self.publish_keyed(notification, &new_key()).await
    }

    /// The same under a key of the caller, 1 to 255 bytes of visible ASCII: repeated under it within 24 hours, also after
    /// a restart, it publishes nothing more.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn publish_keyed(&self, notification: &Draft, key: &str) -> Result<Published, Error> {
        self.post(serde_json::to_vec(notification).map_err(Error::BadAnswer)?, key).await
    }

    /// Publishes 1 to 1,000 notifications, all or none, in this order.
    ///
    /// # Errors
    /// As [`Publisher::publish`]; [`Error::BatchTooLarge`].
    pub async fn publish_batch(&self, notifications: &[Draft]) -> Result<Vec<Published>, Error> {
        self.publish_batch_keyed(notifications, &new_key()).await
    }

    /// The same under a key of the caller.
    ///
    /// # Errors
    /// As [`Publisher::publish_batch`].
    pub async fn publish_batch_keyed(
        &self,
        notifications: &[Draft],
        key: &str,
    ) -> Result<Vec<Published>, Error> {
        let got = notifications.len();
        if got == 0 {
            return Ok(Vec::new());
        }
        if got > LARGEST_BATCH {
            return Err(Error::BatchTooLarge { got, limit: LARGEST_BATCH });
        }
        self.post(serde_json::to_vec(notifications).map_err(Error::BadAnswer)?, key).await
    }

    /// Posts a body until it is answered, refused or given up.
    async fn post<T: DeserializeOwned>(&self, body: Vec<u8>, key: &str) -> Result<T, Error> {
        let mut backoff = Backoff::default();
        let mut reason = TokenReason::Initial;
        loop {
            let failure = match self.post_once(&body, key, reason).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if is_expired(&failure) && reason != TokenReason::Expired && !self.tokens.is_fixed() {
                // It ended on its way, or its source remembered it for too long: once, there is another one to be had.
                reason = TokenReason::Expired;
                continue;
            }
            if !is_passing(&failure) || backoff.failures() + 1 >= self.attempts {
                return Err(failure);
            }
            if reason == TokenReason::Initial {
                reason = TokenReason::Reconnect;
            }
            let jittered = backoff.pause_ms((self.environment.random)());
            let pause = match &failure {
                Error::Problem(problem) => problem.retry_after_ms.unwrap_or(jittered),
                _ => jittered,
            };
            tracing::debug!(error = %failure, pause_ms = pause, "publishing again");
            let clock = &*self.environment.clock;
            pause_until(clock, clock.now().saturating_add(pause)).await;
        }
    }

    async fn post_once<T: DeserializeOwned>(
        &self,
        body: &[u8],
        key: &str,
        reason: TokenReason,
    ) -> Result<T, Error> {
        let clock = &*self.environment.clock;
        let token = tokio::select! {
            biased;
            token = self.tokens.token(reason) => token,
            () = pause_until(clock, clock.now().saturating_add(TOKEN_LIMIT_MS)) => Err(token::LATE.into()),
        };
        let token = token.map_err(Error::TokenFailed)?;
        let token = token.ok_or_else(|| Error::TokenFailed(NoToken.into()))?;
        let request = self
            .http
            .post(self.url.clone())
            .timeout(self.timeout)
            .bearer_auth(&token.text)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key)
            .body(body.to_vec());
        let answer = request.send().await.map_err(|cause| Error::Network(cause.without_url()))?;
        if !answer.status().is_success() {
            let now = self.environment.clock.now();
            return Err(Error::Problem(Box::new(Problem::read(answer, now).await)));
        }
        let body = answer.bytes().await.map_err(|cause| Error::Network(cause.without_url()))?;
        serde_json::from_slice(&body).map_err(Error::BadAnswer)
    }
}

/// Why nothing is published by a token callback that gives none.
#[derive(Debug, thiserror::Error)]
#[error("there is no token")]
struct NoToken;

/// Whether the same request may do better later.
pub(crate) fn is_passing(failure: &Error) -> bool {
    match failure {
        Error::Network(cause) => !cause.is_builder(),
        // Who says that there is none says so again.
        Error::TokenFailed(cause) => !cause.is::<NoToken>(),
        // A success that can't be read was cut short.
        Error::BadAnswer(_) => true,
        Error::Problem(problem) => problem.status == 429 || problem.status >= 500 || problem.status == 408,
        _ => false,
    }
}

fn is_expired(failure: &Error) -> bool {
    matches!(failure, Error::Problem(problem) if problem.code == "token_expired")
}

fn new_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
