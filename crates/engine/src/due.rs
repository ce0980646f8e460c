//! What is to be done because its time has come: rungs, schedules, ends of notifications, runs.

use std::sync::Arc;

use campanile_model::Timestamp;
use campanile_store::StoreError;

use crate::{Engine, EngineError, announcement, drain, event, function, product, run, schedule};

/// Notifications that run out in one write, so that publishing is never kept waiting by it.
const EXPIRED: usize = 500;
/// Documents removed in one write.
const PURGED: usize = 500;

/// A kind of work that comes due. Each goes on for itself, so that a wave of one keeps no other waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Notifications whose `ttl` is over are hidden.
    Ends,
    /// Documents past their time are removed.
    Removals,
    /// Scheduled notifications are sent.
    Schedules,
    /// Rungs of products are told.
    Rungs,
    /// Rules are asked about events that were committed without.
    Events,
    /// Products are planned anew after their workspace's settings changed.
    Plans,
    /// Announcements that are over are taken away.
    Announcements,
    /// What was told of drains that nobody plans any more is taken back.
    Drains,
    /// Functions whose time has come are queued.
    Triggers,
    /// Runs of functions are begun.
    Runs,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Ends,
        Self::Removals,
        Self::Schedules,
        Self::Rungs,
        Self::Events,
        Self::Plans,
        Self::Announcements,
        Self::Drains,
        Self::Triggers,
        Self::Runs,
    ];

    /// Whether it has a workspace's rules and functions asked, which may cost what their authors like.
    pub fn asks_rules(self) -> bool {
        !matches!(self, Self::Ends | Self::Removals | Self::Schedules)
    }

    /// Does all of this kind that is due, the longest due first. What fails is logged, left as it is, and tried
    /// again by the next call.
    ///
    /// # Cancel safety
    /// Each step is one transaction: a dropped call has done fewer of them.
    pub async fn until_done(self, engine: &Arc<Engine>, now: impl Fn() -> Timestamp) {
        loop {
            match self.step(engine, now()).await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => return,
                // A race with somebody who changes the same thing: it is due no longer, or at the next call.
                Err(EngineError::Store(StoreError::Conflict { .. })) => return,
                Err(error) => {
                    tracing::warn!(work = ?self, %error, "work that is due can't be done now");
                    return;
                }
            }
        }
    }

    /// Does some of it; whether more is waiting.
    async fn step(self, engine: &Arc<Engine>, now: Timestamp) -> Result<bool, EngineError> {
        match self {
            Self::Ends => Ok(engine.store.expire(now, EXPIRED).await? >= EXPIRED),
            Self::Removals => Ok(engine.store.purge(now, PURGED).await? >= PURGED),
            Self::Schedules => schedule::send_due(engine, now).await,
            Self::Rungs => product::fire_due(engine, now).await,
            Self::Events => event::ask_due(engine, now).await,
            Self::Plans => product::replan_due(engine, now).await,
            Self::Announcements => announcement::end_due(engine, now).await,
            Self::Drains => drain::forget_lost(engine, now).await,
            Self::Triggers => function::trigger_due(engine, now).await,
            Self::Runs => run::start_due(engine, now).await,
        }
    }
}
