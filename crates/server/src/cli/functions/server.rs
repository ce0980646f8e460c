//! The functions of one workspace, on the server.

use std::time::Duration;

use campanile_model::{Slug, UserId};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::bearer::{BearerArgs, Purpose};
use crate::cli::endpoint::Endpoint;
use crate::cli::http_client::{Answer, request};
use crate::cli::refusal::refusal;
use crate::config::{Config, Environment};

/// Functions are written and run.
const SCOPE: &str = "functions:write functions:execute";
/// Who starts runs where the token is our own.
const AUTHOR: &str = "campanile-functions";
/// Longer than any run takes.
const TTL: Duration = Duration::from_secs(2 * 3_600);

/// Where a workspace's functions are.
pub struct Server {
    endpoint: Endpoint,
    bearer: HeaderValue,
    base: String,
}

impl Server {
    /// With the token that applies.
    pub fn new(
        config: &Config,
        endpoint: Endpoint,
        workspace: &Slug,
        bearer: BearerArgs,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let user = UserId::new(AUTHOR).map_err(|error| Failure::caused(AUTHOR, &error))?;
        let purpose = Purpose { user, workspace: Some(workspace.clone()), scope: SCOPE, ttl: TTL };
        let bearer = bearer.source(environment, purpose).header(config)?;
        Ok(Self { endpoint, bearer, base: format!("/v1/workspaces/{workspace}/functions") })
    }

    /// Asks for what is at `path` below the functions.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let answer = self.send(method, path, body, None).await?;
        if answer.status.is_success() { parsed(&answer) } else { Err(self.refused(&answer)) }
    }

    /// What is at `path`, if anything is, and its state.
    pub async fn find(&self, path: &str) -> Result<Option<(Value, Option<HeaderValue>)>, Failure> {
        let answer = self.send(Method::GET, path, None, None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some((parsed(&answer)?, answer.etag))),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Puts `body` there if that is still in this state; `None`: if there is still nothing.
    pub async fn put(&self, path: &str, body: &Value, state: Option<HeaderValue>) -> Result<Value, Failure> {
        let state = state.map_or((IF_NONE_MATCH, HeaderValue::from_static("*")), |tag| (IF_MATCH, tag));
        let answer = self.send(Method::PUT, path, Some(body), Some(state)).await?;
        if answer.status.is_success() { parsed(&answer) } else { Err(self.refused(&answer)) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        state: Option<(hyper::header::HeaderName, HeaderValue)>,
    ) -> Result<Answer, Failure> {
        let mut built = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(HOST, &self.endpoint.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, &self.bearer);
        if let Some((name, tag)) = state {
            built = built.header(name, tag);
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let built = built
            .body(Full::new(body))
            .map_err(|error| Failure::caused("the request cannot be sent", &error))?;
        request(&self.endpoint, built).await
    }

    fn refused(&self, answer: &Answer) -> Failure {
        let again = "`campanile functions runs` shows whether a run was begun";
        refusal(&self.endpoint, answer, SCOPE, again)
    }
}

fn parsed(answer: &Answer) -> Result<Value, Failure> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::caused("the server's answer is no JSON", &error))
}
