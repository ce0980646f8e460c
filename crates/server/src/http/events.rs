//! What happened: `/v1/workspaces/{workspace}/events`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use campanile_engine::event::{self, Filter, StoredEvent, Taken, TriedFunction, TriedRule};
use campanile_model::{NotificationId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Api;
use super::caller::{Admin, Allowed, EventsWrite};
use super::cloudevents::{CloudEvent, Events, Incoming};
use super::params::{InPath, InQuery, Named, limit};
use super::problem::Problem;

/// What became of the events of a request, in their order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventsTaken {
    /// One for each.
    events: Vec<EventTaken>,
}

/// What became of one event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventTaken {
    /// Its id, as it came.
    id: String,
    /// Names it here, made of its source and id.
    #[schema(value_type = String)]
    key: Arc<str>,
    /// It was taken before: nothing happened now.
    duplicate: bool,
    /// The ids of the notifications that rules made of it now.
    #[schema(value_type = Vec<String>)]
    notifications: Vec<NotificationId>,
    /// How many rules failed on it, and how many functions it could not run. It is kept, and can be run again.
    failed: usize,
}

impl From<Taken> for EventTaken {
    fn from(taken: Taken) -> Self {
        let Taken { id, key, duplicate, notifications, failed } = taken;
        Self { id, key, duplicate, notifications, failed }
    }
}

/// Report events
///
/// Takes CloudEvents 1.0 in JSON: one (`application/cloudevents+json`), up to 1,000
/// (`application/cloudevents-batch+json`), or one with its attributes in `ce-` headers and its data as the body.
/// All of them or none are taken; one of a source and id that was taken before is not taken again. The answer
/// comes when they, and what the workspace's rules made of them, are on stable storage.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/events",
    operation_id = "take_events",
    tag = "events",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    request_body(content(
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"),
    )),
    responses((status = 200, body = EventsTaken, description = "They were taken, now or before")),
    security(("bearer" = ["events:write"])),
)]
pub async fn take(
    State(api): State<Arc<Api>>,
    reporter: Allowed<EventsWrite>,
    incoming: Incoming,
) -> Result<Json<EventsTaken>, Problem> {
    let now = api.clock.now();
    let Events { events, is_batch } = incoming.read(now)?;
    let taken = event::take(&api.engine, &reporter.workspace, events, is_batch, now).await?;
    Ok(Json(EventsTaken { events: taken.into_iter().map(EventTaken::from).collect() }))
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only those of this type.
    r#type: Option<String>,
    /// Only those on which a rule failed or that could not run a function (`true`), or the others.
    failed: Option<bool>,
    /// Events in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Events taken before this place: the `next` of another page.
    before: Option<u64>,
}

/// Some of the events that were taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventsPage {
    /// The newest first, without their data.
    events: Vec<KeptEvent>,
    /// Give this as `before` for the next page; `null`: there is none. A page may hold fewer events than asked
    /// for, even none, although there is a next one.
    #[schema(required)]
    next: Option<u64>,
}

/// An event with what rules made of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub struct KeptEvent {
    /// Names it here.
    key: String,
    /// Unique within its source.
    id: String,
    /// Where it happened.
    source: String,
    /// What happened.
    r#type: String,
    /// What it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Who caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    actor: Option<UserId>,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    taken: Timestamp,
    /// How many rules failed on it, and how many functions it could not run.
    failed: usize,
    /// The rules that made something of it, or failed.
    rules: Vec<RuleTried>,
    /// The functions that it runs, or could not run.
    functions: Vec<FunctionTried>,
    /// The details, where one event is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    data: Option<Arc<Value>>,
}

/// What one rule made of an event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RuleTried {
    /// The rule's name.
    rule: String,
    /// The id of what it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    notification: Option<NotificationId>,
    /// Why it failed: the member and place in the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

impl From<TriedRule> for RuleTried {
    fn from(tried: TriedRule) -> Self {
        Self { rule: tried.rule, notification: tried.notification, error: tried.error }
    }
}

/// What became of one function that an event is to run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FunctionTried {
    /// The function's name.
    function: String,
    /// The id of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    run: Option<Arc<str>>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

impl From<TriedFunction> for FunctionTried {
    fn from(tried: TriedFunction) -> Self {
        Self { function: tried.function, run: tried.run, error: tried.error }
    }
}

impl KeptEvent {
    fn new(key: &str, stored: StoredEvent, with_data: bool) -> Self {
        let failed = stored.failed();
        let StoredEvent { event, rules, functions, taken } = stored;
        Self {
            key: key.to_owned(),
            id: event.id,
            source: event.source,
            r#type: event.kind,
            subject: event.subject,
            time: event.time,
            actor: event.actor,
            taken,
            failed,
            rules: rules.into_iter().map(RuleTried::from).collect(),
            functions: functions.into_iter().map(FunctionTried::from).collect(),
            data: with_data.then_some(event.data),
        }
    }
}

/// List events
///
/// Events of the last days (`[workspaces] event_retention`), Campanile's own among them, with what became of
/// them. For administrators: events hold values that notifications don't show.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/events",
    operation_id = "list_events",
    tag = "events",
    params(("workspace" = String, Path, description = "The workspace's slug"), EventsQuery),
    responses((status = 200, body = EventsPage, description = "The page")),
    security(("bearer" = ["admin"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InQuery(query): InQuery<EventsQuery>,
) -> Result<Json<EventsPage>, Problem> {
    let filter = Filter { kind: query.r#type, failed: query.failed };
    let limit = limit(query.limit)?;
    let page = event::list(&api.engine, &admin.workspace, &filter, query.before, limit).await?;
    let events =
        page.items.into_iter().map(|found| KeptEvent::new(&found.key, found.stored, false)).collect();
    Ok(Json(EventsPage { events, next: page.next }))
}

/// The name of an event here.
pub struct EventKey(String);

impl Named for EventKey {
    const NAME: &'static str = "key";
    /// What can't be a key names no event: it answers as one that is not there.
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self(text.to_owned()))
    }
}

/// Read an event
///
/// One event with its data and with what became of it.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/events/{key}",
    operation_id = "read_event",
    tag = "events",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("key" = String, Path, description = "The event's key"),
    ),
    responses((status = 200, body = KeptEvent, description = "The event")),
    security(("bearer" = ["admin"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(EventKey(key)): InPath<EventKey>,
) -> Result<Response, Problem> {
    let stored = event::read(&api.engine, &admin.workspace, &key).await?;
    Ok(Json(KeptEvent::new(&key, stored, true)).into_response())
}

/// Run an event again
///
/// Asks the rules and functions of today that have made nothing of the event yet. Those that have are not asked
/// again: one event and one rule make one notification, ever, and one event runs a function once. The answer holds what was
/// made before, too. Nobody is told of what holds no longer, such as the expiry of a product that was removed: 422.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/events/{key}/rerun",
    operation_id = "rerun_event",
    tag = "events",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("key" = String, Path, description = "The event's key"),
    ),
    responses((status = 200, body = KeptEvent, description = "The event, as it stands now")),
    security(("bearer" = ["admin"])),
)]
pub async fn rerun(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(EventKey(key)): InPath<EventKey>,
) -> Result<Response, Problem> {
    let stored = campanile_engine::rerun(&api.engine, &admin.workspace, &key, api.clock.now()).await?;
    Ok(Json(KeptEvent::new(&key, stored, false)).into_response())
}
