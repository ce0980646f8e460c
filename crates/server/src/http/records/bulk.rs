//! Many records at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use campanile_engine::record::{
    self, Bulk, By, CollectionName, Data, Draft, MAX_BULK, Outcome, Patch, RecordId, Saved, To, Update,
};
use serde::de::{DeserializeOwned, DeserializeSeed as _, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::Api;
use super::super::batch::Entries;
use super::super::body::{JsonBody, refuse};
use super::super::caller::{Allowed, RecordsWrite};
use super::super::params::InPath;
use super::super::problem::{self, Problem};
use super::NewRecord;

/// One change of many records: exactly one member, with 1 to 10,000 entries.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BulkChange {
    /// Records to be created.
    #[serde(deserialize_with = "entries")]
    #[schema(value_type = Option<Vec<NewRecord>>, nullable = false)]
    create: Option<Vec<Box<RawValue>>>,
    /// Records to be changed.
    #[serde(deserialize_with = "entries")]
    #[schema(value_type = Option<Vec<RecordUpdate>>, nullable = false)]
    update: Option<Vec<Box<RawValue>>>,
    /// Ids of records to be deleted.
    #[serde(deserialize_with = "entries")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    delete: Option<Vec<Box<RawValue>>>,
}

/// A change of one of them: exactly one of `patch` and `data`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RecordUpdate {
    /// Which record.
    id: String,
    /// A JSON merge patch (RFC 7396) of what it says.
    #[schema(value_type = Option<Object>, nullable = false)]
    patch: Option<Box<RawValue>>,
    /// What it is to say, all of it.
    #[schema(value_type = Option<Object>, nullable = false)]
    data: Option<Box<RawValue>>,
    /// Only if it is in this state (its `version`).
    #[schema(nullable = false)]
    if_version: Option<u64>,
}

/// What became of a bulk change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BulkAnswer {
    /// How many records are other than before. Where none is, nobody is told.
    changed: usize,
    /// The records, in the order of the request; left out where they were deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    records: Vec<SavedRecord>,
}

/// A record that was saved.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SavedRecord {
    /// Its id.
    #[schema(value_type = String)]
    id: Arc<str>,
    /// The state it is in.
    version: u64,
}

/// Change many records
///
/// Creates, changes or deletes up to 10,000 records of one collection, all of them or none: a failure names the
/// `index` of the entry. It is one event, and by default one notification, `bulk_complete`. Each record is named
/// once.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{workspace}/collections/{collection}/records/bulk",
    operation_id = "change_records",
    tag = "records",
    params(
        ("workspace" = String, Path, description = "The workspace's slug"),
        ("collection" = String, Path, description = "The collection"),
    ),
    request_body = BulkChange,
    responses((status = 200, body = BulkAnswer, description = "All of it was done")),
    security(("bearer" = ["records:write"])),
)]
pub async fn bulk(
    State(api): State<Arc<Api>>,
    writer: Allowed<RecordsWrite>,
    InPath(collection): InPath<CollectionName>,
    body: JsonBody,
) -> Result<Json<BulkAnswer>, Problem> {
    let bulk = match body.parse()? {
        BulkChange { create: Some(entries), update: None, delete: None } => {
            Bulk::Create(each(&entries, draft)?)
        }
        BulkChange { create: None, update: Some(entries), delete: None } => {
            Bulk::Update(each(&entries, update)?)
        }
        BulkChange { create: None, update: None, delete: Some(entries) } => Bulk::Delete(each(&entries, id)?),
        _ => {
            let detail = "a bulk change has exactly one of create, update and delete";
            return Err(Problem::new(&problem::INVALID_BODY).detail(detail));
        }
    };
    let by = By::user(writer.user(), api.clock.now());
    let outcome = record::bulk(&api.engine, &writer.workspace, &collection, bulk, by).await?;
    Ok(Json(outcome.into()))
}

impl From<Outcome> for BulkAnswer {
    fn from(outcome: Outcome) -> Self {
        let saved = |Saved { id, version }| SavedRecord { id, version };
        Self { changed: outcome.changed, records: outcome.records.into_iter().map(saved).collect() }
    }
}

fn draft(new: NewRecord) -> Result<Draft, Problem> {
    new.draft()
}

fn update(update: RecordUpdate) -> Result<Update, Problem> {
    let to = match (update.patch, update.data) {
        (Some(patch), None) => To::Patched(Patch::read(&patch)?),
        (None, Some(data)) => To::Data(Data::read(&data)?),
        _ => {
            let detail = "an update has exactly one of patch and data";
            return Err(Problem::new(&problem::INVALID_BODY).detail(detail));
        }
    };
    Ok(Update { id: RecordId::new(&update.id)?, to, expected: update.if_version })
}

fn id(text: String) -> Result<RecordId, Problem> {
    Ok(RecordId::new(&text)?)
}

/// Reads every entry; what is wrong with one names its place.
fn each<T: DeserializeOwned, R>(
    entries: &[Box<RawValue>],
    read: impl Fn(T) -> Result<R, Problem>,
) -> Result<Vec<R>, Problem> {
    let one = |(place, entry): (usize, &RawValue)| {
        let parsed = serde_json::from_str(entry.get()).map_err(|error| refuse(&error));
        parsed.and_then(&read).map_err(|problem| problem.index(Some(place)))
    };
    entries.iter().map(|entry| &**entry).enumerate().map(one).collect()
}

/// A list that ends where it grows too long, whatever follows.
fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Box<RawValue>>>, D::Error> {
    let mut entries = Vec::new();
    Entries { drafts: &mut entries, limit: MAX_BULK, noun: "records" }.deserialize(deserializer)?;
    Ok(Some(entries))
}
