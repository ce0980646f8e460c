//! Products follow their workspace's settings: in the background, slice by slice.

use std::sync::Arc;

use campanile_model::{Slug, Timestamp};
use campanile_store::{
    Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Expect, Order, StoreError, Write,
    has_more,
};
use serde::{Deserialize, Serialize};

use super::Status;
use super::kept::Found;
use super::write::ATTEMPTS;
use crate::{Engine, EngineError, page};

/// The one job of its kind in a workspace.
const ID: &str = "replan";
/// Products planned anew in one transaction.
const SLICE: usize = 500;
/// Jobs looked at in one step.
const JOBS: usize = 100;

/// How far a job has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Job {
    /// Products up to this id are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Arc<str>>,
}

/// Work for [`replan_due`]: every product of the workspace is planned anew. One that is under way starts again.
pub(crate) fn replan_job(now: Timestamp) -> DocumentWrite {
    Job::default().write(Expect::Anything, now)
}

impl Job {
    fn write(&self, expect: Expect, now: Timestamp) -> DocumentWrite {
        let body = serde_json::to_string(self).unwrap_or_default();
        let put = Contents { group: "".into(), due: Some(now), expires: None, body: body.into() };
        DocumentWrite { kind: DocumentKind::Job, id: ID.into(), expect, put: Some(put) }
    }
}

/// One slice of each job that is under way; whether there is more to do.
///
/// # Errors
/// The first that a job met, once the others had their turn: those of the store.
pub(crate) async fn replan_due(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    let jobs = engine.store.due(DocumentKind::Job, now, None, JOBS).await?;
    let mut outcome = Ok(false);
    for (workspace, job) in jobs.iter().filter(|(_, job)| &*job.id == ID) {
        match replan(engine, workspace, job, now).await {
            Ok(more) => outcome = outcome.map(|before| before || more),
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    outcome
}

/// Plans the next products of a job anew; whether there are more.
async fn replan(
    engine: &Engine,
    workspace: &Slug,
    job: &Document,
    now: Timestamp,
) -> Result<bool, EngineError> {
    let Job { after } = page::body(job)?;
    let mut attempt = 0;
    loop {
        // As they are stored: the book may not have been forgotten yet.
        let settings = crate::settings::load(engine, workspace).await?.settings;
        let query = DocumentQuery {
            kind: DocumentKind::Product,
            group: Some(Status::Active.as_str().into()),
            order: Order::Id(after.clone()),
            limit: SLICE,
        };
        let documents = engine.store.list_documents(workspace, query).await?;
        let more = has_more(documents.iter(), SLICE);
        let mut writes = Vec::new();
        for document in &documents {
            match Found::read(document) {
                Ok(mut found) => {
                    if found.kept.follow(&settings, now) {
                        found.kept.age(now);
                        writes.push(found.kept.write(engine, &found.id, Expect::Version(found.version), now));
                    }
                }
                Err(error) => {
                    tracing::error!(%workspace, product = %document.id, %error, "a product can't be planned anew");
                }
            }
        }
        let expect = Expect::Version(job.version);
        writes.push(match documents.last() {
            Some(last) if more => Job { after: Some(Arc::clone(&last.id)) }.write(expect, now),
            _ => DocumentWrite { kind: DocumentKind::Job, id: ID.into(), expect, put: None },
        });
        let change = Change { documents: writes, ..Change::default() };
        match engine.store.append(workspace, Write::Change(change), now).await {
            Ok(_) => return Ok(more),
            // A product was changed meanwhile: the slice is read again.
            Err(StoreError::Conflict { kind: DocumentKind::Product, .. }) if attempt < ATTEMPTS => {
                attempt += 1
            }
            Err(error) => return Err(error.into()),
        }
    }
}
