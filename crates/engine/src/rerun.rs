//! Events that are run again. What a source tells by itself stands only as long as what it tells of, and the source keeps
//! what was told to take it back then: so it has its say in what is told later.

use campanile_model::{NotificationId, Slug, Timestamp};
use campanile_store::DocumentWrite;

use crate::event::{self, Event, StoredEvent, source};
use crate::{Engine, EngineError, announcement, drain, product};

/// What [`EngineError::Invalid`] names where something holds no longer.
const STATE: &str = "state";

/// Asks the rules and functions of today that have made nothing of the event yet. Those that have are not asked
/// again: one event and one rule make one notification, ever, and one event runs a function once.
///
/// # Errors
/// [`EngineError::Missing`]; [`EngineError::Invalid`] if somebody were told of what holds no longer;
/// [`EngineError::Changed`] if somebody else does the same now; those of the store.
///
/// # Cancel safety
/// A dropped future has committed all of it or nothing.
pub async fn rerun(
    engine: &Engine,
    workspace: &Slug,
    key: &str,
    now: Timestamp,
) -> Result<StoredEvent, EngineError> {
    let _admitted = engine.rota.admit(workspace, 1)?;
    let (mut prepared, stored) = event::prepare_again(engine, workspace, key, now).await?;
    let told = prepared.told.concat();
    if !told.is_empty() {
        let kept = keeping(engine, workspace, &stored.event, &told, now).await?;
        prepared.change.documents.extend(kept);
    }
    prepared.commit(engine, workspace, now).await.map_err(|error| error.changed("event"))?;
    Ok(stored)
}

/// What the event's source, if it takes back what it told, keeps of what is `told` now.
async fn keeping(
    engine: &Engine,
    workspace: &Slug,
    event: &Event,
    told: &[NotificationId],
    now: Timestamp,
) -> Result<Option<DocumentWrite>, EngineError> {
    let kept = if event.source.starts_with(source::PRODUCTS) {
        product::tell_again(engine, workspace, event, told, now).await?
    } else if event.source == source::MAINTENANCE && event.kind.starts_with("maintenance.") {
        announcement::tell_again(engine, workspace, event, told, now).await?
    } else if event.source == source::MAINTENANCE && event.kind != drain::CANCELLED {
        drain::tell_again(engine, workspace, event, told).await?
    } else {
        return Ok(None);
    };
    let reason = "what happened holds no longer: it was removed, withdrawn or changed since, and nobody is told of it now";
    kept.map(Some).ok_or_else(|| EngineError::invalid(STATE, reason))
}
