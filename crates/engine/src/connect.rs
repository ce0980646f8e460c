//! Handing a new connection over from the log to live delivery, without a gap or a duplicate.
//!
//! The shard registers the connection first (live entries skip it), then asks [`start`] for one snapshot
//! and what is to be replayed, then [`more`] while there is more, or while entries were emitted meanwhile,
//! and lets it go live at the place the last answer ended. The shard's half is `session::handover`.

use std::sync::Arc;

use bytes::Bytes;
use campanile_model::limits::MAX_REPLAY;
use campanile_model::{Seq, Slug, Timestamp, UserId, Visibility};
use campanile_store::{Item, Store, StoreError, VisibleQuery};
use campanile_wire::{Replay, Surface};

use crate::IdSource;

/// Entries in one page of a catch-up.
const PAGE: usize = 64;

/// Where a connection stands after one step of the hand-over.
#[derive(Debug)]
pub struct Step {
    /// The log's head when the step was read; the connection may go live here once `next` is `None`.
    pub head: Seq,
    /// What the user sees, as of `head`.
    pub visibility: Visibility,
    /// Payloads to send, oldest first.
    pub payloads: Vec<Bytes>,
    /// Where the next page begins (exclusive); `None`: everything up to `head` was given.
    pub next: Option<Seq>,
}

/// The first step: one snapshot, and the first page of what `replay` asks for.
///
/// # Errors
/// Those of the store; the connection is closed and comes back.
pub async fn start(
    store: &dyn Store,
    ids: &IdSource,
    surface: &Surface,
    workspace: &Slug,
    user: &UserId,
    replay: Replay,
    now: Timestamp,
) -> Result<Step, StoreError> {
    let snapshot = store.snapshot(workspace, user).await?;
    let mut step =
        Step { head: snapshot.head, visibility: snapshot.visibility, payloads: vec![], next: None };
    match replay {
        Replay::None => {}
        Replay::Unread => {
            let query = VisibleQuery {
                after: Seq::ZERO,
                up_to: step.head,
                limit: MAX_REPLAY,
                newest_first: true,
                read: Some(false),
                archived: Some(false),
            };
            let newest =
                if snapshot.unread == 0 { vec![] } else { store.visible(workspace, user, query).await? };
            step.payloads = newest.iter().rev().map(|item| encode(surface, item)).collect();
        }
        Replay::Since(id) => match store.find(workspace, Some(user), id).await {
            Ok(item) => return more(store, surface, workspace, user, item.seq, Some(step)).await,
            Err(StoreError::NotFound) => {
                step.payloads.extend(surface.resync.map(|resync| Bytes::from(resync(ids(now), now))));
            }
            Err(error) => return Err(error),
        },
    }
    Ok(step)
}

/// A further step: entries after `after`, up to the head of a fresh snapshot (or of `step`).
///
/// # Errors
/// Those of the store.
pub async fn more(
    store: &dyn Store,
    surface: &Surface,
    workspace: &Slug,
    user: &UserId,
    after: Seq,
    step: Option<Step>,
) -> Result<Step, StoreError> {
    let mut step = match step {
        Some(step) => step,
        None => {
            let snapshot = store.snapshot(workspace, user).await?;
            Step { head: snapshot.head, visibility: snapshot.visibility, payloads: vec![], next: None }
        }
    };
    let query = VisibleQuery {
        after,
        up_to: step.head,
        limit: PAGE,
        newest_first: false,
        read: None,
        archived: None,
    };
    let items = store.visible(workspace, user, query).await?;
    step.next = if items.len() < PAGE { None } else { items.last().map(|item| item.seq) };
    step.payloads = items.iter().map(|item| encode(surface, item)).collect();
    Ok(step)
}

fn encode(surface: &Surface, item: &Item) -> Bytes {
    Bytes::from((surface.encode)(&item.notification, item.receipt.read))
}

/// For callers that hold the store behind an `Arc`.
pub type SharedStore = Arc<dyn Store>;
