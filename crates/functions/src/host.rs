//! What a function asks of the server.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The server behind `api`, on behalf of one run: its workspace and rights are the implementor's knowledge.
///
/// # Concurrency
/// Up to [`MAX_CALLS_IN_FLIGHT`](crate::MAX_CALLS_IN_FLIGHT) calls of a run are under way at once, and may end in any order.
///
/// # Cancel safety
/// A call is dropped when its run is killed; it then may or may not have taken effect, never half of it.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// Answers one call with the value that its promise is to have.
    ///
    /// Arguments are bounded in bytes ([`MAX_ARGUMENT_BYTES`](crate::MAX_ARGUMENT_BYTES)) and have the types of [`HostCall`];
    /// everything else about them is a stranger's. An answer whose JSON is longer than
    /// [`MAX_ANSWER_BYTES`](crate::MAX_ANSWER_BYTES) reaches the function as the error `answer_too_large`.
    ///
    /// # Errors
    /// The function sees an `Error` with this message and `code`.
    async fn call(&self, call: HostCall) -> Result<Value, HostError>;
}

/// One call of `api`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum HostCall {
    /// `api.fetchRecord(id)`.
    FetchRecord {
        /// The record's id, unique in its workspace.
        id: String,
    },
    /// `api.queryRecords(collection, {filter, limit, after})`.
    QueryRecords {
        /// The collection's name.
        collection: String,
        /// Any JSON; its meaning is the host's.
        #[serde(default)]
        filter: Option<Value>,
        /// How many at most.
        #[serde(default)]
        limit: Option<u32>,
        /// The place that the page before ended at.
        #[serde(default)]
        after: Option<String>,
    },
    /// `api.createRecord(collection, data, {id})`.
    CreateRecord {
        /// The collection's name.
        collection: String,
        /// The id that the record is to have, if the function chose one.
        #[serde(default)]
        id: Option<String>,
        /// The record.
        data: Value,
    },
    /// `api.updateRecord(id, patch, {ifVersion})`.
    UpdateRecord {
        /// The record's id.
        id: String,
        /// A merge patch (RFC 7396).
        patch: Value,
        /// The version that the record must have.
        #[serde(default)]
        if_version: Option<u64>,
    },
    /// `api.deleteRecord(id)`.
    DeleteRecord {
        /// The record's id.
        id: String,
    },
    /// `api.notify({to, title, message, …})`, as it was written.
    Notify(Value),
}

/// Why a call was refused. The function can catch it, and read both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct HostError {
    /// A stable name such as `not_found`.
    pub code: String,
    /// A sentence for whoever wrote the function.
    pub message: String,
}

impl HostError {
    /// An error with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}
