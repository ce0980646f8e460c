//! What `api` does on behalf of a run: records and notifications of its own workspace, and nothing else.

use std::sync::Arc;

use async_trait::async_trait;
use campanile_functions::{Host, HostCall, HostError};
use campanile_model::{Slug, UserId};
use campanile_store::StoreError;
use serde_json::{Value, json};

use super::Run;
use crate::publish::{self, Draft};
use crate::record::{self, By, CollectionName, Data, Patch, Record, RecordId};
use crate::{Engine, EngineError, page};

/// The server as one run sees it.
pub(super) struct RunHost {
    engine: Arc<Engine>,
    workspace: Slug,
    function: Arc<str>,
    /// Who does what the function does: itself, not whoever started it, so that they are told of it.
    user: Option<UserId>,
    hops: u8,
}

impl RunHost {
    pub(super) fn new(engine: Arc<Engine>, workspace: Slug, run: &Run) -> Self {
        let user = UserId::new(&format!("function:{}", run.function)).ok();
        Self { engine, workspace, function: Arc::clone(&run.function), user, hops: run.hops.max(1) }
    }

    fn by(&self) -> Result<By<'_>, HostError> {
        let user =
            self.user.as_ref().ok_or_else(|| HostError::new("internal", "the function has no name"))?;
        Ok(By { user, function: Some(&self.function), hops: self.hops, now: self.engine.runner.now() })
    }

    async fn query(
        &self,
        collection: &str,
        filter: Option<Value>,
        limit: Option<u32>,
        after: Option<&str>,
    ) -> Result<Value, HostError> {
        let collection = CollectionName::new(collection).map_err(refusal)?;
        let filter = filter.map(expression).transpose()?;
        let limit = limit.map_or(page::DEFAULT, |limit| limit as usize);
        let listed =
            record::list(&self.engine, &self.workspace, &collection, filter.as_deref(), after, limit).await;
        let listed = listed.map_err(refusal)?;
        Ok(json!({
            "records": listed.items.iter().map(shown).collect::<Vec<_>>(),
            "next": listed.next,
        }))
    }

    async fn notify(&self, mut wanted: Value) -> Result<Value, HostError> {
        // A plain name is the user of that name.
        if let Some(to) = wanted.get_mut("to").filter(|to| to.is_string()) {
            *to = json!({ "user": to.take() });
        }
        if let Some(members) = wanted.as_object_mut() {
            members.entry("message").or_insert_with(|| "".into());
        }
        let draft: Draft = serde_json::from_str(&wanted.to_string()).map_err(|error| {
            // Names of members and types; the column is of a text that the function never saw.
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            HostError::new("invalid_body", text)
        })?;
        let by = self.by()?;
        let request = publish::Request { drafts: vec![draft], batch: false, key: None };
        let outcome = publish::publish(&self.engine, &self.workspace, by.user, request, by.now).await;
        let taken = outcome.map_err(refusal)?.taken;
        let first = taken.first().ok_or_else(|| HostError::new("internal", "nothing was published"))?;
        Ok(json!({ "id": first.id, "seq": first.seq, "timestamp": first.timestamp }))
    }
}

#[async_trait]
impl Host for RunHost {
    async fn call(&self, call: HostCall) -> Result<Value, HostError> {
        let (engine, workspace) = (&self.engine, &self.workspace);
        match call {
            HostCall::FetchRecord { id } => {
                let id = RecordId::new(&id).map_err(refusal)?;
                record::read(engine, workspace, None, &id).await.map(|r| shown(&r)).map_err(refusal)
            }
            HostCall::QueryRecords { collection, filter, limit, after } => {
                self.query(&collection, filter, limit, after.as_deref()).await
            }
            HostCall::CreateRecord { collection, id, data } => {
                let collection = CollectionName::new(&collection).map_err(refusal)?;
                let id = id.map(|id| RecordId::new(&id)).transpose().map_err(refusal)?;
                let draft = record::Draft { id, data: Data::new(data).map_err(refusal)? };
                let created = record::create(engine, workspace, &collection, draft, self.by()?).await;
                created.map(|record| shown(&record)).map_err(refusal)
            }
            HostCall::UpdateRecord { id, patch, if_version } => {
                let id = RecordId::new(&id).map_err(refusal)?;
                let patch = Patch::new(patch).map_err(refusal)?;
                let by = self.by()?;
                let updated = record::patch(engine, workspace, None, &id, &patch, if_version, by).await;
                updated.map(|record| shown(&record)).map_err(refusal)
            }
            HostCall::DeleteRecord { id } => {
                let id = RecordId::new(&id).map_err(refusal)?;
                let deleted = record::delete(engine, workspace, None, &id, None, self.by()?).await;
                deleted.map(|()| Value::Null).map_err(refusal)
            }
            HostCall::Notify(wanted) => self.notify(wanted).await,
        }
    }
}

/// A record as a function sees it.
fn shown(record: &Record) -> Value {
    json!({
        "id": record.id,
        "collection": record.collection,
        "version": record.version,
        "createdAt": record.created,
        "updatedAt": record.updated,
        "data": &**record.data.value(),
    })
}

/// A filter as an expression: a text is one, and an object is what members of the data must be.
fn expression(filter: Value) -> Result<String, HostError> {
    match filter {
        Value::String(text) => Ok(text),
        Value::Object(members) if !members.is_empty() => {
            let terms: Vec<String> = members
                .iter()
                // JSON's texts and numbers are literals of expressions too.
                .map(|(name, value)| format!("data[{}] == {value}", Value::from(name.as_str())))
                .collect();
            Ok(terms.join(" && "))
        }
        Value::Object(_) => Ok("true".to_owned()),
        _ => Err(HostError::new("invalid_request", "a filter is an expression, or an object of members")),
    }
}

/// What a function is told of an error: the codes are those of the HTTP API.
fn refusal(error: EngineError) -> HostError {
    let code = match &error {
        EngineError::Invalid { .. } => "invalid_request",
        EngineError::TooLarge { .. } => "notification_too_large",
        EngineError::Missing { .. } | EngineError::Store(StoreError::NotFound) => "not_found",
        EngineError::Exists { .. } => "already_exists",
        EngineError::Changed { .. } => "changed",
        EngineError::Rule(_) => "invalid_rule",
        EngineError::Store(StoreError::Limit { .. }) => "limit_exceeded",
        EngineError::Entry { error, .. } => return refusal(*error.clone()),
        EngineError::NotReached { .. }
        | EngineError::Unfinished { .. }
        | EngineError::Overloaded
        | EngineError::NoProcess
        | EngineError::Store(_) => {
            tracing::warn!(%error, "a function's call failed");
            return HostError::new("unavailable", "the server can't do this now");
        }
    };
    HostError::new(code, error.to_string())
}
