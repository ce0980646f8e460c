//! Functions and their runs: `/v1/workspaces/{workspace}/functions`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campanile_engine::function::{self, Schedule, Source};
use campanile_engine::page;
use campanile_engine::run::{self, Origin, Run, Summary};
use campanile_model::Timestamp;
use campanile_rules::On;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::body::JsonBody;
use super::caller::{Allowed, FunctionsExecute, FunctionsWrite};
use super::etag::{Expected, tagged};
use super::params::{InPath, InQuery, Named};
use super::problem::{self, Problem};

/// The longest that a request waits for a run to end.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A function's name in a path. What can't be one names no function.
pub struct FunctionName(String);

impl Named for FunctionName {
    const NAME: &'static str = "name";
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self(text.to_owned()))
    }
}

/// A run's id in a path. What can't be one names no run.
pub struct RunId(String);

impl Named for RunId {
    const NAME: &'static str = "id";
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self(text.to_owned()))
    }
}

/// A function as it is kept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StoredFunction)]
pub struct Stored {
    /// Unique in its workspace.
    #[schema(value_type = String)]
    name: Arc<str>,
    #[serde(flatten)]
    source: Source,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<function::Stored> for Stored {
    fn from(function: function::Stored) -> Self {
        let function::Stored { name, source, created, updated, .. } = function;
        Self { name, source, created_at: created, updated_at: updated }
    }
}

/// A function in a list: without its source and what its runs get.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionSummary {
    /// Unique in its workspace.
    #[schema(value_type = String)]
    name: Arc<str>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Whether it can be run.
    enabled: bool,
    /// The events that run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<On>,
    /// When it is run.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Schedule>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<function::Stored> for FunctionSummary {
    fn from(function: function::Stored) -> Self {
        let function::Stored { name, source, created, updated, .. } = function;
        let Source { description, enabled, on, schedule, .. } = source;
        Self { name, description, enabled, on, schedule, created_at: created, updated_at: updated }
    }
}

/// Which page of the functions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FunctionsQuery {
    /// Functions in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Functions whose names come after this one: the `next` of another page.
    after: Option<String>,
}

/// Some of the functions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Functions {
    /// By name, ascending.
    functions: Vec<FunctionSummary>,
    /// Give this as `after` for the next page; `null`: there is none.
    #[schema(value_type = Option<String>, required)]
    next: Option<Arc<str>>,
}

/// List functions
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/functions",
    operation_id = "list_functions",
    tag = "functions",
    params(("workspace" = String, Path, description = "The workspace's slug"), FunctionsQuery),
    responses((status = 200, body = Functions, description = "A page of functions")),
    security(("bearer" = ["functions:write"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    author: Allowed<FunctionsWrite>,
    InQuery(query): InQuery<FunctionsQuery>,
) -> Result<Json<Functions>, Problem> {
    let limit = query.limit.unwrap_or(page::DEFAULT);
    let page = function::list(&api.engine, &author.workspace, query.after.as_deref(), limit).await?;
    let functions = page.items.into_iter().map(FunctionSummary::from).collect();
    Ok(Json(Functions { functions, next: page.next }))
}

/// Read a function
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/functions/{name}",
    operation_id = "read_function",
    tag = "functions",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The function's name"),
    ),
    responses((
        status = 200, body = Stored, description = "The function",
        headers(("ETag", description = "Its state")),
    )),
    security(("bearer" = ["functions:write"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    author: Allowed<FunctionsWrite>,
    InPath(FunctionName(name)): InPath<FunctionName>,
) -> Result<Response, Problem> {
    let function = function::read(&api.engine, &author.workspace, &name).await?;
    Ok(tagged(function.version, Json(Stored::from(function))))
}

/// Create or replace a function
///
/// The source is parsed before it is kept: a 422 names the line and column of what is wrong.
#[utoipa::path(
    put,
    path = "/v1/workspaces/{workspace}/functions/{name}",
    operation_id = "put_function",
    tag = "functions",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "1 to 64 letters, digits, hyphens and underscores"),
        ("If-Match" = Option<String>, Header, description = "Only if it is in this state (its `ETag`)"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none"),
    ),
    request_body = Source,
    responses((
        status = 200, body = Stored, description = "The function as it is now",
        headers(("ETag", description = "Its state")),
    )),
    security(("bearer" = ["functions:write"])),
)]
pub async fn put(
    State(api): State<Arc<Api>>,
    author: Allowed<FunctionsWrite>,
    InPath(FunctionName(name)): InPath<FunctionName>,
    Expected(expected): Expected,
    body: JsonBody,
) -> Result<Response, Problem> {
    let source: Source = body.parse()?;
    let (workspace, user, now) = (&author.workspace, author.user(), api.clock.now());
    let function = function::put(&api.engine, workspace, &name, source, expected, user, now).await?;
    Ok(tagged(function.version, Json(Stored::from(function))))
}

/// Delete a function
///
/// Runs of it that wait fail; past ones stay listed as long as runs are kept.
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/functions/{name}",
    operation_id = "delete_function",
    tag = "functions",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The function's name"),
        ("If-Match" = Option<String>, Header, description = "Only if it is in this state (its `ETag`)"),
    ),
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["functions:write"])),
)]
pub async fn delete(
    State(api): State<Arc<Api>>,
    author: Allowed<FunctionsWrite>,
    InPath(FunctionName(name)): InPath<FunctionName>,
    Expected(expected): Expected,
) -> Result<StatusCode, Problem> {
    function::delete(&api.engine, &author.workspace, &name, expected, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A run to be started.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RunRequest {
    /// What the function gets as `executionParams`: an object of at most 1 MiB. Default: `{}`.
    #[schema(value_type = Option<Object>, example = json!({"orderId": "o-1001"}))]
    execution_params: Option<Box<RawValue>>,
    /// `true`: a person started it, not a program. Default: `false`.
    #[serde(default)]
    manual: bool,
}

/// How long to wait.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// Seconds to wait for the run to end. Default: 0, which answers at once.
    #[param(minimum = 0, maximum = 15)]
    wait: Option<u64>,
}

impl WaitQuery {
    fn patience(&self) -> Result<Duration, Problem> {
        let patience = Duration::from_secs(self.wait.unwrap_or(0));
        if patience <= LONGEST_WAIT {
            return Ok(patience);
        }
        let detail = format!("a request waits for a run for at most {} seconds", LONGEST_WAIT.as_secs());
        Err(Problem::new(&problem::INVALID_REQUEST).field("wait").detail(detail))
    }
}

/// Run a function
///
/// Queues a run, and answers 202 with it; 200 if it has ended within `wait`. Whoever starts a run is told when it
/// starts and how it ends.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/functions/{name}/run",
    operation_id = "run_function",
    tag = "functions",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The function's name"),
        WaitQuery,
    ),
    request_body = RunRequest,
    responses(
        (status = 200, body = Run, description = "The run has ended"),
        (status = 202, body = Run, description = "The run has not ended yet", headers(("Location", description = "Its path"))),
    ),
    security(("bearer" = ["functions:execute"])),
)]
pub async fn run(
    State(api): State<Arc<Api>>,
    caller: Allowed<FunctionsExecute>,
    InPath(FunctionName(name)): InPath<FunctionName>,
    InQuery(wait): InQuery<WaitQuery>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let patience = wait.patience()?;
    let RunRequest { execution_params, manual } = body.parse_or_default()?;
    let request = run::Request {
        origin: if manual { Origin::Manual } else { Origin::Http },
        execution_params: execution_params.unwrap_or_else(empty_object),
    };
    let now = api.clock.now();
    let run = run::start(&api.engine, &caller.workspace, &name, request, caller.user(), now).await?;
    answer(&api, &caller, run, patience).await
}

/// Repeat a run
///
/// Queues a run of the function as it is now, with what the earlier run got. Needs both scopes.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/functions/{name}/runs/{id}/repeat",
    operation_id = "repeat_run",
    tag = "functions",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The function's name"),
        ("id" = String, Path, description = "The run's id"),
        WaitQuery,
    ),
    responses(
        (status = 200, body = Run, description = "The new run has ended"),
        (status = 202, body = Run, description = "The new run has not ended yet", headers(("Location", description = "Its path"))),
    ),
    security(("bearer" = ["functions:execute", "functions:write"])),
)]
pub async fn repeat(
    State(api): State<Arc<Api>>,
    caller: Allowed<FunctionsExecute>,
    // The answer shows what the earlier run got.
    _author: Allowed<FunctionsWrite>,
    InPath(FunctionName(name)): InPath<FunctionName>,
    InPath(RunId(id)): InPath<RunId>,
    InQuery(wait): InQuery<WaitQuery>,
) -> Result<Response, Problem> {
    let patience = wait.patience()?;
    let now = api.clock.now();
    let run = run::repeat(&api.engine, &caller.workspace, &name, &id, caller.user(), now).await?;
    answer(&api, &caller, run, patience).await
}

async fn answer(
    api: &Api,
    caller: &Allowed<FunctionsExecute>,
    mut run: Run,
    patience: Duration,
) -> Result<Response, Problem> {
    if !patience.is_zero() {
        run = run::wait(&api.engine, &caller.workspace, &run.function, &run.id, patience).await?;
    }
    if run.ended_at.is_some() {
        return Ok(Json(run).into_response());
    }
    let path = format!("/v1/workspaces/{}/functions/{}/runs/{}", caller.workspace, run.function, run.id);
    let mut response = (StatusCode::ACCEPTED, Json(run)).into_response();
    if let Ok(location) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn empty_object() -> Box<RawValue> {
    serde_json::value::to_raw_value(&serde_json::Map::new()).unwrap_or_default()
}

/// Which page of the runs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    /// Runs in the page. Default: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Runs before this place: the `next` of another page.
    before: Option<u64>,
}

/// Some of a function's runs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Runs {
    /// Newest first.
    runs: Vec<Summary>,
    /// Give this as `before` for the next page; `null`: there is none.
    #[schema(required)]
    next: Option<u64>,
}

/// List runs
///
/// Newest first, as long as they are kept (`[workspaces] event_retention`).
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/functions/{name}/runs",
    operation_id = "list_runs",
    tag = "functions",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The function's name"),
        RunsQuery,
    ),
    responses((status = 200, body = Runs, description = "A page of runs")),
    security(("bearer" = ["functions:write"])),
)]
pub async fn runs(
    State(api): State<Arc<Api>>,
    author: Allowed<FunctionsWrite>,
    InPath(FunctionName(name)): InPath<FunctionName>,
    InQuery(query): InQuery<RunsQuery>,
) -> Result<Json<Runs>, Problem> {
    let limit = query.limit.unwrap_or(page::DEFAULT);
    let page = run::list(&api.engine, &author.workspace, &name, query.before, limit).await?;
    Ok(Json(Runs { runs: page.items, next: page.next }))
}

/// Read a run
///
/// With what it got, returned and logged.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/functions/{name}/runs/{id}",
    operation_id = "read_run",
    tag = "functions",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("name" = String, Path, description = "The function's name"),
        ("id" = String, Path, description = "The run's id"),
    ),
    responses((status = 200, body = Run, description = "The run")),
    security(("bearer" = ["functions:write"])),
)]
pub async fn read_run(
    State(api): State<Arc<Api>>,
    author: Allowed<FunctionsWrite>,
    InPath(FunctionName(name)): InPath<FunctionName>,
    InPath(RunId(id)): InPath<RunId>,
) -> Result<Json<Run>, Problem> {
    Ok(Json(run::read(&api.engine, &author.workspace, &name, &id).await?))
}
