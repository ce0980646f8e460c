//! Records: `/v1/workspaces/{workspace}/collections/{collection}/records`.

mod answer;
mod bulk;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campanile_engine::record::{self, By, CollectionName, Data, Draft, Patch, Record, RecordId};
use serde::Deserialize;
use serde_json::value::RawValue;

pub use answer::{Records, Stored};
pub use bulk::{__path_bulk, bulk};

use super::Api;
use super::body::JsonBody;
use super::caller::{Allowed, RecordsWrite};
use super::etag::{Expected, tagged};
use super::merge_patch::MergePatch;
use super::params::{InPath, InQuery, Named};
use super::problem::Problem;

impl Named for CollectionName {
    const NAME: &'static str = "collection";
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self::new(text)?)
    }
}

impl Named for RecordId {
    const NAME: &'static str = "id";
    fn read(text: &str) -> Result<Self, Problem> {
        Ok(Self::new(text)?)
    }
}

/// A record to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// Unique among the records of the workspace, whatever their collections: 1 to 128 bytes without control
    /// characters and slashes, none of `bulk`, `.` and `..`. Left out: a UUID.
    #[schema(min_length = 1, max_length = 128, example = "o-1001")]
    id: Option<String>,
    /// What it says: at most 64 KiB of JSON, 31 levels deep.
    #[schema(value_type = Object, example = json!({"status": "open", "total": 12.5}))]
    data: Box<RawValue>,
}

impl NewRecord {
    fn draft(self) -> Result<Draft, Problem> {
        let id = self.id.as_deref().map(RecordId::new).transpose()?;
        Ok(Draft { id, data: Data::read(&self.data)? })
    }
}

/// What a record is to say.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordContent {
    /// All of it.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// Which page of a collection.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordsQuery {
    /// Records in the page. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// Records after this id: the `next` of another page.
    after: Option<String>,
    /// Only records for which this expression (CEL, as in rules) holds: `data` is what the record says,
    /// `subject` its id, `time` when it was last changed. A record on which it fails, as for want of a member,
    /// is left out.
    #[serde(rename = "where")]
    #[param(example = "data.status == 'open' && data.total > 100")]
    filter: Option<String>,
}

/// Create a record
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/collections/{collection}/records",
    operation_id = "create_record",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("collection" = String, Path, description = "The collection: 1 to 64 letters, digits, `_` and `-`"),
    ),
    request_body = NewRecord,
    responses((
        status = 201, body = Stored, description = "It was created",
        headers(("ETag", description = "Its state"), ("Location", description = "Its path")),
    )),
    security(("bearer" = ["records:write"])),
)]
pub async fn create(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(collection): InPath<CollectionName>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let draft = body.parse::<NewRecord>()?.draft()?;
    let by = By::user(writer.user(), api.clock.now());
    let record = record::create(&api.engine, &writer.workspace, &collection, draft, by).await?;
    Ok(created(&writer, record))
}

/// List records
///
/// By the bytes of their ids. A page with a filter looks at no more than 10,000 records: it may hold fewer than
/// asked for, even none, while `next` says where to go on.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/collections/{collection}/records",
    operation_id = "list_records",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("collection" = String, Path, description = "The collection"),
        RecordsQuery,
    ),
    responses((status = 200, body = Records, description = "The page")),
    security(("bearer" = ["records:write"])),
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(collection): InPath<CollectionName>,
    InQuery(query): InQuery<RecordsQuery>,
) -> Result<Json<Records>, Problem> {
    let limit = query.limit.unwrap_or(record::DEFAULT_PAGE);
    let (filter, after) = (query.filter.as_deref(), query.after.as_deref());
    let page = record::list(&api.engine, &writer.workspace, &collection, filter, after, limit).await?;
    Ok(Json(page.into()))
}

/// Read a record
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/collections/{collection}/records/{id}",
    operation_id = "read_record",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("collection" = String, Path, description = "The collection"),
        ("id" = String, Path, description = "The record's id"),
    ),
    responses((
        status = 200, body = Stored, description = "The record",
        headers(("ETag", description = "Its state")),
    )),
    security(("bearer" = ["records:write"])),
)]
pub async fn read(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(collection): InPath<CollectionName>,
    InPath(id): InPath<RecordId>,
) -> Result<Response, Problem> {
    Ok(shown(record::read(&api.engine, &writer.workspace, Some(&collection), &id).await?))
}

/// Find a record
///
/// By its id alone, in whatever collection it is.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{workspace}/records/{id}",
    operation_id = "find_record",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("id" = String, Path, description = "The record's id"),
    ),
    responses((
        status = 200, body = Stored, description = "The record",
        headers(("ETag", description = "Its state")),
    )),
    security(("bearer" = ["records:write"])),
)]
pub async fn find(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(id): InPath<RecordId>,
) -> Result<Response, Problem> {
    Ok(shown(record::read(&api.engine, &writer.workspace, None, &id).await?))
}

/// Replace a record
///
/// What it says is replaced as a whole; it is created if there is none of that id. Data that is as it was changes
/// nothing, and nobody is told.
#[utoipa::path(
    put,
    path = "/v1/workspaces/{workspace}/collections/{collection}/records/{id}",
    operation_id = "replace_record",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("collection" = String, Path, description = "The collection"),
        ("id" = String, Path, description = "The record's id"),
        ("If-Match" = Option<String>, Header, description = "Only if it is in this state"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none"),
    ),
    request_body = RecordContent,
    responses(
        (
            status = 200, body = Stored, description = "The record as it is now",
            headers(("ETag", description = "Its state")),
        ),
        (
            status = 201, body = Stored, description = "It was created",
            headers(("ETag", description = "Its state"), ("Location", description = "Its path")),
        ),
    ),
    security(("bearer" = ["records:write"])),
)]
pub async fn replace(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(collection): InPath<CollectionName>,
    InPath(id): InPath<RecordId>,
    Expected(expected): Expected,
    body: JsonBody,
) -> Result<Response, Problem> {
    let data = Data::read(&body.parse::<RecordContent>()?.data)?;
    let by = By::user(writer.user(), api.clock.now());
    let workspace = &writer.workspace;
    let put = record::put(&api.engine, workspace, &collection, &id, data, expected, by).await;
    let (record, is_new) = put?;
    Ok(if is_new { created(&writer, record) } else { shown(record) })
}

/// Update a record
///
/// The body is a JSON merge patch (RFC 7396) of what the record says: members that it holds are set, those that it
/// sets to null are removed, all others stay. Without `If-Match` it is applied to whatever the record says then, so
/// that nobody else's change is lost. A patch that changes nothing is told to nobody.
#[utoipa::path(
    patch,
    path = "/v1/workspaces/{workspace}/collections/{collection}/records/{id}",
    operation_id = "update_record",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("collection" = String, Path, description = "The collection"),
        ("id" = String, Path, description = "The record's id"),
        ("If-Match" = Option<String>, Header, description = "Only if it is in this state"),
    ),
    request_body(content(
        (Object = "application/merge-patch+json"),
        (Object = "application/json"),
    )),
    responses((
        status = 200, body = Stored, description = "The record as it is now",
        headers(("ETag", description = "Its state")),
    )),
    security(("bearer" = ["records:write"])),
)]
pub async fn update(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(collection): InPath<CollectionName>,
    InPath(id): InPath<RecordId>,
    Expected(expected): Expected,
    MergePatch(body): MergePatch,
) -> Result<Response, Problem> {
    let patch = Patch::read(&body.parse::<Box<RawValue>>()?)?;
    let by = By::user(writer.user(), api.clock.now());
    let workspace = &writer.workspace;
    let record = record::patch(&api.engine, workspace, Some(&collection), &id, &patch, expected, by).await?;
    Ok(shown(record))
}

/// Delete a record
#[utoipa::path(
    delete,
    path = "/v1/workspaces/{workspace}/collections/{collection}/records/{id}",
    operation_id = "delete_record",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("collection" = String, Path, description = "The collection"),
        ("id" = String, Path, description = "The record's id"),
        ("If-Match" = Option<String>, Header, description = "Only if it is in this state"),
    ),
    responses((status = 204, description = "It is gone")),
    security(("bearer" = ["records:write"])),
)]
pub async fn delete(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(collection): InPath<CollectionName>,
    InPath(id): InPath<RecordId>,
    Expected(expected): Expected,
) -> Result<StatusCode, Problem> {
    let by = By::user(writer.user(), api.clock.now());
    record::delete(&api.engine, &writer.workspace, Some(&collection), &id, expected, by).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(record: Record) -> Response {
    tagged(record.version, Json(Stored::from(record)))
}

fn created(writer: &Allowed<RecordsWrite>, record: Record) -> Response {
    let (collection, id) = (&record.collection, in_path(&record.id));
    let path = format!("/v1/workspaces/{}/collections/{collection}/records/{id}", writer.workspace);
    let mut response = (StatusCode::CREATED, shown(record)).into_response();
    // Visible ASCII is a valid header.
    if let Ok(location) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Percent-encoded (RFC 3986 §2.1), all but what never needs to be.
pub(super) fn in_path(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}
