//! A user's inbox: what there is, how much of it is new, and what the user did with it.

use std::time::Duration;

use campanile_model::{Seq, Slug, UserId};
use campanile_store::{Item, Snapshot, VisibleQuery};
use tokio::sync::broadcast::error::RecvError;

use crate::{Engine, EngineError};

/// Entries in a page when nothing else is asked for.
pub const DEFAULT_PAGE: usize = 25;
/// Entries in a page at most.
pub const MAX_PAGE: usize = 100;
/// How long a reader waits for the log to reach the place it named.
pub const MAX_WAIT: Duration = Duration::from_secs(5);

/// Which page of an inbox. Pages are newest first, whichever way one walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Where it lies.
    pub from: Cursor,
    /// At most this many, 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// Only unread ones (`true`) or only read ones; `None`: both.
    pub unread: Option<bool>,
    /// Only archived ones or only others; `None`: both.
    pub archived: Option<bool>,
}

impl Default for Page {
    /// The newest [`DEFAULT_PAGE`] that were not put away.
    fn default() -> Self {
        Self { from: Cursor::Newest, limit: DEFAULT_PAGE, unread: None, archived: Some(false) }
    }
}

/// Where a page lies in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// At its end.
    Newest,
    /// The entries directly before this place.
    Before(Seq),
    /// The entries directly after this place.
    After(Seq),
}

/// One page of an inbox, with the counts of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Newest first.
    pub items: Vec<Item>,
    /// Ask for what lies before this for the next older page; `None`: there is nothing older.
    pub older: Option<Seq>,
    /// Ask for what lies after this for anything newer, now or later.
    pub newer: Seq,
    /// Where the log and the user's read state stood.
    pub snapshot: Snapshot,
}

/// One page of `user`'s inbox, read at or after the place `min_seq` in the log.
///
/// # Errors
/// [`EngineError::Invalid`] for a limit out of range, [`EngineError::NotReached`] if the log does not get
/// to `min_seq` within `wait`; those of the store.
pub async fn list(
    engine: &Engine,
    workspace: &Slug,
    user: &UserId,
    page: Page,
    min_seq: Seq,
    wait: Duration,
) -> Result<Listed, EngineError> {
    if !(1..=MAX_PAGE).contains(&page.limit) {
        return Err(EngineError::invalid("limit", format!("the limit is 1 to {MAX_PAGE}")));
    }
    let snapshot = counts(engine, workspace, user, min_seq, wait).await?;
    let (after, up_to) = match page.from {
        Cursor::Newest => (Seq::ZERO, snapshot.counts.head),
        Cursor::Before(seq) => (Seq::ZERO, Seq(seq.0.saturating_sub(1)).min(snapshot.counts.head)),
        Cursor::After(seq) => (seq.min(snapshot.counts.head), snapshot.counts.head),
    };
    let upwards = matches!(page.from, Cursor::After(_));
    let mut items = if after == up_to {
        vec![]
    } else {
        let query = VisibleQuery {
            after,
            up_to,
            // One more than asked for tells whether there is another page.
            limit: page.limit + 1,
            newest_first: !upwards,
            read: page.unread.map(|unread| !unread),
            archived: page.archived,
        };
        engine.store.visible(workspace, user, query).await?
    };
    let more = items.len() > page.limit;
    items.truncate(page.limit);
    if upwards {
        items.reverse();
    }
    let (newest, oldest) = (items.first().map(|i| i.seq), items.last().map(|i| i.seq));
    let (older, newer) = if upwards {
        // What lies before the cursor was there when it was given; a page that is full ends at its newest.
        let newer = if more { newest.unwrap_or(up_to) } else { up_to };
        (Some(oldest.unwrap_or(after.next())).filter(|seq| seq.0 > 1), newer)
    } else {
        (oldest.filter(|_| more), up_to)
    };
    Ok(Listed { items, older, newer, snapshot })
}

/// Hands the newest `limit` entries of `user`'s inbox that were not put away to `take`, newest first, until
/// it wants no more: for lists without pages. Reads [`MAX_PAGE`] at a time, so that no more are in memory at
/// once; each page shows the read state of its own moment.
///
/// # Errors
/// Those of the store.
pub async fn newest(
    engine: &Engine,
    workspace: &Slug,
    user: &UserId,
    limit: usize,
    mut take: impl FnMut(&Item) -> bool,
) -> Result<(), EngineError> {
    let (mut up_to, mut left) = (Seq(u64::MAX), limit);
    while left > 0 && up_to > Seq::ZERO {
        let asked = left.min(MAX_PAGE);
        let query = VisibleQuery {
            after: Seq::ZERO,
            up_to,
            limit: asked,
            newest_first: true,
            read: None,
            archived: Some(false),
        };
        let page = engine.store.visible(workspace, user, query).await?;
        if !page.iter().all(&mut take) || page.len() < asked {
            break;
        }
        left -= asked;
        up_to = page.last().map_or(Seq::ZERO, |item| Seq(item.seq.0.saturating_sub(1)));
    }
    Ok(())
}

/// How much is new in `user`'s inbox, read at or after the place `min_seq` in the log.
///
/// # Errors
/// [`EngineError::NotReached`] if the log does not get there within `wait`; those of the store.
pub async fn counts(
    engine: &Engine,
    workspace: &Slug,
    user: &UserId,
    min_seq: Seq,
    wait: Duration,
) -> Result<Snapshot, EngineError> {
    let snapshot = engine.store.snapshot(workspace, user).await?;
    if snapshot.counts.head >= min_seq {
        return Ok(snapshot);
    }
    let mut commits = engine.store.commits();
    let reached = async {
        loop {
            // Read again only after listening began, so that no commit falls between the two.
            let snapshot = engine.store.snapshot(workspace, user).await?;
            if snapshot.counts.head >= min_seq {
                return Ok(Some(snapshot));
            }
            loop {
                match commits.recv().await {
                    Ok(commit) if commit.workspace != *workspace || commit.entries.is_empty() => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(None),
                }
            }
        }
    };
    match tokio::time::timeout(wait, reached).await {
        Ok(Ok(Some(snapshot))) => Ok(snapshot),
        Ok(Err(error)) => Err(error),
        Ok(Ok(None)) | Err(_) => Err(EngineError::NotReached { seq: min_seq }),
    }
}
