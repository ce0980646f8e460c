//! What users do with what they see, and how they are told of it.

use campanile_model::{Counts, Mark, NotificationId, Receipt, Rev, Seq, UserId};

/// How many keys of marks are kept of one user in a workspace: as many as a client may have waiting, many times.
pub const MAX_MARK_KEYS: u64 = 1000;

/// Names a mark so that its repetition is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkKey {
    /// The key, at most 255 bytes. It is the user's, in one workspace.
    pub key: String,
    /// The mark as the user said it, before a place that was left out was filled in: what a repetition under
    /// the key has to say again.
    pub said: Mark,
}

/// What a mark did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Whether anything is different now.
    pub changed: bool,
    /// The read-state revision after it.
    pub rev: Rev,
    /// The unread count after it.
    pub unread: u64,
    /// The log's head that it counts at; zero where the workspace was never written to.
    pub head: Seq,
}

/// What a user did since some revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadState {
    /// As in [`Snapshot`](crate::Snapshot). Its revision is that which the items are the state of.
    pub counts: Counts,
    /// Ascending by the revision that changed them, then by place.
    pub items: Vec<ReceiptChange>,
    /// There are further ones than `limit`, perhaps of the last one's revision: without them this is no state. Ask for
    /// more at once, or read the inbox.
    pub more: bool,
}

/// What a user did with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptChange {
    /// Which.
    pub id: NotificationId,
    /// Its place.
    pub seq: Seq,
    /// As it is now.
    pub receipt: Receipt,
}

/// Says that a user's read state has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marking {
    /// Whose.
    pub user: UserId,
    /// The read-state revision after it.
    pub rev: Rev,
}
