//! One request to the server on behalf of a command, whose answer is printed.

use std::time::Duration;

use campanile_model::{Slug, UserId};
use clap::Args;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use serde_json::{Map, Value};

use super::bearer::{BearerArgs, Purpose};
use super::endpoint::EndpointArgs;
use super::http_client::request;
use super::refusal::refusal;
use super::setup::Setup;
use super::{Failure, output, runtime};
use crate::config::Environment;

/// How long a token of our own is good for: longer than a request takes.
const TTL: Duration = Duration::from_secs(60);
/// What is to be known of repeating most requests.
pub const SAFE: &str = "that is always safe";

/// Where the server is, and by which token it is asked.
#[derive(Debug, Args)]
pub struct Access {
    #[command(flatten)]
    bearer: BearerArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    setup: Setup,
}

/// What is asked of the server.
#[derive(Debug)]
pub struct Errand<'a> {
    /// Who asks where the token is our own.
    pub author: &'a str,
    /// The workspace, of which the token is to be an administrator's; none: the server, and an operator's.
    pub workspace: Option<Slug>,
    /// The method.
    pub method: Method,
    /// The path below the workspace's, or the server's.
    pub path: String,
    /// JSON, if anything.
    pub body: Option<Value>,
    /// What is to be known of repeating it.
    pub again: &'a str,
    /// What is to be done where some workspaces failed; `None`: it is repeated.
    pub rest: Option<&'a str>,
}

impl Access {
    /// Asks the server, and prints its answer on one line. One that says that workspaces failed is a failure too.
    pub fn send(self, environment: &Environment, errand: Errand<'_>) -> Result<(), Failure> {
        let Errand { author, workspace, method, path, body, again, rest } = errand;
        let config = self.setup.load(environment)?;
        let endpoint = self.endpoint.endpoint(&config)?;
        let user = UserId::new(author).map_err(|error| Failure::caused(author, &error))?;
        let (base, scope) = match &workspace {
            Some(slug) => (format!("/v1/workspaces/{slug}"), "admin"),
            None => ("/v1".to_owned(), "operator"),
        };
        let purpose = Purpose { user, workspace, scope, ttl: TTL };
        let bearer = self.bearer.source(environment, purpose).header(&config)?;
        let built = Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header(HOST, &endpoint.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, bearer)
            .body(Full::new(body.map_or_else(Bytes::new, |body| body.to_string().into())))
            .map_err(|error| Failure::caused("the request cannot be sent", &error))?;
        let answer =
            runtime()?.block_on(request(&endpoint, built)).map_err(|failure| failure.after(again))?;
        if !answer.status.is_success() {
            return Err(refusal(&endpoint, &answer, scope, again));
        }
        output::line(String::from_utf8_lossy(&answer.body).trim())?;
        let failed =
            serde_json::from_slice::<Value>(&answer.body).ok().and_then(|all| all["failed"].as_u64());
        match failed {
            None | Some(0) => Ok(()),
            Some(failed) => {
                let what = format!("in {failed} workspaces that failed: the server's log says why");
                Err(Failure::with_hint(
                    what,
                    rest.map_or_else(|| format!("try again; {again}"), str::to_owned),
                ))
            }
        }
    }
}

/// An object of those members that are there.
pub fn body<const N: usize>(members: [(&str, Option<String>); N]) -> Value {
    let members = members.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
    Value::Object(members.collect::<Map<_, _>>())
}
