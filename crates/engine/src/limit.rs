//! How many of a thing a workspace may have, and the word that it nearly has them.

use std::hash::{DefaultHasher, Hash, Hasher};

use campanile_model::{Slug, Timestamp, UserId};
use campanile_store::{DocumentKind, StoreError};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::event::{Event, source};
use crate::{Engine, EngineError, page};

/// From here on a limit is nearly reached, in percent of it.
const NEARLY_PERCENT: usize = 90;
/// Workspaces that add at the same time without waiting for each other, by chance.
const LOCKS: usize = 64;

/// A workspace has at most so many of something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Of what, as the event says it.
    name: &'static str,
    max: usize,
}

/// A limit on documents, which are counted where one is added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DocumentLimit {
    limit: Limit,
    /// As a refusal says it.
    what: &'static str,
    kind: DocumentKind,
    group: Option<&'static str>,
}

/// Rules of its own.
pub(crate) const RULES: DocumentLimit = DocumentLimit {
    limit: Limit { name: "rules", max: crate::rule::MAX_RULES },
    what: "rules of one workspace",
    kind: DocumentKind::Rule,
    group: None,
};

/// Functions.
pub(crate) const FUNCTIONS: DocumentLimit = DocumentLimit {
    limit: Limit { name: "functions", max: crate::function::MAX_FUNCTIONS },
    what: "functions of one workspace",
    kind: DocumentKind::Function,
    group: Some(crate::function::HEADS),
};

/// Service accounts, those included whose tokens may still live after they were deleted.
pub(crate) const SERVICE_ACCOUNTS: DocumentLimit = DocumentLimit {
    limit: Limit { name: "service_accounts", max: crate::service_account::MAX_SERVICE_ACCOUNTS },
    what: "service accounts of one workspace",
    kind: DocumentKind::ServiceAccount,
    group: None,
};

/// Runs that wait.
pub(crate) const QUEUED_RUNS: Limit = Limit { name: "queued_runs", max: crate::run::MAX_WAITING };

impl Limit {
    /// Whether so many are nearly, or more than, what is allowed.
    pub(crate) fn is_near(self, used: usize) -> bool {
        used * 100 >= self.max * NEARLY_PERCENT
    }

    /// What happened when somebody's write made it so many.
    pub(crate) fn event(
        self,
        engine: &Engine,
        used: usize,
        actor: Option<&UserId>,
        hops: u8,
        now: Timestamp,
    ) -> Event {
        let percent = used * 100 / self.max;
        Event {
            id: (engine.ids)(now).to_string(),
            source: source::WORKSPACE.to_owned(),
            kind: "limit_nearly_reached".to_owned(),
            subject: Some(self.name.to_owned()),
            time: now,
            actor: actor.cloned(),
            hops,
            data: json!({ "limit": self.name, "used": used, "max": self.max, "percent": percent }).into(),
        }
    }
}

impl DocumentLimit {
    /// What happens when one more is made in `workspace`: nothing, or that the limit is nearly reached from now on.
    /// To be asked and committed within one [turn](Counts::turn), so that no crossing is missed or told twice.
    ///
    /// # Errors
    /// [`StoreError::Limit`] if there is no room for one more; those of the store.
    pub(crate) async fn one_more(
        self,
        engine: &Engine,
        workspace: &Slug,
        actor: &UserId,
        now: Timestamp,
    ) -> Result<Vec<Event>, EngineError> {
        let before = self.count(engine, workspace).await?;
        let Limit { max, .. } = self.limit;
        if before >= max {
            return Err(StoreError::Limit { what: self.what, limit: max }.into());
        }
        let is_crossed = self.limit.is_near(before + 1) && !self.limit.is_near(before);
        let crossed = is_crossed.then(|| self.limit.event(engine, before + 1, Some(actor), 0, now));
        Ok(crossed.into_iter().collect())
    }

    async fn count(self, engine: &Engine, workspace: &Slug) -> Result<usize, EngineError> {
        let mut count = 0;
        page::each(engine, workspace, self.kind, self.group, |_| count += 1).await?;
        Ok(count)
    }
}

/// Makes those who change how many there are take turns: they count before they write.
pub struct Counts([Mutex<()>; LOCKS]);

impl Default for Counts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Counts {
    /// Waits for a turn in `workspace`. It lasts until what is returned is dropped.
    pub(crate) async fn turn(&self, workspace: &Slug) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        workspace.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0);
        self.0[place].lock().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_is_nine_tenths() {
        for limit in [RULES.limit, FUNCTIONS.limit] {
            assert!(limit.is_near(450) && !limit.is_near(449), "{limit:?}");
        }
        assert!(QUEUED_RUNS.is_near(45_000) && !QUEUED_RUNS.is_near(44_999));
    }
}
