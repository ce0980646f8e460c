//! What turns events into notifications: `/v1/workspaces/{workspace}/rules`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use campanile_engine::rule::{self, Stored};
use campanile_engine::{EngineError, event};
use campanile_rules::RuleSource;
use serde::{Deserialize, Serialize};

use super::Api;
use super::body::JsonBody;
use super::caller::{Admin, Allowed};
use super::cloudevents::{CloudEvent, Envelope};
use super::etag::{Expected, tagged};
use super::params::{InPath, Named};
use super::problem::{self, Problem};
use super::trials::Trials;

/// A rule, and whose it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptRule {
    /// Whether it is one that every workspace has.
    built_in: bool,
    /// As it was written.
    rule: RuleSource,
}

/// The rules in force.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RuleList {
    /// The workspace's own by name, then the built-in ones that none of them replaces.
    rules: Vec<KeptRule>,
}

/// The name of a rule.
pub struct RuleName(String);

impl Named for RuleName {
    const NAME: &'static str = "name";
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self(text.to_owned()))
    }
}

/// List rules
///
/// The workspace's own rules, at most 500, and the built-in ones.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/rules",
    operation_id = "list_rules",
    tag = "rules",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    responses((status = 200, body = RuleList, description = "The rules")),
    security(("bearer" = ["admin"])),
)]
pub async fn list(State(api): State<Arc<Api>>, admin: Allowed<Admin>) -> Result<Json<RuleList>, Problem> {
    let own = rule::list(&api.engine, &admin.workspace, None, rule::MAX_RULES).await?.items;
    let is_replaced = |built_in: &RuleSource| own.iter().any(|own| own.rule.name == built_in.name);
    let built_in: Vec<_> = rule::built_in().into_iter().filter(|rule| !is_replaced(rule)).collect();
    let own = own.into_iter().map(|stored| KeptRule { built_in: false, rule: stored.rule });
    let built_in = built_in.into_iter().map(|rule| KeptRule { built_in: true, rule });
    Ok(Json(RuleList { rules: own.chain(built_in).collect() }))
}

/// Read a rule
///
/// The workspace's own rule of that name, else the built-in one. The `ETag` names its state.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/rules/{name}",
    operation_id = "read_rule",
    tag = "rules",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The rule's name"),
    ),
    responses((status = 200, body = KeptRule, description = "The rule", headers(("ETag", description = "Its state")))),
    security(("bearer" = ["admin"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(RuleName(name)): InPath<RuleName>,
) -> Result<Response, Problem> {
    Ok(answer(rule::read(&api.engine, &admin.workspace, &name).await?))
}

/// Put a rule
///
/// Puts the rule in place of the one of its name, or beside the others. One with the name of a built-in rule
/// replaces it; with `enabled: false` there is then none. It takes effect for events after the answer.
#[utoipa::path(
    put,
    path = "/v1/workspaces/{workspace}/rules/{name}",
    operation_id = "put_rule",
    tag = "rules",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The rule's name"),
        ("If-Match" = Option<String>, Header, description = "The state it is to be in"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: the workspace has no rule of that name yet"),
    ),
    request_body = RuleSource,
    responses((status = 200, body = KeptRule, description = "It is in place", headers(("ETag", description = "Its state")))),
    security(("bearer" = ["admin"])),
)]
pub async fn put(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(RuleName(name)): InPath<RuleName>,
    Expected(expected): Expected,
    body: JsonBody,
) -> Result<Response, Problem> {
    let rule: RuleSource = body.parse()?;
    if rule.name != name {
        let detail = "the rule's name is the one in the path";
        return Err(Problem::new(&problem::INVALID_RULE).field("name").detail(detail));
    }
    let (user, now) = (admin.user(), api.clock.now());
    Ok(answer(rule::put(&api.engine, &admin.workspace, rule, expected, user, now).await?))
}

/// Remove a rule
///
/// Removes the workspace's own rule of that name; a built-in one that it replaced is in force again. A built-in
/// rule can't be removed, but replaced by one of its name with `enabled: false`.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/rules/{name}",
    operation_id = "delete_rule",
    tag = "rules",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The rule's name"),
        ("If-Match" = Option<String>, Header, description = "The state it is to be in"),
    ),
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["admin"])),
)]
pub async fn delete(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    InPath(RuleName(name)): InPath<RuleName>,
    Expected(expected): Expected,
) -> Result<StatusCode, Problem> {
    match rule::delete(&api.engine, &admin.workspace, &name, expected, api.clock.now()).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(EngineError::Missing { .. }) if rule::built_in().iter().any(|rule| rule.name == name) => {
            Err(Problem::new(&problem::INVALID_REQUEST)
                .detail("a built-in rule can't be removed: put one of its name with enabled: false"))
        }
        Err(error) => Err(error.into()),
    }
}

fn answer(Stored { rule, version }: Stored) -> Response {
    tagged(version, Json(KeptRule { built_in: version == 0, rule }))
}

/// An event to try rules on, and perhaps a rule to try.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TryBody {
    /// An event as it would be reported, from any source. This or `key`.
    #[schema(value_type = Option<CloudEvent>)]
    event: Option<Envelope>,
    /// The key of an event that was taken.
    key: Option<String>,
    /// A rule that is judged and tried alone, and not put in place. Default: all rules in force.
    rule: Option<RuleSource>,
}

/// Try rules
///
/// What the rules, or the one given, would make of an event, and why the others would not. Nothing is sent or
/// kept.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/rules/try",
    operation_id = "try_rules",
    tag = "rules",
    params(("workspace" = String, Path, description = "The workspace's slug")),
    request_body = TryBody,
    responses((status = 200, body = Trials, description = "The verdicts, in the order in which rules are asked")),
    security(("bearer" = ["admin"])),
)]
pub async fn try_out(
    State(api): State<Arc<Api>>,
    admin: Allowed<Admin>,
    body: JsonBody,
) -> Result<Json<Trials>, Problem> {
    let now = api.clock.now();
    let TryBody { event, key, rule } = body.parse_object()?;
    let event = match (event, key) {
        (Some(envelope), None) => {
            let event = envelope.event(now)?;
            event::check(&event)?;
            event
        }
        (None, Some(key)) => event::read(&api.engine, &admin.workspace, &key).await?.event,
        _ => {
            let detail = "give an event, or the key of one that was taken";
            return Err(Problem::new(&problem::INVALID_REQUEST).field("event").detail(detail));
        }
    };
    let trials = rule::try_out(&api.engine, &admin.workspace, &event, rule, now).await?;
    Ok(Json(trials.into()))
}
