//! A planned drain: this process is to end at an instant, and everybody was told.
//!
//! The plan belongs to the process and goes with it; what was told of it is kept in each workspace, so that a later
//! process can say that it holds no longer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use campanile_model::{NotificationId, Slug, Timestamp, UserId};
use campanile_store::{Contents, Document, DocumentKind, DocumentWrite, Expect, StoreError, document};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::announcement::check_message;
use crate::event::{Cause, Event, prepare, source};
use crate::{Engine, EngineError, Span, page};

/// The one document of its kind in a workspace.
const ID: &str = "drain";
/// The shortest and longest time until a drain, in milliseconds: 1 second and 7 days.
const AHEAD_MS: std::ops::RangeInclusive<i64> = 1_000..=7 * 24 * 60 * 60 * 1_000;
/// Told as over in one step.
const AT_ONCE: usize = 200;

/// A drain that is to be planned: `after` or `at`, 1 second to 7 days from now.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DrainDraft)]
pub struct Draft {
    /// How long from now: `90s`, `15m`, `12h`, `7d`, or seconds as a number. This or `at`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "10m")]
    pub after: Option<Span>,
    /// When: an instant with its zone (RFC 3339). This or `after`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// A text for people, at most 2,000 characters, not blank. Default: that connections are closed, and when.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000, example = "We are back in a minute.")]
    pub message: Option<String>,
}

/// A drain that is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The same when it is changed.
    pub id: NotificationId,
    /// When the process begins to end.
    pub at: Timestamp,
    /// The text for people.
    pub message: Option<String>,
}

/// What a workspace was told.
#[derive(Serialize, Deserialize)]
struct Kept {
    plan: Plan,
    /// What no longer holds once there is another plan, or none.
    told: Vec<NotificationId>,
}

/// How far everybody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The plan that was told of.
    pub plan: Plan,
    /// Workspaces that were told now. Those that knew already are not.
    pub workspaces: usize,
    /// Workspaces that could not be told.
    pub failed: usize,
}

/// The plan of this process, if there is one.
#[derive(Default)]
pub struct Drains {
    plan: Mutex<Option<Plan>>,
    /// One plan is told to everybody before there is another.
    telling: tokio::sync::Mutex<()>,
}

impl Drains {
    /// The drain that is planned.
    pub fn plan(&self) -> Option<Plan> {
        self.lock().clone()
    }

    /// Whether the instant of the plan has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.lock().as_ref().is_some_and(|plan| plan.at <= now)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plans the end of this process, in place of any plan before, and tells every workspace, one transaction each. A
/// workspace that cannot be told keeps no other from it; those that know this very plan are not told again, so that
/// repeating it reaches the rest. Returns whether there was no plan before.
///
/// # Errors
/// [`EngineError::Invalid`]: nothing is planned, and nobody was told.
pub async fn plan(
    engine: &Engine,
    draft: Draft,
    actor: &UserId,
    now: Timestamp,
) -> Result<(Told, bool), EngineError> {
    let _telling = engine.drains.telling.lock().await;
    let before = engine.drains.plan();
    let id = before.as_ref().map_or_else(|| (engine.ids)(now), |before| before.id);
    let plan = Plan { id, at: instant(&draft, now)?, message: draft.message };
    if let Some(message) = &plan.message {
        check_message(message)?;
    }
    // In force before it is told: what is told now is not taken for what a process before this one said.
    *engine.drains.lock() = Some(plan.clone());
    let (mut workspaces, mut failed) = (0, 0);
    for workspace in engine.workspaces.all() {
        match tell(engine, &workspace, &plan, actor, now).await {
            Ok(is_new) => workspaces += usize::from(is_new),
            Err(error) => {
                tracing::warn!(%workspace, %error, "a planned drain can't be told");
                failed += 1;
            }
        }
    }
    tracing::info!(at = %plan.at, workspaces, failed, "a drain is planned");
    Ok((Told { plan, workspaces, failed }, before.is_none()))
}

/// Takes the plan back, and tells those who know it. A workspace that cannot be told now is told as soon as it can.
///
/// # Errors
/// [`EngineError::Missing`] if no drain is planned.
pub async fn cancel(engine: &Engine, actor: &UserId, now: Timestamp) -> Result<Told, EngineError> {
    let _telling = engine.drains.telling.lock().await;
    let plan = engine.drains.lock().take().ok_or(EngineError::Missing { what: "planned drain" })?;
    let (mut workspaces, mut failed) = (0, 0);
    for workspace in engine.workspaces.all() {
        let told = async {
            match find(engine, &workspace).await? {
                Some(found) => forget(engine, &workspace, found, Some(actor), now).await.map(|()| true),
                None => Ok(false),
            }
        };
        match told.await {
            Ok(is_new) => workspaces += usize::from(is_new),
            Err(error) => {
                tracing::warn!(%workspace, %error, "that no drain is planned can't be told now");
                failed += 1;
            }
        }
    }
    tracing::info!(at = %plan.at, workspaces, failed, "a planned drain was cancelled");
    Ok(Told { plan, workspaces, failed })
}

/// Takes back what was told of plans that nobody has any more, since their process has ended: everybody hears so of
/// one whose instant is still to come, and nobody of one that was kept. Whether more is waiting.
pub(crate) async fn forget_lost(engine: &Engine, now: Timestamp) -> Result<bool, EngineError> {
    if engine.drains.plan().is_some() {
        return Ok(false);
    }
    let lost = engine.store.due(DocumentKind::Drain, Timestamp::from_millis(i64::MAX), None, AT_ONCE).await?;
    // Made between the two looks: these may be of that plan.
    if engine.drains.plan().is_some() {
        return Ok(false);
    }
    let mut outcome = Ok(lost.len() == AT_ONCE);
    for (workspace, documents) in page::by_workspace(lost) {
        for document in documents {
            match forget(engine, &workspace, document, None, now).await {
                // Somebody plans or cancels one now.
                Ok(()) | Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                // The others have their turn first.
                Err(error) => outcome = Err(error),
            }
        }
    }
    outcome
}

fn instant(draft: &Draft, now: Timestamp) -> Result<Timestamp, EngineError> {
    let (field, ahead) = match (draft.after, draft.at) {
        (Some(after), None) => ("after", after.as_millis()),
        (None, Some(at)) => ("at", at.as_millis().saturating_sub(now.as_millis())),
        _ => return Err(EngineError::invalid("after", "give after or at")),
    };
    if !AHEAD_MS.contains(&ahead) {
        return Err(EngineError::invalid(field, "a drain is planned 1 second to 7 days ahead"));
    }
    Ok(Timestamp::from_millis(now.as_millis().saturating_add(ahead)))
}

async fn find(engine: &Engine, workspace: &Slug) -> Result<Option<Document>, EngineError> {
    Ok(document(&*engine.store, workspace, DocumentKind::Drain, ID).await?)
}

/// Tells one workspace of `plan`, unless it knows it.
async fn tell(
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
    let body = serde_json::to_string(&Kept { plan: plan.clone(), told }).unwrap_or_default();
    prepared.change.resolve = resolve;
    prepared.change.documents.push(DocumentWrite {
        kind: DocumentKind::Drain,
        id: ID.into(),
        expect: found.map_or(Expect::Absent, |found| Expect::Version(found.version)),
        put: Some(Contents { group: "".into(), due: Some(plan.at), expires: None, body: body.into() }),
    });
    prepared.commit(engine, workspace, now).await.map(|_| true)
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
        let events = is_ahead.then(|| event(engine, "drain_cancelled", &plan, actor, now));
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
        data: json!({ "drainId": plan.id, "at": plan.at, "message": plan.message }).into(),
    }
}
