//! A planned drain: this process is to end at an instant, and everybody was told.
//!
//! The plan belongs to the process and goes with it; what was told of it is kept in each workspace, so that a later
//! process can say that it holds no longer.

mod telling;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use campanile_model::{NotificationId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::announcement::check_message;
use crate::{Engine, EngineError, Span};

pub(crate) use telling::{CANCELLED, forget_lost, tell_again};
pub use telling::{Told, tell, tell_cancelled};

/// The shortest and longest time until a drain, in milliseconds: 1 second and 7 days.
const AHEAD_MS: std::ops::RangeInclusive<i64> = 1_000..=7 * 24 * 60 * 60 * 1_000;

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

/// The plan of this process, if there is one.
#[derive(Default)]
pub struct Drains {
    standing: Mutex<Standing>,
    /// One thing is told to everybody before there is another.
    telling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Standing {
    plan: Option<Plan>,
    /// Held by each plan that was cancelled until everybody was told so.
    cancelled: Arc<()>,
}

impl Drains {
    /// The drain that is planned.
    pub fn plan(&self) -> Option<Plan> {
        self.lock().plan.clone()
    }

    /// Whether the instant of the plan has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.lock().plan.as_ref().is_some_and(|plan| plan.at <= now)
    }

    /// Whether there is no plan, and none of this process is being taken back.
    fn is_idle(&self) -> bool {
        let standing = self.lock();
        standing.plan.is_none() && Arc::strong_count(&standing.cancelled) == 1
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A plan that was cancelled, and of which it is still to be [told](tell_cancelled).
#[derive(Debug)]
pub struct Cancelled {
    plan: Plan,
    _untold: Arc<()>,
}

impl Cancelled {
    /// What is planned no longer.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Plans the end of this process, in place of any plan before. It is in force at once, and is then to be [told](tell).
/// Returns whether there was no plan before.
///
/// # Errors
/// [`EngineError::Invalid`], also where the instant of the plan before has come: that plan stays.
pub fn plan(engine: &Engine, draft: Draft, now: Timestamp) -> Result<(Plan, bool), EngineError> {
    let at = instant(&draft, now)?;
    if let Some(message) = &draft.message {
        check_message(message)?;
    }
    let mut standing = engine.drains.lock();
    let id = match &standing.plan {
        Some(before) if before.at <= now => return Err(ending()),
        Some(before) => before.id,
        None => (engine.ids)(now),
    };
    let plan = Plan { id, at, message: draft.message };
    let before = standing.plan.replace(plan.clone());
    Ok((plan, before.is_none()))
}

/// Takes the plan back, of which it is then to be [told](tell_cancelled).
///
/// # Errors
/// [`EngineError::Missing`] if no drain is planned; [`EngineError::Invalid`] where its instant has come.
pub fn cancel(engine: &Engine, now: Timestamp) -> Result<Cancelled, EngineError> {
    let mut standing = engine.drains.lock();
    if standing.plan.as_ref().is_some_and(|plan| plan.at <= now) {
        return Err(ending());
    }
    let plan = standing.plan.take().ok_or(EngineError::Missing { what: "planned drain" })?;
    Ok(Cancelled { plan, _untold: Arc::clone(&standing.cancelled) })
}

fn ending() -> EngineError {
    EngineError::invalid("", "the server ends now, as was planned")
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
