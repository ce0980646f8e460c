//! What the workspaces are told of planned drains, one transaction each, and what of it holds no longer.

use campanile_model::{NotificationId, Slug, Timestamp, UserId};
use campanile_store::{Contents, Document, DocumentKind, DocumentWrite, Expect, document};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Cancelled, Plan};
use crate::event::{Cause, Event, prepare, source};
use crate::{Engine, EngineError, page};

/// The one document of its kind in a workspace.
const ID: &str = "drain";
/// What is told of a plan that was taken back, after which nothing is kept of it.
pub(crate) const CANCELLED: &str = "drain_cancelled";
/// Told as over in one step.
const AT_ONCE: usize = 200;

/// What a workspace was told.
#[derive(Serialize, Deserialize)]
struct Kept {
    plan: Plan,
    /// What no longer holds once there is another plan, or none.
    told: Vec<NotificationId>,
}

impl Kept {
    fn document(&self, expect: Expect) -> DocumentWrite {
        let body = serde_json::to_string(self).unwrap_or_default();
        let contents =
            Contents { group: "".into(), due: Some(self.plan.at), expires: None, body: body.into() };
        DocumentWrite { kind: DocumentKind::Drain, id: ID.into(), expect, put: Some(contents) }
    }
}

/// How far everybody was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Workspaces that were told now. Those that knew already are not.
    pub workspaces: usize,
    /// Workspaces that could not be told, or not before the plan's instant.
    pub failed: usize,
}

impl Told {
    /// Whether `workspace` was told now, or why it could not be.
    fn count(&mut self, workspace: &Slug, outcome: Result<bool, EngineError>) {
        match outcome {
            Ok(is_new) => self.workspaces += usize::from(is_new),
            Err(error) => {
                tracing::warn!(%workspace, %error, "what is planned of a drain can't be told now");
                self.failed += 1;
            }
        }
    }
}

/// Tells every workspace of `plan`. One that cannot be told keeps no other from it; those that know this very plan are
/// not told again, so that repeating it reaches the rest. It ends early, without an error, once the plan is in force no
/// longer, and once its instant has come.
pub async fn tell(engine: &Engine, plan: &Plan, actor: &UserId, now: impl Fn() -> Timestamp) -> Told {
    let _telling = engine.drains.telling.lock().await;
    let mut told = Told::default();
    let mut left = engine.workspaces.all().into_iter();
    while let Some(workspace) = left.next() {
        let at = now();
        if engine.drains.lock().plan.as_ref() != Some(plan) {
            tracing::info!(at = %plan.at, "a planned drain is told no further: there is another, or none");
            break;
        }
        if plan.at <= at {
            let untold = 1 + left.count();
            tracing::warn!(workspaces = untold, "the instant of a drain came before these were told of it");
            told.failed += untold;
            break;
        }
        let outcome = tell_one(engine, &workspace, plan, actor, at).await;
        told.count(&workspace, outcome);
    }
    let Told { workspaces, failed } = told;
    tracing::info!(at = %plan.at, workspaces, failed, "a drain is planned");
    told
}

/// Tells those who know of the plan that it was taken back. A workspace that cannot be told now is told as soon as it
/// can.
pub async fn tell_cancelled(
    engine: &Engine,
    cancelled: Cancelled,
    actor: &UserId,
    now: impl Fn() -> Timestamp,
) -> Told {
    let _telling = engine.drains.telling.lock().await;
    let mut told = Told::default();
    for workspace in engine.workspaces.all() {
        let at = now();
        let outcome = async {
            match find(engine, &workspace).await? {
                Some(found) => forget(engine, &workspace, found, Some(actor), at).await.map(|()| true),
                None => Ok(false),
            }
        };
        told.count(&workspace, outcome.await);
    }
    let Told { workspaces, failed } = told;
    tracing::info!(at = %cancelled.plan.at, workspaces, failed, "a planned drain was cancelled");
    told
}

/// Takes back what was told of plans that nobody has any more, since their process has ended: everybody hears so of
/// one whose instant is still to come, and nobody of one that was kept. Whether more is waiting.
pub(crate) async fn forget_lost(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    // Whoever tells something now says so themselves; what they could not say is found by the next look.
    let Ok(_telling) = engine.drains.telling.try_lock() else { return Ok(false) };
    // A plan made from here on is told after this.
    if !engine.drains.is_idle() {
        return Ok(false);
    }
    let lost = engine.store.due(DocumentKind::Drain, Timestamp::from_millis(i64::MAX), None, AT_ONCE).await?;
    let mut outcome = Ok(lost.len() == AT_ONCE);
    for (workspace, documents) in page::by_workspace(lost) {
        for document in documents {
            // The others have their turn first.
            if let Err(error) = forget(engine, &workspace, document, None, now).await {
                outcome = Err(error);
            }
        }
    }
    outcome
}

async fn find(engine: &Engine, workspace: &Slug) -> Result<Option<Document>, EngineError> {
    Ok(document(&*engine.store, workspace, DocumentKind::Drain, ID).await?)
}

/// Tells one workspace of `plan`, unless it knows it.
async fn tell_one(
    engine: &Engine,
    workspace: &Slug,
    plan: &Plan,
    actor: &UserId,
    now: Timestamp,
) -> Result<bool, EngineError> {
    let found = find(engine, workspace).await?;
    // What can't be read is written anew.
    let known = found.as_ref().and_then(|found| page::body::<Kept>(found).ok());
    if known.as_ref().is_some_and(|known| known.plan == *plan) {
        return Ok(false);
    }
    let (kind, resolve) = match known {
        Some(known) => ("drain_changed", known.told),
        None => ("drain_planned", Vec::new()),
    };
    let event = event(engine, kind, plan, Some(actor), now);
    let mut prepared =
        prepare(engine, workspace, Cause { events: vec![event], ..Cause::default() }, now).await?;
    let told = prepared.told.iter().flatten().copied().collect();
    let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
    prepared.change.resolve = resolve;
    prepared.change.documents.push(Kept { plan: plan.clone(), told }.document(expect));
    prepared.commit(engine, workspace, now).await.map(|_| true)
}

/// What a workspace was told of a plan once `event`, which told of it, is told by `told` as well. `None`: there is another
/// plan by now, or none.
///
/// # Errors
/// Those of the store.
pub(crate) async fn tell_again(
    engine: &Engine,
    workspace: &Slug,
    event: &Event,
    told: &[NotificationId],
) -> Result<Option<DocumentWrite>, EngineError> {
    let Some(found) = find(engine, workspace).await? else { return Ok(None) };
    let mut kept: Kept = page::body(&found)?;
    if said(&kept.plan) != *event.data {
        return Ok(None);
    }
    kept.told.extend(told);
    Ok(Some(kept.document(Expect::Version(found.version))))
}

/// What was told no longer holds; said so unless its instant has come.
async fn forget(
    engine: &Engine,
    workspace: &Slug,
    document: Document,
    actor: Option<&UserId>,
    now: Timestamp,
) -> Result<(), EngineError> {
    let readable = page::readable::<Kept>(engine, workspace, vec![document], now).await?;
    for (document, Kept { plan, told }) in readable {
        let is_ahead = plan.at > now;
        let events = is_ahead.then(|| event(engine, CANCELLED, &plan, actor, now));
        let cause = Cause { events: events.into_iter().collect(), ..Cause::default() };
        let mut prepared = prepare(engine, workspace, cause, now).await?;
        prepared.change.resolve = told;
        prepared.change.documents.push(DocumentWrite {
            kind: DocumentKind::Drain,
            id: ID.into(),
            expect: Expect::Version(document.version),
            put: None,
        });
        prepared.commit(engine, workspace, now).await?;
    }
    Ok(())
}

fn event(engine: &Engine, kind: &str, plan: &Plan, actor: Option<&UserId>, now: Timestamp) -> Event {
    Event {
        id: (engine.ids)(now).to_string(),
        source: source::MAINTENANCE.to_owned(),
        kind: kind.to_owned(),
        subject: Some(plan.id.to_string()),
        time: now,
        actor: actor.cloned(),
        hops: 0,
        data: said(plan).into(),
    }
}

/// What events tell of a plan.
fn said(plan: &Plan) -> Value {
    json!({ "drainId": plan.id, "at": plan.at, "message": plan.message })
}
