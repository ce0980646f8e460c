//! Producing: `/v1/workspaces/{workspace}/notifications`.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campanile_engine::publish::{self, Draft, Key, Request, Taken};
use campanile_model::{Audience, NotificationId, Seq, Timestamp, UserId};
use serde::Serialize;

use super::Api;
use super::batch::Batch;
use super::body::JsonBody;
use super::caller::{Allowed, NotificationsWrite};
use super::content::Content;
use super::params::InPath;
use super::problem::{self, Problem};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A notification that was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Published {
    /// Its id, a UUID.
    #[schema(value_type = String, format = Uuid)]
    id: NotificationId,
    /// Its place in the workspace's log; `null`: it is in no log.
    #[schema(value_type = Option<u64>, required)]
    seq: Option<Seq>,
    /// When the server took it.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// What one may publish.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the schema of Batch, which knows where it is wrong")]
pub enum PublishBody {
    /// One notification.
    One(Box<Draft>),
    /// 1 to 1,000 notifications: all of them or none.
    Many(Vec<Draft>),
}

/// What a publish answers.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum PublishAnswer {
    /// To one notification.
    One(Published),
    /// To an array of them, in its order.
    Many(Vec<Published>),
}

/// Publish
///
/// Publishes one notification, or up to 1,000 at once, all of them or none. The answer comes when they are
/// on stable storage; with `durable: false`, or in a workspace in realtime mode, when they were handed to the
/// sockets, and `seq` is then null. A batch is durable as a whole or not at all.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/notifications",
    operation_id = "publish",
    tag = "notifications",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The promise that a repetition within 24 hours is the same request, byte for byte: it is answered as the first and publishes nothing", min_length = 1, max_length = 255),
    ),
    request_body = PublishBody,
    responses((
        status = 201, body = PublishAnswer, description = "Published, or published before under the same key",
        headers(("Idempotent-Replayed", description = "`true`: the answer of an earlier request under the same key")),
    )),
    security(("bearer" = ["notifications:write"])),
)]
pub async fn publish(
    State(api): State<Arc<Api>>,
    producer: Allowed<NotificationsWrite>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers, &body)?;
    let Batch { drafts, is_array } = Batch::parse(&body)?;
    let request = Request { drafts, batch: is_array, key };
    let now = api.clock.now();
    let outcome = publish::publish(&api.engine, &producer.workspace, producer.user(), request, now).await?;
    let mut published: Vec<Published> = outcome.taken.into_iter().map(Published::from).collect();
    let answer = match published.pop() {
        Some(only) if !is_array => PublishAnswer::One(only),
        last => PublishAnswer::Many(published.into_iter().chain(last).collect()),
    };
    let mut response = (StatusCode::CREATED, Json(&answer)).into_response();
    if outcome.replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    if let PublishAnswer::One(Published { id, seq: Some(_), .. }) = answer
        && let Ok(location) = format!("/v1/workspaces/{}/notifications/{id}", producer.workspace).try_into()
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

impl From<Taken> for Published {
    fn from(taken: Taken) -> Self {
        Self { id: taken.id, seq: taken.seq, timestamp: taken.timestamp }
    }
}

/// The key, with the digest of the body as it came: a repetition is the same request, byte for byte.
fn idempotency_key(headers: &HeaderMap, body: &JsonBody) -> Result<Option<Key>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let refuse = |detail| Problem::new(&problem::INVALID_REQUEST).field("Idempotency-Key").detail(detail);
    if keys.next().is_some() {
        return Err(refuse("an idempotency key is given once"));
    }
    let key = key.to_str().map_err(|_| refuse("an idempotency key is visible ASCII"))?.to_owned();
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest::digest(&digest::SHA256, &body.0).as_ref());
    Ok(Some(Key { key, fingerprint }))
}

/// A notification as it was published.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Stored<'a> {
    /// Its place in the workspace's log.
    #[schema(value_type = u64)]
    seq: Seq,
    /// Who is told.
    to: To<'a>,
    /// Who is not told although `to` names them.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    except: &'a [UserId],
    /// What it says.
    #[serde(flatten)]
    content: Content<'a>,
}

/// Who is told, written as in a publish request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum To<'a> {
    /// One user.
    #[schema(value_type = String)]
    User(&'a str),
    /// Several users.
    #[schema(value_type = Vec<String>)]
    Users(&'a [UserId]),
    /// A topic's subscribers.
    Topic(&'a str),
    /// Everybody with access to the workspace.
    Workspace(bool),
}

/// Read one
///
/// The notification as it was published, with its place in the log.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/notifications/{id}",
    operation_id = "read_notification",
    tag = "notifications",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The notification's id"),
    ),
    responses((status = 200, body = Stored, description = "The notification")),
    security(("bearer" = ["notifications:write"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    producer: Allowed<NotificationsWrite>,
    InPath(id): InPath<NotificationId>,
) -> Result<Response, Problem> {
    let item = api.engine.store.find(&producer.workspace, None, id).await?;
    let notification = &*item.notification;
    let to = match &notification.audience {
        Audience::Users(users) => match users.as_slice() {
            [user] => To::User(user.as_str()),
            users => To::Users(users),
        },
        Audience::Topic(topic) => To::Topic(topic.as_str()),
        Audience::Workspace => To::Workspace(true),
    };
    let stored = Stored { seq: item.seq, to, except: &notification.except, content: notification.into() };
    Ok(Json(stored).into_response())
}
