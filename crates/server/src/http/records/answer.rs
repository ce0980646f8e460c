//! How records are shown.

use std::sync::Arc;

use campanile_engine::record::{Listed, Record};
use campanile_model::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// A record.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Record)]
pub struct Stored {
    /// Unique among the records of the workspace.
    #[schema(value_type = String)]
    id: Arc<str>,
    /// The collection it is in.
    #[schema(value_type = String)]
    collection: Arc<str>,
    /// Its state, as in its `ETag`.
    version: u64,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// What it says.
    #[schema(value_type = Object)]
    data: Arc<Value>,
}

impl From<Record> for Stored {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            collection: record.collection,
            version: record.version,
            created_at: record.created,
            updated_at: record.updated,
            data: Arc::clone(record.data.value()),
        }
    }
}

/// A page of a collection.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Records {
    /// By id. May be fewer than asked for, although there are more.
    records: Vec<Stored>,
    /// The `after` of the next page; `null`: this was the last.
    #[schema(value_type = Option<String>, required)]
    next: Option<Arc<str>>,
}

impl From<Listed> for Records {
    fn from(page: Listed) -> Self {
        Self { records: page.items.into_iter().map(Stored::from).collect(), next: page.next }
    }
}
