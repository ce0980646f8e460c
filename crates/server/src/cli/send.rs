//! `campanile send`: publishes one notification.

use std::time::Duration;

use campanile_model::{Slug, UserId};
use clap::Args;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use serde_json::{Value, json};

use super::bearer::{BearerArgs, Purpose};
use super::endpoint::EndpointArgs;
use super::http_client::request;
use super::refusal::refusal;
use super::setup::Setup;
use super::{Failure, output, runtime};
use crate::config::Environment;

const SCOPE: &str = "notifications:write";
/// Who publishes where the token is our own: keys of two publishers never meet.
const PUBLISHER: &str = "campanile-send";

/// Publish one notification
///
/// Prints what the server answered, one line of JSON: its id, and its place (seq) in the log, which is null
/// where the workspace keeps none.
#[derive(Debug, Args)]
pub struct Send {
    /// The workspace
    #[arg(long, value_name = "SLUG", value_parser = Slug::new)]
    workspace: Slug,
    #[command(flatten)]
    to: To,
    /// Title, at most 200 characters
    #[arg(long)]
    title: String,
    /// Text
    #[arg(long)]
    message: String,
    /// A level (info, success, warning, error, alert) or any name that clients know
    #[arg(long, value_name = "NAME", default_value = "info")]
    r#type: String,
    /// Makes repeating this very request safe for 24 hours
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    bearer: BearerArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    setup: Setup,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct To {
    /// To this user; may be given several times
    #[arg(long, value_name = "USER", value_parser = UserId::new)]
    user: Vec<UserId>,
    /// To the subscribers of a topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// To everybody in the workspace
    #[arg(long)]
    everyone: bool,
}

impl Send {
    /// Publishes, and prints the answer.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let config = self.setup.load(environment)?;
        let endpoint = self.endpoint.endpoint(&config)?;
        let body = body(&self.to, &self.title, &self.message, &self.r#type);
        let user = UserId::new(PUBLISHER).map_err(|error| Failure::caused(PUBLISHER, &error))?;
        let purpose = Purpose {
            user,
            workspace: Some(self.workspace.clone()),
            scope: SCOPE,
            ttl: Duration::from_secs(60),
        };
        let bearer = self.bearer.source(environment, purpose).header(&config)?;

        let mut built = Request::post(format!("/v1/workspaces/{}/notifications", self.workspace))
            .header(HOST, &endpoint.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, bearer);
        if let Some(key) = &self.idempotency_key {
            built = built.header("idempotency-key", key);
        }
        let built = built
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| Failure::caused("--idempotency-key cannot be sent", &error))?;
        let answer = runtime()?.block_on(request(&endpoint, built))?;
        if answer.status.is_success() {
            return output::line(String::from_utf8_lossy(&answer.body).trim());
        }
        Err(refusal(&endpoint, &answer, SCOPE, "with an --idempotency-key that is always safe"))
    }
}

fn body(to: &To, title: &str, message: &str, kind: &str) -> Value {
    let to = match (&to.topic, to.user.as_slice()) {
        (Some(topic), _) => json!({ "topic": topic }),
        (None, [user]) => json!({ "user": user }),
        (None, []) => json!({ "workspace": true }),
        (None, users) => json!({ "users": users }),
    };
    json!({ "to": to, "title": title, "message": message, "type": kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(users: &[&str], topic: Option<&str>) -> Value {
        let user = users.iter().map(|user| UserId::new(user).unwrap()).collect();
        let to = To { user, topic: topic.map(str::to_owned), everyone: false };
        body(&to, "t", "m", "info")["to"].clone()
    }

    #[test]
    fn audiences() {
        assert_eq!(to(&["alice"], None), json!({ "user": "alice" }));
        assert_eq!(to(&["alice", "bob"], None), json!({ "users": ["alice", "bob"] }));
        assert_eq!(to(&[], Some("news")), json!({ "topic": "news" }));
        assert_eq!(to(&[], None), json!({ "workspace": true }));
    }
}
