//! Producing: `/v1/workspaces/{workspace}/notifications`, and `…/schedules`, which lists what waits for its time.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campanile_engine::publish::{self, Draft, Key, Request, Taken};
use campanile_engine::revise::{self, Patch, State};
use campanile_engine::{Span, schedule};
use campanile_model::{NotificationId, Seq, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::Api;
use super::audience::To;
use super::batch::Batch;
use super::body::JsonBody;
use super::caller::{Allowed, NotificationsWrite};
use super::params::{InPath, InQuery, limit};
use super::problem::{self, Problem};
use campanile_wire::Content;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A notification that was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Published {
    /// Its id, a UUID.
    #[schema(value_type = String, format = Uuid)]
    id: NotificationId,
    /// Its place in the workspace's log; `null`: it is in no log, or not yet.
    #[schema(value_type = Option<u64>, required)]
    seq: Option<Seq>,
    /// When the server took it.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// When it will be sent, where that is later.
    #[serde(rename = "sendAt", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    send_at: Option<Timestamp>,
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
/// sockets, and `seq` is then null. A batch is durable as a whole or not at all. With `sendAt`, which all of a batch
/// have or none, it is kept until its time; `seq` is null, and the answer says `sendAt`.
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
    Shared(api): Shared<Arc<Api>>,
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
    if let PublishAnswer::One(Published { id, seq, send_at, .. }) = answer
        && (seq.is_some() || send_at.is_some())
        && let Ok(location) = format!("/v1/workspaces/{}/notifications/{id}", producer.workspace).try_into()
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

impl From<Taken> for Published {
    fn from(taken: Taken) -> Self {
        Self { id: taken.id, seq: taken.seq, timestamp: taken.timestamp, send_at: taken.send_at }
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

/// A notification as its producer sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stored<'a> {
    /// What became of it.
    state: Standing,
    /// Its place in the workspace's log; `null`: it was not sent yet.
    #[schema(value_type = Option<u64>, required)]
    seq: Option<Seq>,
    /// When it will be sent, where that is still to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    send_at: Option<Timestamp>,
    /// How long it will be seen from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    ttl: Option<Span>,
    /// Who is told.
    to: To<'a>,
    /// Who is not told although `to` names them.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    except: &'a [UserId],
    /// What supersedes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    collapse_key: Option<&'a str>,
    /// What it says.
    #[serde(flatten)]
    content: Content<'a>,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NotificationState)]
pub enum Standing {
    /// It waits for its time.
    Scheduled,
    /// It was sent.
    Sent,
    /// A later one took its place, or what it said no longer holds: only those who had read it see it.
    Superseded,
}

impl<'a> From<&'a State> for Stored<'a> {
    fn from(state: &'a State) -> Self {
        let (standing, notification, seq) = match state {
            State::Scheduled(scheduled) => (Standing::Scheduled, &scheduled.notification, None),
            State::Sent { notification, seq, superseded: false } => {
                (Standing::Sent, &**notification, Some(*seq))
            }
            State::Sent { notification, seq, superseded: true } => {
                (Standing::Superseded, &**notification, Some(*seq))
            }
        };
        let mut content = Content::from(notification);
        let (mut send_at, mut ttl) = (None, None);
        if let State::Scheduled(scheduled) = state {
            (send_at, ttl) = (Some(scheduled.send_at), scheduled.ttl);
            content.runs_later();
        }
        Self {
            state: standing,
            seq,
            send_at,
            ttl,
            to: (&notification.audience).into(),
            except: &notification.except,
            collapse_key: notification.collapse_key.as_deref(),
            content,
        }
    }
}

/// Read one
///
/// The notification as it reads now, and what became of it.
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
    Shared(api): Shared<Arc<Api>>,
    producer: Allowed<NotificationsWrite>,
    InPath(id): InPath<NotificationId>,
) -> Result<Response, Problem> {
    let state = revise::read(&api.engine, &producer.workspace, id).await?;
    Ok(Json(Stored::from(&state)).into_response())
}

/// Change one
///
/// Says the notification anew, in its old place and to the same users: read or not, as it was. One that waits for
/// its time may be given another.
#[utoipa::path(
    patch,
    path = "/v1/workspaces/{workspace}/notifications/{id}",
    operation_id = "update_notification",
    tag = "notifications",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The notification's id"),
    ),
    request_body = Patch,
    responses((status = 200, body = Stored, description = "The notification as it reads now")),
    security(("bearer" = ["notifications:write"])),
)]
pub async fn update(
    Shared(api): Shared<Arc<Api>>,
    producer: Allowed<NotificationsWrite>,
    InPath(id): InPath<NotificationId>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let patch: Patch = body.parse_object()?;
    let state = revise::update(&api.engine, &producer.workspace, id, &patch, api.clock.now()).await?;
    Ok(Json(Stored::from(&state)).into_response())
}

/// Take one back
///
/// Nobody sees it any more. One that waits for its time is not sent.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/notifications/{id}",
    operation_id = "retract_notification",
    tag = "notifications",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The notification's id"),
    ),
    responses((status = 204, description = "It is taken back")),
    security(("bearer" = ["notifications:write"])),
)]
pub async fn retract(
    Shared(api): Shared<Arc<Api>>,
    producer: Allowed<NotificationsWrite>,
    InPath(id): InPath<NotificationId>,
) -> Result<StatusCode, Problem> {
    revise::retract(&api.engine, &producer.workspace, id, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which page of what waits.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchedulesQuery {
    /// Notifications in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Notifications after this one, by id: the `next` of another page.
    after: Option<String>,
}

/// Some of the notifications that wait for their time.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Schedules<'a> {
    /// In the order in which they were taken.
    schedules: Vec<Stored<'a>>,
    /// Give this as `after` for the next page; `null`: there is none.
    #[schema(value_type = Option<String>, required)]
    next: Option<Arc<str>>,
}

/// List what waits
///
/// Notifications that are to be sent later, as they will be sent.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/schedules",
    operation_id = "list_schedules",
    tag = "notifications",
    params(("workspace" = String, Path, description = "The workspace's slug"), SchedulesQuery),
    responses((status = 200, body = Schedules, description = "The page")),
    security(("bearer" = ["notifications:write"])),
)]
pub async fn schedules(
    Shared(api): Shared<Arc<Api>>,
    producer: Allowed<NotificationsWrite>,
    InQuery(query): InQuery<SchedulesQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit)?;
    let page = schedule::list(&api.engine, &producer.workspace, query.after.as_deref(), limit).await?;
    let states: Vec<State> = page.items.into_iter().map(|s| State::Scheduled(Box::new(s))).collect();
    let schedules = states.iter().map(Stored::from).collect();
    Ok(Json(Schedules { schedules, next: page.next }).into_response())
}
