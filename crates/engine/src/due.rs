//! What is to be done because its time has come: rungs, schedules, ends of notifications, runs.

use std::sync::Arc;

use campanile_model::Timestamp;
use campanile_store::StoreError;

use crate::{Engine, EngineError, announcement, function, product, run, schedule};

/// Notifications that run out in one write, so that publishing is never kept waiting by it.
const EXPIRED: usize = 500;
/// Documents removed in one write.
const PURGED: usize = 500;

/// Does everything that is due at `now`. Each kind of work goes on for itself: what fails is logged, left as it
/// is and tried again by the next call, and none waits for another.
///
/// # Cancel safety
/// Each step is one transaction: a dropped call has done fewer of them.
pub async fn work(engine: &Arc<Engine>, now: Timestamp) {
    tokio::join!(
        until_done("notifications past their time", || async {
            Ok(engine.store.expire(now, EXPIRED).await? >= EXPIRED)
        }),
        until_done("documents past their time", || async {
            Ok(engine.store.purge(now, PURGED).await? >= PURGED)
        }),
        until_done("scheduled notifications", || schedule::send_due(engine, now)),
        until_done("rungs of products", || product::fire_due(engine, now)),
        until_done("plans of products", || product::replan_due(engine, now)),
        until_done("announcements", || announcement::end_due(engine, now)),
        until_done("schedules of functions", || function::trigger_due(engine, now)),
        until_done("runs of functions", || run::start_due(engine, now)),
    );
}

/// Repeats `step` while it says that more is waiting.
async fn until_done<F: Future<Output = Result<bool, EngineError>>>(what: &str, step: impl Fn() -> F) {
    loop {
        match step().await {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => return,
            // A race with somebody who changes the same thing: it is due no longer, or at the next call.
            Err(EngineError::Store(StoreError::Conflict { .. })) => return,
            Err(error) => {
                tracing::warn!(what, %error, "work that is due can't be done now");
                return;
            }
        }
    }
}
