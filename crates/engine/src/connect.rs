//! Handing a new connection over from the log to live delivery, without a gap or a duplicate.
//!
//! The shard registers the connection first (live entries skip it), then asks [`start`] for one snapshot
//! and what is to be replayed, then [`more`] while there is more, or while entries were emitted meanwhile,
//! and lets it go live at the place the last answer ended. The shard's half is `session::handover`.

use bytes::Bytes;
use campanile_model::limits::MAX_REPLAY;
use campanile_model::{Seq, Slug, Timestamp, UserId, Visibility};
use campanile_session::Cursor;
use campanile_store::{Item, Store, StoreError, VisibleQuery};
use campanile_wire::{Replay, Surface};

use crate::IdSource;

/// Entries read for one page of a catch-up.
const PAGE: usize = 64;
/// Bytes of payloads in one page, but always at least one: half an outbox.
const PAGE_BYTES: usize = 128 * 1024;

/// Where a connection stands after one step of the hand-over.
#[derive(Debug)]
pub struct Step {
    /// The log's head when the step was read; the connection may go live here once `next` is `None`.
    pub head: Seq,
    /// What the user sees, as of `head`.
    pub visibility: Visibility,
    /// Payloads to send, oldest first.
    pub payloads: Vec<Bytes>,
    /// Where the next page begins; `None`: everything up to `head` was given.
    pub next: Option<Cursor>,
}

/// Who is connecting, and where.
#[derive(Debug, Clone)]
pub struct Reader {
    /// On which surface: how payloads look.
    pub surface: &'static Surface,
    /// In which workspace.
    pub workspace: Slug,
    /// Who.
    pub user: UserId,
}

/// The first step: one snapshot, and the first page of what `replay` asks for.
///
/// # Errors
/// Those of the store; the connection is closed and comes back.
pub async fn start(
    store: &dyn Store,
    ids: &IdSource,
    reader: &Reader,
    replay: Replay,
    now: Timestamp,
) -> Result<Step, StoreError> {
    let (workspace, user) = (&reader.workspace, &reader.user);
    let snapshot = store.snapshot(workspace, user).await?;
    let mut step =
        Step { head: snapshot.head, visibility: snapshot.visibility, payloads: vec![], next: None };
    match replay {
        Replay::None => {}
        Replay::Unread if snapshot.unread == 0 => {}
        Replay::Unread => {
            let newest = VisibleQuery {
                after: Seq::ZERO,
                up_to: step.head,
                limit: MAX_REPLAY,
                newest_first: true,
                read: Some(false),
                archived: Some(false),
            };
            let items = store.visible(workspace, user, newest).await?;
            step.take_page(reader.surface, items.iter().rev(), true);
        }
        Replay::Since(id) => match store.find(workspace, Some(user), id).await {
            Ok(item) => {
                read_page(store, reader, Cursor { after: item.seq, unread_only: false }, &mut step).await?
            }
            Err(StoreError::NotFound) => {
                step.payloads.extend(reader.surface.resync.map(|resync| Bytes::from(resync(ids(now), now))));
            }
            Err(error) => return Err(error),
        },
        Replay::Unknown => {
            step.payloads.extend(reader.surface.resync.map(|resync| Bytes::from(resync(ids(now), now))));
        }
    }
    Ok(step)
}

/// A further step: what `from` asks for, up to the head of a fresh snapshot.
///
/// # Errors
/// Those of the store.
pub async fn more(store: &dyn Store, reader: &Reader, from: Cursor) -> Result<Step, StoreError> {
    let snapshot = store.snapshot(&reader.workspace, &reader.user).await?;
    let mut step =
        Step { head: snapshot.head, visibility: snapshot.visibility, payloads: vec![], next: None };
    read_page(store, reader, from, &mut step).await?;
    Ok(step)
}

async fn read_page(
    store: &dyn Store,
    reader: &Reader,
    from: Cursor,
    step: &mut Step,
) -> Result<(), StoreError> {
    let query = VisibleQuery {
        after: from.after,
        up_to: step.head,
        limit: PAGE,
        newest_first: false,
        read: from.unread_only.then_some(false),
        archived: from.unread_only.then_some(false),
    };
    let items = store.visible(&reader.workspace, &reader.user, query).await?;
    step.take_page(reader.surface, items.iter(), from.unread_only);
    if step.next.is_none() && items.len() == PAGE {
        step.next = items.last().map(|item| Cursor { after: item.seq, ..from });
    }
    Ok(())
}

impl Step {
    /// Encodes items until the page is full; what is left over is where the next page begins.
    fn take_page<'a>(&mut self, surface: &Surface, items: impl Iterator<Item = &'a Item>, unread_only: bool) {
        let (mut bytes, mut last) = (0, None);
        for item in items {
            if bytes >= PAGE_BYTES {
                self.next = last.map(|after| Cursor { after, unread_only });
                return;
            }
            let payload = Bytes::from((surface.encode)(&item.notification, item.receipt.read));
            bytes += payload.len();
            last = Some(item.seq);
            self.payloads.push(payload);
        }
    }
}
