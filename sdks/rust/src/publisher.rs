//! Publishing: each notification once, whatever breaks on the way.

use std::sync::Arc;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::backoff::Backoff;
use crate::environment::Environment;
use crate::error::{Error, Problem};
use crate::state::TokenReason;
use crate::tls;
use crate::token::TokenSource;

/// How many notifications a batch has at most.
pub const LARGEST_BATCH: usize = 1_000;
/// How often a publish is tried, unless it is set otherwise.
const ATTEMPTS: u32 = 8;

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Audience {
    /// One user.
    User(String),
    /// 1 to 1,000 users.
    Users(Vec<String>),
    /// The subscribers of a topic.
    Topic(String),
    /// Everybody in the workspace. The value is always `true`.
    Workspace(bool),
}

/// A notification to publish. What is not set is left to the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    to: Audience,
    title: String,
    message: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durable: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collapse_key: Option<String>,
}

impl Draft {
    /// Says `title` (1 to 200 characters) and `message` (may be empty) to somebody.
    pub fn new(to: Audience, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            to,
            title: title.into(),
            message: message.into(),
            kind: None,
            level: None,
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            durable: None,
            except: Vec::new(),
            ttl: None,
            send_at: None,
            collapse_key: None,
        }
    }

    /// Says it to one user.
    pub fn to_user(user: impl Into<String>, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Audience::User(user.into()), title, message)
    }

    /// What it is called. Default: `info`.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// `info`, `success`, `warning`, `error` or `alert`.
    #[must_use]
    pub fn level(mut self, level: impl Into<String>) -> Self {
        self.level = Some(level.into());
        self
    }

    /// Any JSON, passed through.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// The name of what happened.
    #[must_use]
    pub fn event(mut self, event: impl Into<String>) -> Self {
        self.event = Some(event.into());
        self
    }

    /// The product that it is about.
    #[must_use]
    pub fn product_name(mut self, name: impl Into<String>) -> Self {
        self.product_name = Some(name.into());
        self
    }

    /// When that product expires.
    #[must_use]
    pub fn expiry_date(mut self, date: impl Into<String>) -> Self {
        self.expiry_date = Some(date.into());
        self
    }

    /// `false`: told to whoever is connected, kept by nobody. Default: as the workspace's mode says.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = Some(durable);
        self
    }

    /// At most 10 users who are not told although `to` names them.
    #[must_use]
    pub fn except(mut self, users: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.except = users.into_iter().map(Into::into).collect();
        self
    }

    /// How many seconds it is seen. Default: for ever.
    #[must_use]
    pub fn ttl(mut self, seconds: u64) -> Self {
        self.ttl = Some(seconds);
        self
    }

    /// When to send it: RFC 3339, with its zone. Default: now.
    #[must_use]
    pub fn send_at(mut self, instant: impl Into<String>) -> Self {
        self.send_at = Some(instant.into());
        self
    }

    /// The next one of this key to the same users supersedes it.
    #[must_use]
    pub fn collapse_key(mut self, key: impl Into<String>) -> Self {
        self.collapse_key = Some(key.into());
        self
    }
}

/// A notification that the server took.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Its id.
    pub id: String,
    /// Its place in the log; `None`: it is in no log, or not yet.
    pub seq: Option<u64>,
    /// When the server took it, RFC 3339.
    pub timestamp: String,
    /// When it will be sent, where that is later.
    #[serde(default)]
    pub send_at: Option<String>,
}

/// Publishes to one workspace. Clones share their connections.
///
/// Each call has an idempotency key of its own, which it keeps over its retries: however often the network breaks, a
/// notification is published once. What can be repeated is: network failures, 429 and 5xx, after the server's
/// `Retry-After` or with full jitter.
#[derive(Debug, Clone)]
pub struct Publisher {
    http: reqwest::Client,
    url: Url,
    tokens: TokenSource,
    environment: Environment,
    attempts: u32,
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
        let body = serde_json::to_vec(notification).map_err(Error::BadAnswer)?;
        serde_json::from_slice(&self.post(body, key).await?).map_err(Error::BadAnswer)
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
        let body = serde_json::to_vec(notifications).map_err(Error::BadAnswer)?;
        serde_json::from_slice(&self.post(body, key).await?).map_err(Error::BadAnswer)
    }

    /// Posts a body until it is answered, refused or given up.
    async fn post(&self, body: Vec<u8>, key: &str) -> Result<Vec<u8>, Error> {
        let mut backoff = Backoff::default();
        let mut reason = TokenReason::Initial;
        loop {
            let failure = match self.post_once(&body, key, reason).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let expired = is_expired(&failure);
            let again = is_passing(&failure) || expired && !self.tokens.is_fixed();
            if !again || backoff.failures() + 1 >= self.attempts {
                return Err(failure);
            }
            reason = if expired { TokenReason::Expired } else { TokenReason::Reconnect };
            let jittered = backoff.pause_ms((self.environment.random)());
            let pause = match &failure {
                Error::Problem(problem) => problem.retry_after_ms.unwrap_or(jittered),
                _ => jittered,
            };
            tracing::debug!(error = %failure, pause_ms = pause, "publishing again");
            let clock = &self.environment.clock;
            let until = clock.now().saturating_add(pause);
            while clock.now() < until {
                clock.sleep_until(until).await;
            }
        }
    }

    async fn post_once(&self, body: &[u8], key: &str, reason: TokenReason) -> Result<Vec<u8>, Error> {
        let token = self.tokens.token(reason).await.map_err(Error::TokenFailed)?;
        let request = self
            .http
            .post(self.url.clone())
            .bearer_auth(&token.text)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key)
            .body(body.to_vec());
        let answer = request.send().await.map_err(|cause| Error::Network(cause.without_url()))?;
        if !answer.status().is_success() {
            return Err(Error::Problem(Box::new(Problem::read(answer).await)));
        }
        let body = answer.bytes().await.map_err(|cause| Error::Network(cause.without_url()))?;
        Ok(body.to_vec())
    }
}

/// Whether the same request may do better later.
fn is_passing(failure: &Error) -> bool {
    match failure {
        Error::Network(cause) => !cause.is_builder(),
        Error::TokenFailed(_) => true,
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
