//! A product as it is kept: the body of its document, and what follows from it.

use std::sync::Arc;

use campanile_expiry::{ExpiryDate, Ladder, Plan, Progress, plan};
use campanile_model::{NotificationId, Timestamp, Topic, UserId};
use campanile_store::{Contents, Document, DocumentKind, DocumentWrite, Expect};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{Product, ProductId, REMOVED_KEPT_MS, State, Status, Step};
use crate::settings::Settings;
use crate::{Engine, EngineError, page};

/// What a producer says of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owners: Option<Vec<UserId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<Topic>,
    pub(super) expiry_date: ExpiryDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quantity: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) notes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ladder: Option<Ladder>,
}

/// The body of a product's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(flatten)]
    pub(super) said: Said,
    pub(super) status: Status,
    pub(super) progress: Progress,
}

/// A product with the state it was read in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) id: ProductId,
    pub(super) kept: Kept,
    pub(super) version: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

impl Said {
    /// What is told of it when, as `settings` have it.
    pub(super) fn plan(&self, settings: &Settings) -> Plan {
        plan(&self.expiry_date, self.ladder.as_ref().unwrap_or(&settings.ladder), &settings.time_zone)
    }
}

impl Kept {
    /// A product that was not there before.
    pub(super) fn new(said: Said, settings: &Settings, now: Timestamp) -> Self {
        let progress = Progress::start(&said.plan(settings), now);
        Self { status: at(&progress, now), said, progress }
    }

    /// The product as it is from now on. Returns the notifications that no longer hold.
    pub(super) fn say(&mut self, said: Said, settings: &Settings, now: Timestamp) -> Vec<NotificationId> {
        let other_plan = (&said.expiry_date, &said.ladder) != (&self.said.expiry_date, &self.said.ladder);
        self.said = said;
        if !other_plan && self.status != Status::Removed {
            return Vec::new();
        }
        let told = self.progress.replan(&self.said.plan(settings), now);
        self.status = at(&self.progress, now);
        told
    }

    /// The product is gone. Returns the notifications that no longer hold.
    pub(super) fn remove(&mut self) -> Vec<NotificationId> {
        self.status = Status::Removed;
        self.progress.remove()
    }

    /// The plan follows `settings`; whether it is another now.
    pub(super) fn follow(&mut self, settings: &Settings, now: Timestamp) -> bool {
        self.progress.adjust(&self.said.plan(settings), now)
    }

    /// Notes that time has passed.
    pub(super) fn age(&mut self, now: Timestamp) {
        if self.status == Status::Active {
            self.status = at(&self.progress, now);
        }
    }

    /// When it is to be looked at again.
    fn due(&self) -> Option<Timestamp> {
        // The end changes the status, even where nothing is told of it.
        let end = (self.status == Status::Active).then(|| self.progress.ends_at());
        self.progress.next_due().into_iter().chain(end).min()
    }

    /// It is written in the place of what `expect` names.
    pub(super) fn write(
        &self,
        engine: &Engine,
        id: &ProductId,
        expect: Expect,
        now: Timestamp,
    ) -> DocumentWrite {
        let put = Contents {
            group: self.status.as_str().into(),
            due: self.due(),
            expires: (self.status == Status::Removed).then(|| forgotten_at(engine, now)),
            // Values and texts can't fail to be written.
            body: serde_json::to_string(self).unwrap_or_default().into(),
        };
        DocumentWrite { kind: DocumentKind::Product, id: Arc::clone(&id.0), expect, put: Some(put) }
    }
}

/// When a product that is removed at `now` is forgotten: never before the events of its rungs are, as another one
/// of its name would have the same.
fn forgotten_at(engine: &Engine, now: Timestamp) -> Timestamp {
    let kept = REMOVED_KEPT_MS.max(engine.workspaces.config().event_retention_ms);
    Timestamp::from_millis(now.as_millis().saturating_add(kept))
}

fn at(progress: &Progress, now: Timestamp) -> Status {
    if progress.ends_at() <= now { Status::Expired } else { Status::Active }
}

impl Found {
    /// Reads a product's document.
    ///
    /// # Errors
    /// Those of a store whose rows can't be read.
    pub(super) fn read(document: &Document) -> Result<Self, EngineError> {
        Ok(Self {
            id: ProductId(Arc::clone(&document.id)),
            kept: page::body(document)?,
            version: document.version,
            created: document.created,
            updated: document.updated,
        })
    }

    /// As it is shown where the workspace is set to `settings`.
    pub(super) fn show(self, settings: &Settings) -> Product {
        let Self { id, kept, version, created, updated } = self;
        let rungs = steps(&kept, &kept.said.plan(settings));
        let Kept { said, status, progress } = kept;
        Product {
            id,
            name: said.name,
            owners: said.owners,
            topic: said.topic,
            expiry_date: said.expiry_date,
            quantity: said.quantity,
            notes: said.notes,
            ladder: said.ladder,
            status,
            ends_at: progress.ends_at(),
            rungs,
            plan_version: progress.version(),
            created_at: created,
            updated_at: updated,
            version,
        }
    }
}

/// What is and was to be told. Instants of what was not are those of `plan`: the product itself has forgotten
/// them.
fn steps(kept: &Kept, plan: &Plan) -> Vec<Step> {
    let progress = &kept.progress;
    let step = |rung, at, state| Step { rung, at, state, notifications: Vec::new() };
    let mut steps: Vec<Step> =
        progress.pending().iter().map(|planned| step(planned.rung, planned.at, State::Pending)).collect();
    steps.extend(progress.fired().iter().map(|fired| Step {
        notifications: fired.notifications.clone(),
        ..step(fired.rung, fired.at, State::Fired)
    }));
    for planned in &plan.rungs {
        if steps.iter().any(|step| step.rung == planned.rung) {
            continue;
        }
        let state = if progress.collapsed().contains(&planned.rung) {
            State::Collapsed
        } else if progress.skipped().contains(&planned.rung) {
            State::Skipped
        } else if kept.status == Status::Removed {
            State::Cancelled
        } else {
            // New to settings that the product has not followed yet.
            continue;
        };
        steps.push(step(planned.rung, planned.at, state));
    }
    steps.sort_by_key(|step| (step.at, step.rung));
    steps
}
