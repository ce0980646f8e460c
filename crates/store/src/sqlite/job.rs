//! What waits for the writer, and how it is answered.

use std::sync::Arc;

use campanile_model::{Audience, Notification, Slug, Timestamp, UserId};
use tokio::sync::oneshot;

use super::append;
use crate::{Appended, Mark, MarkKey, Marked, Retention, StoreError, Write};

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// An operation that writes.
pub(super) enum Job {
    Append {
        workspace: Slug,
        write: Write,
        now: Timestamp,
        reply: Reply<Appended>,
    },
    Mark {
        workspace: Slug,
        user: UserId,
        mark: Mark,
        key: Option<MarkKey>,
        now: Timestamp,
        reply: Reply<Marked>,
    },
    Prune {
        workspace: Slug,
        keep: Retention,
        limit: usize,
        now: Timestamp,
        reply: Reply<usize>,
    },
    Expire {
        limit: usize,
        now: Timestamp,
        reply: Reply<usize>,
    },
    Purge {
        limit: usize,
        now: Timestamp,
        reply: Reply<usize>,
    },
}

impl Job {
    /// About how many rows it writes.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Append { write: Write::Publish { notifications, .. }, .. } => published(notifications),
            Self::Append { write: Write::Change(change), .. } => {
                let access = change.grant.len() + change.withdraw.len();
                let documents = 2 * change.documents.len();
                documents + published(&change.notifications) + 2 * (access + change.resolve.len())
            }
            Self::Append {
                write: Write::Subscribe { users, .. } | Write::Unsubscribe { users, .. }, ..
            } => 3 * users.len(),
            Self::Append { .. } => 10,
            Self::Mark { .. } => 2,
            Self::Prune { limit, .. } | Self::Purge { limit, .. } => *limit,
            Self::Expire { limit, .. } => (*limit).min(append::EXPIRED_ROWS),
        }
    }

    /// Refuses it unheard.
    pub(super) fn refuse(self, error: StoreError) -> Answer {
        match self {
            Self::Append { reply, .. } => Answer::Append(reply, Err(error)),
            Self::Mark { reply, .. } => Answer::Mark(reply, Err(error)),
            Self::Prune { reply, .. } | Self::Purge { reply, .. } | Self::Expire { reply, .. } => {
                Answer::Removed(reply, Err(error))
            }
        }
    }
}

fn published(notifications: &[Arc<Notification>]) -> usize {
    let named = |audience: &Audience| match audience {
        Audience::Users(users) => users.len(),
        Audience::Topic(_) | Audience::Workspace => 0,
    };
    // What one supersedes has as many.
    let rows = |n: &Notification| {
        (1 + named(&n.audience) + n.except.len()) * (1 + usize::from(n.collapse_key.is_some()))
    };
    notifications.iter().map(|n| rows(n)).sum()
}

/// A result that waits for the commit.
pub(super) enum Answer {
    Append(Reply<Appended>, Result<Appended, StoreError>),
    Mark(Reply<Marked>, Result<Marked, StoreError>),
    /// How many, by pruning, purging or expiring.
    Removed(Reply<usize>, Result<usize, StoreError>),
}

impl Answer {
    /// Answers. A caller that no longer waits is no failure: what it asked for is done.
    pub(super) fn send(self) {
        match self {
            Self::Append(reply, result) => drop(reply.send(result)),
            Self::Mark(reply, result) => drop(reply.send(result)),
            Self::Removed(reply, result) => drop(reply.send(result)),
        }
    }

    /// Answers that the transaction it was part of is lost.
    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::Append(reply, _) => Self::Append(reply, Err(error)),
            Self::Mark(reply, _) => Self::Mark(reply, Err(error)),
            Self::Removed(reply, _) => Self::Removed(reply, Err(error)),
        }
        .send();
    }
}
