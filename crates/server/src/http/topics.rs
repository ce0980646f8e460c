//! Who listens to a topic: `/v1/workspaces/{workspace}/topics/{topic}/subscribers`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use campanile_engine::topics;
use campanile_model::{Seq, Topic, UserId};
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::JsonBody;
use super::caller::{Admin, Allowed};
use super::params::{InPath, InQuery};
use super::problem::{self, Problem};

/// Which page of the subscribers.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubscribersQuery {
    /// Subscribers in the page. Default: 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Subscribers whose names come after this one: the `next` of another page.
    #[param(value_type = Option<String>)]
    after: Option<UserId>,
}

/// Some of a topic's subscribers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Subscribers {
    /// By name, ascending.
    #[schema(value_type = Vec<String>)]
    users: Vec<UserId>,
    /// Give this as `after` for the next page; `null`: there is none.
    #[schema(value_type = Option<String>, required)]
    next: Option<UserId>,
}

/// Users of a topic.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// 1 to 1,000 users; naming one twice is naming them once.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 1000)]
    users: Vec<UserId>,
}

/// Where a change of subscriptions stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Changed {
    /// The newest place in the workspace's log after the change: it holds for every entry after this one.
    #[schema(value_type = u64)]
    seq: Seq,
}

/// List subscribers
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/topics/{topic}/subscribers",
    operation_id = "list_subscribers",
    tag = "topics",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("topic" = String, Path, description = "The topic"),
        SubscribersQuery,
    ),
    responses((status = 200, body = Subscribers, description = "The page")),
    security(("bearer" = ["admin"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(topic): InPath<Topic>,
    InQuery(query): InQuery<SubscribersQuery>,
) -> Result<Json<Subscribers>, Problem> {
    let limit = query.limit.unwrap_or(topics::DEFAULT_PAGE);
    if !(1..=topics::MAX_PAGE).contains(&limit) {
        let detail = format!("limit is 1 to {}", topics::MAX_PAGE);
        return Err(Problem::new(&problem::INVALID_QUERY).detail(detail));
    }
    let page = topics::list(&api.engine, &admin.workspace, &topic, query.after.as_ref(), limit).await?;
    Ok(Json(Subscribers { users: page.users, next: page.next }))
}

/// Subscribe
///
/// The users named see the topic's entries from here on. Those already subscribed stay so.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/topics/{topic}/subscribers",
    operation_id = "subscribe",
    tag = "topics",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("topic" = String, Path, description = "The topic"),
    ),
    request_body = Users,
    responses((status = 200, body = Changed, description = "They are subscribed")),
    security(("bearer" = ["admin"])),
)]
pub async fn subscribe(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(topic): InPath<Topic>,
    body: JsonBody,
) -> Result<Json<Changed>, Problem> {
    let Users { users } = body.parse()?;
    let seq = topics::add(&api.engine, &admin.workspace, topic, users, api.clock.now()).await?;
    Ok(Json(Changed { seq }))
}

/// Unsubscribe
///
/// The users named see none of the topic's entries from here on. Those not subscribed stay so.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/topics/{topic}/subscribers",
    operation_id = "unsubscribe",
    tag = "topics",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("topic" = String, Path, description = "The topic"),
    ),
    request_body = Users,
    responses((status = 200, body = Changed, description = "They are not subscribed")),
    security(("bearer" = ["admin"])),
)]
pub async fn unsubscribe(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(topic): InPath<Topic>,
    body: JsonBody,
) -> Result<Json<Changed>, Problem> {
    let Users { users } = body.parse()?;
    remove(&api, &admin, topic, users).await
}

/// Unsubscribe one
///
/// For clients that send no body with a DELETE.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/topics/{topic}/subscribers/{user}",
    operation_id = "unsubscribe_one",
    tag = "topics",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("topic" = String, Path, description = "The topic"),
        ("user" = String, Path, description = "The user"),
    ),
    responses((status = 200, body = Changed, description = "The user is not subscribed")),
    security(("bearer" = ["admin"])),
)]
pub async fn unsubscribe_one(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(topic): InPath<Topic>,
    InPath(user): InPath<UserId>,
) -> Result<Json<Changed>, Problem> {
    remove(&api, &admin, topic, vec![user]).await
}

async fn remove(
    api: &Api,
    admin: &Allowed<Admin>,
    topic: Topic,
    users: Vec<UserId>,
) -> Result<Json<Changed>, Problem> {
    let seq = topics::remove(&api.engine, &admin.workspace, topic, users, api.clock.now()).await?;
    Ok(Json(Changed { seq }))
}
